"""Read what analytics.js keeps in its cookie, for a site that runs both.

The cookie ``_ga`` holds ``GA1.<depth>.<client id>``; only scripts of Google's read it
by right, its layout is common knowledge among its users. Junk reads as None.
"""

from __future__ import annotations

from collections.abc import Mapping

from server_tracking.hits import BrowserIds
from server_tracking.patterns import pattern_from

__all__ = ["COOKIE_NAME", "browser_ids_from"]

COOKIE_NAME = "_ga"
_AHEAD = 300  # seconds by which a visitor's clock may be fast
_LONGEST = 128
# The depth may be anything, as in GA1.2-2.x.y; the id is a random number and the
# second of the first visit.
_VALUE = pattern_from(r"GA[0-9]\.[^.]{1,16}\.([1-9][0-9]{0,18}\.([1-9][0-9]{0,11}))")


def browser_ids_from(
    cookies: Mapping[str, str], tracking_id: str, now: float
) -> BrowserIds | None:
    """Read what the script calls the visitor; None if nothing."""
    value = cookies.get(COOKIE_NAME, "")
    match = _VALUE.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None or int(match[2]) > now + _AHEAD:
        return None
    return BrowserIds("universal_analytics", tracking_id, match[1])
