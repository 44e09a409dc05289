"""What Matomo is told of a hit: parameters by their names on the wire, uncut."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from server_tracking.hits import (
    Event,
    ExceptionHit,
    Hit,
    Item,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    ScreenView,
    Social,
    Timing,
)
from server_tracking.parameters import wire_text
from server_tracking.systems.matomo.parameters import (
    AttributionParameters,
    OrderParameters,
    ProductViewParameters,
)
from server_tracking.wire import (
    begins_visit,
    hit_name,
    hit_properties,
    json_bytes,
    number_text,
    raw_parameters,
    total_of,
    utc_time,
)

__all__ = ["NOT_SET", "Settings", "say", "visitor_id"]

NOT_SET = "(not set)"
"""Stands for an event's action where there is none: Matomo drops events without."""

_OWN_ID = re.compile(r"[0-9a-fA-F]{16}")
_MOST_CATEGORIES = 5


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a site has told of itself; the fields are options of `Matomo`."""

    site_id: int
    has_token: bool
    dimensions: tuple[tuple[str, int], ...] = ()
    bots: Literal["ignore", "record"] = "ignore"
    crashes: bool = False
    currency: str | None = None
    session_starts: bool = False


def say(hit: Hit, moment: float, settings: Settings) -> dict[str, str]:
    """Say *hit*, which happened at *moment* (Unix seconds).

    ``extra=`` replaces what it names; what is not text in it is written as JSON.
    """
    said = {**_request_said(hit, moment, settings), **_kind_said(hit, settings)}
    for name, index in settings.dimensions:
        if (value := hit.params.get(name)) is not None:
            said[f"dimension{index}"] = value
    told = {
        name: value if type(value) is str and value.isascii() else _text(value)
        for name, value in said.items()
        if value is not None
    }
    for name, value in raw_parameters(hit, "matomo").items():
        if value is None:
            told.pop(name, None)
        else:
            told[wire_text(name)] = _text(value)
    return told


def visitor_id(client_id: str) -> str | None:
    """Make Matomo's 16 hexadecimal digits of a client id.

    They are those of its SHA-256 that come first. A client id that has that form
    already, as in the cookie of Matomo's own script, is kept.
    """
    if not client_id:
        return None
    if _OWN_ID.fullmatch(client_id):
        return client_id.lower()
    return hashlib.sha256(client_id.encode("utf-8", "replace")).hexdigest()[:16]


def _request_said(hit: Hit, moment: float, settings: Settings) -> dict[str, Any]:
    context, visitor = hit.context, hit.context.visitor
    known = visitor.known_to("matomo", str(settings.site_id))
    client_id = visitor.client_id if known is None else known.visitor
    starts = settings.session_starts and begins_visit(hit)
    time = utc_time(moment).isoformat(" ", "seconds")
    return {
        "idsite": settings.site_id,
        "rec": "1",
        "apiv": "1",
        "url": context.page.url or None,
        "urlref": context.page.referrer or None,
        "cid": visitor_id(client_id),
        "uid": visitor.user_id or None,
        "new_visit": "1" if starts else None,
        "ua": context.device.user_agent or None,
        "lang": context.device.language or None,
        "res": context.device.screen_resolution or None,
        "cip": context.address if settings.has_token else None,
        "cdt": time.removesuffix("+00:00"),
    }


def _kind_said(hit: Hit, settings: Settings) -> dict[str, Any]:
    match hit:
        case PageView():
            return _page_said(hit, settings)
        case ScreenView():
            return {"action_name": hit.name}
        case Purchase() if _is_order(hit, settings):
            return _order_said(hit)
        case ExceptionHit() if settings.crashes:
            return {"cra": hit.description or NOT_SET, "ca": "1"}
    event = _event_said(hit)
    if isinstance(hit, ProductAction) and hit.action == "view" and len(hit.items) == 1:
        event |= _product_said(hit.items[0])
    return event


def _page_said(hit: PageView, settings: Settings) -> dict[str, Any]:
    """Say a page view, or the search that it shows the results of."""
    params = hit.params
    said: dict[str, Any] = {}
    if settings.bots == "record":
        status = params.get("http_status")
        said = {"recMode": "2", "http_status": status, "source": "server-tracking"}
    if params.get("search") not in (None, ""):
        said["search"] = params["search"]
        said["search_cat"] = params.get("search_category")
        said["search_count"] = params.get("search_count")
        return said
    said["action_name"] = hit.context.page.title or None
    said["pv_id"] = hit.id.hex[:6]
    said["pf_srv"] = _whole(hit.server_ms)
    return said


def _event_said(hit: Hit) -> dict[str, Any]:
    """Say *hit* as an event that is no page view: category, action, name and value."""
    found: tuple[Any, Any, Any, Any]
    match hit:
        case Event():
            found = (hit.category, hit.action, hit.label, hit.value)
        case Timing():
            found = (hit.category, hit.variable, hit.label, hit.value)
        case Social():
            found = (hit.network, hit.action, hit.target, None)
        case ExceptionHit():
            grave = "fatal" if hit.fatal else "not fatal"
            found = ("Exception", hit.description, grave, None)
        case Purchase() | Refund():
            found = (hit_name(hit), hit.transaction_id, _amount_said(hit), None)
        case _:
            group, _, verb = hit_name(hit).partition(": ")
            properties = hit_properties(hit)
            step = properties.get("option") or properties.get("step")
            found = (group, verb or step, properties.get("items"), None)
    category, action, name, value = found
    return {
        "e_c": category,
        "e_a": NOT_SET if action is None or not str(action).strip() else action,
        "e_n": name or None,
        "e_v": value,
        "ca": "1",
    }


def _amount_said(hit: Purchase | Refund) -> str | None:
    """Write an amount with its currency, which keeps it from being added up."""
    amount = total_of(hit)
    text = None if amount is None else number_text(amount)
    return text and f"{text} {hit.currency or ''}".strip()


def _is_order(hit: Purchase, settings: Settings) -> bool:
    """Tell whether Matomo would count *hit* as the order that it is.

    Without an id it would be a cart; a site has one currency, in which Matomo adds
    up all amounts whatever they are in.
    """
    theirs = hit.currency and hit.currency.upper()
    return bool(hit.transaction_id.strip()) and (
        not theirs or settings.currency in (None, theirs)
    )


def _order_said(hit: Purchase) -> dict[str, Any]:
    items = [_item_said(item) for item in hit.items if item.id or item.name]
    campaign = hit.context.campaign
    prices = [item.price for item in hit.items]
    priced = bool(prices) and None not in prices
    subtotal = total_of(msgspec.structs.replace(hit, revenue=None)) if priced else None
    return {
        **OrderParameters(
            goal=0,
            order_id=hit.transaction_id,
            revenue=_plain(total_of(hit)),
            items=json_bytes(items).decode() if items else None,
            subtotal=_plain(subtotal),
            tax=_plain(hit.tax),
            shipping=_plain(hit.shipping),
        ).wire(),
        **AttributionParameters(
            campaign=campaign.name or None,
            keyword=campaign.term if campaign.name else None,
        ).wire(),
    }


def _item_said(item: Item) -> list[Any]:
    """Say *item* as SKU, name, category, price and quantity.

    The empty text and 0 are what Matomo takes for what is left out.
    """
    categories = _categories(item)
    price = None if item.price is None else number_text(item.price)
    return [
        item.id or item.name,
        item.name or "",
        categories if len(categories) > 1 else "".join(categories),
        float(price or 0),
        item.quantity,
    ]


def _product_said(item: Item) -> dict[str, Any]:
    categories = _categories(item)
    return ProductViewParameters(
        sku=item.id or item.name,
        name=item.name,
        category=json_bytes(categories).decode()
        if len(categories) > 1
        else "".join(categories) or None,
        price=_plain(item.price),
    ).wire()


def _categories(item: Item) -> list[str]:
    levels = (item.category or "").split("/")
    return [level.strip() for level in levels if level.strip()][:_MOST_CATEGORIES]


def _whole(number: float | None) -> int | None:
    # isfinite() would make a float of any int, and fails for large ones.
    endless = isinstance(number, float) and not math.isfinite(number)
    return None if number is None or endless else round(number)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else number_text(amount)


def _text(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return json_bytes(value).decode()
    return wire_text(value)
