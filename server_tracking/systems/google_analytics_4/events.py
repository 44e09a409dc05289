"""Say what happened: names and own parameters of the events of each kind of hit.

Names are those of the Measurement Protocol's event reference where it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

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
from server_tracking.systems.google_analytics_4.wording import (
    amount,
    event_name_from,
    tidied,
)
from server_tracking.wire import hit_name

__all__ = ["Named", "events_of"]

Named = tuple[str, dict[str, Any]]
"""The name of an event and its own parameters."""


def events_of(hit: Hit, event_names: Mapping[str, str]) -> list[Named]:
    """Say *hit* as events; *event_names* are the site's, by `wire.hit_name`."""
    match hit:
        case PageView():
            device = hit.context.device
            words: dict[str, Any] = {
                "language": device.language,
                "screen_resolution": device.screen_resolution,
                "server_ms": hit.server_ms,
            }
            return [("page_view", words)]
        case ScreenView():
            # Google's screen_view belongs to app streams.
            words = {"screen_name": hit.name}
            return [(event_names.get(hit_name(hit), "view_screen"), words)]
        case Event():
            words = {
                "event_category": hit.category,
                "event_action": hit.action,
                "event_label": hit.label,
                "value": hit.value,
            }
            return [(_name(hit, event_names), words)]
        case ExceptionHit():
            words = {"description": hit.description, "fatal": bool(hit.fatal)}
            return [("exception", words)]
        case Timing():
            words = {
                "name": hit.variable,
                "value": hit.value,
                "event_category": hit.category,
                "event_label": hit.label,
            }
            return [(event_names.get(hit_name(hit), "timing_complete"), words)]
        case Social():
            return [_social(hit, event_names)]
        case Purchase():
            return [("purchase", _order(hit))]
        case Refund():
            return [("refund", _order(hit))]
        case ProductAction():
            return _product_action(hit, event_names)


def _name(hit: Hit, event_names: Mapping[str, str]) -> str:
    name = hit_name(hit)
    return event_names.get(name) or event_name_from(name)


def _social(hit: Social, event_names: Mapping[str, str]) -> Named:
    """Say share for what is one; a like stays what it is."""
    if hit.action.casefold() in ("share", "shared"):
        words = {"method": hit.network, "item_id": hit.target}
        return event_names.get(hit_name(hit), "share"), words
    return _name(hit, event_names), {
        "social_network": hit.network,
        "social_action": hit.action,
        "social_target": hit.target,
    }


def _order(hit: Purchase | Refund) -> dict[str, Any]:
    return {
        "transaction_id": hit.transaction_id,
        "value": _net(hit),
        "currency": _currency(hit.currency),
        "tax": hit.tax,
        "shipping": hit.shipping,
        "coupon": hit.coupon,
        "items": _items(hit.items, affiliation=hit.affiliation),
    }


def _net(hit: Purchase | Refund) -> Decimal | None:
    """Take tax and shipping out of the total: Google's value has neither."""
    total = amount(hit.revenue)
    if total is None:
        return _worth(hit.items)
    net = total - (amount(hit.tax) or 0) - (amount(hit.shipping) or 0)
    return net if net >= 0 else total


def _product_action(hit: ProductAction, event_names: Mapping[str, str]) -> list[Named]:
    name = _PRODUCT_EVENTS[hit.action]
    money = {"value": _worth(hit.items), "currency": _currency(hit.currency)}
    match hit.action:
        case "impression":
            words = {"item_list_name": hit.list_name, "items": _items(hit.items)}
            return [(name, {**words, "currency": money["currency"]})]
        case "click":
            # Google reads only the first item of a click or a promotion.
            words = {"item_list_name": hit.list_name}
            return [
                (name, {**words, "items": _items([item])}) for item in hit.items
            ] or [(name, words)]
        case "promotion_view" | "promotion_click":
            return [(name, _promotion(item)) for item in hit.items] or [(name, {})]
        case "checkout":
            return [_checkout(hit, event_names, money)]
        case _:
            items = _items(hit.items, item_list_name=hit.list_name)
            return [(name, {**money, "items": items})]


_PRODUCT_EVENTS = {
    "impression": "view_item_list",
    "click": "select_item",
    "view": "view_item",
    "add": "add_to_cart",
    "remove": "remove_from_cart",
    "checkout": "begin_checkout",
    "promotion_view": "view_promotion",
    "promotion_click": "select_promotion",
}
_CHECKOUT_CHOICES = {
    "add_shipping_info": "shipping_tier",
    "add_payment_info": "payment_type",
}


def _checkout(
    hit: ProductAction, event_names: Mapping[str, str], money: dict[str, Any]
) -> Named:
    """Say how the checkout goes on; only the site knows what its later steps are.

    Without a name for ``Checkout: <step>`` they are events of their own.
    """
    name = "begin_checkout"
    if hit.step is not None:
        later = "begin_checkout" if hit.step == 1 else event_name_from(hit_name(hit))
        name = event_names.get(f"{hit_name(hit)}: {hit.step}", later)
    return name, {
        **money,
        "checkout_step": hit.step,
        _CHECKOUT_CHOICES.get(name, "checkout_option"): hit.option,
        "items": _items(hit.items, item_list_name=hit.list_name),
    }


def _promotion(item: Item) -> dict[str, Any]:
    promotion = {"promotion_id": item.id, "promotion_name": item.name}
    return {**promotion, "items": _items([item], **promotion)}


def _items(items: Iterable[Item], **more: str | None) -> list[dict[str, Any]]:
    return [tidied({**_item(item), **more}) for item in items]


def _item(item: Item) -> dict[str, Any]:
    levels = [level.strip() for level in (item.category or "").split("/", 4)]
    return {
        "item_id": item.id,
        "item_name": item.name,
        "item_brand": item.brand,
        **dict(zip(_CATEGORIES, levels, strict=False)),
        "item_variant": item.variant,
        "price": item.price,
        "quantity": item.quantity,
        "coupon": item.coupon,
        "index": item.position,
    }


_CATEGORIES = (
    "item_category",
    "item_category2",
    "item_category3",
    "item_category4",
    "item_category5",
)


def _worth(items: Iterable[Item]) -> Decimal | None:
    """Add up price times quantity; None if no price is known."""
    prices = [
        price * quantity
        for item in items
        if (price := amount(item.price)) is not None
        and (quantity := amount(item.quantity)) is not None
    ]
    return sum(prices, Decimal(0)) if prices else None


def _currency(code: str | None) -> str | None:
    return code.strip().upper() if code else None
