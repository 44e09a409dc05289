"""Which language the visitor prefers."""

from __future__ import annotations

from functools import lru_cache

from server_tracking.patterns import pattern_from

__all__ = ["language_from"]

_LONGEST_HEADER = 1000
_MOST_ENTRIES = 50
_LONGEST_TAG = 35  # RFC 5646 section 4.4.1: none in use is longer

# RFC 9110 section 12.4.2.
_QUALITY = pattern_from(r"[ \t]*[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
# RFC 5646 section 2.1, without private and grandfathered tags, which name no language
# that a report knows.
_TAG = pattern_from(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"
    r"(?:-[a-z]{4})?"
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
)


def language_from(accept_language: str | None) -> str | None:
    """Return the language tag of highest quality, as ``en-GB`` or ``zh-Hant-TW``.

    Of equals the first wins. None if there is no well-formed one. Only the first 1000
    characters and 50 entries are looked at.
    """
    if not accept_language:
        return None
    return _language(accept_language[: _LONGEST_HEADER + 1])


@lru_cache(maxsize=1024)
def _language(header: str) -> str | None:
    if len(header) > _LONGEST_HEADER:
        header = header.rpartition(",")[0]  # the last entry may be cut
    best, highest = None, 0.0
    for entry in header.split(",", _MOST_ENTRIES)[:_MOST_ENTRIES]:
        tag, weighted, weight = entry.partition(";")
        quality = 1.0
        if weighted:
            match = _QUALITY.fullmatch(weight.rstrip(" \t"))
            quality = float(match[1]) if match else 0.0
        if quality > highest and (written := _canonical(tag.strip(" \t"))):
            best, highest = written, quality
    return best


def _canonical(tag: str) -> str | None:
    """Write *tag* in the case of RFC 5646 section 2.1.1; None if it is malformed."""
    lower = tag.lower()
    if len(tag) > _LONGEST_TAG or not tag.isascii() or not _TAG.fullmatch(lower):
        return None
    first, *others = lower.split("-")
    written = [first]
    for number, subtag in enumerate(others):
        if len(subtag) == 1:
            # Behind a single letter stand extensions, which have no case.
            return "-".join([*written, *others[number:]])
        if len(subtag) == 2:
            written.append(subtag.upper())
        elif len(subtag) == 4 and subtag.isalpha():
            written.append(subtag.title())
        else:
            written.append(subtag)
    return "-".join(written)
