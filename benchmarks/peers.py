"""Other libraries' own clients, behind the few methods that the benchmark calls.

Those that are not installed are left out: `pip install posthog
segment-analytics-python snowplow-tracker` brings them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

URL = "https://example.com/plants/fern?utm_source=newsletter"
PROPERTIES = {
    "$current_url": URL,
    "title": "Boston fern",
    "referrer": "https://www.example.org/links",
    "language": "en-GB",
}


class PostHog:
    """posthog's client: one thread, 100 events a call."""

    def __init__(self, url: str, hits: int) -> None:
        from posthog import Posthog

        self.client = Posthog("phc_made_up", host=url, max_queue_size=hits)

    def send(self, number: int) -> None:
        self.client.capture(
            "$pageview", distinct_id=f"{number}.179", properties=PROPERTIES
        )

    def flush(self) -> None:
        self.client.flush(60)

    def finish(self) -> None:
        self.flush()
        self.client.shutdown()


class Segment:
    """segment-analytics-python: one thread, 100 events a call."""

    def __init__(self, url: str, hits: int) -> None:
        from segment.analytics.client import Client

        self.client = Client("made-up", host=url, max_queue_size=hits)

    def send(self, number: int) -> None:
        self.client.page(f"{number}.179", name="Boston fern", properties=PROPERTIES)

    def flush(self) -> None:
        self.client.flush()

    def finish(self) -> None:
        self.flush()
        self.client.shutdown()


class Snowplow:
    """snowplow-tracker: one thread, 50 events a call."""

    def __init__(self, url: str, hits: int) -> None:
        from snowplow_tracker import AsyncEmitter, PageView, Tracker

        logging.disable(logging.INFO)  # it makes the root logger talk
        host, _, port = url.removeprefix("http://").partition(":")
        self.emitter = AsyncEmitter(
            host, protocol="http", port=int(port), batch_size=50, buffer_capacity=hits
        )
        self.tracker = Tracker("made_up", emitters=[self.emitter])
        self.page_view = PageView

    def send(self, number: int) -> None:
        self.tracker.track(
            self.page_view(page_url=URL, page_title="Boston fern", referrer=URL)
        )

    def flush(self) -> None:
        self.emitter.flush()
        self.emitter.sync_flush()

    def finish(self) -> None:
        self.flush()


PEERS: dict[str, Callable[[str, int], Any]] = {
    "posthog": PostHog,
    "segment": Segment,
    "snowplow": Snowplow,
}


def installed() -> tuple[dict[str, Callable[[str, int], Any]], list[str]]:
    """Part the peers into those that can be imported and the names of the others."""
    from importlib.util import find_spec

    modules = {
        "posthog": "posthog",
        "segment": "segment",
        "snowplow": "snowplow_tracker",
    }
    found = {name: PEERS[name] for name, module in modules.items() if find_spec(module)}
    return found, [name for name in PEERS if name not in found]
