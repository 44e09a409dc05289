"""What PostHog's collector takes of an event, and what it refuses, cuts or ignores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.posthog.saying import NOBODY
from server_tracking.wire import json_bytes, time_from

__all__ = ["LARGEST_EVENT", "LONGEST_NAME", "check", "is_refused"]

LARGEST_EVENT = 900 * 1024
"""Bytes of one event that PostHog's own client sends; 1 000 000 are too many."""

LONGEST_NAME = 200
"""Characters of an event's name and of a distinct id."""

_API = "PostHog capture API"
_COLLECTOR = "PostHog collector, rust/capture"

# To ask for dict first is a tenth of the price of asking for Mapping.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "event": ((str,), "text"),
    "uuid": ((str,), "text"),
    "timestamp": ((str,), "text"),
    "properties": ((dict, Mapping), "an object"),
    "$set": ((dict, Mapping), "an object"),
    "$set_once": ((dict, Mapping), "an object"),
    "offset": ((int,), "a whole number"),
}
_UUID = pattern_from(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def check(event: Mapping[str, Any]) -> Iterator[Problem]:
    """Name what the collector refuses, cuts or ignores in *event*.

    It parses a body as a whole: a wrong type in one event loses the whole call.
    """
    yield from _check_form(event)
    moment = event.get("timestamp")
    if isinstance(moment, str) and time_from(moment) is None:
        yield Problem("timestamp", "is no ISO 8601 time and is not used", _API)
    address = _properties(event).get("$ip")
    if address is not None and not (isinstance(address, str) and "," not in address):
        yield Problem("$ip", "must be one address", "PostHog docs, GeoIP enrichment")
    if len(json_bytes(event)) > LARGEST_EVENT:
        yield Problem("properties", "the event exceeds 900 KiB", _COLLECTOR)


def is_refused(event: Mapping[str, Any]) -> bool:
    """Tell whether the collector would refuse *event*, and its call with it."""
    return any(problem.fatal for problem in _check_form(event))


def _check_form(event: Mapping[str, Any]) -> Iterator[Problem]:
    """Check types, name and ids: all that can be fatal."""
    for field, (kinds, wanted) in _TYPES.items():
        value = event.get(field)
        if value is not None and not isinstance(value, kinds):
            yield Problem(field, f"must be {wanted}", _COLLECTOR, fatal=True)
    name = event.get("event")
    if name is None or name == "":
        yield Problem("event", "an event needs a name", _API, fatal=True)
    elif isinstance(name, str) and len(name) > LONGEST_NAME:
        yield Problem("event", f"is longer than {LONGEST_NAME} characters", _COLLECTOR)
    yield from _check_identity(event)
    uuid = event.get("uuid")
    if isinstance(uuid, str) and uuid and not _is_uuid(uuid):
        yield Problem("uuid", "must be a UUID", _COLLECTOR, fatal=True)


def _check_identity(event: Mapping[str, Any]) -> Iterator[Problem]:
    found = [
        value
        for holder in (event, _properties(event))
        for name in ("distinct_id", "$distinct_id")
        if (value := holder.get(name)) is not None and value != ""
    ]
    if not found:
        yield Problem("distinct_id", "an event needs one", _API, fatal=True)
        return
    text = str(found[0])
    if len(text) > LONGEST_NAME:
        message = f"is cut to {LONGEST_NAME} characters"
        yield Problem("distinct_id", message, _COLLECTOR)
    if text.lower() in NOBODY:
        message = f"{text!r} names nobody: all such visitors become one person"
        yield Problem("distinct_id", message, _API)


def _properties(event: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = event.get("properties")
    return inner if isinstance(inner, dict | Mapping) else {}


def _is_uuid(text: str) -> bool:
    if _UUID.fullmatch(text):
        return True
    try:
        UUID(text)
    except ValueError:
        return False
    return True
