"""IAB Europe's TC strings: what a visitor said to a TCF platform.

Bits are numbered as in "Transparency and Consent String with Global Vendor & CMP List
Formats", version 2.2 and later, section "The Core String". Read by hand: the decoder
that exists needs a C extension and takes strings that are cut off.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection

import msgspec

from server_tracking.cookies import cookie_value
from server_tracking.exchange import Request
from server_tracking.hits import Consent

__all__ = ["TcfConsent", "tcf", "tcf_consent_from"]

_LONGEST = 4096
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_POLICY, _PURPOSES, _VENDORS = 132, 152, 213  # where they begin
_OLDEST_POLICY = 4  # of TCF 2.2; older strings have no say since 30 September 2023
_HEAD = 230  # bits, up to and with the first of the vendors


class TcfConsent(msgspec.Struct, frozen=True):
    """What a TC string says: its version, and which purposes and vendors have consent."""

    version: int
    policy: int
    purposes: frozenset[int]
    vendors: frozenset[int]


def tcf_consent_from(text: str) -> TcfConsent | None:
    """Read a TC string of version 2; None for what is none, or is cut off."""
    core = text.partition(".")[0] if len(text) <= _LONGEST else ""
    if not _ALPHABET.fullmatch(core):
        return None
    try:
        data = base64.urlsafe_b64decode(core + "=" * (-len(core) % 4))
    except binascii.Error:
        return None
    bits = _Bits(data)
    if bits.length < _HEAD or bits.number(0, 6) != 2:
        return None
    vendors = _vendors(bits)
    if vendors is None:
        return None
    purposes = (n for n in range(1, 25) if bits.number(_PURPOSES + n - 1, 1))
    return TcfConsent(2, bits.number(_POLICY, 6), frozenset(purposes), vendors)


def tcf(
    cookie: str = "euconsent-v2",
    *,
    vendor: int | None = None,
    purposes: Collection[int] = (1, 8),
    ad_purposes: Collection[int] = (1, 3, 4),
) -> Callable[[Request], Consent | None]:
    """Make a resolver of TC strings in *cookie*.

    Analytics is granted with all *purposes* (1 is storing on the device, 8 measuring
    content), personalised advertising with all *ad_purposes*, either only if *vendor*
    (its number in the Global Vendor List; 755 is Google) has consent, where one is
    named. TCF prescribes no name of a cookie; ask your platform.
    """
    needed, ads = frozenset(purposes), frozenset(ad_purposes)

    def resolve(request: Request) -> Consent | None:
        text = cookie_value(request.headers.get("cookie"), cookie)
        said = tcf_consent_from(text) if text else None
        if said is None or said.policy < _OLDEST_POLICY:
            return None
        trusted = vendor is None or vendor in said.vendors
        advertises = trusted and ads <= said.purposes
        return Consent(trusted and needed <= said.purposes, advertises, advertises)

    return resolve


def _vendors(bits: _Bits) -> frozenset[int] | None:
    """Read the vendors that have consent: a field of bits, or ranges."""
    most = bits.number(_VENDORS, 16)
    at = _VENDORS + 17
    if not bits.number(_VENDORS + 16, 1):
        if bits.length < at + most:
            return None
        return frozenset(n for n in range(1, most + 1) if bits.number(at + n - 1, 1))
    found: set[int] = set()
    entries = bits.number(at, 12)
    at += 12
    for _ in range(entries):
        width = 33 if bits.number(at, 1) else 17
        if bits.length < at + width:
            return None
        first = bits.number(at + 1, 16)
        last = bits.number(at + 17, 16) if width == 33 else first
        if not 0 < first <= last <= most:
            return None
        found.update(range(first, last + 1))
        at += width
    return frozenset(found)


class _Bits:
    """Numbers in a row of bits; what lies behind its end is 0."""

    def __init__(self, data: bytes) -> None:
        self.length = len(data) * 8
        self._all = int.from_bytes(data, "big")

    def number(self, at: int, width: int) -> int:
        """Read *width* bits from *at*."""
        shift = self.length - at - width
        if shift < 0:
            return 0
        return self._all >> shift & ((1 << width) - 1)
