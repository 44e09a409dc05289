"""Texts and URLs as Umami reads them: in UTF-16 units, with the URL Standard's parser.

What its parser refuses, or what overflows a column of the database, loses the hit.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from ipaddress import IPv4Address
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from server_tracking.patterns import pattern_from
from server_tracking.wire import well_formed

__all__ = [
    "LONGEST_CAMPAIGN",
    "LONGEST_ESCAPED_PATH",
    "LONGEST_PATH",
    "LONGEST_QUERY",
    "ORIGIN",
    "campaign_of",
    "cut_units",
    "decoded_units",
    "escaped",
    "is_address",
    "is_host",
    "parts_of",
    "short_url",
    "units",
]

LONGEST_PATH = LONGEST_QUERY = 500
LONGEST_ESCAPED_PATH = 9 * LONGEST_PATH  # no character has more escapes than three
LONGEST_CAMPAIGN = 255
ORIGIN = pattern_from(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

# What the query of a URL is searched for; each has a column of its own.
_CAMPAIGN = {
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "gclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "li_fat_id",
    "twclid",
}
_HOST = pattern_from(r"([A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
# The parser reads a backslash as a slash: it may not stand in a URL as it is.
_URL_SAFE = string.punctuation.replace("\\", "")
# One character of an escaped URL, and the escapes that Umami does not undo.
_CHARACTER = pattern_from(
    r"%[CD].%..|%E.(?:%..){2}|%F.(?:%..){3}|%..|.", re.DOTALL | re.IGNORECASE
)
_KEPT_ESCAPES = {quote(mark, safe="") for mark in ";/?:@&=+$,#"}


def units(text: str) -> int:
    """Count *text* as JavaScript does: an emoji is two."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


def cut_units(text: str, units: int) -> str:
    """Return what of *text* fits into UTF-16 *units*, whole characters only."""
    if len(text) * 2 <= units:
        return text
    encoded = text[:units].encode("utf-16-le", "replace")
    return encoded[: units * 2].decode("utf-16-le", "ignore")


def escaped(url: str) -> str:
    """Escape in *url* what a browser would, and what a browser reads otherwise."""
    if url.isascii() and url.isprintable() and " " not in url and "\\" not in url:
        return url  # as most are
    return quote(well_formed(url), safe=_URL_SAFE)


def parts_of(url: str) -> tuple[str, str]:
    """Part *url* into its path with the fragment, and its query."""
    origin = ORIGIN.match(url)
    rest, mark, fragment = url[origin.end() if origin else 0 :].partition("#")
    path, _, query = rest.partition("?")
    return path + mark + fragment, query


def campaign_of(query: str) -> Iterator[tuple[str, str]]:
    """Yield what of a *query* names the campaign, with its plain value."""
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key in _CAMPAIGN:
            yield key, unquote_plus(value)


def decoded_units(path: str) -> int:
    """Count *path* as Umami does once it has undone the escapes."""
    if "%" not in path:
        return units(path)
    return sum(
        len(token) if token.upper() in _KEPT_ESCAPES else units(unquote(token))
        for token in _CHARACTER.findall(path)
    )


def short_url(url: str) -> str:
    """Shorten path and query of an escaped *url*; the campaign goes last."""
    short = len(url) <= LONGEST_CAMPAIGN and url.isascii()
    if short and "#" not in url and not url.endswith("?"):
        return url  # as most are, for 0.3 µs instead of 5
    origin = ORIGIN.match(url)
    start = origin[0] if origin else ""
    path, query = parts_of(url)
    path, query = _short_path(path), _short_query(query)
    before, mark, fragment = path.partition("#")
    return f"{start}{before}{'?' if query else ''}{query}{mark}{fragment}"


def is_address(text: str) -> bool:
    """Tell whether *text* is a URL with a host, or a path."""
    origin = ORIGIN.match(text)
    if origin is None:
        return text.startswith("/") and text[1:2] != "/"
    return is_host(origin[0].partition("://")[2])


def is_host(text: str) -> bool:
    """Tell whether *text* is a host that a URL may have; others make Umami fail."""
    match = _HOST.fullmatch(text)
    if match is None or int(match[2] or 0) > 65535:
        return False
    if not match[1].rpartition(".")[2].isdigit():
        return True
    try:
        IPv4Address(match[1])
    except ValueError:
        return False
    return True


def _short_path(path: str) -> str:
    if len(path) <= LONGEST_PATH:
        return path
    room, end = LONGEST_PATH, 0
    for match in _CHARACTER.finditer(path):
        room -= decoded_units(match[0])
        if room < 0:
            return path[:end]
        end = match.end()
    return path


def _short_query(query: str) -> str:
    pairs = [_short_pair(pair) for pair in query.split("&")]
    if len("&".join(pairs)) <= LONGEST_QUERY:
        return "&".join(pairs)
    kept, room = [], LONGEST_QUERY + 1
    # A stable sort: what names the campaign first, else as it was.
    for pair in sorted(pairs, key=lambda p: p.partition("=")[0] not in _CAMPAIGN):
        if len(pair) + 1 <= room:
            kept.append(pair)
            room -= len(pair) + 1
    return "&".join(kept)


def _short_pair(pair: str) -> str:
    key, mark, value = pair.partition("=")
    if key not in _CAMPAIGN or units(plain := unquote_plus(value)) <= (
        LONGEST_CAMPAIGN
    ):
        return pair
    return f"{key}{mark}{quote_plus(cut_units(plain, LONGEST_CAMPAIGN))}"
