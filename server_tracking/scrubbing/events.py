"""Personal data out of what a site says of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from server_tracking.hits import (
    Event,
    ExceptionHit,
    Hit,
    ProductAction,
    Scalar,
    ScreenView,
    Social,
    Timing,
)
from server_tracking.scrubbing.texts import scrubbed_text

__all__ = ["scrubbed_hit", "scrubbed_user_id"]

_LIMIT = 500
_USER_ID_LIMIT = 256
# Texts that people write. Numbers of orders and articles stay: one that looks like a
# card number or a token is an order all the same.
_TEXTS: Mapping[type, tuple[str, ...]] = {
    Event: ("category", "action", "label"),
    ExceptionHit: ("description",),
    ProductAction: ("list_name", "option"),
    ScreenView: ("name",),
    Social: ("action", "target"),
    Timing: ("category", "variable", "label"),
}


def scrubbed_hit(hit: Hit) -> Hit:
    """Scrub the texts of *hit* and its params, and cut them to 500 characters.

    What a site puts into ``extra`` is its own affair, and stays.
    """
    changes: dict[str, Any] = {}
    for name in _TEXTS.get(type(hit), ()):
        text = getattr(hit, name)
        if isinstance(text, str) and (clean := scrubbed_text(text, _LIMIT)) != text:
            changes[name] = clean
    if hit.params:
        params = _scrubbed_params(hit.params)
        if params != hit.params:
            changes["params"] = params
    return msgspec.structs.replace(hit, **changes) if changes else hit


def scrubbed_user_id(user_id: str | None) -> str | None:
    """Return *user_id*, or None if it is personal: a mail address, a phone number.

    A placeholder would make one user of all whose ids are of that kind.
    """
    if not user_id or len(user_id) > _USER_ID_LIMIT:
        return None
    clean = scrubbed_text(user_id, _USER_ID_LIMIT)
    # A digest looks like a token, and is as opaque as an id should be; a JWT is not.
    is_digest = clean == "[token]" and "." not in user_id
    return user_id if clean == user_id or is_digest else None


def _scrubbed_params(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {
        name: scrubbed_text(value, _LIMIT) if isinstance(value, str) else value
        for name, value in params.items()
    }
