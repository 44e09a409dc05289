"""The fields of a hit in GoatCounter, and what they mean.

Facts are from GoatCounter's API reference, count.
"""

from __future__ import annotations

from server_tracking.systems import ParameterRow

__all__ = ["FIELDS", "ROWS", "meaning_of"]

_MEANINGS = {
    "path": "Path of the page, or name of the event.",
    "title": "Title of the page.",
    "event": "Whether it is an event.",
    "ref": "Page that led here, or any word for it.",
    "size": "Width of the screen.",
    "query": "Query of the page, for the campaign.",
    "bot": "Number that says why this may be a bot.",
    "user_agent": "User agent of the visitor.",
    "location": "Country of the visitor (ISO 3166).",
    "language": "Language that the visitor prefers (BCP 47).",
    "ip": "Address of the visitor, for country and session; it is not stored.",
    "created_at": "When it happened (RFC 3339).",
    "session": "Visitor by a key of the site's own, instead of address and browser.",
}

FIELDS = frozenset(_MEANINGS)
"""All that a hit may have: one field more spoils the whole call."""

ROWS = tuple(ParameterRow(name, meaning) for name, meaning in _MEANINGS.items())


def meaning_of(name: str) -> str:
    """Say what the field *name* means; nothing if GoatCounter does not know it."""
    return _MEANINGS.get(name, "")
