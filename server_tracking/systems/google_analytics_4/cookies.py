"""Read what Google's own tag keeps in its cookies, for a site that runs both.

Google documents what the cookies are for, not what is in them; the layouts are
common knowledge among its users. Junk reads as None.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from server_tracking.hits import BrowserIds, Session
from server_tracking.patterns import pattern_from

__all__ = ["browser_ids_from", "client_id_from", "cookie_names", "session_from"]

_IDLE = 30 * 60  # seconds after which the tag begins another session
_AHEAD = 300  # seconds by which a visitor's clock may be fast
_LONGEST = 512
# GA1.<depth>.<random>.<seconds>: the depth may be anything, as in GA1.2-2.x.y.
_CLIENT = pattern_from(r"GA[0-9]\.[^.]{1,16}\.([1-9][0-9]{0,18}\.[1-9][0-9]{0,11})")
_SESSION = pattern_from(r"GS([0-9])\.[^.]{1,16}\.(.+)")
_NUMBER = pattern_from(r"0*[1-9][0-9]{0,11}")


def client_id_from(cookie: str | None) -> str | None:
    """Read the client id in a ``_ga`` cookie: the two numbers at its end."""
    if not cookie or len(cookie) > _LONGEST:
        return None
    match = _CLIENT.fullmatch(unquote(cookie))
    return match[1] if match else None


def session_from(cookie: str | None) -> Session | None:
    """Read id and number of the session in a ``_ga_<ID>`` cookie, GS1 or GS2.

    GS1 joins its fields with dots, GS2 (since May 2025) with dollar signs, each
    behind a letter and in any order.
    """
    return _session(_fields(cookie))


def _session(fields: Mapping[str, str]) -> Session | None:
    session_id = fields.get("s", "")
    number = fields.get("o", "")
    if not _NUMBER.fullmatch(session_id):
        return None
    return Session(
        id=int(session_id), number=int(number) if _NUMBER.fullmatch(number) else 1
    )


def cookie_names(measurement_id: str) -> tuple[str, str]:
    """Name the two cookies of the tag: of the visitor, and of the visit."""
    return "_ga", f"_ga_{measurement_id.removeprefix('G-')}"


def browser_ids_from(
    cookies: Mapping[str, str], measurement_id: str, now: float
) -> BrowserIds | None:
    """Read what the tag of *measurement_id* calls the visitor; None if nothing.

    Its session counts only while it goes on: once 30 minutes have passed, the tag
    begins another, which no server can foresee.
    """
    visitor_cookie, session_cookie = cookie_names(measurement_id)
    visitor = client_id_from(cookies.get(visitor_cookie))
    if visitor is None or int(visitor.rpartition(".")[2]) > now + _AHEAD:
        return None
    fields = _fields(cookies.get(session_cookie))
    session, last = _session(fields), fields.get("t", "")
    goes_on = (
        session is not None
        and _NUMBER.fullmatch(last) is not None
        and session.id <= int(last)
        and -_AHEAD <= now - int(last) <= _IDLE
    )
    if session is None or not goes_on:
        return BrowserIds("google_analytics_4", measurement_id, visitor)
    return BrowserIds(
        "google_analytics_4", measurement_id, visitor, session.id, session.number
    )


def _fields(cookie: str | None) -> dict[str, str]:
    """Read the fields of a ``_ga_<ID>`` cookie by their letters; empty for junk."""
    if not cookie or len(cookie) > _LONGEST:
        return {}
    match = _SESSION.fullmatch(unquote(cookie))
    if match is None:
        return {}
    if match[1] == "1":
        return dict(zip("sogt", match[2].split("."), strict=False))
    fields: dict[str, str] = {}
    for part in match[2].split("$"):
        fields.setdefault(part[:1], part[1:])
    return fields
