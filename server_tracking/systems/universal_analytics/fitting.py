"""Cut and drop, so that a hit fits the protocol and nothing that fits is lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal, localcontext
from functools import lru_cache

from server_tracking.parameters import pair_from, wire_text
from server_tracking.systems.universal_analytics.checking import needed
from server_tracking.systems.universal_analytics.constants import POST_SIZE_LIMIT
from server_tracking.systems.universal_analytics.tables import (
    TABLE,
    indexes_of,
    row_of,
)
from server_tracking.wire import cut_bytes

__all__ = ["evened", "fit", "packed"]

# What many hits say alike, and nothing of it is one visitor's own: 10 µs for a hit.
_REPEATED = frozenset(
    {"v", "t", "tid", "aip", "npa", "ua", "ul", "sr", "vp", "sd", "de"}
)
_LONGEST_REPEATED = 512  # characters

_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]+)?")
_PRODUCT = re.compile(r"(pr|il[0-9]+pi|promo)([0-9]+)([a-z]+[0-9]*)")
_MILLIONTH = Decimal("0.000001")  # six decimals, protocol reference, "currency"
_LARGEST = {False: 2**63 - 1, True: 2**31 - 1}  # Snowplow reads 32 bits
# Characters up to which a text in ASCII surely fits: most do.
_SAFE_LENGTHS = {
    pattern: row.parameter.max_bytes or POST_SIZE_LIMIT
    for pattern, row in TABLE.items()
    if row.parameter.type == "text"
    and not row.parameter.values
    and "<n>" not in pattern
}


def fit(told: Mapping[str, str], *, snowplow: bool = False) -> dict[str, str]:
    """Fit each value to its parameter; what cannot be made to fit is left out."""
    fitted: dict[str, str] = {}
    for name, text in told.items():
        if 0 < len(text) <= _SAFE_LENGTHS.get(name, 0) and text.isascii():
            fitted[name] = text
        elif value := _fitted(name, text, _LARGEST[snowplow]):
            fitted[name] = value
    return fitted


def evened(payload: Mapping[str, str]) -> dict[str, str]:
    """Give all products of a hit the same fields, as Snowplow needs them.

    It pairs the values of products by their position, so a text that a product
    lacks is sent empty; a number that one lacks can be told of none.
    """
    families: dict[str, dict[str, dict[str, str]]] = {}
    others: dict[str, str] = {}
    for name, value in payload.items():
        if match := _PRODUCT.fullmatch(name):
            family = families.setdefault(match[1], {})
            family.setdefault(match[2], {})[match[3]] = value
        else:
            others[name] = value
    for prefix, products in families.items():
        fields = dict.fromkeys(name for had in products.values() for name in had)
        for field in fields:
            row = row_of(f"{prefix}1{field}")
            text = row is None or row.parameter.type == "text"
            if not text and any(field not in had for had in products.values()):
                continue
            for number, had in products.items():
                others[f"{prefix}{number}{field}"] = had.get(field, "")
    return others


def packed(
    payload: Mapping[str, str], room: int, first: Collection[str] = ()
) -> str | None:
    """Write *payload* as a query string of at most *room* bytes.

    What the hit needs comes first, then the names in *first*, then the others in
    their order, products as a whole. None if not even what it needs fits.
    """
    pairs = {name: _pair(name, value) for name, value in payload.items()}
    if sum(map(len, pairs.values())) + len(pairs) - 1 <= room:
        return "&".join(pairs.values())
    required = set(needed(payload)) & pairs.keys()
    left = room + 1 - sum(len(pairs[name]) + 1 for name in required)
    if left < 0:
        return None
    kept = set(required)
    others = [name for name in pairs if name not in required]
    others.sort(key=lambda name: name not in first)
    for unit in _units(others):
        size = sum(len(pairs[name]) + 1 for name in unit)
        if size <= left:
            kept.update(unit)
            left -= size
    return "&".join(pair for name, pair in pairs.items() if name in kept)


def _pair(name: str, value: str) -> str:
    if name in _REPEATED and len(value) <= _LONGEST_REPEATED:
        return _known_pair(name, value)
    return pair_from(name, value)


_known_pair = lru_cache(maxsize=1024)(pair_from)


def _units(names: Iterable[str]) -> Iterable[list[str]]:
    """Group *names* that are only told together: those of one product."""
    units: dict[str, list[str]] = {}
    for name in names:
        match = _PRODUCT.fullmatch(name)
        units.setdefault(f"<{match[1]}{match[2]}>" if match else name, []).append(name)
    return units.values()


def _fitted(name: str, text: str, largest: int) -> str | None:
    row = row_of(name)
    if row is None or (
        row.indexes and any(i not in row.indexes for i in indexes_of(name))
    ):
        return None
    parameter = row.parameter
    if parameter.values:
        return text if text in parameter.values else None
    match parameter.type:
        case "boolean":
            return text if text in ("0", "1") else None
        case "integer":
            return _whole(text, parameter.minimum, largest)
        case "number" | "currency":
            return _amount(text)
    return text if parameter.max_bytes is None else cut_bytes(text, parameter.max_bytes)


def _whole(text: str, minimum: int | None, largest: int) -> str | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = int(Decimal(text).to_integral_value())
    if abs(number) > largest or (minimum is not None and number < minimum):
        return None
    return str(number)


def _amount(text: str) -> str | None:
    if not _NUMBER.fullmatch(text):
        return None
    if len(text.partition(".")[2]) <= 6:
        return text
    with localcontext() as context:
        context.prec = 60
        return wire_text(Decimal(text).quantize(_MILLIONTH))
