"""The lanes of one sender in one process, and what its thread does with them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from math import inf
from time import monotonic, time
from typing import cast

from server_tracking.calls import Outcome
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Counts, Draft
from server_tracking.senders.driver import AWAKE, Driver
from server_tracking.senders.hooks import FAILURES
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Entry, Lane, Parcel, lanes_for
from server_tracking.senders.options import Options
from server_tracking.senders.processes import in_event_loop
from server_tracking.senders.reports import Reports
from server_tracking.senders.sizes import size_of
from server_tracking.senders.steps import launch, load, transport_for
from server_tracking.senders.transports import Landing, Transport, sending
from server_tracking.systems import System

__all__ = ["Dispatch"]

LONGEST_NAP = 1.0  # seconds


class Dispatch:
    """Take hits for *systems*, and send them from one thread.

    One re-entrant lock guards all; it is held for microseconds, never while a
    hook, a system or the network is waited for. A hit for which a lane has no room
    goes to *spill*, for all systems, if there is one.
    """

    def __init__(
        self,
        systems: Sequence[System],
        options: Options,
        *,
        closed: bool,
        spill: Callable[[Hit | Draft], bool] | None = None,
    ) -> None:
        self.options = options
        self._spill = spill
        self.pid = os.getpid()
        self._lanes = lanes_for(systems, options.rules)
        self._in_order = tuple(self._lanes.values())
        self._nap = min(
            LONGEST_NAP, max((lane.linger for lane in self._in_order), default=0.0)
        )
        self._lock = threading.RLock()
        self._driver = Driver(self, "server-tracking", self._lock, options.hooks)
        self._closed = closed
        self._orphaned = False
        self._inside = False  # of `offer`, to know a signal handler that comes back
        self._rested = True
        self._reports = Reports(self._in_order, self._lock, options.hooks)

    # The callers' side

    def offer(self, hit: Hit | Draft) -> bool:
        """Queue *hit* for every lane; True if all took it."""
        if sending.get():
            return self._refuse(Reason.REENTRANT)
        now = monotonic()
        try:
            # A hit may be older than this call, but a clock set back is no age.
            entry = (hit, size_of(hit), now - max(0.0, time() - hit.time))
        except FAILURES as error:
            self.options.hooks.failed(error)
            return self._refuse(Reason.INVALID)
        driver = self._driver
        with self._lock:
            if self._closed:
                return self._refuse(Reason.CLOSED)
            if self._inside:
                return self._refuse(Reason.REENTRANT)
            if self.options.patience and not self._await_room(entry[1], now):
                return self._refuse(Reason.CLOSED)
            spill = self._detour(entry[1])
            if spill is None:
                accepted, early = self._admit(entry, now)
            transport, driven = driver.transport, driver.driven
        if spill is not None:
            return spill(hit)
        if early and transport is not None:
            transport.wake()
        if not driven:
            driver.start()
        return accepted

    def _admit(self, entry: Entry, now: float) -> tuple[bool, bool]:
        """Queue *entry*; tell whether all lanes took it, and whether to wake the driver.

        It comes by itself for what is queued already, so that only the first hit of
        a queue and the one that fills a call can make it come earlier.
        """
        accepted, early = True, False
        wake_at = self._driver.wake_at
        self._inside = True
        for lane in self._in_order:
            if not lane.offer(entry, now):
                accepted = False
                continue
            queued = len(lane.queue)
            if queued == 1:
                early = early or wake_at > now + lane.linger
            elif queued == lane.full:
                early = early or wake_at > now
        self._inside = False
        if early:
            self._driver.wake_at = AWAKE
        return accepted, early

    def _detour(self, size: int) -> Callable[[Hit | Draft], bool] | None:
        """Return where a hit of *size* bytes goes that the lanes have no room for."""
        if self._spill is None or all(lane.has_room(size) for lane in self._in_order):
            return None
        return self._spill

    def _await_room(self, size: int, now: float) -> bool:
        """Wait for room, if that can help and holds up no loop; False if closed.

        A lane whose system is down makes no room, and is not waited for.
        """
        until = now + self.options.patience

        def is_over() -> bool:
            moment = monotonic()
            return self._closed or all(
                lane.has_room(size) or lane.is_stuck(until, moment)
                for lane in self._in_order
            )

        if not is_over() and not in_event_loop():
            self._driver.start()
            self._driver.progress.wait_for(is_over, self.options.patience)
        return not self._closed

    def flush(self, timeout: float) -> bool:
        """Wait until all that was accepted has an end; False if it will not be so.

        Comes back early if nothing can get on before the *timeout*.
        """
        if sending.get():
            return False  # the driver cannot wait for itself
        deadline = monotonic() + timeout
        with self._lock:
            marks = [(lane, lane.mark()) for lane in self._in_order]
        self.drain()

        def is_over() -> bool:
            now = monotonic()
            with self._lock:
                return now >= deadline or all(
                    lane.settled(mark) or lane.is_stuck(deadline, now)
                    for lane, mark in marks
                )

        self._driver.wait_until(is_over, deadline)
        with self._lock:
            return all(lane.settled(mark) for lane, mark in marks)

    def drain(self) -> None:
        """Have all that is held sent as soon as may be."""
        with self._lock:
            now = monotonic()
            held = [lane for lane in self._in_order if lane.held]
            for lane in held:
                lane.drain(now)
        self._driver.wake()
        if held and not self._driver.driven:
            self._driver.start()

    def close(self, timeout: float) -> bool:
        """Refuse new hits, flush, end what is left, and stop the thread."""
        if sending.get():
            return False
        with self._lock:
            self._closed = True
        flushed = self.flush(timeout)
        with self._lock:
            for lane in self._in_order:
                lane.give_up()
        self._driver.stop()
        self._driver.free()
        self._reports.tell_losses()
        return flushed

    def pause(self, patience: float) -> None:
        """Have the thread away while the process forks, see `Driver.pause`."""
        self._driver.pause(patience)

    def resume(self) -> None:
        """Start the thread again if there is something to send; else a hit does."""
        if self._driver.resume() and any(lane.held for lane in self._in_order):
            self._driver.start()

    def orphan(self) -> None:
        """End the thread once all is sent, for nobody is left to send more."""
        self._orphaned = True
        transport = self._driver.transport  # no lock: the garbage collector calls it
        if transport is not None and self.pid == os.getpid():
            transport.wake()

    def counts(self) -> Mapping[str, Counts]:
        """Count what became of the hits."""
        with self._lock:
            return {key: lane.counts() for key, lane in self._lanes.items()}

    def _refuse(self, reason: Reason) -> bool:
        with self._lock:
            for lane in self._in_order:
                lane.refuse(reason)
        return not self._in_order

    # The driver's side

    def make_transport(self) -> Transport:
        """Make the way out."""
        return transport_for(self._in_order, self.options)

    def is_done(self) -> bool:
        """Tell whether nothing can come any more."""
        with self._lock:
            return self._driver.stopped or (
                self._orphaned and not any(lane.held for lane in self._in_order)
            )

    def retire(self) -> None:
        """Take back what is under way."""
        with self._lock:
            now = monotonic()
            for lane in self._in_order:
                lane.recall(now)

    def turn(self, transport: Transport, deadline: float) -> None:
        """Send what is due, and wait for what comes next."""
        hooks = self.options.hooks
        for lane in self._in_order:
            if load(lane, self._lock, hooks):
                self._rested = False
            launch(lane, self._lock, transport, hooks)
        self._reports.tell_losses()
        self._land(self._driver.rest(transport, self._next_due, deadline))

    def _next_due(self, now: float) -> float:
        times = [lane.due(now) for lane in self._in_order]
        times.append(self._reports.due())
        due = min((moment for moment in times if moment is not None), default=inf)
        if due == inf and not self._rested:
            # Where hits keep coming, the next one need not wake us.
            self._rested = True
            return now + self._nap
        return due

    def _land(self, landings: list[Landing]) -> None:
        if not landings:
            return
        self._rested = False
        outcomes: list[tuple[Lane, Parcel, Outcome]] = []
        for token, answer in landings:
            lane, parcel = cast("tuple[Lane, Parcel]", token)
            outcome = judged(lane.system, parcel.call, answer, self.options.hooks)
            outcomes.append((lane, parcel, outcome))
        now = monotonic()
        with self._lock:
            for lane, parcel, outcome in outcomes:
                lane.landed(parcel, outcome, now)
        for lane, _, outcome in outcomes:
            self._reports.tell_outcome(lane, outcome)
