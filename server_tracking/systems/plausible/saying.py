"""What Plausible is told of a hit: one event, whole and uncut."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from server_tracking.hits import (
    Event,
    ExceptionHit,
    Hit,
    PageView,
    ProductAction,
    Purchase,
    ScreenView,
    Timing,
)
from server_tracking.wire import (
    hit_name,
    hit_properties,
    number_text,
    total_of,
    well_formed,
)

__all__ = ["say"]

# Names with a meaning of their own, which no event of the site's may take.
_RESERVED = {"pageview", "engagement"}
# What is shown to visitors rather than done by them does not end a bounce.
_SHOWN = {"impression", "promotion_view"}


def say(hit: Hit, domain: str) -> dict[str, Any]:
    """Say *hit* to the site *domain*.

    Only a purchase has revenue: Plausible adds amounts up, and a refund of less than
    nothing would be shown as a sale.
    """
    name = hit_name(hit)
    if isinstance(hit, PageView | ScreenView):
        name = "pageview"
    elif name in _RESERVED:
        name = f"Event: {name}"
    event: dict[str, Any] = {"name": name, "domain": domain, "url": _url(hit, domain)}
    if hit.context.page.referrer:
        event["referrer"] = hit.context.page.referrer
    if not _is_interactive(hit):
        event["interactive"] = False
    if isinstance(hit, Purchase) and (revenue := _revenue(hit)):
        event["revenue"] = revenue
    if props := hit_properties(hit):
        event["props"] = props
    return event


def _url(hit: Hit, domain: str) -> str:
    """Return where *hit* happened; a page view without a URL happened nowhere.

    What has no page gets the address of an app as the reference proposes, on the
    site's own host: Plausible takes another host for another visitor.
    """
    page = hit.context.page
    host = page.host or re.split("[,/]", domain)[0]
    if isinstance(hit, ScreenView):
        return f"app://{host}/{quote(well_formed(hit.name), safe='')}"
    if page.url or isinstance(hit, PageView):
        return page.url or ""
    return f"app://{host}/"


def _is_interactive(hit: Hit) -> bool:
    match hit:
        case Event():
            return not hit.non_interaction
        case ProductAction():
            return hit.action not in _SHOWN
        case Timing() | ExceptionHit():
            return False
    return True


def _revenue(hit: Purchase) -> dict[str, str] | None:
    total = total_of(hit)
    amount = None if total is None else number_text(total)
    if amount is None or not hit.currency:
        return None
    return {"currency": hit.currency.upper(), "amount": amount}
