"""One lane for each system: what is held, when it may be sent, what became of it.

A lane is pure: it has no clock, no lock and does no I/O. Its owner tells it the
time (monotonic seconds), calls it under one lock, and carries out what it says:

    offer ──► queue ──take──► encode elsewhere ──loaded──► ready ──launch──► HTTP ──landed──► end
                ▲                                            │                 │
                └──────────────── waiting ◄──────────────────┴─────────────────┘
"""

from __future__ import annotations

import heapq
import random as random_module
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from server_tracking.calls import Outcome, Verdict
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.senders.parcels import Entry, Packed, Parcel, Rules
from server_tracking.systems import System

__all__ = ["Entry", "Lane", "Packed", "Parcel", "Rules", "lanes_for"]

REJECTIONS = (
    Reason.INVALID,
    Reason.UNSUPPORTED,
    Reason.REFUSED,
    Reason.HOOK,
    Reason.TEST_RUN,
    Reason.UNDECIDED,
)
LINGERING_SINGLES = 32  # that many hits go at once even if each needs its own call
SHORTEST_WAIT = 0.1  # seconds before any second try


class Lane:
    """Hold the hits for *system*, known as *key*, and decide about them.

    *held* and *bytes* are what it holds now, *full* how many hits fill a call,
    *trouble* why the last call failed, for logs.
    """

    def __init__(
        self,
        system: System,
        rules: Rules = Rules(),  # noqa: B008 - frozen
        *,
        key: str = "",
        random: Callable[[], float] = random_module.random,
    ) -> None:
        limits = system.limits
        self.key = key or system.name
        self.system = system
        self.rules = rules
        self.linger = limits.linger if rules.linger is None else rules.linger
        self.concurrency = max(1, rules.concurrency or limits.concurrency)
        self._window = rules.first_calls
        self.queue: deque[Entry] = deque()
        self.held = 0
        self.bytes = 0
        self.trouble = ""
        self._max_age = limits.max_age
        self._idempotent = limits.idempotent
        self.full = limits.hits if limits.hits > 1 else LINGERING_SINGLES
        self._chunk = min(1000, max(LINGERING_SINGLES, limits.hits * self.concurrency))
        self._random = random
        # Where hits are, beside the queue.
        self._loading: set[Parcel] = set()
        self._ready: deque[Parcel] = deque()
        self._waiting: list[tuple[float, int, Parcel]] = []
        self._flying: set[Parcel] = set()
        self._tickets = count()
        # What has become of hits.
        self._submitted = 0
        self._accepted = 0
        self._delivered = 0
        self._refused: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        # Places are numbers in order of acceptance; all below `_taken` left the queue.
        self._taken = 0
        self._drain_to = 0
        self._since = 0.0  # when the oldest hit of the queue came
        self._pause_until = 0.0  # by the breaker: a flush may try earlier
        self._hold_until = 0.0  # by the system's own word: nobody may
        self._open = False  # the breaker
        self._failures = 0
        self._pauses = 0

    # The door

    def offer(self, entry: Entry, now: float) -> bool:
        """Accept *entry*, or refuse it for want of room."""
        size = entry[1]
        if size > self.rules.max_hit_bytes:
            return self.refuse(Reason.TOO_BIG)
        if not self.has_room(size) and not self._make_room(size):
            return self.refuse(Reason.QUEUE_FULL)
        self._submitted += 1
        self._accepted += 1
        self.held += 1
        self.bytes += size
        if not self.queue:
            self._since = now
        self.queue.append(entry)
        return True

    def has_room(self, size: int) -> bool:
        """Tell whether a hit of *size* bytes can be accepted as things are."""
        rules = self.rules
        return self.held < rules.max_hits and self.bytes + size <= rules.max_bytes

    def refuse(self, reason: Reason) -> bool:
        """Count a hit that is not accepted; always False."""
        self._submitted += 1
        self._refused[reason] = self._refused.get(reason, 0) + 1
        return False

    # The way out

    def take(self, now: float) -> Parcel | None:
        """Take hits to be encoded now; hand the result to `loaded`."""
        self._expire_queued(now)
        if not self._may_call(now):
            return None
        parcel = self._due(now) or self._fresh(now)
        if parcel is not None:
            self._loading.add(parcel)
        return parcel

    def loaded(self, parcel: Parcel, packed: Packed) -> None:
        """Take over the calls that *parcel* was encoded to."""
        if parcel not in self._loading:  # given up meanwhile
            return
        self._loading.remove(parcel)
        for reason, entries in packed.losses:
            self._finish(entries, reason)
        for call, entries in packed.loads:
            load = Parcel(entries, parcel.first, parcel.attempts)
            load.call = call
            self._ready.append(load)

    def launch(self, now: float) -> Parcel | None:
        """Hand out the next parcel whose `call` is to be made; then tell `landed`."""
        if not self._ready or now < max(self._hold_until, self._pause_until):
            return None
        if len(self._flying) >= self._most_calls():
            return None
        parcel = self._ready.popleft()
        parcel.attempts += 1
        parcel.probe = self._open
        self._flying.add(parcel)
        return parcel

    def landed(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """Note what became of a launched parcel."""
        if parcel not in self._flying:  # given up meanwhile
            return
        self._flying.remove(parcel)
        self._judge(parcel, outcome, now)
        for part, entries in _parts(parcel.entries, outcome):
            self._settle(parcel, entries, part, now)
        if now < max(self._hold_until, self._pause_until):
            self._unload(now)

    def due(self, now: float) -> float | None:
        """Say when to call `take` and `launch` again; None if not before something lands."""
        if self._loading or len(self._flying) >= self._most_calls():
            return None
        times = []
        if self._ready:
            times.append(now)
        if self._waiting:
            times.append(self._waiting[0][0])
        if self.queue:
            times.append(now if self._ripe(now) else self._since + self.linger)
        if not times:
            return None
        return max(min(times), self._hold_until, self._pause_until)

    # Flush and close

    def mark(self) -> int:
        """Name the place that follows all hits accepted so far."""
        return self._taken + len(self.queue)

    def settled(self, mark: int) -> bool:
        """Tell whether all hits before *mark* have an end."""
        if self._taken < mark:
            return False
        places = [
            *self._loading,
            *self._ready,
            *self._flying,
            *(parcel for _, _, parcel in self._waiting),
        ]
        return all(parcel.first >= mark for parcel in places)

    def drain(self, now: float) -> None:
        """Send all that is held as soon as may be: no lingering, no backoff.

        A pause that the system itself asked for still holds.
        """
        self._drain_to = self.mark()
        self._pause_until = min(self._pause_until, now)
        self._waiting = [(now, ticket, parcel) for _, ticket, parcel in self._waiting]
        heapq.heapify(self._waiting)

    def is_stuck(self, until: float, now: float) -> bool:
        """Tell whether nothing that is held can get on before *until*."""
        if self._loading or self._flying:
            return False
        due = self.due(now)
        return due is not None and due > until

    def recall(self, now: float) -> None:
        """Take back what is being encoded or sent, for its driver broke down."""
        for parcel in list(self._loading):
            self._loading.remove(parcel)
            self._later(parcel, now)
        for parcel in list(self._flying):
            self.landed(parcel, Outcome(Verdict.UNKNOWN, "interrupted"), now)

    def give_up(self) -> None:
        """End all that is held: under way as unknown, the rest as abandoned."""
        for parcel in self._flying:
            self._finish(parcel.entries, Reason.UNKNOWN)
        self._flying.clear()
        self.give_up_unsent()

    def give_up_unsent(self) -> None:
        """End all for which no call is under way as abandoned."""
        rest = [
            *self._loading,
            *self._ready,
            *(parcel for _, _, parcel in self._waiting),
        ]
        for parcel in rest:
            self._finish(parcel.entries, Reason.ABANDONED)
        for held in (self._loading, self._ready, self._waiting):
            held.clear()
        self._taken += len(self.queue)
        self._finish(self.queue, Reason.ABANDONED)
        self.queue.clear()

    # The account

    def counts(self) -> Counts:
        """Count what became of the hits."""
        packing = sum(len(parcel.entries) for parcel in (*self._loading, *self._ready))
        lost = self._lost
        return Counts(
            submitted=self._submitted,
            refused=dict(self._refused),
            accepted=self._accepted,
            delivered=self._delivered,
            rejected={reason: lost[reason] for reason in REJECTIONS if reason in lost},
            dropped_by_system=(
                {Reason.DROPPED: lost[Reason.DROPPED]} if Reason.DROPPED in lost else {}
            ),
            unknown=lost.get(Reason.UNKNOWN, 0),
            expired=lost.get(Reason.EXPIRED, 0),
            abandoned=lost.get(Reason.ABANDONED, 0),
            lost=lost.get(Reason.QUEUE_FULL, 0),
            queued=len(self.queue) + packing,
            waiting=sum(len(parcel.entries) for _, _, parcel in self._waiting),
            sending=sum(len(parcel.entries) for parcel in self._flying),
        )

    def losses(self) -> dict[str, int]:
        """Count the hits that were refused or lost so far, by reason."""
        full = Reason.QUEUE_FULL  # newest or oldest: there was no room
        both = self._lost.get(full, 0) + self._refused.get(full, 0)
        return {**self._lost, **self._refused, **({full: both} if both else {})}

    # Inside

    def _may_call(self, now: float) -> bool:
        if now < max(self._hold_until, self._pause_until) or self._loading:
            return False
        under_way = len(self._flying) + len(self._ready)
        return under_way < self._most_calls()

    def _most_calls(self) -> int:
        return 1 if self._open else min(self._window, self.concurrency)

    def _make_room(self, size: int) -> bool:
        """Drop the oldest of the queue for a hit of *size* bytes, where rules say so."""
        if not self.rules.drop_oldest or size > self.rules.max_bytes:
            return False
        while self.queue and not self.has_room(size):
            entry = self.queue.popleft()
            self._taken += 1
            self._finish([entry], Reason.QUEUE_FULL)
        return self.has_room(size)

    def _due(self, now: float) -> Parcel | None:
        while self._waiting and self._waiting[0][0] <= now:
            parcel = heapq.heappop(self._waiting)[2]
            fresh = [entry for entry in parcel.entries if not self._is_old(entry, now)]
            self._finish(
                [entry for entry in parcel.entries if self._is_old(entry, now)],
                Reason.EXPIRED,
            )
            if self._open and len(fresh) > 1:  # a probe risks one hit, not fifty
                fresh, rest = fresh[:1], fresh[1:]
                later = Parcel(rest, parcel.first, parcel.attempts)
                heapq.heappush(self._waiting, (now, next(self._tickets), later))
            if fresh:
                return Parcel(fresh, parcel.first, parcel.attempts)
        return None

    def _fresh(self, now: float) -> Parcel | None:
        if not self.queue or not self._ripe(now):
            return None
        size = min(1 if self._open else self._chunk, len(self.queue))
        taken = [self.queue.popleft() for _ in range(size)]
        first = self._taken
        self._taken += size
        entries = [entry for entry in taken if not self._is_old(entry, now)]
        self._finish(
            [entry for entry in taken if self._is_old(entry, now)], Reason.EXPIRED
        )
        return Parcel(entries, first) if entries else self._fresh(now)

    def _ripe(self, now: float) -> bool:
        return (
            len(self.queue) >= self.full
            or now >= self._since + self.linger
            or self._taken < self._drain_to
        )

    def _is_old(self, entry: Entry, now: float) -> bool:
        return now - entry[2] > self._max_age

    def _expire_queued(self, now: float) -> None:
        old = []
        while self.queue and self._is_old(self.queue[0], now):
            old.append(self.queue.popleft())
        self._taken += len(old)
        self._finish(old, Reason.EXPIRED)

    def _judge(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """Open or close the breaker."""
        failed = outcome.verdict in {Verdict.RETRY, Verdict.UNKNOWN}
        if not failed:
            self.trouble = ""
            self._open = False
            self._failures = self._pauses = 0
            self._pause_until = min(self._pause_until, now)
            if self._ready or self.queue:  # else it was not the window that held them
                self._window = min(self._window + 1, self.concurrency)
            return
        self._window = max(self._window // 2, 1)
        self.trouble = outcome.reason
        if outcome.misconfigured:
            self._open = True
            self._hold_until = max(
                self._hold_until, now + self.rules.misconfigured_pause
            )
            parcel.attempts -= 1  # such hits wait for somebody to act
        elif outcome.after is not None:
            after = min(max(outcome.after, 0.0), self.rules.retry_after_cap)
            self._hold_until = max(
                self._hold_until, now + after * (1 + 0.1 * self._random())
            )
        self._failures += 1
        if parcel.probe or (not self._open and self._failures >= self.rules.failures):
            bound = min(self.rules.pause_cap, self.rules.pause * 2**self._pauses)
            self._pause_until = now + bound * (0.5 + 0.5 * self._random())
            self._pauses = min(self._pauses + 1, 30)
            self._open = True

    def _settle(
        self, parcel: Parcel, entries: list[Entry], outcome: Outcome, now: float
    ) -> None:
        verdict = outcome.verdict
        if verdict is Verdict.UNKNOWN and self._idempotent:
            verdict = Verdict.RETRY
        if verdict is Verdict.DELIVERED:
            self._finish(entries, None)
        elif verdict is Verdict.DROPPED:
            self._finish(entries, Reason.DROPPED)
        elif verdict is Verdict.UNKNOWN:
            self._finish(entries, Reason.UNKNOWN)
        elif outcome.split and len(entries) > 1:
            # One bad hit of n costs 2·log2(n) more calls, n bad ones 2n.
            half = len(entries) // 2
            for part in (entries[:half], entries[half:]):
                self._later(Parcel(part, parcel.first, parcel.attempts - 1), now)
        elif verdict is Verdict.REJECTED:
            test_run = outcome.reason == Reason.TEST_RUN
            self._finish(entries, Reason.TEST_RUN if test_run else Reason.REFUSED)
        else:
            wait = self._backoff(parcel.attempts)
            self._later(Parcel(entries, parcel.first, parcel.attempts), now + wait)

    def _backoff(self, attempts: int) -> float:
        """Draw a wait with full jitter, so that processes do not come back in step."""
        bound = self.rules.backoff * 2.0 ** min(max(0, attempts - 1), 60)
        return max(SHORTEST_WAIT, min(self.rules.backoff_cap, bound) * self._random())

    def _later(self, parcel: Parcel, due: float) -> None:
        if parcel.attempts >= self.rules.attempts:
            self._finish(parcel.entries, Reason.ABANDONED)
        elif parcel.entries:
            heapq.heappush(self._waiting, (due, next(self._tickets), parcel))

    def _unload(self, now: float) -> None:
        """Put back what was ready: it is encoded anew when the pause is over."""
        while self._ready:
            load = self._ready.popleft()
            self._later(Parcel(load.entries, load.first, load.attempts), now)

    def _finish(self, entries: Iterable[Entry], reason: Reason | None) -> None:
        number = 0
        for _, size, _ in entries:
            number += 1
            self.bytes -= size
        self.held -= number
        if reason is None:
            self._delivered += number
        elif number:
            self._lost[reason] = self._lost.get(reason, 0) + number


def lanes_for(systems: Iterable[System], rules: Rules = Rules()) -> dict[str, Lane]:  # noqa: B008 - frozen
    """Make a lane for each system, by its name.

    Of two systems with one name, the second is called ``matomo-2``.
    """
    lanes: dict[str, Lane] = {}
    for system in systems:
        key, number = system.name, 1
        while key in lanes:
            number += 1
            key = f"{system.name}-{number}"
        lanes[key] = Lane(system, rules, key=key)
    return lanes


def _parts(entries: list[Entry], outcome: Outcome) -> list[tuple[Outcome, list[Entry]]]:
    """Part *entries* by their outcome: that of the call, or their own."""
    if not outcome.exceptions:
        return [(outcome, entries)]
    parts: dict[int, tuple[Outcome, list[Entry]]] = {}
    for entry in entries:
        own = outcome.exceptions.get(entry[0].id, outcome)
        parts.setdefault(id(own), (own, []))[1].append(entry)
    return list(parts.values())
