"""Write the values of a query string."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

__all__ = ["pair_from", "query_from", "wire_text"]

_REASONABLE = 30  # powers of ten; beyond it plain digits would only fill memory


def query_from(parameters: Mapping[str, Any]) -> str:
    """Write wire names and values as a query string.

    All is percent-encoded UTF-8, a space as ``%20`` (strict parsers refuse ``+``
    and more); values are written as by `wire_text`.
    """
    return "&".join(pair_from(name, value) for name, value in parameters.items())


def pair_from(name: str, value: object) -> str:
    """Write one pair of a query string."""
    return f"{_quoted(name)}={_quoted(wire_text(value))}"


def _quoted(text: str) -> str:
    # Most names and many values need nothing: quote() costs 3 µs, this 0.1.
    if text.isascii() and text.isalnum():
        return text
    return quote(wire_text(text), safe="")


def wire_text(value: object) -> str:
    """Write *value*: truth as 1 or 0, numbers in plain digits, text well formed.

    A number beyond 30 digits keeps its exponent, so that checks refuse it.
    """
    if isinstance(value, str):
        text: str = value
    elif isinstance(value, bool):
        return "1" if value else "0"
    elif isinstance(value, int | float | Decimal):
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite() or abs(number.adjusted()) > _REASONABLE:
            return "0" if number.is_zero() else f"{number:.6E}"
        text = f"{number:f}"
        return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
    else:
        text = str(value)
    if text.isascii():
        return text
    # Lone surrogates cannot be written as UTF-8: U+FFFD stands for them.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
