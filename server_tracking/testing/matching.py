"""Compare hits with what a test wants, and say in a line what a hit is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args

import msgspec

from server_tracking.hits import Hit

__all__ = ["differences", "kind_of", "line_of", "type_of_kind"]

_TYPES: dict[str, type] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Hit)
}
# From the nearest to what a hit is, to the farthest.
_PARTS = ("page", "visitor", "session", "campaign", "device", "consent")
_ALIASES = {"value": "revenue", "campaign": "name"}
_MISSING = object()
_QUIET = frozenset({"context", "id", "time", "params", "extra", "server_ms"})


def type_of_kind(kind: str) -> type:
    """Return the class of hits of *kind*; raises `ValueError` for an unknown one."""
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise ValueError(f"There is no kind of hit {kind!r}; known are {known}.")
    return _TYPES[kind]


def kind_of(hit: Hit) -> str:
    """Name the kind of *hit*."""
    return str(type(hit).__struct_config__.tag)


def differences(hit: Hit, wanted: Mapping[str, object]) -> list[str]:
    """Say each field in which *hit* is not as *wanted*."""
    found = []
    for name, value in wanted.items():
        actual = _field(hit, name)
        if actual is _MISSING:
            found.append(f"it has no {name}")
        elif not _same(actual, value):
            found.append(f"{name} is {_shown(actual)}, not {value!r}")
    return found


def line_of(hit: Hit) -> str:
    """Say in one line what *hit* is."""
    words = [kind_of(hit)]
    page = hit.context.page
    if words == ["pageview"]:
        words += [page.path or "", repr(page.title) if page.title else "(no title)"]
    words += [f"{name}={_shown(value)}" for name, value in _told(hit)]
    return " ".join(words)


def _told(hit: Hit) -> Iterator[tuple[str, object]]:
    for name in hit.__struct_fields__:
        value = getattr(hit, name)
        if name not in _QUIET and value not in (None, ()) and value is not False:
            yield name, value
    yield from hit.params.items()


def _field(hit: Hit, name: str) -> Any:
    for owner in (hit, *(getattr(hit.context, part) for part in _PARTS), hit.context):
        if name in owner.__struct_fields__:
            return getattr(owner, name)
    if name in hit.params:
        return hit.params[name]
    if name in _ALIASES and _ALIASES[name] in hit.__struct_fields__:
        return getattr(hit, _ALIASES[name])
    return _MISSING


def _same(actual: object, wanted: object) -> bool:
    if isinstance(actual, Decimal) and type(wanted) is float:
        return actual == Decimal(repr(wanted))  # 19.9 is not exactly Decimal("19.90")
    return bool(wanted == actual)


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return f"{len(value)} x {type(value[0]).__name__}" if value else "()"
    if isinstance(value, msgspec.Struct):
        return type(value).__name__
    return repr(value)
