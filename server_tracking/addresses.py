"""Which address is the visitor's, and what may be told of it.

Behind a proxy the peer is the proxy, and the visitor stands in a header that
anybody can send. So nothing is believed unless the site says whom to believe, and
then only what its own proxies wrote: counted from the right, never the leftmost.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.exchange import AddressRule
from server_tracking.patterns import pattern_from

__all__ = [
    "ProxyTrust",
    "address_rule_from",
    "anonymized",
    "proxy_trust_from",
    "visitor_address",
]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What the word "private" stands for: RFC 1918, RFC 4193, loopback.
_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "::1/128",
)
# A proxy sets these to one address; to others each proxy appends.
_SINGLE_VALUE_HEADERS = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "do-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "true-client-ip",
        "x-azure-clientip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-real-ip",
    }
)
_LONGEST_ADDRESS = 64
_LONGEST_HEADER = 4096
_MOST_ENTRIES = 32
_TOKEN = pattern_from(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 7239 section 6: a port is digits or an obfuscated name.
_PORT = pattern_from(r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")
# RFC 7239 section 4, but that addresses with colons stand without quotes as well. The
# last group is what fits nowhere.
_FORWARDED_PIECE = pattern_from(
    r"[ \t]+|([,;])|([A-Za-z0-9_-]+)="
    r'(?:"((?:[^"\\]|\\.)*)"|([^",;=\\ \t]+))|(.)',
    re.DOTALL,
)
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_IPV4 = pattern_from(r"\.".join([_OCTET] * 4))
_QUOTED_CHARACTER = pattern_from(r"\\(.)")
_NAT64 = 0x0064_FF9B << 96  # 64:ff9b::/96, RFC 6052


class _Network(NamedTuple):
    """Addresses whose *version* is the same, and their number without *host_bits*."""

    version: int
    host_bits: int
    prefix: int


class ProxyTrust(msgspec.Struct, frozen=True):
    """Whom to believe about the visitor's address; without anything, nobody.

    Either the proxies in *networks* are believed, or the last *hops* entries of the
    header are the site's own proxies' whoever connects. *header* is in lower case.
    *unix_socket* extends the trust to peers that have no address.
    """

    networks: tuple[_Network, ...] = ()
    hops: int = 0
    header: str = "x-forwarded-for"
    unix_socket: bool = False


def proxy_trust_from(
    trusted_proxies: Sequence[str],
    trusted_hops: int,
    forwarded_header: str,
    trust_unix_socket: bool,
) -> ProxyTrust:
    """Check the four options; raises `ConfigurationError` that names the wrong one.

    *trusted_proxies* are networks, single addresses and the word ``private``.
    """
    if isinstance(trusted_proxies, str):
        trusted_proxies = (trusted_proxies,)
    networks: list[_Network] = []
    for given in trusted_proxies:
        names = _PRIVATE if given == "private" else (given,)
        networks += [_network_from(name) for name in names]
    if not 0 <= trusted_hops <= _MOST_ENTRIES:
        raise _wrong("trusted_hops", trusted_hops, f"0 to {_MOST_ENTRIES}")
    if networks and trusted_hops:
        raise _wrong("trusted_hops", trusted_hops, "0 where trusted_proxies is given")
    if not _TOKEN.fullmatch(forwarded_header):
        raise _wrong("forwarded_header", forwarded_header, "the name of a header")
    header = forwarded_header.lower()
    if trusted_hops and header in _SINGLE_VALUE_HEADERS:
        # It has no entries to count, and whoever gets past the proxy can set it.
        raise _wrong(
            "forwarded_header",
            forwarded_header,
            "a header of one value only with trusted_proxies, not with trusted_hops",
        )
    if trust_unix_socket and not networks and not trusted_hops:
        raise _wrong(
            "trust_unix_socket", True, "True with trusted_proxies or trusted_hops"
        )
    return ProxyTrust(tuple(networks), trusted_hops, header, trust_unix_socket)


def visitor_address(
    peer: str | None, forwarded_lines: Sequence[str], trust: ProxyTrust
) -> str | None:
    """Find the visitor's whole address; None if it is unknown or tells nothing.

    *peer* is what the server saw, *forwarded_lines* are all lines of the header that
    *trust* names. An address that wraps an IPv4 address is told as that. The answer
    is the same where a server has put the visitor in the peer's place already. A
    header beyond 4096 bytes or 32 entries is not read: the peer counts.
    """
    address = _read(peer or "")
    if address is None:
        believed = trust.unix_socket
    else:
        believed = trust.hops > 0 or _within(address, trust.networks)
    if believed:
        entries = _entries(forwarded_lines, trust.header)
        if entries is None:
            return None
        if trust.hops and len(entries) >= trust.hops:
            address = _read(entries[-trust.hops])
        elif not trust.hops:
            for entry in reversed(entries):
                address = _read(entry)
                if address is None or not _within(address, trust.networks):
                    break
    return address.told if address else None


def anonymized(address: str | None, *, strict: bool = False) -> str | None:
    """Cut *address* to its /24 (IPv4) or /48 (IPv6), or if *strict* to /16 or /32.

    None for what is no address, or tells nothing of a visitor: loopback, link-local,
    unspecified. IPv4 within IPv6 is cut as IPv4.
    """
    read = _read(address) if address else None
    if read is None:
        return None
    return read.cut_more if strict else read.cut


def address_rule_from(trust: ProxyTrust, level: bool | str) -> AddressRule:
    """Make the rule by which requests tell addresses; *level* is ``anonymize_ip``."""
    trusting = bool(trust.networks or trust.hops)
    if level == "omit":
        return lambda _peer, _lines: None
    if level is True and not trusting:
        return _rule_of_most

    def rule(peer: str | None, lines: Callable[[str], Sequence[str]]) -> str | None:
        forwarded = lines(trust.header) if trusting else ()
        address = visitor_address(peer, forwarded, trust)
        return anonymized(address, strict=level == "strict") if level else address

    return rule


def _rule_of_most(
    peer: str | None, _lines: Callable[[str], Sequence[str]]
) -> str | None:
    """Cut the peer's address: no proxy is trusted."""
    return _cut_short(peer) if peer and len(peer) <= _LONGEST_ADDRESS else None


