"""Write names and values as Google Analytics 4 takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from server_tracking.systems.google_analytics_4.tables import (
    APP_EVENTS,
    LONGEST_NAME,
    NAME,
    PARAMETERS,
    RESERVED_EVENTS,
    RESERVED_PARAMETERS,
    RESERVED_PREFIXES,
)
from server_tracking.wire import json_bytes, json_from, number_text, well_formed

__all__ = [
    "amount",
    "event_name_from",
    "is_event_name",
    "parameter_name_from",
    "plain",
    "scalar",
    "tidied",
]

# "Purchase" as the category of an event is no order, and "Page view" no view: only
# the hits of these kinds may count as revenue or as views.
_COUNTED_EVENTS = frozenset({"page_view", "purchase", "refund"})
_OWN_PARAMETERS = frozenset(
    {"session_id", "session_number", "engagement_time_msec", "debug_mode", "items"}
)
_ACCENTS = re.compile("[\u0300-\u036f]")
# What has no accent to take off (Unicode decomposes none of these).
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "Æ": "Ae"}
    | {"Œ": "Oe", "Ø": "O", "Ł": "L", "Đ": "D"}
)
_WORD = re.compile(r"[A-Za-z0-9]+")
# Where a word begins inside of camelCase and HTMLPage.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DEEPEST = 6  # levels of a list of items, and some to spare


# Names


@lru_cache(maxsize=1024)
def event_name_from(text: str) -> str:
    """Name an event by *text*: ``Basket: Add`` becomes ``basket_add``.

    Snake case of the ASCII letters and digits in it, accents taken off, at most 40
    characters. ``event_`` comes in front of what would be reserved, begin with a
    digit, or pass for a page view, purchase or refund; a text without any such
    letter becomes ``event``.
    """
    name = _snake_case(text)
    if not is_event_name(name) or name in _COUNTED_EVENTS:
        name = f"event_{name}"
    return name[:LONGEST_NAME].strip("_")


def is_event_name(name: str) -> bool:
    """Tell whether a site may use *name* for an event of a web stream.

    Length is not looked at. Source: reserved names of the reference, and those
    that belong to app streams.
    """
    return bool(
        NAME.fullmatch(name)
        and name not in RESERVED_EVENTS
        and name not in APP_EVENTS
        and not name.startswith(RESERVED_PREFIXES)
    )


@lru_cache(maxsize=1024)
def parameter_name_from(text: str) -> str:
    """Name a parameter by *text*, which stays as it is if it is a good name.

    Else as for events, with ``param_`` in front where that is needed: the session
    and the list of items are not a site's to overwrite.
    """
    name = text if NAME.fullmatch(text) and len(text) <= LONGEST_NAME else None
    name = name or _snake_case(text)
    if (
        not NAME.fullmatch(name)
        or name in RESERVED_PARAMETERS
        or name in _OWN_PARAMETERS
        or name.startswith(RESERVED_PREFIXES)
    ):
        name = f"param_{name}"
    return name[:LONGEST_NAME].strip("_")


def _snake_case(text: str) -> str:
    text = text[:200].translate(_LETTERS)
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return "_".join(_WORD.findall(_HUMP.sub("_", plain))).lower()


# Values


def tidied(words: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing, and write the rest as the protocol takes it."""
    tidy = {}
    for name, value in words.items():
        if value is None:
            continue
        if type(value) is str:  # as most are
            if value:
                tidy[name] = value
            continue
        if name == "items" or (isinstance(value, bool) and _is_flag(name)):
            said_value: Any = value
        else:
            said_value = scalar(value)
        if said_value not in (None, "", []):
            tidy[name] = said_value
    return tidy


def _is_flag(name: str) -> bool:
    return name in PARAMETERS and PARAMETERS[name].kind == "flag"


def scalar(value: Any) -> str | int | float | None:
    """Write *value* as a text or a number, the only kinds that Google takes."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**18:
        return value
    if type(value) is float and 1e-3 < abs(value) < 1e15:
        # What the Decimal below would come to, for 0.1 µs instead of 3.
        return int(value) if value.is_integer() else value
    if isinstance(value, int | float | Decimal):
        text = number_text(value)
        if text is None:
            return None
        if "." not in text and len(text) <= 18:
            return int(text)
        # A float is written in its shortest form, which is that of the Decimal. An
        # integer beyond 64 bits is some id: as a text it keeps all its digits.
        return text if isinstance(value, int) else float(text)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return json_bytes(value).decode()
    return str(value)


def plain(value: Any, depth: int = _DEEPEST) -> Any:
    """Write a site's own *value* in what JSON has, Decimals as numbers.

    What lies deeper than an event has use for is left out.
    """
    if isinstance(value, str):
        return well_formed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return scalar(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth == 0:
        return None
    if isinstance(value, Mapping):
        return {
            well_formed(str(key)): plain(inner, depth - 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner, depth - 1) for inner in value]
    return json_from(json_bytes(value))


def amount(value: Decimal | float | None) -> Decimal | None:
    """Return an amount of money, or None for what is no finite number."""
    text = None if value is None else number_text(value)
    return None if text is None else Decimal(text)
