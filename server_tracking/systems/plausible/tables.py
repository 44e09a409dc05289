"""The fields of an event in Plausible, with the headers that count, and their meanings.

Facts are from Plausible's "Events API reference" and the source of its collector.
"""

from __future__ import annotations

from server_tracking.systems import PROPERTIES, ParameterRow

__all__ = ["ROWS", "meaning_of"]

_MEANINGS = {
    "name": "Name of the event; pageview is a page view.",
    "domain": "Name of the site in Plausible.",
    "url": "Where it happened; the campaign is read from its query.",
    "referrer": "Page that led here.",
    "interactive": "Whether it ends a bounce.",
    "revenue.currency": "Currency of the money that the event brought (ISO 4217).",
    "revenue.amount": "Money that the event brought.",
    **{f"props.{name}": meaning for name, meaning in PROPERTIES.items()},
    "props.<name>": "Property of the site's own.",
    "hashMode": "Whether the fragment is part of the page, as 1.",
    "v": "Version of Plausible's script.",
    "sd": "How far the page was scrolled, in percent.",
    "e": "How long the page was looked at, in milliseconds.",
    "user-agent": "User agent of the visitor, which with the address makes the visitor.",
    "x-forwarded-for": "Address of the visitor; the first of several counts.",
}
_WHOLE = {
    "props": "Properties of the event.",
    "revenue": "Money that the event brought.",
}

ROWS = tuple(ParameterRow(name, meaning) for name, meaning in _MEANINGS.items())


def meaning_of(name: str) -> str:
    """Say what *name*, spelled out, means; nothing if Plausible does not know it."""
    if name.startswith("props.") and name not in _MEANINGS:
        name = "props.<name>"
    return _MEANINGS.get(name) or _WHOLE.get(name, "")
