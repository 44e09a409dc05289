"""Drain: send what stores hold, from one thread.

A store that nobody else has claimed is taken over. Each system goes through each
store at its own pace; a lane holds a part of what is there, the rest stays where
it is.

    store ──read──► lane ──► HTTP ──► end ──mark──► store
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic, time
from typing import cast

from server_tracking.calls import Outcome, Verdict
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.dispatch import Options
from server_tracking.senders.hooks import FAILURES
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Parcel, Rules
from server_tracking.senders.losses import LossNews
from server_tracking.senders.packing import packed
from server_tracking.senders.processes import importing
from server_tracking.senders.sources import Goal, Source, SourceLane, source_lanes
from server_tracking.senders.transports import (
    Landing,
    Transport,
    sending,
    transport_from,
)
from server_tracking.systems import System

__all__ = ["RULES", "Drain"]

logger = logging.getLogger("server_tracking")

# On disk, only age ends a hit.
RULES = Rules(attempts=10**9, backoff_cap=300.0, retry_after_cap=86400.0)
WINDOW = 2000  # hits that a lane holds at once
ADOPTION_PERIOD = 30.0  # seconds between two looks for orphans
MOST_ADOPTED = 8  # at once
MARK_PERIOD = 1.0  # seconds between two tries to note what was sent
LOG_PERIOD = 60.0
RESTART_PERIOD = 1.0
RETRY_PERIOD = 0.1  # of a flush that has to do without a thread
LINGER = 0.02  # seconds that a hit on disk may wait until it is looked at
JOIN_TIMEOUT = 0.5

AWAKE = -inf


class Drain:
    """Send what the sources hold to *systems*; with *adopts*, also orphans.

    Hits older than *max_age* seconds are not sent. One re-entrant lock guards all;
    it is not held while a disk, a hook, a system or the network is waited for.
    """

    def __init__(
        self,
        systems: Sequence[System],
        options: Options,
        directory: SpoolDirectory,
        *,
        max_age: float,
        adopts: bool = True,
        adoption_period: float = ADOPTION_PERIOD,
    ) -> None:
        self.options = options
        self.directory = directory
        self.pid = os.getpid()
        self.lanes = source_lanes(systems, options.rules, max_age)
        self._max_age = max_age
        self._in_order = tuple(self.lanes.values())
        self.lock = threading.RLock()
        self._progress = threading.Condition(self.lock)
        self._sources: list[Source] = []
        self._adopts = adopts
        self._adoption_period = adoption_period
        self._adopt_at = 0.0
        self._mark_at = 0.0
        self._driven = False
        self._stopped = False
        self._orphaned = False
        self._thread: threading.Thread | None = None
        self._start_after = 0.0
        self._transport: Transport | None = None
        self._wake_at = AWAKE
        self._draining = 0  # flushes that wait
        self._drops = LossNews(0.0)
        self._news = LossNews(LOG_PERIOD)
        self._alarms: dict[str, float] = {}

    # The keepers' side

    def add(self, source: Source) -> None:
        """Begin to send what *source* holds."""
        with self.lock:
            self._sources.insert(0 if source.adopted else len(self._sources), source)
            for lane in self._in_order:
                number = source.backlog.get(lane.key, 0)
                lane.taken += number + source.lost
                lane.lost += source.lost

    def stored(
        self, source: Source, ids: range, hits: Sequence[tuple[Hit, int]]
    ) -> None:
        """Take note that *source* has got *hits*, each with its size."""
        with self.lock:
            now = monotonic()
            early = self._wake_at > now + LINGER
            for lane in self._in_order:
                lane.taken += len(ids)
                backlog = source.backlog[lane.key] = source.backlog[lane.key] + len(ids)
                early = early or (backlog >= lane.full and self._wake_at > now)
            if len(source.fresh) < WINDOW:
                source.fresh.update(zip(ids, hits, strict=True))
            if early:
                self._wake_at = AWAKE
            transport, driven = self._transport, self._driven
        if early and transport is not None:
            transport.wake()
        if not driven:
            self._start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that is held now has an end; False if it will not be so."""
        if sending.get():
            return False
        deadline = monotonic() + timeout
        with self.lock:
            goals = [
                Goal(lane, [(s, s.store.last) for s in self._sources])
                for lane in self._in_order
            ]
            self._draining += 1
        self.drain()

        def is_over() -> bool:
            now = monotonic()
            with self.lock:
                return now >= deadline or all(
                    goal.is_reached() or goal.lane.is_stuck(deadline, now)
                    for goal in goals
                )

        try:
            while True:
                with self.lock:
                    while self._driven and not is_over():
                        self._progress.wait(max(0.0, deadline - monotonic()))
                    if is_over():
                        return all(goal.is_reached() for goal in goals)
                self._drive(is_over)  # no thread can be started any more
                with self.lock:
                    if not is_over():
                        self._progress.wait(min(RETRY_PERIOD, deadline - monotonic()))
        finally:
            with self.lock:
                self._draining -= 1

    def drain(self) -> None:
        """Have all that is held sent as soon as may be."""
        with self.lock:
            now = monotonic()
            for lane in self._in_order:
                lane.drain(now)
            busy = any(lane.held or lane.backlog for lane in self._in_order)
            self._wake_at = AWAKE
            transport = self._transport
        if transport is not None:
            transport.wake()
        if busy and not self._driven:
            self._start()

    def adopt(self) -> None:
        """Look for orphans now, and send what they hold."""
        with self.lock:
            self._adopt_at = 0.0
        self.drain()
        self._start()

    def give_up(self, source: Source, error: Exception) -> None:
        """Go on without *source*, whose file cannot be read; what it held is lost."""
        with self.lock:
            if source in self._sources:
                self._sources.remove(source)
            for lane in self._in_order:
                lane.lost += source.forget(lane.key)
        self.options.hooks.failed(error)
        if source.claim is not None:
            self.directory.set_aside(source.claim, error)

    def is_idle(self) -> bool:
        """Tell whether there is nothing to send here."""
        with self.lock:
            return not any(lane.held or lane.backlog for lane in self._in_order)

    def is_empty(self) -> bool:
        """Tell whether nothing is to be sent here, nor was to be adopted just now."""
        with self.lock:
            looked = self._adopt_at > 0.0
            adopted = any(source.adopted for source in self._sources)
            return looked and not adopted and self.is_idle()

    def stop(self) -> None:
        """Stop the thread; what has no end stays in its source."""
        with self.lock:
            self._stopped = True
            self._progress.notify_all()
            transport, thread = self._transport, self._thread
        if transport is not None:
            transport.wake()
        if thread is not None:
            thread.join(JOIN_TIMEOUT)
        with self.lock:
            volatile = [source for source in self._sources if source.claim is None]
            for lane in self._in_order:
                lane.close(volatile)
            driven = self._driven
        if not driven:  # else the thread still has to note what it sent
            self._close_sources()
        self._tell_losses()

    def orphan(self) -> None:
        """End the thread once all is sent, for nobody is left to send more."""
        self._orphaned = True
        transport = self._transport  # no lock: it is called by the garbage collector
        if transport is not None and self.pid == os.getpid():
            transport.wake()

    # The driver's side

    def _start(self) -> None:
        with self.lock:
            now = monotonic()
            if self._driven or self._stopped or now < self._start_after:
                return
            self._start_after = now + RESTART_PERIOD
            self._driven = True
            self._thread = threading.Thread(
                target=self._work, args=(self._is_done,), name="server-tracking-drain",
                daemon=True,
            )  # fmt: skip
            thread = self._thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter shuts down, or the system is full
            with self.lock:
                self._driven = False
                self._thread = None

    def _drive(self, is_over: Callable[[], bool]) -> None:
        """Do the driver's work in this thread, unless another has begun it."""
        with self.lock:
            if self._driven or self._stopped:
                return
            self._driven = True
        self._work(is_over)

    def _is_done(self) -> bool:
        with self.lock:
            return self._stopped or (self._orphaned and self.is_idle())

    def _work(self, is_over: Callable[[], bool]) -> None:
        outer = sending.set(True)
        try:
            with importing():
                transport = self._make_transport()
            self._transport = transport
            while not is_over():
                self._turn(transport)
        except FAILURES as error:
            # Not with its text, which may repeat what somebody has typed.
            logger.error(  # noqa: TRY400
                "The drain broke down (%s); the next hit starts it again.",
                type(error).__name__,
            )
            self.options.hooks.failed(error)
        finally:
            self._retire()
            sending.reset(outer)

    def _make_transport(self) -> Transport:
        number = max(1, len(self._in_order))
        transport = transport_from(self.options.transport, self.options.timeout, number)
        if transport.capacity is not None:
            # One lane's calls must not keep the others' out.
            share = max(1, transport.capacity // number)
            for lane in self._in_order:
                lane.concurrency = min(lane.concurrency, share)
        return transport

    def _retire(self) -> None:
        with self.lock:
            transport, self._transport = self._transport, None
            if not self._stopped:  # then, what is under way stays on disk
                for lane in self._in_order:
                    lane.recall(monotonic())
        self._settle()
        if transport is not None:
            transport.close()
        if self._stopped:
            self._close_sources()
        with self.lock:
            self._thread = None
            self._driven = False
            self._wake_at = AWAKE
            self._progress.notify_all()

    def _close_sources(self) -> None:
        with self.lock:
            sources, self._sources = self._sources, []
        for source in sources:
            source.close()

    def _turn(self, transport: Transport) -> None:
        """Send what is due, and wait for what comes next."""
        if self._adopts and monotonic() >= self._adopt_at:
            self._adopt()
        for lane in self._in_order:
            self._feed(lane)
            self._load(lane)
            self._launch(lane, transport)
        self._settle()
        self._tell_losses()
        with self.lock:
            self._progress.notify_all()
            now = monotonic()
            self._wake_at = until = self._next_due(now)
        landings = transport.wait(None if until == inf else max(0.0, until - now))
        with self.lock:
            self._wake_at = AWAKE
        self._land(landings)
        self._settle()

    def _next_due(self, now: float) -> float:
        times = [lane.due(now) for lane in self._in_order]
        times.append(self._news.due())
        if self._adopts:
            times.append(self._adopt_at)
        if any(lane.backlog and lane.held < WINDOW // 2 for lane in self._in_order):
            times.append(now)
        if any(source.ended for source in self._sources):
            times.append(self._mark_at)
        return min((moment for moment in times if moment is not None), default=inf)

    def _adopt(self) -> None:
        spread = 0.5 + random.random()  # noqa: S311 - so that processes do not meet
        self._adopt_at = monotonic() + self._adoption_period * spread
        adopted = sum(1 for source in self._sources if source.adopted)
        for claim in self.directory.orphans():
            try:
                source = Source(claim.store, claim, self.lanes, adopted=True)
            except sqlite3.Error as error:
                self.directory.set_aside(claim, error)
                continue
            if source.lost:
                logger.error(
                    "A file of the spool lacks up to %d hits that were kept in it; "
                    "they are lost.",
                    source.lost,
                )
            self.add(source)
            adopted += 1
            if adopted >= MOST_ADOPTED:
                break

    def _feed(self, lane: SourceLane) -> None:
        """Fill *lane* up from the sources, the oldest first."""
        with self.lock:
            lane.linger = 0.0 if self._draining else lane.patience
            if lane.held > WINDOW // 2 or not lane.backlog:
                return
            sources = list(self._sources)
        for source in sources:
            while source.backlog.get(lane.key) and (room := WINDOW - lane.held) > 0:
                try:
                    rows = source.read(lane.key, room)
                except sqlite3.Error as error:
                    self.give_up(source, error)
                    break
                with self.lock:
                    lane.feed(source, rows, monotonic(), time())

    def _load(self, lane: SourceLane) -> None:
        while True:
            with self.lock:
                parcel = lane.take(monotonic())
            if parcel is None:
                return
            load = packed(lane.system, parcel.entries, time(), self.options.hooks)
            with self.lock:
                lane.loaded(parcel, load)

    def _launch(self, lane: SourceLane, transport: Transport) -> None:
        while True:
            with self.lock:
                parcel = lane.launch(monotonic())
            if parcel is None:
                return
            try:
                transport.start(parcel.call, (lane, parcel))
            except FAILURES as error:
                self.options.hooks.failed(error)
                with self.lock:
                    refused = Outcome(Verdict.REJECTED, "not_sendable")
                    lane.landed(parcel, refused, monotonic())

    def _land(self, landings: list[Landing]) -> None:
        for token, answer in landings:
            lane, parcel = cast("tuple[SourceLane, Parcel]", token)
            outcome = judged(lane.system, parcel.call, answer, self.options.hooks)
            now = monotonic()
            with self.lock:
                lane.landed(parcel, outcome, now)
            if outcome.misconfigured and now >= self._alarms.get(lane.key, now):
                self._alarms[lane.key] = now + LOG_PERIOD
                logger.error(
                    "%s takes no hits until somebody acts: %s. It is tried again in "
                    "%d s.",
                    lane.key,
                    outcome.reason,
                    lane.rules.misconfigured_pause,
                )

    def _settle(self) -> None:
        """Note in the sources what has found its end, and leave those that are done."""
        with self.lock:
            sources = list(self._sources)
        for source in sources:
            if source.ended and monotonic() >= self._mark_at:
                try:
                    source.mark()
                except (sqlite3.Error, OSError) as error:
                    # A full disk may have room again: that they were sent is kept
                    # in memory meanwhile.
                    self._mark_at = monotonic() + MARK_PERIOD
                    if isinstance(error, sqlite3.DatabaseError) and source.is_broken_by(
                        error
                    ):
                        self.give_up(source, error)
            if source.adopted and source.is_done():
                self._leave(source)

    def _leave(self, source: Source) -> None:
        with self.lock:
            self._sources.remove(source)
        if source.claim is not None:
            if source.store.pending:  # for systems that are none of ours
                source.store.drop_older(time() - self._max_age)
            self.directory.pass_over(source.claim)
            self._adopt_at = 0.0  # there may be more
        else:
            source.close()

    def _tell_losses(self) -> None:
        """Log and report what was lost since the last time; holds no lock meanwhile."""
        with self.lock:
            states = [(lane.key, lane.losses()) for lane in self._in_order]
        now = monotonic()
        for key, losses in states:
            for reason, number in self._drops.of(key, losses, now).items():
                self.options.hooks.dropped(key, reason, number)
            news = self._news.of(key, losses, now)
            news.pop(Reason.UNSUPPORTED, None)
            if news:
                told = ", ".join(
                    f"{number} {reason}" for reason, number in news.items()
                )
                logger.warning("Hits for %s were lost: %s.", key, told)
