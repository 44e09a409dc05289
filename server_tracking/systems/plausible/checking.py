"""What Plausible takes of an event, and what it refuses, cuts or ignores.

The collector's source sets tighter limits than the reference in places: what is sent
keeps to the tighter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from server_tracking.calls import Problem
from server_tracking.wire import json_from, number_text, well_formed

__all__ = [
    "LONGEST_KEY",
    "LONGEST_NAME",
    "LONGEST_REFERRER",
    "LONGEST_URL",
    "LONGEST_VALUE",
    "MOST_PROPS",
    "check",
    "check_revenue",
    "prop_text",
    "spelled_out",
    "without_controls",
]

LONGEST_NAME = 120  # characters
LONGEST_URL = 2000  # bytes; the reference leaves host and query out of it
LONGEST_REFERRER = 2000  # characters
MOST_PROPS = 30
LONGEST_KEY = 300  # bytes
LONGEST_VALUE = 2000  # bytes
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))

_REFERENCE = "Events API reference"
_COLLECTOR = "Plausible collector, ingestion/request.ex"

# As Plausible's own script spells them.
_SHORT = {
    "n": "name",
    "u": "url",
    "d": "domain",
    "r": "referrer",
    "m": "props",
    "meta": "props",
    "p": "props",
    "i": "interactive",
    "h": "hashMode",
    "$": "revenue",
}
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def check(event: Mapping[str, Any]) -> Iterator[Problem]:
    """Check an event as Plausible would, in long or short names."""
    told = spelled_out(event)
    yield from _check_name(told.get("name"))
    yield from _check_url(told.get("url"), told.get("domain"))
    referrer = told.get("referrer")
    if isinstance(referrer, str) and len(referrer) > LONGEST_REFERRER:
        message = f"longer than {LONGEST_REFERRER} characters, will be cut"
        yield Problem("referrer", message, _COLLECTOR)
    if not isinstance(told.get("interactive", True), bool):
        yield Problem("interactive", "neither true nor false", _REFERENCE)
    if (revenue := told.get("revenue")) is not None:
        yield from check_revenue(revenue)
    if (props := told.get("props")) is not None:
        yield from _check_props(props)


def spelled_out(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return *event* with long names; of several spellings the first counts."""
    told: dict[str, Any] = {}
    for key, value in event.items():
        told.setdefault(_SHORT.get(key, key), value)
    for key in ("props", "revenue"):  # as objects, or as texts of them
        if isinstance(text := told.get(key), str):
            told[key] = json_from(well_formed(text), otherwise=text)
    return told


def without_controls(text: str) -> str:
    """Take the control characters of ASCII out of *text*."""
    # translate() looks at each character, for 3 µs in a user agent; few need it.
    return text if text.isprintable() else text.translate(_CONTROLS)


def _check_name(name: object) -> Iterator[Problem]:
    if isinstance(name, int) and not isinstance(name, bool):
        return
    if not isinstance(name, str) or not without_controls(name).strip():
        yield Problem("name", "required", _REFERENCE, fatal=True)
    elif len(name) > LONGEST_NAME:
        message = f"longer than {LONGEST_NAME} characters"
        yield Problem("name", message, _COLLECTOR, fatal=True)


def _check_url(url: object, domain: object) -> Iterator[Problem]:
    if not isinstance(url, str) or not url.strip():
        yield Problem("url", "required", _REFERENCE, fatal=True)
    elif url.lower().startswith("data:"):
        yield Problem("url", "the scheme data: is refused", _REFERENCE, fatal=True)
    elif len(well_formed(url).encode()) > LONGEST_URL:
        message = f"longer than {LONGEST_URL} bytes"
        yield Problem("url", message, _COLLECTOR, fatal=True)
    if domain is None and isinstance(url, str) and "://" in url:
        return
    if not isinstance(domain, str) or not domain.strip():
        yield Problem("domain", "required", _REFERENCE, fatal=True)


def check_revenue(revenue: object) -> Iterator[Problem]:
    """Check the revenue of an event."""
    said = revenue if isinstance(revenue, Mapping) else {}
    if not _CURRENCY.fullmatch(str(said.get("currency"))):
        message = "without an ISO 4217 currency, will be ignored"
        yield Problem("revenue", message, f"{_REFERENCE}, revenue")
    elif not _is_amount(said.get("amount")):
        message = "without an amount in digits, will be ignored"
        yield Problem("revenue", message, f"{_REFERENCE}, revenue")


def _check_props(props: object) -> Iterator[Problem]:
    if not isinstance(props, Mapping):
        yield Problem("props", "not an object, will be ignored", _REFERENCE)
        return
    if len(props) > MOST_PROPS:
        message = f"more than {MOST_PROPS}, the rest will be ignored"
        yield Problem("props", message, f"{_REFERENCE}, props")
    for key, value in props.items():
        field, text = f"props.{str(key)[:60]}", prop_text(value)
        if text is None:
            yield Problem(field, "blank or not a scalar, will be ignored", _COLLECTOR)
        elif len(well_formed(str(key)).encode()) > LONGEST_KEY:
            message = f"the name is longer than {LONGEST_KEY} bytes"
            yield Problem(field, message, _COLLECTOR, fatal=True)
        elif len(well_formed(text).encode()) > LONGEST_VALUE:
            message = f"the value is longer than {LONGEST_VALUE} bytes"
            yield Problem(field, message, _COLLECTOR, fatal=True)


def prop_text(value: object) -> str | None:
    """Write *value* as Plausible keeps it; None for what it leaves out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    if value is None or isinstance(value, Mapping | list | tuple | set | frozenset):
        return None
    text = str(value)
    return text if text.strip() else None


def _is_amount(amount: object) -> bool:
    if isinstance(amount, str):
        return bool(_AMOUNT.fullmatch(amount))
    return isinstance(amount, int | float) and not isinstance(amount, bool)
