"""Courier: deliver batches in the calling thread, and say what is left of them.

For workers of a task queue: the queue keeps the hits, and brings the rest of a
batch again.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from time import monotonic, time
from typing import NamedTuple, cast

import msgspec

from server_tracking.calls import Outcome, Verdict
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Lane, Parcel, Rules, lanes_for
from server_tracking.senders.losses import LossNews
from server_tracking.senders.packing import packed
from server_tracking.senders.processes import importing
from server_tracking.senders.totals import total
from server_tracking.senders.transports import (
    Transport,
    TransportName,
    sending,
    transport_from,
)
from server_tracking.systems import System

__all__ = ["Courier", "Rest"]

logger = logging.getLogger("server_tracking")

# One try for each hit; who brings a batch again counts the tries.
RULES = Rules(max_hits=10**9, max_bytes=10**12, max_hit_bytes=10**12, attempts=1)
BUDGET = 30.0  # seconds in which a batch may begin calls
FIRST_WAIT = 2.0  # seconds; the bound of a wait doubles with each try
LONGEST_WAIT = 300.0
FAILURES_IN_A_ROW = 3  # of batches, until a system is left alone for a while
STRANGER_AGE = 86400.0  # seconds that hits for an unknown system are kept going
LOG_PERIOD = 60.0


class Rest(NamedTuple):
    """Hits to be brought again, in *wait* seconds at the earliest."""

    hits: list[Hit]
    wait: float


class Courier:
    """Deliver batches to *systems*, each known by the name it has in `stats()`.

    *timeout* is the deadline of one call in seconds; a batch takes 30 seconds and
    one call at most. May be shared by threads.
    """

    def __init__(
        self,
        systems: Sequence[System],
        *,
        transport: TransportName,
        timeout: float,
        hooks: Hooks,
    ) -> None:
        self._systems = {key: lane.system for key, lane in lanes_for(systems).items()}
        self._transport: TransportName = transport
        self._timeout = timeout
        self._hooks = hooks
        self._lock = threading.Lock()
        self._idle: list[Transport] = []
        self._pauses = {key: _Pause() for key in self._systems}
        self._counts: dict[str, Counts] = {}
        self._news = LossNews(LOG_PERIOD)

    def deliver(self, key: str, hits: Sequence[Hit], attempt: int) -> Rest | None:
        """Deliver *hits* to the system *key*, for the *attempt*-th time (from 1).

        A hit that may have been counted is not brought again, unless the system
        recognises it.
        """
        system = self._systems.get(key)
        age = STRANGER_AGE if system is None else system.limits.max_age
        fresh = [hit for hit in hits if time() - hit.time <= age]
        self._count_lost(key, Reason.EXPIRED, len(hits) - len(fresh))
        if not fresh:
            return None
        if system is None:
            return Rest(fresh, _backoff(attempt))  # a newer release will know it
        with self._lock:
            pause = self._pauses[key].left(monotonic())
        if pause:
            return Rest(fresh, pause + _backoff(1))
        return self._deliver(_Round(system, RULES, key=key), fresh, attempt)

    def give_up(self, key: str, number: int) -> None:
        """Count that *number* hits cannot be brought again."""
        self._count_lost(key, Reason.ABANDONED, number)

    def refuse(self, key: str) -> None:
        """Count a batch that cannot be read, as one hit."""
        self._add(key, Counts(submitted=1, refused={Reason.INVALID: 1}))
        self._tell(key, {Reason.INVALID: 1})

    def counts(self) -> Mapping[str, Counts]:
        """Count the hits that have found their end here; what is left has none."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Close the connections that are idle; they are opened again when needed."""
        with self._lock:
            idle, self._idle = self._idle, []
        for transport in idle:
            transport.close()

    def _deliver(
        self, round_: _Round, hits: Sequence[Hit], attempt: int
    ) -> Rest | None:
        now, wall = monotonic(), time()
        for hit in hits:
            round_.offer((hit, 0, now - max(0.0, wall - hit.time)), now)
        token = sending.set(True)
        try:
            transport = self._borrowed()
            try:
                self._run(round_, transport)
            except BaseException:
                transport.close()
                raise
            with self._lock:
                self._idle.append(transport)
        finally:
            sending.reset(token)
        now = monotonic()
        left, hold = round_.withdraw(now)
        self._add(round_.key, _without(round_.counts(), len(left)))
        self._tell(round_.key, round_.losses())
        with self._lock:
            pause = self._pauses[round_.key].noted(bool(round_.trouble), hold, now)
        if not left:
            return None
        wait = _backoff(attempt) if round_.left else 0.0
        return Rest(left, max(wait, pause))

    def _run(self, round_: _Round, transport: Transport) -> None:
        """Do all that can be done now; ends when nothing is under way any more."""
        if transport.capacity is not None:
            round_.concurrency = min(round_.concurrency, transport.capacity)
        end = monotonic() + BUDGET
        round_.drain(monotonic())
        under_way = 0
        while True:
            if monotonic() < end:
                under_way += self._begin(round_, transport)
            if not under_way:
                return
            for token, answer in transport.wait(1.0):
                under_way -= 1
                parcel = cast("Parcel", token)
                outcome = judged(round_.system, parcel.call, answer, self._hooks)
                round_.landed(parcel, outcome, monotonic())

    def _begin(self, round_: _Round, transport: Transport) -> int:
        begun = 0
        while (parcel := round_.take(monotonic())) is not None:
            load = packed(round_.system, parcel.entries, time(), self._hooks)
            round_.loaded(parcel, load)
        while (parcel := round_.launch(monotonic())) is not None:
            try:
                transport.start(parcel.call, parcel)
                begun += 1
            except FAILURES as error:
                self._hooks.failed(error)
                refused = Outcome(Verdict.REJECTED, "not_sendable")
                round_.landed(parcel, refused, monotonic())
        return begun

    def _borrowed(self) -> Transport:
        """Take a transport that no other thread uses, with its open connections."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        with importing():
            return transport_from(self._transport, self._timeout, 1)

    def _count_lost(self, key: str, reason: Reason, number: int) -> None:
        if number:
            counts = Counts(submitted=number, accepted=number)
            self._add(key, msgspec.structs.replace(counts, **{reason: number}))
            self._tell(key, {reason: number})

    def _add(self, key: str, counts: Counts) -> None:
        with self._lock:
            self._counts[key] = total(self._counts.get(key, Counts()), counts)

    def _tell(self, key: str, losses: Mapping[str, int]) -> None:
        for reason, number in losses.items():
            self._hooks.dropped(key, reason, number)
        with self._lock:
            total = _losses(self._counts.get(key, Counts()))
            news = self._news.of(key, total, monotonic())
        if news:
            logger.warning(
                "Hits for %s were lost by this worker: %s.",
                key,
                ", ".join(f"{number} {reason}" for reason, number in news.items()),
            )


class _Round(Lane):
    """A lane for one batch: what its first try does not settle is left."""

    def __init__(self, system: System, rules: Rules, *, key: str) -> None:
        super().__init__(system, rules, key=key)
        self.left: list[Parcel] = []  # tried, to be tried again

    def withdraw(self, now: float) -> tuple[list[Hit], float]:
        """Return what has no end, and for how long the system wants to be left alone."""
        parcels = [
            *self.left,
            *self._ready,
            *(parcel for _, _, parcel in self._waiting),
        ]
        entries = [entry for parcel in parcels for entry in parcel.entries]
        hits = [cast("Hit", entry[0]) for entry in (*entries, *self.queue)]
        return hits, max(0.0, self._hold_until - now)

    def _later(self, parcel: Parcel, due: float) -> None:
        if parcel.attempts:
            self.left.append(parcel)
        else:  # half of a call that was refused
            super()._later(parcel, due)


class _Pause:
    """When a system may be asked again, after it failed for several batches."""

    def __init__(self) -> None:
        self._until = 0.0
        self._failures = 0

    def left(self, now: float) -> float:
        return max(0.0, self._until - now)

    def noted(self, failed: bool, hold: float, now: float) -> float:
        """Note how a batch fared; return the seconds until the next may be tried."""
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= FAILURES_IN_A_ROW:
            hold = max(hold, _backoff(self._failures))
        if hold:
            self._until = max(self._until, now + hold)
        elif not failed:
            self._until = 0.0
        return self.left(now)


def _backoff(attempt: int) -> float:
    """Draw a wait with full jitter, so that workers do not come back in step."""
    bound = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 60))
    return max(1.0, bound * random.random())  # noqa: S311 - no secret


def _without(counts: Counts, left: int) -> Counts:
    return msgspec.structs.replace(
        counts,
        submitted=counts.submitted - left,
        accepted=counts.accepted - left,
        queued=0,
        waiting=0,
        sending=0,
    )


def _losses(counts: Counts) -> dict[str, int]:
    ends = {
        **counts.refused,
        **counts.rejected,
        **counts.dropped_by_system,
        Reason.UNKNOWN: counts.unknown,
        Reason.EXPIRED: counts.expired,
        Reason.ABANDONED: counts.abandoned,
    }
    # No news: the system has no words for it, or may not hear of the visitor.
    ends.pop(Reason.UNSUPPORTED, None)
    ends.pop(Reason.UNDECIDED, None)
    return {reason: number for reason, number in ends.items() if number}
