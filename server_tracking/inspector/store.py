"""Keep the hits that arrived: the interface of stores, and the one in memory."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, islice, takewhile
from typing import Protocol

from server_tracking.inspector.bell import Bell
from server_tracking.inspector.protocols import Answer, DecodedHit, Received
from server_tracking.inspector.queries import Query
from server_tracking.inspector.raw import RawCall, raw_call
from server_tracking.inspector.stored import StoredHit, stored_hits

__all__ = ["HitStore", "Store", "StoredHit"]


class Store(Protocol):
    """What keeps hits; safe to use from several threads.

    *run* names it among others, because all count from 1; *newest* is the number of
    the last hit, *cleared* that of the last hit that was cleared away. *kept* are
    the numbers of hits that outlive clearing.
    """

    run: str
    newest: int
    cleared: int
    closed: bool

    @property
    def kept(self) -> frozenset[int]:
        """Return the numbers of the hits that outlive clearing."""
        ...

    def add(
        self, received: Received, hits: Sequence[DecodedHit], answer: Answer
    ) -> None:
        """Keep *hits*, which came in one call that got *answer*."""
        ...

    def hits(self, after: int = 0, limit: int | None = None) -> list[StoredHit]:
        """List hits with a number above *after*, oldest first, at most *limit*."""
        ...

    def find(self, query: Query, limit: int) -> list[StoredHit]:
        """List the hits that *query* wants, newest first, at most *limit*."""
        ...

    def call(self, number: int) -> RawCall | None:
        """Return the call that brought the hit of this *number*, if it is known."""
        ...

    def keep(self, number: int, keep: bool = True) -> None:
        """Let a hit outlive clearing, or no longer."""
        ...

    def clear(self) -> None:
        """Forget all hits but those kept; numbers go on."""
        ...

    def close(self) -> None:
        """Tell all who wait that nothing more will come."""
        ...

    def on_change(self, waker: Callable[[], object]) -> Callable[[], None]:
        """Call *waker* after each change, in any thread; returns how to stop that."""
        ...


class HitStore:
    """The newest *size* hits, in memory, and besides them those that are kept."""

    def __init__(self, size: int = 10_000) -> None:
        self.run = secrets.token_hex(4)
        self.newest = 0
        self.cleared = 0
        self.closed = False
        self.kept: frozenset[int] = frozenset()
        self._size = size
        self._hits: deque[StoredHit] = deque()
        self._kept: dict[int, StoredHit] = {}
        self._calls: dict[int, RawCall] = {}
        self._lock = threading.Lock()
        self._bell = Bell()
        self.on_change = self._bell.on_ring

    def add(
        self, received: Received, hits: Sequence[DecodedHit], answer: Answer
    ) -> None:
        """Keep *hits*, which came in one call that got *answer*."""
        call = raw_call(received, hits)
        with self._lock:
            first = self.newest + 1
            self._calls[first] = call
            self._hits.extend(stored_hits(received, hits, answer, first))
            self.newest += len(hits)
            while len(self._hits) > self._size:
                self._forget_call_of(self._hits.popleft())
        self._bell.ring()

    def hits(self, after: int = 0, limit: int | None = None) -> list[StoredHit]:
        """List hits with a number above *after*, oldest first, at most *limit*."""
        with self._lock:
            wanted = list(takewhile(lambda one: one.number > after, self._backwards()))
        return wanted[::-1][:limit]

    def find(self, query: Query, limit: int) -> list[StoredHit]:
        """List the hits that *query* wants, newest first, at most *limit*."""
        with self._lock:
            hits = list(self._backwards())
        return list(islice(filter(query.matches, hits), limit))

    def call(self, number: int) -> RawCall | None:
        """Return the call that brought the hit of this *number*, if it is known."""
        with self._lock:
            found = self._stored(number)
            return self._calls.get(found.call) if found else None

    def keep(self, number: int, keep: bool = True) -> None:
        """Let a hit outlive clearing, or no longer."""
        with self._lock:
            found = self._stored(number)
            if keep and found:
                self._kept[number] = found
            elif not keep:
                self._kept.pop(number, None)
            self.kept = frozenset(self._kept)
        self._bell.ring()

    def wait_for(
        self, enough: Callable[[list[StoredHit]], bool], timeout: float
    ) -> list[StoredHit]:
        """Wait until *enough* of the hits, or *timeout* seconds; returns the hits."""
        self._bell.wait_until(lambda: enough(self.hits()), timeout)
        return self.hits()

    def clear(self) -> None:
        """Forget all hits but those kept; numbers go on."""
        with self._lock:
            self._hits.clear()
            self._calls = {
                one.call: self._calls[one.call]
                for one in self._kept.values()
                if one.call in self._calls
            }
            self.cleared = self.newest
        self._bell.ring()

    def close(self) -> None:
        """Tell all who wait that nothing more will come."""
        self.closed = True
        self._bell.ring()

    def _backwards(self) -> chain[StoredHit]:
        oldest = self._hits[0].number if self._hits else self.newest + 1
        older = sorted(number for number in self._kept if number < oldest)
        return chain(reversed(self._hits), (self._kept[n] for n in reversed(older)))

    def _stored(self, number: int) -> StoredHit | None:
        if number in self._kept:
            return self._kept[number]
        at = number - self._hits[0].number if self._hits else -1
        return self._hits[at] if 0 <= at < len(self._hits) else None

    def _forget_call_of(self, gone: StoredHit) -> None:
        following = self._hits[0].call if self._hits else None
        kept = any(one.call == gone.call for one in self._kept.values())
        if gone.call != following and not kept:
            self._calls.pop(gone.call, None)
