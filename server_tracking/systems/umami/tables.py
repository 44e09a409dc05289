"""The fields of an event in Umami, and what they mean.

Facts are from the source of Umami 3.1 (``src/app/api/send``).
"""

from __future__ import annotations

from server_tracking.systems import PROPERTIES, ParameterRow

__all__ = ["ROWS", "meaning_of"]

_MEANINGS = {
    "type": "Kind of event: event (page views too), identify or performance.",
    "website": "Id of the website.",
    "link": "Id of a link that was followed.",
    "pixel": "Id of a pixel that was loaded.",
    "hostname": "Host of the page.",
    "url": "Address of the page; the campaign is read from its query.",
    "referrer": "Page that led here.",
    "title": "Title of the page, escaped.",
    "name": "Name of the event; without one it is a page view.",
    **{f"data.{name}": meaning for name, meaning in PROPERTIES.items()},
    "data.refunded": "What a refund comes to.",
    "data.<name>": "Property of the site's own, of the event or the session.",
    "tag": "Word to tell variants apart.",
    "language": "Language that the visitor prefers.",
    "screen": "Size of the screen.",
    "ip": "Address of the visitor, for the place.",
    "userAgent": "User agent of the visitor.",
    "timestamp": "When it happened, in Unix seconds.",
    "id": "Visitor by a key of the site's own, which makes the session.",
    "browser": "Browser, instead of what the user agent says.",
    "os": "Operating system, instead of what the user agent says.",
    "device": "Device, instead of what the user agent says.",
    "lcp": "Largest contentful paint, in milliseconds.",
    "inp": "Interaction to next paint, in milliseconds.",
    "cls": "Cumulative layout shift.",
    "fcp": "First contentful paint, in milliseconds.",
    "ttfb": "Time to first byte, in milliseconds.",
}

ROWS = tuple(ParameterRow(name, meaning) for name, meaning in _MEANINGS.items())


def meaning_of(name: str) -> str:
    """Say what the field *name* means; nothing if Umami does not know it."""
    if name.startswith("data.") and name not in _MEANINGS:
        name = "data.<name>"
    return _MEANINGS.get(name, "")
