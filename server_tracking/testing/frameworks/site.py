"""The site that an integration makes for the contract, and what its routes answer."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from server_tracking.hits import Event, ExceptionHit, Hit, PageView
from server_tracking.observation import current
from server_tracking.testing.frameworks.clients import Client
from server_tracking.testing.recording import RecordingSender
from server_tracking.tracker import Tracker

__all__ = ["FrameworkSite"]


class FrameworkSite:
    """The site under test, and what its handlers and the behaviours share.

    A new instance serves each test.
    """

    kind: ClassVar[Literal["wsgi", "asgi"]]
    """How the application is called."""
    route: ClassVar[str] = "/plants/<name>"
    """The pattern of the route for ``/plants/fern``, as the framework writes it."""
    unsupported: ClassVar[Mapping[str, str]] = {}
    """Behaviours that the framework cannot have, each with the reason."""

    page: ClassVar[bytes] = b"<!doctype html><title>A page</title><h1>Hello</h1>"
    file: ClassVar[str] = str(Path(__file__).with_name("page.html"))
    """A file that holds `page`."""
    template: ClassVar[str] = (
        "<!doctype html><title>From the HTML</title><h1>{{ title }}</h1>"
    )
    """A template, in words that Jinja and Django share."""
    template_title: ClassVar[str] = "From the template"
    """The value of the template's variable ``title``."""
    sorry: ClassVar[bytes] = b"<!doctype html><title>Sorry</title>"
    """What the error handler for `HandledError` answers, with status 500."""

    hits_sent: RecordingSender
    made: list[str]
    """The pieces of streamed pages, as they were made."""
    ended: list[str]
    """The names of streamed pages whose makers were closed."""

    def setup_method(self) -> None:
        """Begin a test with nothing recorded."""
        self.hits_sent = RecordingSender()
        self.made = []
        self.ended = []

    def make_app(self, tracker: Tracker) -> Any:
        """Make the application, tracked by *tracker*."""
        raise NotImplementedError

    # For its handlers

    @property
    def zipped(self) -> bytes:
        """Return `page`, as ``Content-Encoding: gzip`` has it."""
        return gzip.compress(self.page, mtime=0)

    def named(self, name: str) -> bytes:
        """Make a page with the title *name*."""
        return f"<!doctype html><title>{name}</title><h1>{name}</h1>".encode()

    def pieces(self, name: str) -> Iterator[bytes]:
        """Make a page with the title *name* in pieces; an event in its midst."""
        try:
            for piece in (f"<!doctype html><title>{name}", "</title>", "<p>", "End"):
                self.made.append(piece)
                yield piece.encode()
                if piece == "</title>":
                    self._read(name)
        finally:
            self.ended.append(name)

    async def async_pieces(self, name: str) -> AsyncIterator[bytes]:
        """Make the same asynchronously."""
        pieces = self.pieces(name)
        try:
            for piece in pieces:
                yield piece
        finally:
            pieces.close()  # type: ignore[attr-defined]

    def _read(self, name: str) -> None:
        here = current()
        if here is not None:
            here.event("Read", name)

    # For the behaviours

    def make_tracker(self, *systems: Any, **options: Any) -> Tracker:
        """Make a tracker that records, and raises its own errors."""
        given = {"sender": self.hits_sent, "secret_key": "a secret key for tests"}
        return Tracker(*systems, **{**given, "strict": True, **options})

    def open(self, tracker: Tracker | None = None, **options: Any) -> Client:
        """Open the site in a browser without cookies."""
        return Client(self.kind, self.make_app(tracker or self.make_tracker(**options)))

    @property
    def hits(self) -> list[Hit]:
        """All hits so far."""
        return self.hits_sent.hits

    @property
    def page_views(self) -> list[PageView]:
        """All page views so far."""
        return [hit for hit in self.hits if isinstance(hit, PageView)]

    @property
    def event_names(self) -> list[tuple[str, str | None]]:
        """Category and action of all events so far."""
        found = (hit for hit in self.hits if isinstance(hit, Event))
        return [(hit.category, hit.action) for hit in found]

    @property
    def exception_hits(self) -> list[ExceptionHit]:
        """All exceptions so far."""
        return [hit for hit in self.hits if isinstance(hit, ExceptionHit)]

    @property
    def page_titles(self) -> list[str | None]:
        """The titles of all page views so far."""
        return [view.context.page.title for view in self.page_views]