class _Reading(NamedTuple):
    """An address as networks know it, as it may be told, and its anonymous forms."""

    version: int
    number: int
    told: str | None
    cut: str | None
    cut_more: str | None


def _within(address: _Reading, networks: tuple[_Network, ...]) -> bool:
    # Membership by `ipaddress` costs 0.4 µs for each network, this 0.1.
    for version, host_bits, prefix in networks:
        if address.number >> host_bits == prefix and address.version == version:
            return True
    return False


def _read(text: str) -> _Reading | None:
    return _read_short(text) if len(text) <= _LONGEST_ADDRESS else None


def _reading(text: str) -> _Reading | None:
    plain = _PLAIN_IPV4.fullmatch(text)
    return _read_any(text) if plain is None else _read_plain(text, plain)


# A visitor's address comes back with every request: looking it up costs 0.1 µs, reading
# it 8 for each visitor who is not among the last, and 2 where it is plain IPv4.
_read_short = lru_cache(maxsize=4096)(_reading)


@lru_cache(maxsize=4096)
def _cut_short(text: str) -> str | None:
    read = _reading(text)
    return None if read is None else read.cut


def _read_plain(text: str, plain: re.Match[str]) -> _Reading:
    a, b, c, d = map(int, plain.groups())
    number = a << 24 | b << 16 | c << 8 | d
    # "This network", loopback, link-local (RFC 6890 section 2.2.2): nobody's own.
    if a in (0, 127) or (a, b) == (169, 254):
        return _Reading(4, number, None, None, None)
    return _Reading(4, number, text, f"{a}.{b}.{c}.0", f"{a}.{b}.0.0")


def _read_any(text: str) -> _Reading | None:
    address = _parsed(text)
    if address is None:
        return None
    # Only IPv4-mapped addresses pass for IPv4 here. Whoever chooses a 6to4 or Teredo
    # address chooses the IPv4 address in it, and could pass for a trusted proxy.
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    told = _told(address)
    version, number = address.version, int(address)
    if told is None:
        return _Reading(version, number, None, None, None)
    fine, coarse = (8, 16) if told.version == 4 else (80, 96)
    return _Reading(version, number, str(told), _cut(told, fine), _cut(told, coarse))


