"""Name hits, and say what they hold, in words that any system takes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from server_tracking.hits import (
    Event,
    ExceptionHit,
    Hit,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    Scalar,
    ScreenView,
    Social,
    Timing,
)
from server_tracking.wire.texts import is_reasonable, number_text

__all__ = [
    "begins_visit",
    "hit_name",
    "hit_properties",
    "raw_parameters",
    "total_of",
]


def begins_visit(hit: Hit) -> bool:
    """Tell whether *hit* is the page, or the screen, with which a visit begins.

    What else is told of the same request is of the same visit, and begins none.
    """
    return hit.context.session.is_new and isinstance(hit, PageView | ScreenView)


def hit_name(hit: Hit) -> str:
    """Name *hit* for systems that take any words: ``Basket: Add``, ``Purchase``.

    A page view has none, which is the empty text.
    """
    match hit:
        case PageView():
            return ""
        case Event(category=category, action=action):
            return f"{category}: {action}" if action else category
        case ScreenView(name=name):
            return f"Screen: {name}"
        case Social(network=network, action=action):
            return f"{network}: {action}"
        case Timing(category=category, variable=variable):
            return f"{category}: {variable}"
        case ProductAction(action=action):
            return _PRODUCT_ACTIONS[action]
        case Purchase():
            return "Purchase"
        case Refund():
            return "Refund"
        case ExceptionHit():
            return "Exception"


def hit_properties(hit: Hit) -> dict[str, Scalar]:
    """List what *hit* says beyond its name and context; the site's own params win.

    Money is written in plain digits, items by their number and names. Nothing is
    listed that the hit leaves open.
    """
    said: dict[str, Scalar | Decimal] = {}
    match hit:
        case PageView() | ScreenView():
            pass
        case Event():
            said = {
                "category": hit.category,
                "action": hit.action,
                "label": hit.label,
                "value": hit.value,
            }
        case ExceptionHit():
            said = {"description": hit.description, "fatal": hit.fatal}
        case Timing():
            said = {
                "category": hit.category,
                "variable": hit.variable,
                "value": hit.value,
                "label": hit.label,
            }
        case Social():
            said = {
                "network": hit.network,
                "action": hit.action,
                "target": hit.target,
            }
        case Purchase() | Refund():
            said = {
                "transaction_id": hit.transaction_id,
                "revenue": total_of(hit),
                "tax": hit.tax,
                "shipping": hit.shipping,
                "currency": hit.currency,
                "coupon": hit.coupon,
                "affiliation": hit.affiliation,
                **_items_said(hit),
            }
        case ProductAction():
            said = {
                "list": hit.list_name,
                "step": hit.step,
                "option": hit.option,
                "currency": hit.currency,
                **_items_said(hit),
            }
    properties: dict[str, Scalar] = {
        name: number_text(value) if isinstance(value, Decimal) else value
        for name, value in said.items()
        if value is not None
    }
    return {**properties, **hit.params}


def total_of(hit: Purchase | Refund) -> Decimal | None:
    """Return what an order comes to: its revenue, or the sum of its items.

    None if neither is known, as for a refund of the whole order.
    """
    if hit.revenue is not None:
        return hit.revenue
    prices = [
        item.price * item.quantity
        for item in hit.items
        if item.price is not None and is_reasonable(item.price)
    ]
    return sum(prices, Decimal(0)) if prices else None


_PRODUCT_ACTIONS = {
    "impression": "Product: Impression",
    "click": "Product: Click",
    "view": "Product: View",
    "add": "Product: Add to basket",
    "remove": "Product: Remove from basket",
    "checkout": "Checkout",
    "promotion_view": "Promotion: View",
    "promotion_click": "Promotion: Click",
}


def _items_said(hit: Purchase | Refund | ProductAction) -> dict[str, Scalar]:
    names = [item.name or item.id for item in hit.items]
    if not names:
        return {}
    quantity = sum(item.quantity for item in hit.items)
    return {"items": ", ".join(filter(None, names)), "quantity": quantity}


def raw_parameters(hit: Hit, *names: str) -> Mapping[str, Any]:
    """Return what the site gave in ``extra=`` for a system with these *names*."""
    for name in names:
        if raw := hit.extra.get(name):
            return raw
    return {}
