"""Read what PostHog's own script keeps in its cookie, for a site that runs both.

The cookie is ``ph_<project key>_posthog`` and holds JSON in percent signs, of which
two fields matter: ``distinct_id`` and ``$sesid`` (last activity, id and start of the
visit, times in milliseconds; posthog-js, ``sessionid.ts``). Where Segment's script
brings PostHog its events, its cookie names the visitor. Junk reads as None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from server_tracking.hits import BrowserIds
from server_tracking.patterns import pattern_from

__all__ = ["account_of", "browser_ids_from", "cookie_names"]

_LONGEST = 8 * 1024
_LONGEST_OF_SEGMENT = 128
_IDLE = 30 * 60  # seconds after which the script begins another visit
_MOST = 24 * 3600  # seconds that one lasts
_AHEAD = 300  # seconds by which a visitor's clock may be fast
# A UUID, or the five groups of older scripts. Anything else is a name that the site
# has given the visitor in the browser: a user id, or worse.
_ID = pattern_from(r"(?=[0-9a-f-]*[1-9a-f])(?:[0-9a-f]{4,20}-){4}[0-9a-f]{4,20}")
_UUID = pattern_from(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Kept(msgspec.Struct, frozen=True):
    distinct_id: str = ""
    visit: tuple[float | None, str | None, float | None] | None = msgspec.field(
        name="$sesid", default=None
    )


_decoder = msgspec.json.Decoder(_Kept)


def account_of(api_key: str) -> str:
    """Name a project in hits without its key."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:8]


def cookie_names(api_key: str) -> tuple[str, str]:
    """Name the cookies that are read, the first that names the visitor counts."""
    return f"ph_{api_key}_posthog", "ajs_anonymous_id"


def browser_ids_from(
    cookies: Mapping[str, str], api_key: str, now: float
) -> BrowserIds | None:
    """Read what the script of the project calls the visitor; None if nothing.

    Its visit counts only while it goes on: once 30 minutes have passed, the script
    begins another, which no server can foresee.
    """
    own, of_segment = cookie_names(api_key)
    account = account_of(api_key)
    kept = _kept(cookies.get(own))
    if kept is not None:
        return BrowserIds("posthog", account, kept.distinct_id, _visit(kept, now))
    anonymous = cookies.get(of_segment, "")
    if len(anonymous) > _LONGEST_OF_SEGMENT:
        return None
    anonymous = unquote(anonymous)
    if anonymous[:1] == anonymous[-1:] == '"':
        anonymous = anonymous[1:-1]
    if not (_UUID.fullmatch(anonymous) and _ID.fullmatch(anonymous)):
        return None
    return BrowserIds("posthog", account, anonymous)


def _kept(cookie: str | None) -> _Kept | None:
    if not cookie or len(cookie) > _LONGEST:
        return None
    try:
        kept = _decoder.decode(unquote(cookie))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return kept if _ID.fullmatch(kept.distinct_id) else None


def _visit(kept: _Kept, now: float) -> str | None:
    last, visit, start = kept.visit or (None, None, None)
    if last is None or visit is None or start is None:
        return None
    goes_on = (
        -_AHEAD <= now - last / 1000 <= _IDLE
        and -_AHEAD <= now - start / 1000 <= _MOST
        and _UUID.fullmatch(visit)
    )
    return visit if goes_on else None