def _cut(address: _Address, bits: int) -> str | None:
    """Write *address* without its last *bits*; None if nothing is left of it."""
    cut = int(address) >> bits << bits
    return str(type(address)(cut)) if cut and cut != _NAT64 else None


def _parsed(text: str) -> _Address | None:
    """Read an address, also in quotes, in brackets, with a port, with a zone."""
    text = text.strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in host:
            return None
    elif text.count(":") == 1:
        host, port = text[: text.index(":")], text[text.index(":") :]
    if port and not _PORT.fullmatch(port):
        return None
    if ":" in host:
        # The zone may be any text, line breaks included, and str() would keep it.
        host = host.partition("%")[0]
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _told(address: _Address) -> _Address | None:
    """Unwrap *address*; None if it tells nothing of a visitor.

    6to4, Teredo and NAT64 hold an IPv4 address in bits that a cut to /48 keeps.
    """
    if address.version == 6:
        wrapped = address.sixtofour or (address.teredo or (None, None))[1]
        if int(address) >> 32 << 32 == _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if wrapped:
            return _told(wrapped)
    if address.is_loopback or address.is_link_local:
        return None
    # 0.0.0.0/8, ::/48 and the rest of the /48 of NAT64 belong to nobody, and would be
    # cut to what is unspecified.
    if address.version == 4:
        return address if int(address) >> 24 else None
    return address if int(address) >> 80 not in (0, _NAT64 >> 80) else None


def _entries(lines: Sequence[str], header: str) -> list[str] | None:
    """List the entries of a header, left to right.

    Empty if it is absent or beyond reason, None if it is malformed, so that nothing
    in it can be told apart.
    """
    value = ",".join(lines)
    if len(value) > _LONGEST_HEADER:
        return []
    if header == "forwarded":
        entries = _forwarded_entries(value)
    else:
        parts = (part.strip(" \t") for part in value.split(","))
        entries = [part for part in parts if part]
    if entries is not None and len(entries) > _MOST_ENTRIES:
        return []
    if header in _SINGLE_VALUE_HEADERS and entries is not None and len(entries) > 1:
        return None  # one of them was planted, and nothing tells which
    return entries


def _forwarded_entries(value: str) -> list[str] | None:
    """List what each element of a Forwarded header (RFC 7239) names as ``for``.

    An element without that, or with two, counts as an entry that names nobody. One
    quote left open makes the whole header malformed: it could hide the entry that
    the site's own proxy appended, and shift the count.
    """
    elements: list[list[str]] = [[]]
    pairs = [0]
    for piece in _FORWARDED_PIECE.finditer(value):
        mark, name, quoted, plain, odd = piece.groups("")
        if odd:
            return None  # at once: going on would cost the square of the length
        if mark == ",":
            elements.append([])
            pairs.append(0)
        elif name:
            pairs[-1] += 1
            if name.lower() == "for":
                elements[-1].append(plain or _QUOTED_CHARACTER.sub(r"\1", quoted))
    return [
        names[0] if len(names) == 1 else ""
        for names, count in zip(elements, pairs, strict=True)
        if count
    ]


def _network_from(text: str) -> _Network:
    accepted = 'networks such as 10.0.0.0/8, single addresses, or "private"'
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise _wrong("trusted_proxies", text, f"{accepted} ({error})") from None
    if network.version == 6 and (mapped := network.network_address.ipv4_mapped):
        network = ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    if not network.prefixlen or "%" in text:
        # Trusting everybody would let every visitor choose the address.
        raise _wrong("trusted_proxies", text, accepted)
    host_bits = network.max_prefixlen - network.prefixlen
    return _Network(
        network.version, host_bits, int(network.network_address) >> host_bits
    )


def _wrong(option: str, given: object, accepted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Option {option!r}: {given!r} was given; accepted is {accepted}.",
        option=option,
    )
