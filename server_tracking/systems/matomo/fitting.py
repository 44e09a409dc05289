"""Cut what Matomo is told to what its tracker takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from server_tracking.systems.matomo.checking import (
    JSON_NAMES,
    OBSOLETE,
    longest_text,
    value_problem,
)
from server_tracking.systems.matomo.parameters import (
    CHARACTERS,
    LONGEST_TEXT,
    PARAMETERS,
)
from server_tracking.wire import cut, cut_bytes, is_address, whole_escapes

__all__ = ["fit"]

LARGEST_HIT = 128 * 1024
"""Bytes of one hit that are sent: a sixtieth of what PHP takes (8 MiB)."""

_NEEDED = ("idsite", "rec", "cid", "cdt", "url", "e_c", "e_a", "idgoal", "ec_id")
# Characters up to which a text surely needs no cutting: most do not.
_SAFE_LENGTHS = {
    name: p.max_bytes // 4 if p.max_bytes else CHARACTERS.get(name, LONGEST_TEXT)
    for name, p in PARAMETERS.items()
    if p.type == "text"
    and not p.values
    and name not in JSON_NAMES
    and name not in OBSOLETE
    and name != "cip"
}

# Numbers and flags that many hits say alike: 7 µs for a hit.
_REPEATED = frozenset(
    {"idsite", "rec", "apiv", "new_visit", "ca", "pf_srv", "recMode", "idgoal"}
)
_LONGEST_REPEATED = 20  # characters


def fit(parameters: Mapping[str, str], kept: Collection[str] = ()) -> dict[str, str]:
    """Cut values to their limits, and leave out what Matomo would not read.

    An empty value says nothing, except that it clears a custom dimension. Parameters
    named in *kept* stay as they are, unless the whole hit is too large.
    """
    fitting: dict[str, str] = {}
    for name, value in parameters.items():
        if name in kept or 0 < len(value) <= _SAFE_LENGTHS.get(name, 0):
            fitting[name] = value
            continue
        repeated = name in _REPEATED and len(value) <= _LONGEST_REPEATED
        fitted = (_known_value if repeated else _fitted)(name, value)
        if fitted is not None:
            fitting[name] = fitted
    return _shrunk(fitting)


def _fitted(name: str, value: str) -> str | None:
    return None if _is_useless(name, value) else _cut(name, value)


_known_value = lru_cache(maxsize=1024)(_fitted)


def _is_useless(name: str, value: str) -> bool:
    if name == "cip":
        return not is_address(value)
    return name in PARAMETERS and (not value or bool(value_problem(name, value)))


def _cut(name: str, value: str) -> str:
    parameter = PARAMETERS.get(name)
    if parameter is not None and parameter.max_bytes is not None:
        shorter = cut_bytes(value, parameter.max_bytes)
        # An escape such as %C3 is kept whole or not at all.
        return value if shorter == value else whole_escapes(shorter)
    longest = longest_text(name)
    return value if longest is None else cut(value, longest)


def _shrunk(parameters: dict[str, str]) -> dict[str, str]:
    """Leave out what is longest until the hit has a size that any server takes."""
    if 4 * sum(map(len, (*parameters, *parameters.values()))) <= LARGEST_HIT:
        return parameters
    sizes = {n: len(n.encode()) + len(v.encode()) for n, v in parameters.items()}
    excess = sum(sizes.values()) - LARGEST_HIT
    for name in sorted(sizes, key=lambda n: -sizes[n]):
        if excess <= 0:
            break
        value = parameters.pop(name)
        if name in _NEEDED:
            parameters[name] = value = cut(value, LONGEST_TEXT)
            excess += len(value.encode())
        excess -= sizes[name]
    return parameters
