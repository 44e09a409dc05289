"""InlineSender: send at once, in the calling thread."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from time import monotonic, time

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.senders.hooks import FAILURES, NO_HOOKS
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Entry, Lane, Parcel, Rules, lanes_for
from server_tracking.senders.options import bound_once
from server_tracking.senders.packing import packed
from server_tracking.senders.processes import PerProcess, importing
from server_tracking.senders.sizes import size_of
from server_tracking.senders.transports import sending
from server_tracking.systems import System

__all__ = ["InlineSender"]

# One try, and nothing waits. A system that failed three times is left alone for half
# a minute, so that a dead one does not cost each request a timeout.
RULES = Rules(
    attempts=0,
    failures=3,
    pause=30.0,
    pause_cap=30.0,
    misconfigured_pause=30.0,
    retry_after_cap=30.0,
    concurrency=10_000,
    first_calls=10_000,
    linger=0.0,
)
CONNECTIONS = 32  # kept open for each host


class InlineSender:
    """Send in the calling thread, once, each call within *timeout* seconds.

    For scripts, serverless functions, and tests: a request waits for every system
    in turn. A system that failed three times in a row is not asked for half a
    minute; its hits are given up meanwhile.
    """

    blocking = True

    def __init__(self, *, timeout: float = 10.0) -> None:
        if not 0 < timeout < float("inf"):
            raise ConfigurationError(
                f"Option 'timeout': {timeout!r} was given; accepted is a number of "
                "seconds above 0.",
                option="timeout",
            )
        self._timeout = timeout
        self._systems: tuple[System, ...] | None = None
        self._closed = False
        self._process = PerProcess(self._begin)

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems to send to; raises `ConfigurationError` the second time."""
        self._systems = bound_once(self._systems, systems)

    def send(self, hit: Hit) -> bool:
        """Send *hit* now; True if it was accepted, whatever came of it. Never raises."""
        return self._process.get().send(hit, closed=self._closed)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the calls of other threads have ended."""
        return self._process.get().flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse new hits, and wait for the calls of other threads."""
        self._closed = True
        return self._process.get().close(timeout)

    def stats(self) -> Mapping[str, Counts]:
        """Count what became of the hits in this process, by the system's name."""
        return self._process.get().counts()

    def _begin(self) -> _Desk:
        return _Desk(self._systems or (), self._timeout)


class _Desk:
    """What an inline sender has in one process."""

    def __init__(self, systems: Sequence[System], timeout: float) -> None:
        with importing():
            client = importlib.import_module("server_tracking.senders.client")
        self._client = client.Client(timeout, connections=CONNECTIONS)
        self._lanes = lanes_for(systems, RULES)
        self._lock = threading.RLock()
        self._progress = threading.Condition(self._lock)

    def send(self, hit: Hit, *, closed: bool) -> bool:
        if closed or sending.get():
            return self._refuse(Reason.CLOSED if closed else Reason.REENTRANT)
        now = monotonic()
        try:
            entry = (hit, size_of(hit), now - max(0.0, time() - hit.time))
        except FAILURES:
            return self._refuse(Reason.INVALID)
        token = sending.set(True)
        accepted = True
        try:
            for lane in self._lanes.values():
                accepted = self._sent(lane, entry) and accepted
        finally:
            sending.reset(token)
        return accepted

    def flush(self, timeout: float) -> bool:
        if sending.get():
            return False
        with self._lock:
            marks = [(lane, lane.mark()) for lane in self._lanes.values()]
            return self._progress.wait_for(
                lambda: all(lane.settled(mark) for lane, mark in marks),
                max(0.0, timeout),
            )

    def close(self, timeout: float) -> bool:
        flushed = self.flush(timeout)
        if not sending.get():
            self._client.close()
        return flushed

    def counts(self) -> Mapping[str, Counts]:
        with self._lock:
            return {key: lane.counts() for key, lane in self._lanes.items()}

    def _sent(self, lane: Lane, entry: Entry) -> bool:
        parcels: list[Parcel] = []
        with self._lock:
            # Encoding is pure and short; under the lock, the queue holds this hit only.
            now = monotonic()
            if not lane.offer(entry, now):
                return False
            if (parcel := lane.take(now)) is not None:
                lane.loaded(parcel, packed(lane.system, parcel.entries, time()))
            while (parcel := lane.launch(now)) is not None:
                parcels.append(parcel)
            lane.give_up_unsent()
        for parcel in parcels:
            answer = self._client.answer(parcel.call)
            outcome = judged(lane.system, parcel.call, answer, NO_HOOKS)
            with self._lock:
                lane.landed(parcel, outcome, monotonic())
                self._progress.notify_all()
        return True

    def _refuse(self, reason: Reason) -> bool:
        with self._lock:
            for lane in self._lanes.values():
                lane.refuse(reason)
        return not self._lanes
