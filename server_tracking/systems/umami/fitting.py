"""Cut what Umami is told to what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from server_tracking.hits import Hit, PageView
from server_tracking.patterns import pattern_from
from server_tracking.systems.umami.checking import (
    FAILS_BEYOND,
    LONGEST_TEXT,
    REFUSED_BEYOND,
    fits_number,
)
from server_tracking.systems.umami.urls import (
    cut_units,
    is_address,
    is_host,
    short_url,
    units,
)
from server_tracking.wire import json_bytes, number_text, well_formed

__all__ = ["fit", "is_tellable"]

_LONGEST_AGENT = 2000
# What many hits say alike: 5 µs for a hit.
_REPEATED = frozenset({"hostname", "language", "screen", "userAgent", "website"})
_LONGEST_KNOWN = 512  # characters
_MOST_DATA = 128 * 1024  # bytes; a bound of our own, Umami has none
_SIZE = pattern_from(r"[0-9]+x[0-9]+")


def is_tellable(hit: Hit, event: Mapping[str, Any]) -> bool:
    """Tell whether Umami would understand *event*: without a name it is a page view."""
    payload = event["payload"]
    if isinstance(hit, PageView):
        return "url" in payload
    return bool(str(payload.get("name", "")).replace("\0", "").strip())


def fit(event: Mapping[str, Any]) -> dict[str, Any]:
    """Cut what Umami would refuse, fail at, or cut in the wrong place."""
    fields = {
        field: _known_field(field, value)
        if field in _REPEATED and len(value) <= _LONGEST_KNOWN
        else _fitted_field(field, _clean(value))
        for field, value in event["payload"].items()
    }
    payload = {field: value for field, value in fields.items() if value is not None}
    return {**event, "payload": payload}


@lru_cache(maxsize=1024)
def _known_field(field: str, value: str) -> str | None:
    fitted: str | None = _fitted_field(field, _clean(value))
    return fitted


def _fitted_field(field: str, value: Any) -> Any:
    match field:
        case "hostname" | "language" | "screen":
            return value if _is_whole(field, value) else None
        case "title":
            plain = value.replace("%25", "%")
            return cut_units(plain, LONGEST_TEXT).replace("%", "%25")
        case "name" | "tag":
            return cut_units(value, REFUSED_BEYOND[field])
        case "id":
            return cut_units(value, FAILS_BEYOND[field])
        case "userAgent":
            return cut_units(value, _LONGEST_AGENT)
        case "url":
            return short_url(value)
        case "referrer":
            shorter = short_url(value)
            return shorter if is_address(shorter) else None
        case "data":
            return _fitted_data(value)
    return value


def _is_whole(field: str, value: str) -> bool:
    """Tell whether *value* needs no cut: half a host or size says something else."""
    if field == "hostname" and not is_host(value):
        return False
    if field == "screen" and not _SIZE.fullmatch(value):
        return False
    return units(value) <= REFUSED_BEYOND[field]


def _fitted_data(data: Mapping[str, Any]) -> dict[str, Any]:
    fitted: dict[str, Any] = {}
    room = _MOST_DATA
    for key, value in data.items():
        name, said = cut_units(_clean(str(key)), LONGEST_TEXT), _said(value)
        if said is None or not name or name in fitted:
            continue
        room -= len(json_bytes({name: said}))
        if room < 0:
            break
        fitted[name] = said
    return fitted


def _said(value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value if fits_number(value) else number_text(value)
    return cut_units(_clean(str(value)), LONGEST_TEXT)


def _clean(value: Any) -> Any:
    """Take NULs away, which PostgreSQL does not keep."""
    return well_formed(value.replace("\0", "")) if isinstance(value, str) else value
