"""Counts of several places, added up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from server_tracking.senders import Counts

__all__ = ["total"]


def total(one: Counts, two: Counts) -> Counts:
    """Add up what became of hits here and there."""
    added: dict[str, Any] = {}
    for field in Counts.__struct_fields__:
        a, b = getattr(one, field), getattr(two, field)
        added[field] = dict(Counter(a) + Counter(b)) if isinstance(a, dict) else a + b
    return Counts(**added)
