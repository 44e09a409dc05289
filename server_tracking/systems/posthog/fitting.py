"""Cut what PostHog is told to what its collector takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server_tracking.systems.posthog.checking import (
    LARGEST_EVENT,
    LONGEST_NAME,
    is_refused,
)
from server_tracking.wire import cut, json_bytes

__all__ = ["fit"]


def fit(event: Mapping[str, Any]) -> bytes | None:
    """Write *event* as JSON within all limits; None if it would be refused.

    One event that is refused would lose all others of its call.
    """
    fitting = dict(event)
    for field in ("event", "distinct_id"):
        if isinstance(fitting.get(field), str):
            fitting[field] = cut(fitting[field], LONGEST_NAME)
    data = json_bytes(fitting)
    if len(data) > LARGEST_EVENT:
        fitting = _shrunk(fitting, len(data) - LARGEST_EVENT)
        data = json_bytes(fitting)
    if is_refused(fitting):
        return None
    return data if len(data) <= LARGEST_EVENT else None


def _shrunk(event: dict[str, Any], excess: int) -> dict[str, Any]:
    """Take *excess* bytes away from what is longest: texts are cut, others left out."""
    places: list[tuple[int, dict[str, Any], str]] = [
        (len(json_bytes(value)), event, key)
        for key, value in event.items()
        if key not in ("event", "distinct_id", "properties")
    ]
    if isinstance(event.get("properties"), Mapping):
        inner = event["properties"] = dict(event["properties"])
        places += [(len(json_bytes(v)), inner, k) for k, v in inner.items()]
    for size, holder, key in sorted(places, key=lambda place: -place[0]):
        value = holder.pop(key)
        if isinstance(value, str) and size > excess + 2:
            holder[key] = _cut_json(value, size - excess)
            break
        excess -= size + 1
        if excess <= 0:
            break
    return event


def _cut_json(text: str, room: int) -> str:
    """Return the longest start of *text* that JSON writes in *room* bytes."""
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if len(json_bytes(text[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return cut(text, low)
