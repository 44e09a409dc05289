"""SenderContract: what every sender that delivers over HTTP must do.

    class TestMySender(SenderContract):
        def make_sender(self):
            return MySender()

Each test gets a collector of its own on a free port of 127.0.0.1. Nothing is
measured that a slow machine could miss.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.hits import Context, Event, Hit, ScreenView, Session, Visitor
from server_tracking.reasons import Reason
from server_tracking.senders import Counts, Sender

__all__ = ["ContractSystem", "SenderContract", "adds_up"]

PATIENCE = 10.0  # seconds for what should take a moment


def adds_up(counts: Counts) -> bool:
    """Tell whether *counts* hold to the identity that `Counts` promises."""
    ends = (
        counts.delivered
        + sum(counts.rejected.values())
        + sum(counts.dropped_by_system.values())
        + counts.unknown
        + counts.expired
        + counts.abandoned
        + counts.lost
    )
    held = counts.queued + counts.waiting + counts.sending
    return (
        counts.submitted == sum(counts.refused.values()) + counts.accepted
        and counts.accepted == ends + held
    )


class ContractSystem(msgspec.Struct, frozen=True):
    """A system for tests: each call is a JSON list of the hits' categories.

    It has no words for hits but events; *broken* names the method that raises for
    events of the category ``bad``: ``"encode"`` or ``"outcome"``.
    """

    url: str
    broken: str = ""
    hits_per_call: int = 10
    name: ClassVar[str] = "contract"
    scheme: ClassVar[str] = "contract"

    @property
    def limits(self) -> Limits:
        """Take many hits at once, in two calls at most, without lingering."""
        return Limits(
            hits=self.hits_per_call, mixed_visitors=True, concurrency=2, linger=0.01
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterable[Call]:  # noqa: ARG002
        """List the categories."""
        events = [hit for hit in hits if isinstance(hit, Event)]
        for start in range(0, len(events), self.hits_per_call):
            part = events[start : start + self.hits_per_call]
            categories = [hit.category for hit in part]
            if self.broken == "encode" and "bad" in categories:
                raise LookupError
            yield Call(
                "POST",
                self.url,
                {"Content-Type": "application/json"},
                json.dumps(categories).encode(),
                tuple(hit.id for hit in part),
            )

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Read the status, as any system would."""
        if self.broken == "outcome" and b'"bad"' in call.body:
            raise LookupError(body)
        return Outcome.of_status(status, headers)

    def problems(self, hit: Hit) -> Iterable[Problem]:
        """See no problems."""
        _ = hit
        return ()

    @classmethod
    def example(cls) -> Self:
        """Make one that reaches nobody."""
        return cls("http://127.0.0.1:9/")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make one that calls *url*."""
        return cls(url.geturl())


class _Server(ThreadingHTTPServer):
    """Answer 204; to ``/picky`` 400 if a bad hit is among them, to ``/slow`` late."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.categories: list[str] = []
        self.came = threading.Condition()
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have left."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        categories = json.loads(self.rfile.read(length))
        with self.server.came:
            self.server.categories += categories
            self.server.came.notify_all()
        if self.path == "/slow":
            self.server.released.wait(PATIENCE)
        refused = self.path == "/picky" and "bad" in categories
        self.send_response(400 if refused else 204)
        if refused:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Print nothing."""


@contextmanager
def _serving() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


class SenderContract:
    """The tests. A subclass says how a sender is made.

    *slow_systems_wait* is False for senders that make calls in the calling thread,
    where one system cannot but hold up the next.
    """

    slow_systems_wait = True

    def make_sender(self) -> Sender:
        """Make a new sender."""
        raise NotImplementedError

    def event(self, category: str = "good") -> Hit:
        """Make a hit."""
        return Event(context=_CONTEXT, category=category)

    @contextmanager
    def sending(self, *paths: str, **options: Any) -> Iterator[tuple[Sender, _Server]]:
        """Give a sender, bound to a system for each path of a new collector."""
        with _serving() as server:
            sender = self.make_sender()
            sender.bind(
                [ContractSystem(server.url + path, **options) for path in paths]
            )
            try:
                yield sender, server
            finally:
                server.released.set()
                sender.close(PATIENCE)

    def counts_of(self, sender: Sender, system: str = "contract") -> Counts:
        """Return the counts of one system, which must add up."""
        counts = sender.stats()[system]
        assert adds_up(counts), counts
        return counts

    def test_a_hit_is_accepted_sent_and_counted(self) -> None:
        """Send some, and find them at the collector, in order."""
        with self.sending("/") as (sender, server):
            assert all(sender.send(self.event(f"n{n}")) for n in range(25))
            assert sender.flush(PATIENCE)

            counts = self.counts_of(sender)
            assert counts.submitted == counts.accepted == counts.delivered == 25
            assert sorted(server.categories) == sorted(f"n{n}" for n in range(25))

    def test_counts_are_zero_before_the_first_hit(self) -> None:
        """Ask a sender that has nothing to tell."""
        with self.sending("/") as (sender, _):
            assert sender.stats() == {"contract": Counts()}
            assert sender.flush(PATIENCE)

    def test_two_systems_of_one_name_are_counted_apart(self) -> None:
        """Bind the same system twice."""
        with self.sending("/", "/") as (sender, server):
            sender.send(self.event())
            sender.flush(PATIENCE)

            assert set(sender.stats()) == {"contract", "contract-2"}
            assert self.counts_of(sender, "contract-2").delivered == 1
            assert server.categories == ["good", "good"]

    def test_a_flush_ends_at_its_deadline(self) -> None:
        """Flush while the system does not answer."""
        if not self.slow_systems_wait:
            return
        with self.sending("/slow") as (sender, server):
            sender.send(self.event())
            with server.came:
                assert server.came.wait_for(lambda: server.categories, PATIENCE)
            begun = time.monotonic()
            assert not sender.flush(0.1)
            assert time.monotonic() - begun < PATIENCE / 2
            assert self.counts_of(sender).sending == 1

            server.released.set()
            assert sender.flush(PATIENCE)
            assert self.counts_of(sender).delivered == 1

    def test_a_slow_system_holds_up_no_other(self) -> None:
        """Have one system of two not answer."""
        if not self.slow_systems_wait:
            return
        with self.sending("/slow", "/") as (sender, server):
            for _ in range(100):
                sender.send(self.event())

            def is_through() -> bool:
                return self.counts_of(sender, "contract-2").delivered == 100

            _wait_until(is_through)
            assert self.counts_of(sender).delivered == 0
            server.released.set()
            assert sender.flush(PATIENCE)
            assert self.counts_of(sender).delivered == 100

    def test_a_closed_sender_refuses(self) -> None:
        """Send after the end."""
        with self.sending("/") as (sender, _):
            sender.send(self.event())
            assert sender.close(PATIENCE)
            assert not sender.send(self.event())

            counts = self.counts_of(sender)
            assert counts.refused == {Reason.CLOSED: 1}
            assert counts.delivered == 1

    def test_closing_twice_does_no_harm(self) -> None:
        """Close, close, and flush."""
        with self.sending("/") as (sender, _):
            assert sender.close(PATIENCE)
            assert sender.close(PATIENCE)
            assert sender.flush(PATIENCE)

    def test_a_sender_that_was_never_bound_can_be_closed(self) -> None:
        """Close a sender that no tracker took."""
        assert self.make_sender().close(PATIENCE)

    def test_a_hit_that_the_system_cannot_be_told_is_unsupported(self) -> None:
        """Send a kind of hit that no call carries."""
        with self.sending("/") as (sender, _):
            assert sender.send(ScreenView(context=_CONTEXT, name="Start"))
            assert sender.send(self.event())
            assert sender.flush(PATIENCE)

            counts = self.counts_of(sender)
            assert counts.rejected == {Reason.UNSUPPORTED: 1}
            assert counts.delivered == 1

    def test_a_system_that_fails_to_encode_loses_the_bad_hit_only(self) -> None:
        """Have `encode` raise for one hit of many."""
        with self.sending("/", broken="encode") as (sender, server):
            self._send_one_bad_of(20, sender)

            counts = self.counts_of(sender)
            assert counts.rejected == {Reason.INVALID: 1}
            assert counts.delivered == 19
            assert "bad" not in server.categories

    def test_a_system_that_cannot_read_an_answer_loses_nothing(self) -> None:
        """Have `outcome` raise; the status says enough."""
        with self.sending("/", broken="outcome") as (sender, _):
            self._send_one_bad_of(20, sender)

            assert self.counts_of(sender).delivered == 20

    def test_a_hit_that_is_refused_takes_no_other_with_it(self) -> None:
        """Have the collector refuse every batch with a certain hit."""
        with self.sending("/picky") as (sender, _):
            self._send_one_bad_of(20, sender)

            counts = self.counts_of(sender)
            assert counts.rejected == {Reason.REFUSED: 1}
            assert counts.delivered == 19

    def test_a_hit_that_cannot_be_measured_is_refused(self) -> None:
        """Send what is no hit at all."""
        with self.sending("/") as (sender, _):
            assert not sender.send(_NO_HIT)

            assert self.counts_of(sender).refused == {Reason.INVALID: 1}

    def test_many_threads_lose_nothing(self) -> None:
        """Send from eight threads at once."""
        with self.sending("/") as (sender, server):

            def send_some() -> None:
                for _ in range(50):
                    sender.send(self.event())

            threads = [threading.Thread(target=send_some) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sender.flush(PATIENCE)

            assert self.counts_of(sender).delivered == 400
            assert len(server.categories) == 400

    def _send_one_bad_of(self, number: int, sender: Sender) -> None:
        for n in range(number):
            sender.send(self.event("bad" if n == number // 2 else "good"))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not sender.flush(PATIENCE):
            pass  # a batch that was split waits for nobody, but takes some calls


_CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))
_NO_HIT: Any = "no hit"


def _wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.005)
