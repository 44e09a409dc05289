"""RecordingSender: keep the hits, send nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from server_tracking.calls import Call
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.senders.lanes import lanes_for
from server_tracking.systems import System, may_be_told

__all__ = ["RecordingSender"]


class RecordingSender:
    """A sender that keeps what it gets, and counts it as delivered.

    *hits* are in the order of sending. *calls* are what the bound systems make of
    them, each system in turn, since the last `flush`; what a system raises there
    is raised, so that a test sees it. May be bound again, to another tracker.
    *on_hit* is called with each hit.
    """

    blocking = False

    def __init__(self, on_hit: Callable[[Hit], object] | None = None) -> None:
        self._on_hit = on_hit
        self.hits: list[Hit] = []
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._systems: dict[str, System] = {}
        self._encoded = 0
        self._accepted = 0
        self._refused = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<RecordingSender of {len(self.hits)} hits>"

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems that `calls` are made for."""
        self._systems = {key: lane.system for key, lane in lanes_for(systems).items()}

    def send(self, hit: Hit) -> bool:
        """Keep *hit*; True unless the sender was closed."""
        with self._lock:
            if self._closed:
                self._refused += 1
                return False
            self._accepted += 1
            self.hits.append(hit)
            if self._on_hit is not None:
                self._on_hit(hit)
            return True

    def flush(self, timeout: float = 10.0) -> bool:  # noqa: ARG002 - nothing to wait for
        """Add the calls of the hits that came since the last time to `calls`."""
        with self._lock:
            fresh = self.hits[self._encoded :]
            self._encoded = len(self.hits)
        if fresh:
            now = time.time()
            for system in self._systems.values():
                told = [h for h in fresh if may_be_told(system, h.context.consent)]
                self.calls.extend(system.encode(told, now))
        return True

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse further hits."""
        self._closed = True
        return self.flush(timeout)

    def stats(self) -> Mapping[str, Counts]:
        """Count the hits, by the system's name."""
        with self._lock:
            counts = Counts(
                submitted=self._accepted + self._refused,
                refused={Reason.CLOSED: self._refused} if self._refused else {},
                accepted=self._accepted,
                delivered=self._accepted,
            )
        return dict.fromkeys(self._systems, counts)

    def clear(self) -> None:
        """Forget the hits and calls; the counts go on."""
        with self._lock:
            self.hits.clear()
            self.calls.clear()
            self._encoded = 0
