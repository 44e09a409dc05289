"""Read what Google's own tag keeps in its cookies, for a site that runs both.

Google documents what the cookies are for, not what is in them; the layouts are
common knowledge among its users. Junk reads as None.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from server_tracking.hits import Session

__all__ = ["client_id_from", "session_from"]

_LONGEST = 512
# GA1.<depth>.<random>.<seconds>: the depth may be anything, as in GA1.2-2.x.y.
_CLIENT = re.compile(r"GA[0-9]\.[^.]{1,16}\.([1-9][0-9]{0,18}\.[1-9][0-9]{0,11})")
_SESSION = re.compile(r"GS([0-9])\.[^.]{1,16}\.(.+)")
_NUMBER = re.compile(r"0*[1-9][0-9]{0,11}")


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
    if not cookie or len(cookie) > _LONGEST:
        return None
    match = _SESSION.fullmatch(unquote(cookie))
    if match is None:
        return None
    if match[1] == "1":
        fields = dict(zip("so", match[2].split("."), strict=False))
    else:
        fields = {}
        for part in match[2].split("$"):
            fields.setdefault(part[:1], part[1:])
    session_id = fields.get("s", "")
    number = fields.get("o", "")
    if not _NUMBER.fullmatch(session_id):
        return None
    return Session(
        id=int(session_id), number=int(number) if _NUMBER.fullmatch(number) else 1
    )
