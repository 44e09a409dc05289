"""Which fields of a hit a system is told: found by changing one and looking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from server_tracking.calls import Call
from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Event,
    Hit,
    Page,
    PageView,
    Session,
    Visitor,
)
from server_tracking.systems import System

__all__ = ["FIELDS", "fields_told", "sample"]

_NOW = 1_790_000_000.0
_ID = UUID(int=0x1234567890AB4DEF8123456789ABCDEF)

# What is told, in words for a notice; the part of the context; what to put there.
_CHANGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("random id of the visitor", "visitor", {"client_id": "987654321.1780000000"}),
    ("user id that the site gives", "visitor", {"user_id": "another"}),
    ("which visit, and when it began", "session", {"id": 1_789_999_000}),
    ("number of the visit", "session", {"number": 7}),
    (
        "address of the page, with its campaign",
        "page",
        {"url": "https://example.com/other", "path": "/other"},
    ),
    ("title of the page", "page", {"title": "Another"}),
    ("page before", "page", {"referrer": "https://other.example/"}),
    ("campaign", "campaign", {"source": "other", "medium": "other", "name": "other"}),
    ("click ids of advertisers", "campaign", {"click_ids": {"gclid": "another"}}),
    ("browser and device (user agent)", "device", {"user_agent": "Mozilla/5.0 (X)"}),
    ("language", "device", {"language": "fr"}),
    (
        "size of the screen",
        "device",
        {"screen_resolution": "800x600", "viewport_size": "700x500"},
    ),
)
ADDRESS = "IP address"
EVENTS = "what the site says of events"
PROPERTIES = "properties that the site gives"
TAG_IDS = "ids that its own tag in the browser has given"
FIELDS = (*(words for words, _, _ in _CHANGES), TAG_IDS, ADDRESS, PROPERTIES, EVENTS)
"""All that a hit may tell of a visitor, in the words of the report."""


def fields_told(system: System, consent: Consent) -> tuple[str, ...]:
    """List what *system* is told of a visitor with *consent*; empty if nothing."""
    context = _context(consent)
    if not _carried(system, _page(context)):
        return ()
    found = [
        words
        for words, part, change in _CHANGES
        if _differ(system, _page(context), _page(_changed(context, part, change)))
    ]
    moved = msgspec.structs.replace(context, address="198.51.100.0")
    if _differ(system, _page(context), _page(moved)):
        found.append(ADDRESS)
    if _differ(system, _page(context), _page(context, note="other")):
        found.append(PROPERTIES)
    if _carried(system, _event(context)) and _differ(
        system, _event(context), _event(context, "another", "other")
    ):
        found.append(EVENTS)
    return tuple(found)


def sample(consent: Consent) -> PageView:
    """Make a page view of a made-up visitor with *consent*."""
    return _page(_context(consent))


def _context(consent: Consent) -> Context:
    return Context(
        Visitor("123456789.1785000000", "a-user"),
        Session(id=1_789_999_900),
        Page(
            "https://example.com/shop",
            "example.com",
            "/shop",
            "Shop",
            "https://example.org/",
        ),
        Campaign("mail", "mail", "autumn", click_ids={"gclid": "one"}),
        Device("Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0", "de", "1920x1080"),
        "203.0.113.0",
        consent,
    )


def _changed(context: Context, part: str, change: dict[str, Any]) -> Context:
    piece = msgspec.structs.replace(getattr(context, part), **change)
    return msgspec.structs.replace(context, **{part: piece})


def _page(context: Context, note: str = "a note") -> PageView:
    return PageView(context=context, id=_ID, time=_NOW, params={"note": note})


def _event(context: Context, category: str = "Cart", action: str = "Add") -> Hit:
    return Event(context=context, id=_ID, time=_NOW, category=category, action=action)


def _carried(system: System, hit: Hit) -> bool:
    return any(call.hits for call in system.encode([hit], _NOW))


def _differ(system: System, one: Hit, other: Hit) -> bool:
    return _written(system.encode([one], _NOW)) != _written(
        system.encode([other], _NOW)
    )


def _written(calls: Iterable[Call]) -> list[tuple[object, ...]]:
    return [(c.url, sorted(c.headers.items()), c.body) for c in calls]
