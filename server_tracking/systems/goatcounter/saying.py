"""What GoatCounter is told of a hit, whole and uncut.

It counts paths and names; the properties of an event have no place in it.
"""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

from server_tracking.hits import Hit, Page, PageView
from server_tracking.patterns import pattern_from
from server_tracking.wire import hit_name, utc_time, well_formed

__all__ = ["say"]

_ORIGIN = pattern_from(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_WIDTH = pattern_from(r"([0-9]{1,9})x[0-9]+")


def say(hit: Hit, moment: float, *, language: bool) -> dict[str, Any]:
    """Say *hit*, which happened at *moment* (Unix seconds).

    An event is known by its name; a title beside it would become that of all events
    of the name.
    """
    context = hit.context
    path, query = _place(context.page)
    told: dict[str, Any] = {
        "path": f"{path}?{query}" if query else path,
        "title": context.page.title,
        "query": query,
    }
    if not isinstance(hit, PageView):
        told = {"path": hit_name(hit), "event": True}
    width = _WIDTH.fullmatch(context.device.screen_resolution or "")
    told |= {
        "ref": context.page.referrer,
        "size": width and [int(width[1])],
        "user_agent": context.device.user_agent,
        "language": context.device.language if language else None,
        "ip": context.address,
        "created_at": utc_time(moment // 1).isoformat().replace("+00:00", "Z"),
        "session": context.visitor.client_id,
    }
    return {key: value for key, value in told.items() if value not in (None, "")}


def _place(page: Page) -> tuple[str, str]:
    """Return path and query as a visitor's browser has them: escaped."""
    url = (page.url or page.path or "").partition("#")[0]
    if not url:
        return "", ""
    origin = _ORIGIN.match(url)
    path, _, query = url[origin.end() if origin else 0 :].partition("?")
    return _escaped(path) or "/", _escaped(query)


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable() and " " not in text:
        return text  # as most are
    return quote(well_formed(text), safe=string.punctuation)
