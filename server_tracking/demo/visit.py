"""A sample visit to the example shop, over real HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import requests

__all__ = ["EXPECTED", "EXPECTED_AS_EVENTS", "UNTITLED", "Expected", "visit"]


class Expected(NamedTuple):
    """A hit that the visit has to cause in every system, by what systems show of it."""

    kind: str
    path: str
    title: str = ""
    name: str = ""


_SHOP = "| Fern & Fig"
EXPECTED = (
    Expected("pageview", "/", f"Plants for dark corners {_SHOP}"),
    Expected("pageview", "/plants/fern", f"Boston fern {_SHOP}"),
    Expected("event", "/basket", name="Basket: Add"),
    Expected("pageview", "/basket", f"Your basket {_SHOP}"),
    Expected("pageview", "/care", f"How to keep them alive {_SHOP}"),
    Expected("pageview", "/search", f"Search {_SHOP}"),
    Expected("timing", "/search", name="Search: catalogue"),
    Expected("exception", "/broken", name="Exception"),
)
EXPECTED_AS_EVENTS = {
    "goatcounter": {"timing", "exception"},
    "matomo": {"timing"},
    "plausible": {"timing", "exception"},
    "umami": {"timing", "exception"},
}
"""Kinds for which a system has no words of its own, so that it hears of an event."""
UNTITLED = {"plausible"}
"""Systems that take no titles."""
_BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.5",
    "X-Forwarded-For": "203.0.113.42",  # for documentation, RFC 5737
}
_NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}
_FETCH = {
    "Accept": "*/*",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}
_PREFETCH = {**_NAVIGATION, "Sec-Purpose": "prefetch"}


def visit(site: str) -> None:
    """Walk through the shop at the address *site* as a browser would.

    Beside what counts, it fetches data and prefetches a page, which must not.
    """
    with requests.Session() as browser:
        browser.trust_env = False  # loopback is not for a proxy
        browser.headers.update(_BROWSER)

        def go(path: str, headers: Mapping[str, str] = _NAVIGATION) -> None:
            browser.get(f"{site}{path}", headers=headers, timeout=10)

        go(
            "/?utm_source=newsletter&utm_medium=email&utm_campaign=spring",
            {**_NAVIGATION, "Referer": "https://mail.example.com/inbox?user=42"},
        )
        go("/plants/fern")
        go("/stock.json", _FETCH)
        go("/plants/fig", _PREFETCH)
        browser.post(
            f"{site}/basket", data={"plant": "fern"}, headers=_NAVIGATION, timeout=10
        )
        go("/care")
        go("/search?q=fig&email=someone%40example.com")
        go("/broken")
