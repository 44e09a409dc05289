"""What GoatCounter takes of a hit, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.goatcounter.tables import FIELDS
from server_tracking.wire import time_from

__all__ = ["LONGEST", "check", "is_nobody"]

LONGEST = {"path": 2048, "ref": 2048, "title": 1024, "user_agent": 512}
"""Characters that GoatCounter takes."""

_TEXTS = sorted(FIELDS - {"bot", "event", "size"})
_TIME = pattern_from(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)

_API = "GoatCounter API reference, count"
_SOURCE = "GoatCounter source, hit.go"


def check(
    said: Mapping[str, Any], now: float, *, no_sessions: bool
) -> Iterator[Problem]:
    """Check one hit of a call as GoatCounter would; *now* is in Unix seconds."""
    for field in sorted(map(str, said.keys() - FIELDS)):
        message = "not known, and spoils the whole call"
        yield Problem(field[:60], message, _API, fatal=True)
    path = said.get("path")
    if not isinstance(path, str) or not path.strip():
        yield Problem("path", "required", _API, fatal=True)
    yield from _check_texts(said)
    moment = _time_from(said.get("created_at", "1970-01-01T00:00:00Z"))
    if moment is None:
        yield Problem("created_at", "not a time of RFC 3339", _API, fatal=True)
    elif moment > now + 5:
        yield Problem("created_at", "in the future", _SOURCE, fatal=True)
    if not no_sessions and is_nobody(said):
        message = "neither session nor ip and user_agent; needs no_sessions"
        yield Problem("session", message, _API, fatal=True)


def is_nobody(said: Mapping[str, Any]) -> bool:
    """Tell whether nothing in *said* tells its visitor from others."""
    named = said.get("session") or (said.get("ip") and said.get("user_agent"))
    return not named


def _check_texts(said: Mapping[str, Any]) -> Iterator[Problem]:
    for field in filter(said.__contains__, _TEXTS):
        text, limit = said[field], LONGEST.get(field)
        if not isinstance(text, str):
            yield Problem(field, "not a text", _API, fatal=True)
        elif limit and len(text) > limit:
            message = f"longer than {limit} characters"
            yield Problem(field, message, _SOURCE, fatal=True)
        elif limit and "\0" in text:
            yield Problem(field, "has a NUL", _SOURCE, fatal=True)


def _time_from(text: object) -> float | None:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    return time_from(text)
