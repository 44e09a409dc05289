"""Read, sign and write our cookies.

The browser's Cookie header is read by hand: general parsers are too forgiving
(they let a planted copy of a `__Host-` cookie through, or lose all cookies for one
odd neighbour) and cost up to 20 µs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode

__all__ = [
    "CookieSigner",
    "carries_cookie",
    "cookie_header",
    "cookie_value",
    "may_carry_cookie",
    "plain_cookies",
]

T = TypeVar("T")

_LONGEST_HEADER = 16 * 1024
_LONGEST_VALUE = 256
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def cookie_value(header: str | None, name: str) -> str | None:
    """Find the cookie *name* in a Cookie *header*; None if absent or not plain.

    A name that occurs twice counts as absent: one of the two was planted, and
    nothing tells which (RFC 6265 section 4.2.2 leaves their order open). A header
    beyond 16 kB is not read.
    """
    if not header or name not in header or len(header) > _LONGEST_HEADER:
        return None
    before, _, after = header.partition(f"{name}=")
    if (
        name not in after
        and name not in before
        and (before == "" or before[-2:] == "; ")
    ):  # as nearly all browsers write it: 1 µs less
        return after.partition(";")[0].strip(" \t")
    found = None
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        if equals and key.strip(" \t") == name:
            if found is not None:
                return None
            found = value.strip(" \t")
    return found


def plain_cookies(header: str | None) -> dict[str, str]:
    """Read all cookies of a Cookie *header*, by the rules of `cookie_value`."""
    found: dict[str, str] = {}
    if not header or len(header) > _LONGEST_HEADER:
        return found
    doubled = set()
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        if equals:
            name = key.strip(" \t")
            if name in found:
                doubled.add(name)
            found[name] = value.strip(" \t")
    for name in doubled:
        del found[name]
    return found


def carries_cookie(header: str | None, name: str) -> bool:
    """Tell whether a Cookie *header* has *name* at all, be it twice."""
    return bool(
        header
        and name in header
        and any(
            pair.partition("=")[0].strip(" \t") == name for pair in header.split(";")
        )
    )


def cookie_header(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    path: str = "/",
    secure: bool = False,
    httponly: bool = True,
    samesite: str = "Lax",
) -> str:
    """Write a Set-Cookie value; without *max_age* the cookie ends with the session.

    *max_age* is in seconds; 0 deletes the cookie. The arguments are checked where
    they are configured, not here.
    """
    text = f"{name}={value}; Path={path}"
    if max_age is not None:
        text += f"; Max-Age={max_age}"
    if secure:
        text += "; Secure"
    if httponly:
        text += "; HttpOnly"
    return f"{text}; SameSite={samesite}"


def may_carry_cookie(status: int, cache_control: str | None) -> bool:
    """Tell whether a cookie may be set on an answer.

    Not on 304, whose headers update a stored page, on errors of the server, or
    where a shared cache may keep the answer and hand one visitor's id to all
    (RFC 9111 section 7.3).
    """
    if status == 304 or status >= 500:
        return False
    if not cache_control:
        return True
    directives = {part.strip().lower() for part in cache_control.split(",")}
    if directives & {"private", "no-store"}:
        return True
    return not any(
        directive == "public"
        or directive.startswith("s-maxage")
        or (directive.startswith("max-age=") and directive != "max-age=0")
        for directive in directives
    )


def is_cookie_name(name: str) -> bool:
    """Tell whether *name* is a token (RFC 9110 section 5.6.2)."""
    return bool(_TOKEN.fullmatch(name))


class CookieSigner:
    """Sign the values of one cookie, and verify them.

    *keys* come newest first: the first signs, all verify. *purpose* and *site* keep
    a value from being valid in another cookie or on another site that has the same
    key.
    """

    def __init__(self, keys: Sequence[str], purpose: str, site: str = "") -> None:
        salt = f"server_tracking.{purpose}\0{site}".encode()
        # What itsdangerous derives with "hmac", but once, and not with each value:
        # half of what signing and verifying cost. It signs with the last key.
        derived = [hmac.digest(key.encode(), salt, "sha256") for key in reversed(keys)]
        self._signer = Signer(
            derived, key_derivation="none", digest_method=hashlib.sha256
        )
        self._verified = lru_cache(maxsize=64)(self._verify)

    def sign(self, value: str) -> str:
        """Return *value* with its signature behind a dot."""
        return self._signer.sign(value).decode("ascii")

    def verified(self, signed: str | None) -> str | None:
        """Return the value of *signed*, or None if it was not signed by us."""
        if not signed or len(signed) > _LONGEST_VALUE:
            return None
        return self._verified(signed)

    def reader(self, parse: Callable[[str], T]) -> Callable[[str | None], T | None]:
        """Make what returns *parse* of a value that was signed by us, or None."""
        # A visitor's cookie comes back with every request: verifying it costs 2 µs,
        # parsing 2, looking it up 0.1.
        read = lru_cache(maxsize=4096)(partial(self._read, parse))

        def reads(signed: str | None) -> T | None:
            return read(signed) if signed and len(signed) <= _LONGEST_VALUE else None

        return reads

    def _read(self, parse: Callable[[str], T], signed: str) -> T | None:
        value = self._verify(signed)
        return None if value is None else parse(value)

    def _verify(self, signed: str) -> str | None:
        if not signed.isascii():
            return None
        try:
            value = self._signer.unsign(signed).decode("ascii")
        except BadSignature:
            return None
        # The last character has two bits to spare: of four spellings, one is ours.
        signature = signed.rpartition(".")[2]
        canonical = base64_encode(base64_decode(signature)).decode("ascii")
        return value if signature == canonical else None
