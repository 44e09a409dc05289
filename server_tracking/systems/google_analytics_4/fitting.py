"""Fit what is said to the limits, so that nothing is refused and little is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from server_tracking.systems.google_analytics_4.tables import (
    CURRENCY,
    LARGEST_BODY,
    LONGEST_USER_ID,
    LONGEST_USER_PROPERTY,
    LONGEST_VALUE,
    LONGEST_VALUES,
    MOST_ITEMS,
    MOST_USER_PROPERTIES,
)
from server_tracking.wire import (
    cut,
    is_address,
    json_bytes,
    well_formed,
    whole_escapes,
)

__all__ = ["fit_body", "fit_parameters", "slim_body", "slim_parameters"]

_LARGEST_ENVELOPE = LARGEST_BODY // 2
_KEPT = frozenset(
    {"session_id", "session_number", "engagement_time_msec", "transaction_id"}
)


def fit_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Cut what belongs to the request. Half a user id would be another user's."""
    fitted: dict[str, Any] = {
        name: well_formed(value) if isinstance(value, str) else value
        for name, value in body.items()
    }
    if len(fitted.get("user_id", "")) > LONGEST_USER_ID:
        del fitted["user_id"]
    if not is_address(fitted.get("ip_override", "")):
        fitted.pop("ip_override", None)
    if properties := fitted.get("user_properties"):
        fitted["user_properties"] = {
            name: {"value": _cut(prop["value"], LONGEST_USER_PROPERTY)}
            for name, prop in list(properties.items())[:MOST_USER_PROPERTIES]
        }
    return fitted


def slim_body(body: dict[str, Any]) -> dict[str, Any] | None:
    """Hold back what may not be sent, and keep the envelope below half of the limit.

    Hashed mail and phone serve advertising, so they need the visitor's word for
    that. None if not even the client id fits.
    """
    consent = body["consent"]
    if not isinstance(consent, Mapping) or consent.get("ad_user_data") != "GRANTED":
        body.pop("user_data", None)
    return _slimmed(body, _LARGEST_ENVELOPE, {"client_id", "consent"})


def fit_parameters(
    parameters: Mapping[str, Any], *, most: int, longest: int = LONGEST_VALUE
) -> dict[str, Any]:
    """Cut values to *longest* characters (page addresses and titles more), and to *most*.

    What is no currency, and a cut number of an order, would say something else
    than was meant, so they are left out.
    """
    fitted: dict[str, Any] = {}
    for name, value in parameters.items():
        if len(fitted) >= most:
            break
        if name == "items":
            if items := _fitted_items(value, longest):
                fitted[name] = items
        elif name in _MISLEADING and _would_mislead(name, value, longest):
            continue
        elif isinstance(value, str) and (
            len(value) > longest or not value.isascii()  # few are: 3 µs for a hit
        ):
            fitted[name] = cut(value, max(LONGEST_VALUES.get(name, 0), longest))
        else:
            fitted[name] = value
    location = fitted.get("page_location")
    if location != parameters.get("page_location") and isinstance(location, str):
        fitted["page_location"] = whole_escapes(location)
    return fitted


def slim_parameters(parameters: dict[str, Any], room: int) -> bytes | None:
    """Write the parameters in *room* bytes: fewer items first, then the largest out.

    None if not even what has to be said fits.
    """
    data = json_bytes(parameters)
    if len(data) <= room:
        return data
    slim = _slim_parameters(parameters, room)
    return None if slim is None else json_bytes(slim)


def _slim_parameters(parameters: dict[str, Any], room: int) -> dict[str, Any] | None:
    items = parameters.get("items")
    if not isinstance(items, list):
        return _slimmed(parameters, room, _KEPT)
    slim = _slimmed({**parameters, "items": []}, room, _KEPT)
    if slim is None or "items" not in slim:
        return slim
    left = room - len(json_bytes(slim))
    for item in items:
        size = len(json_bytes(item)) + 1
        if size <= left:
            slim["items"].append(item)
            left -= size
    if not slim["items"]:
        del slim["items"]
    return slim


_MISLEADING = frozenset({"currency", "transaction_id", "session_id", "session_number"})


def _would_mislead(name: str, value: Any, longest: int) -> bool:
    if name == "currency":
        return not CURRENCY.fullmatch(str(value))
    if name == "transaction_id":
        return isinstance(value, str) and len(value) > longest
    if name in ("session_id", "session_number"):
        return isinstance(value, int) and value <= 0
    return False


def _fitted_items(items: list[dict[str, Any]], longest: int) -> list[dict[str, Any]]:
    named = [item for item in items if "item_id" in item or "item_name" in item]
    return [
        {name: _cut(value, longest) for name, value in item.items()}
        for item in named[:MOST_ITEMS]
    ]


def _cut(value: Any, longest: int) -> Any:
    return cut(value, longest) if isinstance(value, str) else value


def _slimmed(
    values: dict[str, Any], room: int, kept: Collection[str]
) -> dict[str, Any] | None:
    """Leave out the largest values until the rest takes *room* bytes as JSON."""
    if len(json_bytes(values)) <= room:
        return values
    sizes = {name: len(json_bytes({name: value})) - 1 for name, value in values.items()}
    total = sum(sizes.values()) + 1
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total > room and name not in kept:
            total -= sizes.pop(name)
    return {name: values[name] for name in sizes} if total <= room else None
