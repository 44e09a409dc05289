"""Cut what Plausible is told to what it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from server_tracking.systems.plausible.checking import (
    LONGEST_KEY,
    LONGEST_NAME,
    LONGEST_REFERRER,
    LONGEST_URL,
    LONGEST_VALUE,
    MOST_PROPS,
    check_revenue,
    prop_text,
    without_controls,
)
from server_tracking.wire import cut, cut_bytes, well_formed

__all__ = ["fit", "is_tellable"]

# By these Plausible knows where a visitor came from.
_CAMPAIGN = re.compile(r"(?:utm_[a-z]+|ref|source)=")
_ESCAPES = {n: f"%{n:02X}" for n in (*range(0x21), 0x7F)}
# One character of a URL, however many escapes it takes.
_CHARACTER = re.compile(
    r"%[CD].%..|%E.(?:%..){2}|%F.(?:%..){3}|%..|.", re.DOTALL | re.IGNORECASE
)


def is_tellable(event: Mapping[str, Any]) -> bool:
    """Tell whether *event* has what no cutting mends: a name, and a URL that is taken."""
    name, url = event["name"], event["url"]
    return bool(
        without_controls(name).strip()
        and url.strip()
        and not url.lower().startswith("data:")
    )


def fit(event: Mapping[str, Any]) -> dict[str, Any]:
    """Cut what Plausible would refuse, or would cut in the wrong place."""
    shorter = {
        **event,
        "name": cut(without_controls(event["name"]), LONGEST_NAME),
        "url": _short_url(_escaped(well_formed(event["url"]))),
    }
    if "referrer" in event:
        shorter["referrer"] = cut(_escaped(event["referrer"]), LONGEST_REFERRER)
    if "revenue" in event and any(check_revenue(event["revenue"])):
        shorter.pop("revenue", None)
    if "props" in event:
        texts = ((key, prop_text(value)) for key, value in event["props"].items())
        kept = [
            (cut_bytes(str(key), LONGEST_KEY), cut_bytes(text, LONGEST_VALUE))
            for key, text in texts
            if key and text is not None
        ]
        shorter["props"] = dict(kept[:MOST_PROPS])
    return shorter


def _escaped(url: str) -> str:
    """Escape the blanks and control characters that end a URL elsewhere."""
    if " " not in url and url.isprintable():
        return url  # as most are
    return url.translate(_ESCAPES)


def _short_url(url: str) -> str:
    """Shorten *url* to the limit; what names the campaign goes last."""
    if len(url.encode()) <= LONGEST_URL:
        return url
    head, _, query = url.partition("#")[0].partition("?")
    kept: list[str] = []
    room = LONGEST_URL // 2
    for pair in filter(_CAMPAIGN.match, query.split("&")):
        size = len(pair.encode()) + 1
        if size <= room:
            kept.append(pair)
            room -= size
    tail = "?" + "&".join(kept) if kept else ""
    room, end = LONGEST_URL - len(tail.encode()), 0
    for match in _CHARACTER.finditer(head):
        room -= len(match[0].encode())
        if room < 0:
            break
        end = match.end()
    return head[:end] + tail
