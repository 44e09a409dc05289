"""Cut what GoatCounter is told to what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server_tracking.systems.goatcounter.checking import LONGEST
from server_tracking.wire import cut, whole_escapes

__all__ = ["fit"]

_LONGEST_OTHER = 2048  # a bound of our own


def fit(said: Mapping[str, Any]) -> dict[str, Any]:
    """Cut what GoatCounter would refuse; a path of nothing but space goes."""
    fitted = {}
    for field, value in said.items():
        told = value
        if isinstance(value, str):
            told = cut(value.replace("\0", ""), LONGEST.get(field, _LONGEST_OTHER))
        if field == "path" and not told.strip():
            continue
        if field in ("path", "query", "ref") and len(told) < len(value):
            told = whole_escapes(told)
        fitted[field] = told
    return fitted
