"""Read amounts as people write them on a command line."""

from __future__ import annotations

import re

__all__ = ["seconds_from", "share_from"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}


def seconds_from(text: str) -> float:
    """Read ``2s``, ``250ms``, ``1m`` or ``2``. Raises `ValueError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|)", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration; 2s, 250ms or 1m is one")
    return float(found[1]) * _UNITS[found[2]]


def share_from(text: str) -> float:
    """Read ``10%`` or ``0.1`` as a share of 1. Raises `ValueError`."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{text!r} is no share; 10% or 0.1 is one")
    return share
