"""The lanes of one sender in one process, and the thread that drives them."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from math import inf
from time import monotonic, time
from typing import NamedTuple, cast

from server_tracking.calls import Outcome, Verdict
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Counts, Draft
from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Entry, Lane, Parcel, Rules, lanes_for
from server_tracking.senders.losses import LossNews, log_losses
from server_tracking.senders.packing import packed
from server_tracking.senders.processes import ended, importing, in_event_loop
from server_tracking.senders.sizes import size_of
from server_tracking.senders.transports import (
    Landing,
    RequestsTransport,
    Transport,
    TransportName,
    sending,
    transport_from,
)
from server_tracking.systems import System

__all__ = ["Dispatch", "Options"]

logger = logging.getLogger("server_tracking")

LOG_PERIOD = 60.0  # seconds between two log lines about one system
RESTART_PERIOD = 1.0  # seconds between two tries to start the thread
RETRY_PERIOD = 0.1  # the same for a flush that has to do without it
LONGEST_NAP = 1.0
JOIN_TIMEOUT = 0.5  # seconds for the thread to end after `close`
DISMISSAL = 0.2  # seconds for threads that make calls to end theirs

AWAKE = -inf


class Options(NamedTuple):
    """How a `Dispatch` works.

    *timeout* is the deadline of one call, *exit_timeout* that of the flush at the
    end of the process, *patience* how long a caller waits for room, in seconds.
    """

    timeout: float
    exit_timeout: float
    transport: TransportName
    rules: Rules
    hooks: Hooks
    patience: float = 0.0


class Dispatch:
    """Take hits for *systems*, and send them from one thread.

    One re-entrant lock guards all; it is held for microseconds, never while a
    hook, a system or the network is waited for.
    """

    def __init__(
        self, systems: Sequence[System], options: Options, *, closed: bool
    ) -> None:
        self.options = options
        self.pid = os.getpid()
        self._lanes = lanes_for(systems, options.rules)
        self._in_order = tuple(self._lanes.values())
        self._nap = min(
            LONGEST_NAP, max((lane.linger for lane in self._in_order), default=0.0)
        )
        self._lock = threading.RLock()
        self._progress = threading.Condition(self._lock)
        self._closed = closed
        self._stopped = False
        self._orphaned = False
        self._inside = False  # of `offer`, to know a signal handler that comes back
        self._driven = False  # by whichever thread
        self._paused = False  # for a fork
        self._thread: threading.Thread | None = None
        self._start_after = 0.0
        self._transport: Transport | None = None
        self._wake_at = AWAKE  # when the driver comes by itself; -inf: it is at work
        self._rested = True
        self._drops = LossNews(0.0)
        self._news = LossNews(LOG_PERIOD)
        self._alarms: dict[str, float] = {}  # when the next one may be given

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
        with self._lock:
            if self._closed:
                return self._refuse(Reason.CLOSED)
            if self._inside:
                return self._refuse(Reason.REENTRANT)
            if self.options.patience and not self._await_room(entry[1], now):
                return self._refuse(Reason.CLOSED)
            self._inside = True
            accepted, early = self._admit(entry, now)
            self._inside = False
            if early:
                self._wake_at = AWAKE
            transport, driven = self._transport, self._driven
        if early and transport is not None:
            transport.wake()
        if not driven:
            self._start()
        return accepted

    def _admit(self, entry: Entry, now: float) -> tuple[bool, bool]:
        """Queue *entry*; tell whether all lanes took it, and whether to wake the driver.

        It comes by itself for what is queued already, so that only the first hit of
        a queue and the one that fills a call can make it come earlier.
        """
        accepted, early = True, False
        for lane in self._in_order:
            if not lane.offer(entry, now):
                accepted = False
                continue
            queued = len(lane.queue)
            if queued == 1:
                early = early or self._wake_at > now + lane.linger
            elif queued == lane.full:
                early = early or self._wake_at > now
        return accepted, early

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
            self._start()
            self._progress.wait_for(is_over, self.options.patience)
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

        while True:
            with self._lock:
                while self._driven and not is_over():
                    self._progress.wait(max(0.0, deadline - monotonic()))
                if is_over():
                    return all(lane.settled(mark) for lane, mark in marks)
            self._drive(is_over, deadline)  # no thread can be started any more
            with self._lock:
                if not is_over():
                    self._progress.wait(min(RETRY_PERIOD, deadline - monotonic()))

    def drain(self) -> None:
        """Have all that is held sent as soon as may be."""
        with self._lock:
            now = monotonic()
            held = [lane for lane in self._in_order if lane.held]
            for lane in held:
                lane.drain(now)
            self._wake_at = AWAKE
            transport = self._transport
        if transport is not None:
            transport.wake()
        if held and not self._driven:
            self._start()

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
            self._stopped = True
            self._progress.notify_all()
            transport, thread = self._transport, self._thread
        if transport is not None:
            transport.wake()
        if thread is not None:
            thread.join(JOIN_TIMEOUT)
        self._free()
        self._tell_losses()
        return flushed

    def pause(self, patience: float) -> None:
        """End the thread between two of its steps, within *patience* seconds.

        For a fork: no other thread of ours is then inside libcurl, OpenSSL or the
        resolver, whose locks would stay locked in the child. Calls that are under way
        stay so, and `resume` goes on with them.
        """
        with self._lock:
            thread, transport = self._thread, self._transport
            if thread is None or thread is threading.current_thread():
                return
            self._paused = True
        if transport is not None:
            transport.wake()
        ended(thread, patience)

    def resume(self) -> None:
        """Start the thread again if there is something to send; else a hit does."""
        with self._lock:
            if not self._paused:
                return
            self._paused = False
            self._start_after = 0.0
            held = any(lane.held for lane in self._in_order)
        if held:
            self._start()

    def orphan(self) -> None:
        """End the thread once all is sent, for nobody is left to send more."""
        self._orphaned = True
        transport = self._transport  # no lock: it is called by the garbage collector
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

    def _start(self) -> None:
        with self._lock:
            now = monotonic()
            if self._driven or self._stopped or self._paused:
                return
            if now < self._start_after:
                return
            self._start_after = now + RESTART_PERIOD
            self._driven = True
            self._thread = threading.Thread(
                target=self._run, name="server-tracking", daemon=True
            )
            thread = self._thread
        try:
            # Not in the context of the request that happens to be the first: tracers
            # would count all that ever follows as its work.
            contextvars.Context().run(thread.start)
        except RuntimeError:  # the interpreter shuts down, or the system is full
            with self._lock:
                self._driven = False
                self._thread = None

    def _run(self) -> None:
        self._work(self._is_done, inf)

    def _drive(self, is_over: Callable[[], bool], deadline: float) -> None:
        """Do the driver's work in this thread, unless another has begun it."""
        with self._lock:
            if self._driven or self._stopped or self._paused:
                return
            self._driven = True
        self._work(is_over, deadline)

    def _work(self, is_over: Callable[[], bool], deadline: float) -> None:
        outer = sending.set(True)
        try:
            if (transport := self._transport) is None:
                with importing():
                    transport = self._make_transport()
                self._transport = transport
            while not is_over():
                if self._paused and self._leave(transport):
                    return
                self._turn(transport, deadline)
            self._retire()
        except FAILURES as error:
            # Not with its text, which may repeat what somebody has typed.
            logger.error(  # noqa: TRY400
                "The sender broke down (%s); the next hit starts it again.",
                type(error).__name__,
            )
            self.options.hooks.failed(error)
            self._retire()
        finally:
            sending.reset(outer)

    def _leave(self, transport: Transport) -> bool:
        """Leave all as it is, if the pause has not passed meanwhile."""
        if isinstance(transport, RequestsTransport):
            transport.dismiss(DISMISSAL)
        with self._lock:
            if not self._paused:
                return False
            self._driven = False
            self._thread = None
            self._wake_at = AWAKE
            self._progress.notify_all()
        return True

    def _free(self) -> None:
        """Close what a thread that left for a fork had left open."""
        with self._lock:
            if self._driven or self._transport is None:
                return
            transport, self._transport = self._transport, None
        transport.close()

    def _make_transport(self) -> Transport:
        number = len(self._in_order)
        transport = transport_from(self.options.transport, self.options.timeout, number)
        if transport.capacity is not None:
            # One lane's calls must not keep the others' out.
            share = max(1, transport.capacity // max(1, number))
            for lane in self._in_order:
                lane.concurrency = min(lane.concurrency, share)
        return transport

    def _is_done(self) -> bool:
        with self._lock:
            return self._stopped or (
                self._orphaned and not any(lane.held for lane in self._in_order)
            )

    def _retire(self) -> None:
        with self._lock:
            transport, self._transport = self._transport, None
            now = monotonic()
            for lane in self._in_order:
                lane.recall(now)
            self._thread = None
            self._driven = False
            self._wake_at = AWAKE
            self._progress.notify_all()
        if transport is not None:
            transport.close()

    def _turn(self, transport: Transport, deadline: float) -> None:
        """Send what is due, and wait for what comes next."""
        for lane in self._in_order:
            self._load(lane)
            self._launch(lane, transport)
        self._tell_losses()
        with self._lock:
            self._progress.notify_all()
            now = monotonic()
            self._wake_at = self._next_due(now)
            until = min(self._wake_at, deadline)
        landings = transport.wait(None if until == inf else max(0.0, until - now))
        with self._lock:
            self._wake_at = AWAKE
        self._land(landings)

    def _next_due(self, now: float) -> float:
        times = [lane.due(now) for lane in self._in_order]
        times.append(self._news.due())
        due = min((moment for moment in times if moment is not None), default=inf)
        if due == inf and not self._rested:
            # Where hits keep coming, the next one need not wake us.
            self._rested = True
            return now + self._nap
        return due

    def _load(self, lane: Lane) -> None:
        while True:
            with self._lock:
                parcel = lane.take(monotonic())
            if parcel is None:
                return
            self._rested = False
            load = packed(lane.system, parcel.entries, time(), self.options.hooks)
            with self._lock:
                lane.loaded(parcel, load)

    def _launch(self, lane: Lane, transport: Transport) -> None:
        while True:
            with self._lock:
                parcel = lane.launch(monotonic())
            if parcel is None:
                return
            try:
                transport.start(parcel.call, (lane, parcel))
            except FAILURES as error:
                self.options.hooks.failed(error)
                with self._lock:
                    refused = Outcome(Verdict.REJECTED, "not_sendable")
                    lane.landed(parcel, refused, monotonic())

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
            if outcome.misconfigured:
                self._alarm(lane, outcome.reason, now)

    def _alarm(self, lane: Lane, reason: str, now: float) -> None:
        if now < self._alarms.get(lane.key, now):
            return
        self._alarms[lane.key] = now + LOG_PERIOD
        logger.error(
            "%s takes no hits until somebody acts: %s. It is tried again in %d s.",
            lane.key,
            reason,
            lane.rules.misconfigured_pause,
        )

    def _tell_losses(self) -> None:
        """Log and report what was lost since the last time; holds no lock meanwhile."""
        with self._lock:
            states = [
                (key, lane.losses(), lane.trouble) for key, lane in self._lanes.items()
            ]
        now = monotonic()
        for key, losses, trouble in states:
            for reason, number in self._drops.of(key, losses, now).items():
                self.options.hooks.dropped(key, reason, number)
            if new := self._news.of(key, losses, now):
                log_losses(key, new, trouble)
