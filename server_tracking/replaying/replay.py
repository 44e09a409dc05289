"""Replay logs, from where a journal says, and tell what came of it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.replaying.journal import Journal
from server_tracking.replaying.lines import served_from
from server_tracking.replaying.reading import lines_of, name_of
from server_tracking.replaying.sending import Errand, Sending, StoppedError
from server_tracking.replaying.shards import VARIABLE, Line, Part, Plan, Shards
from server_tracking.senders.transports import transport_from
from server_tracking.settings import Settings
from server_tracking.systems import System

__all__ = ["Order", "Report", "replayed"]

CHUNK = 16_000  # lines
_AHEAD = 2  # chunks that are made while one is sent
_MOST_JOBS = 8
_ALONE = 4 << 20  # bytes of logs: less is told before other processes have started


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay, and how; *jobs* is the number of processes, 0 to choose it."""

    logs: tuple[Path, ...]
    host: str
    scheme: str = "https"
    clamp: bool = False
    journal: Path | None = None
    dry_run: bool = False
    timeout: float = 10.0
    jobs: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, over all runs of this replay.

    *outcomes* count a page view once for each system.
    """

    lines: int
    refused: Mapping[str, int]
    page_views: int
    outcomes: Mapping[str, int]
    complete: bool
    stopped: str = ""

    @property
    def fine(self) -> bool:
        """Tell whether all was told, as far as the systems may hear of it."""
        lost = set(self.outcomes) - {
            "delivered",
            "expired",
            "unsupported",
            "would_send",
        }
        return self.complete and not lost


def replayed(
    order: Order,
    environ: Mapping[str, str],
    seen: Callable[[int], object],
    told: threading.Event,
) -> Report:
    """Replay by *order*; *seen* gets the bytes that were read, *told* stops it.

    Raises `ConfigurationError`, and `ForeignJournalError` for a journal of another
    replay.
    """
    carry = not order.dry_run
    plan = Plan(dict(environ), order.host, order.scheme, order.clamp, carry)
    systems = plan.systems()
    if not systems:
        message = f"There is no system to tell: set {VARIABLE}."
        raise ConfigurationError(message, option="systems")
    if not Settings.from_env(environ).secret_keys and not order.dry_run:
        raise ConfigurationError(
            "Option 'secret_key': nothing was given; without it a second run would "
            "take visitors for others.",
            option="secret_key",
        )
    options = f"{order.host} {order.scheme} {order.clamp} {[s.name for s in systems]}"
    with (
        Journal(order.journal, name_of(order.logs, options)) as journal,
        Shards(plan, order.jobs or _jobs_for(order.logs)) as shards,
    ):
        return _Run(order, systems, shards, journal).run(seen, told)


def _jobs_for(logs: Sequence[Path]) -> int:
    """Choose the number of processes by the size of the work and of the machine."""
    if sum(path.stat().st_size for path in logs) < _ALONE:
        return 1
    able = getattr(os, "sched_getaffinity", None)  # not everywhere
    return min(len(able(0)) if able else os.cpu_count() or 1, _MOST_JOBS)


class _Chunk(msgspec.Struct, frozen=True):
    """Lines that are told together, at *now*; None if they were, in another run."""

    size: int
    unreadable: int
    now: float | None
    parts: Sequence[Future[Part]]


class _Run:
    def __init__(
        self,
        order: Order,
        systems: Sequence[System],
        shards: Shards,
        journal: Journal,
    ) -> None:
        self._order = order
        self._systems = systems
        self._shards = shards
        self._journal = journal
        self._lines = 0
        self._page_views = 0
        self._refused: Counter[str] = Counter()

    def run(self, seen: Callable[[int], object], told: threading.Event) -> Report:
        transport = transport_from("auto", self._order.timeout, len(self._systems))
        sending = Sending(transport, self._journal, told)
        try:
            for chunk in self._chunks(seen):
                if told.is_set():
                    return self._report(stopped="by a signal")
                self._tell(chunk, sending)
        except StoppedError as error:
            return self._report(stopped=str(error) or "by a signal")
        except BrokenProcessPool:
            return self._report(stopped="one of its processes was killed")
        finally:
            transport.close()
        return self._report()

    def _chunks(self, seen: Callable[[int], object]) -> Iterator[_Chunk]:
        """Begin the chunks, some before they are asked for."""
        ahead: deque[_Chunk] = deque()
        lines = lines_of(self._order.logs, seen)
        before = 0
        for size, now in self._sizes():
            texts = list(islice(lines, size))
            if not texts:
                break
            found = enumerate(map(served_from, texts), before + 1)
            read: list[Line] = [(n, served) for n, served in found if served]
            before += len(texts)
            parts = self._shards.begin(read, now)
            ahead.append(_Chunk(len(texts), len(texts) - len(read), now, parts))
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _sizes(self) -> Iterator[tuple[int, float | None]]:
        """Say how many lines the chunks have, and when they are told."""
        # What is done is read again, for who comes next may go on with a visit.
        left = self._journal.lines
        while left:
            yield min(left, CHUNK), None
            left -= min(left, CHUNK)
        if self._journal.begun is not None:
            # The same lines at the same time make the same calls, by the same names.
            yield self._journal.size, self._journal.begun
        while True:
            yield CHUNK, time.time()

    def _tell(self, chunk: _Chunk, sending: Sending) -> None:
        counts: Counter[str] = Counter()
        todo: list[Errand] = []
        calls_to = [0] * len(self._systems)
        for future in chunk.parts:
            part = future.result()
            self._page_views += part.page_views
            self._refused.update(part.refused)
            counts.update(part.counts)
            for place, call, hits in part.calls:
                name = f"{place}.{calls_to[place]}"
                calls_to[place] += 1
                todo.append(Errand(name, self._systems[place], call, hits))
        self._lines += chunk.size
        if chunk.unreadable:
            self._refused["not readable"] += chunk.unreadable
        if chunk.now is None:
            return
        if self._journal.begun is None:
            self._journal.begin(chunk.now, chunk.size)
        sending.make(todo, chunk.now)
        self._journal.finish(counts)

    def _report(self, stopped: str = "") -> Report:
        return Report(
            lines=self._lines,
            refused=dict(self._refused),
            page_views=self._page_views,
            outcomes=dict(self._journal.totals),
            complete=not stopped,
            stopped=stopped,
        )
