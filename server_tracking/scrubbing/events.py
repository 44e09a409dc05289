"""Personal data out of what a site says of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from server_tracking.hits import (
    Event,
    ExceptionHit,
    Hit,
    Item,
    ProductAction,
    Purchase,
    Refund,
    Scalar,
    ScreenView,
    Social,
    Timing,
)
from server_tracking.scrubbing.texts import scrubbed_text

__all__ = ["scrubbed_hit", "scrubbed_user_id"]

_LIMIT = 500
_USER_ID_LIMIT = 256
# Texts that people write.
_TEXTS: Mapping[type, tuple[str, ...]] = {
    Event: ("category", "action", "label"),
    ExceptionHit: ("description",),
    ProductAction: ("list_name", "option"),
    Purchase: ("coupon", "affiliation"),
    Refund: ("coupon", "affiliation"),
    ScreenView: ("name",),
    Social: ("network", "action", "target"),
    Timing: ("category", "variable", "label"),
    Item: ("name", "brand", "category", "variant", "coupon"),
}
_IDS: Mapping[type, str] = {
    Purchase: "transaction_id",
    Refund: "transaction_id",
    Item: "id",
}

Scrub = Callable[[str], str] | None


def scrubbed_hit(hit: Hit, scrub: Scrub = None) -> Hit:
    """Scrub the texts of *hit* and its params, and cut them to 500 characters.

    *scrub* is what the site scrubs beside that. Numbers of orders and articles stay,
    but for those that are no numbers: mail addresses and the like. What a site puts
    into ``extra`` is its own affair, and stays.
    """
    changes = _changes(hit, scrub)
    if hit.params:
        params = _scrubbed_params(hit.params, scrub)
        if params != hit.params:
            changes["params"] = params
    items = getattr(hit, "items", ())
    if items:
        told = tuple(_scrubbed_item(item, scrub) for item in items)
        if any(new is not old for new, old in zip(told, items, strict=True)):
            changes["items"] = told
    return msgspec.structs.replace(hit, **changes) if changes else hit


def scrubbed_user_id(user_id: str | None, scrub: Scrub = None) -> str | None:
    """Return *user_id*, or None if it is personal: a mail address, a phone number.

    A placeholder would make one user of all whose ids are of that kind.
    """
    if not user_id or len(user_id) > _USER_ID_LIMIT:
        return None
    clean = scrubbed_text(user_id, _USER_ID_LIMIT)
    if clean != user_id and not _is_digest(user_id, clean):
        return None
    return user_id if scrub is None or scrub(user_id) == user_id else None


def _scrubbed_item(item: Item, scrub: Scrub) -> Item:
    changes = _changes(item, scrub)
    return msgspec.structs.replace(item, **changes) if changes else item


def _changes(told: Hit | Item, scrub: Scrub) -> dict[str, Any]:
    """Say which texts of *told* change, and to what."""
    changes: dict[str, Any] = {}
    for name in _TEXTS.get(type(told), ()):
        text = getattr(told, name)
        if isinstance(text, str) and _differs(text, clean := _text(text, scrub)):
            changes[name] = clean
    name_of_id = _IDS.get(type(told))
    if name_of_id is not None:
        text = getattr(told, name_of_id)
        if isinstance(text, str) and _differs(text, clean := _id(text, scrub)):
            changes[name_of_id] = clean
    return changes


def _differs(text: str, clean: str) -> bool:
    """Tell whether *clean* takes the place of *text*, which may be Markup or the like."""
    return clean != text or type(text) is not str


def _text(text: str, scrub: Scrub) -> str:
    clean = scrubbed_text(text, _LIMIT)
    return clean if scrub is None else scrub(clean)


def _id(text: str, scrub: Scrub) -> str:
    """Scrub an id, but for one that only looks like a token or a card number.

    A digest is as opaque as an id should be, a JWT is not; a number of 16 digits is
    that of an order until it is written in groups.
    """
    clean = scrubbed_text(text, _LIMIT)
    is_number = clean == "[card]" and text.isdecimal()
    told = str.__str__(text) if is_number or _is_digest(text, clean) else clean
    return told if scrub is None else scrub(told)


def _is_digest(text: str, clean: str) -> bool:
    return clean == "[token]" and "." not in text


def _scrubbed_params(params: Mapping[str, Scalar], scrub: Scrub) -> dict[str, Scalar]:
    return {
        _text(name, scrub): _text(value, scrub) if isinstance(value, str) else value
        for name, value in params.items()
    }
