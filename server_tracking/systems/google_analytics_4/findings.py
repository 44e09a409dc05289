"""What a check finds, and the checks of single values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.google_analytics_4.tables import (
    CURRENCY,
    LONGEST_NAME,
    OLDEST,
    SESSION_ID,
    Field,
)

__all__ = [
    "EVENT_REFERENCE",
    "LIMITATIONS",
    "REFERENCE",
    "Finding",
    "advice",
    "check_time",
    "check_value",
    "invalid",
    "known_fields",
    "number_of",
    "strangers",
    "too_long",
]

REFERENCE = "GA4 reference"
EVENT_REFERENCE = "GA4 reference, events"
LIMITATIONS = "GA4 sending events, limitations"

_TOLERANCE = 300  # seconds that clocks may differ
_LONGEST_URL = 4096
_NUMBER = pattern_from(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")


class Finding(msgspec.Struct, frozen=True):
    """A `Problem` and its code at the validation server.

    *strict* findings are told there only if recommendations are enforced; those
    without a code never are.
    """

    code: str
    field: str
    message: str
    source: str
    fatal: bool = False
    strict: bool = True

    @property
    def problem(self) -> Problem:
        """Say it as a problem."""
        return Problem(self.field, self.message, self.source, self.fatal)


def check_value(
    name: str, value: Any, field: Field | None, longest: int
) -> Iterator[Finding]:
    """Check one value; what *field* does not know may be any text or number."""
    kind = field.kind if field else "text"
    number = number_of(value)
    if not isinstance(value, str | int | float):
        yield invalid(name, "A value is a text or a number.", LIMITATIONS)
    elif isinstance(value, bool) and kind != "flag":
        yield invalid(name, "A value is a text or a number, no boolean.", LIMITATIONS)
    elif kind == "session" and not _is_session(value):
        message = "It is a positive number, or the value of Google's cookie."
        yield invalid(name, message, REFERENCE)
    elif kind == "number" and number is None:
        yield invalid(name, "It is a number.", EVENT_REFERENCE)
    elif kind == "flag" and value not in (0, 1, "0", "1", "true", "false"):
        yield invalid(name, "It is true or false.", EVENT_REFERENCE)
    elif kind == "currency" and not CURRENCY.fullmatch(str(value)):
        yield invalid(name, "It is a code of three capital letters.", EVENT_REFERENCE)
    elif kind == "url" and not _is_url(value):
        message = "It is a whole address, or the page stays empty."
        yield invalid(name, message, "Analytics Help 9234069")
    elif kind != "session" and isinstance(value, str) and len(value) > longest:
        yield too_long(name, longest)
    if name == "engagement_time_msec" and number is not None and number <= 0:
        message = "It is above 0, or the visitor does not count as active."
        yield invalid(name, message, REFERENCE)


def check_time(field: str, micros: Any, now: float | None) -> Iterator[Finding]:
    """Check a time in microseconds; beside *now* (Unix seconds) also its age."""
    if micros is None:
        return
    number = number_of(micros)
    if number is None or number <= 0:
        yield invalid(field, "It is a number of microseconds since 1970.", REFERENCE)
    elif now is not None and number / 1e6 < now - OLDEST - _TOLERANCE:
        message = "More than 72 hours ago: it is moved to 72 hours ago."
        yield Finding("VALUE_OUT_OF_BOUNDS", field, message, REFERENCE)
    elif now is not None and number / 1e6 > now + _TOLERANCE:
        yield Finding("VALUE_OUT_OF_BOUNDS", field, "It lies ahead.", REFERENCE)


def invalid(field: str, message: str, source: str) -> Finding:
    """Find that a value is not acceptable."""
    return Finding("VALUE_INVALID", field, message, source)


def too_long(field: str, longest: int) -> Finding:
    """Find that a text is longer than *longest* characters."""
    message = f"It has up to {longest} characters."
    return Finding("VALUE_OUT_OF_BOUNDS", field, message, LIMITATIONS)


def advice(field: str, message: str, source: str = REFERENCE) -> Finding:
    """Find what the validation server is silent about, and reports show."""
    return Finding("", field, message, source)


def known_fields(value: Any, known: Mapping[str, Field]) -> Iterator[tuple[str, Any]]:
    """Yield those fields of an object that are *known*."""
    if isinstance(value, Mapping):
        yield from ((name, value[name]) for name in value if name in known)


def strangers(place: str, value: Any, known: Mapping[str, Field]) -> Iterator[Finding]:
    """Find what is no object at *place*, or its fields that are not *known*."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield invalid(place, "It is an object.", REFERENCE)
        return
    for name in value:
        if name not in known:
            message = f"{place} has no field {str(name)[:LONGEST_NAME]!r}."
            yield invalid(f"{place}.{name}", message, REFERENCE)


def number_of(value: Any) -> float | None:
    """Read a number, also from a text as Google's own examples have it."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def _is_session(value: Any) -> bool:
    if isinstance(value, str):
        return bool(SESSION_ID.fullmatch(value))
    number = number_of(value)
    return number is not None and number > 0


def _is_url(value: Any) -> bool:
    try:
        parts = urlsplit(str(value)[:_LONGEST_URL])
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))
