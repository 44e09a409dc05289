"""Cut and write texts and numbers as any system takes them."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from functools import lru_cache

__all__ = [
    "cut",
    "cut_bytes",
    "is_address",
    "is_reasonable",
    "number_text",
    "well_formed",
    "whole_escapes",
]

_BROKEN_ESCAPE = re.compile(r"%[0-9A-Fa-f]?\Z")


def well_formed(text: str) -> str:
    """Return *text* as UTF-8 can carry it: lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, characters: int) -> str:
    """Return at most the first *characters* of *text*, well formed."""
    return well_formed(text[:characters])


def cut_bytes(text: str, limit: int) -> str:
    """Return what of *text* fits into *limit* UTF-8 bytes, whole characters only."""
    text = well_formed(text[:limit])
    if len(text) * 4 <= limit:
        return text
    return text.encode()[:limit].decode("utf-8", "ignore")


def whole_escapes(url: str) -> str:
    """Return a *url* that was cut without the escape that was cut in two."""
    return _BROKEN_ESCAPE.sub("", url)


@lru_cache(maxsize=1024)
def is_address(text: str) -> bool:
    """Tell whether *text* is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def number_text(value: Decimal | float) -> str | None:
    """Write a number in plain digits; None for what is not finite or out of reason.

    Systems read neither exponents nor thousands marks.
    """
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not is_reasonable(number):
        return None
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def is_reasonable(number: Decimal) -> bool:
    """Tell whether *number* is finite and has no more than some 30 digits."""
    return number.is_finite() and abs(number.adjusted()) <= 30
