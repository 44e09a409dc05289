"""Read what Matomo's own script keeps in its cookie, for a site that runs both.

The cookie is ``_pk_id.<site>.<four digits>`` and holds ``<id>.<seconds>.``, in older
versions with more numbers behind (matomo-org/matomo, js/piwik.js). Junk reads as None.
"""

from __future__ import annotations

from collections.abc import Mapping

from server_tracking.hits import BrowserIds
from server_tracking.patterns import pattern_from

__all__ = ["browser_ids_from", "cookie_name"]

_LONGEST = 128
_AHEAD = 300  # seconds by which a visitor's clock may be fast
_VALUE = pattern_from(r"([0-9a-f]{16})\.([0-9]{9,10})(?:\.[0-9]{0,10}){0,6}")
_DIGITS = pattern_from(r"[0-9a-f]{4}")


def cookie_name(site_id: int) -> str:
    """Name the cookie of *site_id*, up to the digits that its domain decides on."""
    return f"_pk_id.{site_id}."


def browser_ids_from(
    cookies: Mapping[str, str], site_id: int, now: float
) -> BrowserIds | None:
    """Read what the script of *site_id* calls the visitor; None if nothing.

    The digits at the end of the name stand for domain and path, which only the script
    knows. Where two such cookies tell two ids, nothing says which is meant.
    """
    front = cookie_name(site_id)
    found = {
        match[1]
        for name, value in cookies.items()
        if name.startswith(front)
        and _DIGITS.fullmatch(name, len(front))
        and len(value) <= _LONGEST
        and (match := _VALUE.fullmatch(value))
        and int(match[2]) <= now + _AHEAD
    }
    if len(found) != 1:
        return None
    return BrowserIds("matomo", str(site_id), found.pop())
