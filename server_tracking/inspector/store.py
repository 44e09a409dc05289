"""Keep the newest hits that arrived, and wake whoever waits for them."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile

import msgspec

from server_tracking.inspector.protocols import Answer, DecodedHit, Received

__all__ = ["HitStore", "StoredHit"]


class StoredHit(msgspec.Struct, frozen=True, kw_only=True):
    """A hit with what it came in.

    *number* counts from 1, *arrived* is Unix seconds, *bytes* the size of the call's
    body, *status* what it was answered. *valid* hits are those that the real system
    would take.
    """

    number: int
    arrived: float
    method: str
    path: str
    bytes: int
    status: int
    valid: bool
    hit: DecodedHit


class HitStore:
    """The newest *size* hits, in memory; safe to use from several threads.

    *run* names this store among others, because all count from 1. *cleared* is the
    number of the last hit that was cleared away.
    """

    def __init__(self, size: int = 10_000) -> None:
        self.run = secrets.token_hex(4)
        self.cleared = 0
        self.closed = False
        self._hits: deque[StoredHit] = deque(maxlen=size)
        self._wakers: list[Callable[[], object]] = []
        self._changed = threading.Condition()
        self._number = 0

    def add(
        self, received: Received, hits: Sequence[DecodedHit], answer: Answer
    ) -> None:
        """Keep *hits*, which came in one call that got *answer*."""
        with self._changed:
            for hit in hits:
                self._number += 1
                self._hits.append(
                    StoredHit(
                        number=self._number,
                        arrived=received.time,
                        method=received.method,
                        path=received.path,
                        bytes=len(received.body) or len(received.query),
                        status=answer.status,
                        valid=not any(problem.fatal for problem in hit.problems),
                        hit=hit,
                    )
                )
        self._wake()

    def hits(self, after: int = 0) -> list[StoredHit]:
        """List the hits kept, oldest first, with a number above *after*."""
        with self._changed:
            newest_first = takewhile(
                lambda stored: stored.number > after, reversed(self._hits)
            )
            return list(newest_first)[::-1]

    def wait_for(
        self, enough: Callable[[list[StoredHit]], bool], timeout: float
    ) -> list[StoredHit]:
        """Wait until *enough* of the hits, or *timeout* seconds; returns the hits."""
        with self._changed:
            self._changed.wait_for(lambda: enough(list(self._hits)), timeout)
            return list(self._hits)

    def clear(self) -> None:
        """Forget all hits; numbers go on."""
        with self._changed:
            self._hits.clear()
            self.cleared = self._number
        self._wake()

    def close(self) -> None:
        """Tell all who wait that nothing more will come."""
        self.closed = True
        self._wake()

    def on_change(self, waker: Callable[[], object]) -> Callable[[], None]:
        """Call *waker* after each change, in any thread; returns how to stop that."""
        with self._changed:
            self._wakers.append(waker)

        def stop() -> None:
            with self._changed:
                self._wakers.remove(waker)

        return stop

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
            wakers = list(self._wakers)
        for waker in wakers:
            waker()
