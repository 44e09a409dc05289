"""Drain: send what stores hold, from one thread.

A store that nobody else has claimed is taken over. Each system goes through each
store at its own pace; a lane holds a part of what is there, the rest stays where
it is.

    store ──read──► lane ──► HTTP ──► end ──mark──► store
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Sequence
from itertools import islice
from math import inf
from time import monotonic, time
from typing import cast

from server_tracking.hits import Hit
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.driver import AWAKE, Driver
from server_tracking.senders.judging import judged
from server_tracking.senders.lanes import Parcel, Rules
from server_tracking.senders.options import Options
from server_tracking.senders.reports import Reports
from server_tracking.senders.sources import (
    Goal,
    Source,
    SourceLane,
    adopted,
    source_lanes,
)
from server_tracking.senders.steps import launch, load, transport_for
from server_tracking.senders.transports import Landing, Transport, sending
from server_tracking.systems import System

__all__ = ["RULES", "Drain"]

# On disk, only age ends a hit.
RULES = Rules(attempts=10**9, backoff_cap=300.0, retry_after_cap=86400.0)
WINDOW = 2000  # hits that a lane holds at once
ADOPTION_PERIOD = 30.0  # seconds between two looks for orphans
MOST_ADOPTED = 8  # at once
MARK_PERIOD = 1.0  # seconds between two tries to note what was sent
LINGER = 0.02  # seconds that a hit on disk may wait until it is looked at


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
        self._driver = Driver(self, "server-tracking-drain", self.lock, options.hooks)
        self._sources: list[Source] = []
        self._adopts = adopts
        self._adoption_period = adoption_period
        self._adopt_at = 0.0
        self._adopting = False
        self._mark_at = 0.0
        self._orphaned = False
        self._finishing = False
        self._draining = 0  # flushes that wait
        self._reports = Reports(self._in_order, self.lock, options.hooks)

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
        driver = self._driver
        with self.lock:
            now = monotonic()
            early = driver.wake_at > now + LINGER
            for lane in self._in_order:
                lane.taken += len(ids)
                backlog = source.backlog[lane.key] = source.backlog[lane.key] + len(ids)
                early = early or (backlog >= lane.full and driver.wake_at > now)
            if len(source.fresh) < WINDOW:
                source.fresh.update(zip(ids, hits, strict=True))
            if early:
                driver.wake_at = AWAKE
            transport, driven = driver.transport, driver.driven
        if early and transport is not None:
            transport.wake()
        if not driven:
            driver.start()

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
            self._driver.wait_until(is_over, deadline)
            with self.lock:
                return all(goal.is_reached() for goal in goals)
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
        self._driver.wake()
        if busy and not self._driver.driven:
            self._driver.start()

    def adopt(self) -> None:
        """Look for orphans now, and send what they hold."""
        with self.lock:
            self._adopt_at = 0.0
        self.drain()
        self._driver.start()

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
            looked = self._adopt_at > 0.0 and not self._adopting
            taken_over = any(source.adopted for source in self._sources)
            return looked and not taken_over and self.is_idle()

    def finish(self, timeout: float) -> None:
        """Begin no call, wait *timeout* seconds for those under way, and stop."""
        driver = self._driver
        with self.lock:  # a call that is broken off would be made again by the next
            self._finishing = True
            driver.wake()
            driver.progress.wait_for(
                lambda: (
                    not driver.driven
                    or not any(lane.counts().sending for lane in self._in_order)
                ),
                timeout,
            )
        self.stop()

    def stop(self) -> None:
        """Stop the thread; what has no end stays in its source."""
        self._driver.stop()
        with self.lock:
            volatile = [source for source in self._sources if source.claim is None]
            for lane in self._in_order:
                lane.close(volatile)
            driven = self._driver.driven
        if not driven:  # else the thread still has to note what it sent
            self._free()
        self._reports.tell_losses()

    def orphan(self) -> None:
        """End the thread once all is sent, for nobody is left to send more."""
        with self.lock:
            self._orphaned = True
            idle = not self._driver.driven and not self._driver.paused
        self._driver.wake()
        if idle:
            self._free()

    def pause(self, patience: float) -> None:
        """Have the thread away while the process forks, see `Driver.pause`."""
        self._driver.pause(patience)

    def resume(self) -> None:
        """Start the thread again: there may be orphans, if nothing else."""
        if self._driver.resume():
            self._driver.start()

    # The driver's side

    def make_transport(self) -> Transport:
        """Make the way out."""
        return transport_for(self._in_order, self.options)

    def is_done(self) -> bool:
        """Tell whether nothing can come any more."""
        with self.lock:
            return self._driver.stopped or (self._orphaned and self.is_idle())

    def retire(self) -> None:
        """Take back what is under way, and leave the sources if it is for good."""
        with self.lock:
            if not self._driver.stopped:  # then, what is under way stays on disk
                for lane in self._in_order:
                    lane.recall(monotonic())
        self._settle()
        if self._driver.stopped or self._orphaned:
            self._close_sources()

    def _free(self) -> None:
        """Leave what a thread that has gone, if there was one, had left open."""
        if self._driver.transport is not None:  # it went for a fork
            self._settle()
        self._driver.free()
        self._close_sources()

    def _close_sources(self) -> None:
        with self.lock:
            sources, self._sources = self._sources, []
        for source in sources:
            source.close()

    def turn(self, transport: Transport, deadline: float) -> None:
        """Send what is due, and wait for what comes next."""
        lanes = () if self._finishing else self._in_order
        if self._adopts and lanes and monotonic() >= self._adopt_at:
            self._adopt()
        for lane in lanes:
            self._feed(lane)
            load(lane, self.lock, self.options.hooks)
            launch(lane, self.lock, transport, self.options.hooks)
        self._settle()
        self._reports.tell_losses()
        self._land(self._driver.rest(transport, self._next_due, deadline))
        self._settle()

    def _next_due(self, now: float) -> float:
        if self._finishing:
            return inf  # nothing but answers
        times = [lane.due(now) for lane in self._in_order]
        times.append(self._reports.due())
        if self._adopts:
            times.append(self._adopt_at)
        if any(lane.backlog and lane.held < WINDOW // 2 for lane in self._in_order):
            times.append(now)
        if any(source.ended for source in self._sources):
            times.append(self._mark_at)
        return min((moment for moment in times if moment is not None), default=inf)

    def _adopt(self) -> None:
        spread = 0.5 + random.random()  # noqa: S311 - so that processes do not meet
        self._adopting = True  # to open a big file takes a while
        self._adopt_at = monotonic() + self._adoption_period * spread
        free = MOST_ADOPTED - sum(source.adopted for source in self._sources)
        try:
            for source in islice(adopted(self.directory, self.lanes), max(1, free)):
                self.add(source)
        finally:
            self._adopting = False

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

    def _land(self, landings: list[Landing]) -> None:
        for token, answer in landings:
            lane, parcel = cast("tuple[SourceLane, Parcel]", token)
            outcome = judged(lane.system, parcel.call, answer, self.options.hooks)
            now = monotonic()
            with self.lock:
                lane.landed(parcel, outcome, now)
            self._reports.tell_outcome(lane, outcome)

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
