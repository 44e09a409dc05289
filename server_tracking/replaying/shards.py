"""Make the calls that tell served requests, a share of the visitors at a time.

Visitors are dealt to a fixed number of shards, so that a second run makes the same
calls, on whatever machine. Shards know nothing of one another, so each may live in a
process of its own: to tell a page view takes ten times as long as to read its line.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self
from zlib import crc32

import msgspec

from server_tracking.calls import Call
from server_tracking.hits import PageView, encode_hits
from server_tracking.replaying.lines import Served
from server_tracking.replaying.retelling import Retelling
from server_tracking.settings import Settings
from server_tracking.systems import System, system_from_url

__all__ = ["SHARDS", "VARIABLE", "Line", "Part", "Plan", "Shards", "in_time"]

VARIABLE = "SERVER_TRACKING_SYSTEMS"
SHARDS = 8
MARGIN = 60.0  # seconds: a hit must not grow too old while it is on its way

Line = tuple[int, Served]
"""A request, and the number of its line, from 1."""


class Plan(NamedTuple):
    """How requests are told: the site's *environ*, and what logs leave open.

    *carry* tells whether calls are wanted, not only their number.
    """

    environ: dict[str, str]
    host: str
    scheme: str
    clamp: bool
    carry: bool

    def systems(self) -> list[System]:
        """Make the systems that are told."""
        urls = self.environ.get(VARIABLE, "").split()
        return [system_from_url(url) for url in urls]


class Part(NamedTuple):
    """What came of requests: *calls* with their system's place and their hits.

    *counts* are page views that no call tells, by why; *refused* are requests that
    are none.
    """

    page_views: int
    refused: Mapping[str, int]
    counts: Mapping[str, int]
    calls: Sequence[tuple[int, Call, bytes]]


class Shards:
    """Tell requests by *plan*, in this process or, if *jobs* is above 1, in so many.

    A process ends with this one, however it ends.
    """

    def __init__(self, plan: Plan, jobs: int) -> None:
        spawn = multiprocessing.get_context("spawn")  # curl does not outlive a fork
        self._here = [_Shard(plan) for _ in range(SHARDS)] if jobs < 2 else []
        self._pools = [
            ProcessPoolExecutor(1, spawn, _begin, (plan, range(first, SHARDS, jobs)))
            for first in range(min(jobs, SHARDS) if jobs > 1 else 0)
        ]

    def begin(self, lines: Sequence[Line], now: float | None) -> list[Future[Part]]:
        """Begin to tell *lines* at *now*; without it, they were told before."""
        dealt: list[list[Line]] = [[] for _ in range(SHARDS)]
        for line in lines:
            dealt[_shard_of(line[1])].append(line)
        begun = []
        for number, some in enumerate(dealt):
            if self._pools:
                pool = self._pools[number % len(self._pools)]
                begun.append(pool.submit(_told, number, some, now))
            else:
                done: Future[Part] = Future()
                done.set_result(self._here[number].told(some, now))
                begun.append(done)
        return begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)


class _Shard:
    """Some of the visitors: what they did last, and what they do next."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._systems = plan.systems()
        settings = Settings.from_env(plan.environ)
        self._retelling = Retelling(settings, plan.host, plan.scheme, 1 / SHARDS)

    def told(self, lines: Sequence[Line], now: float | None) -> Part:
        retelling = self._retelling
        retelling.refused.clear()
        if now is None:
            views = sum(retelling.follow(served) is not None for _, served in lines)
            return Part(views, dict(retelling.refused), {}, ())
        found = (retelling.hit(served, number) for number, served in lines)
        hits = [hit for hit in found if hit is not None]
        counts, calls = self._calls(hits, now)
        return Part(len(hits), dict(retelling.refused), counts, calls)

    def _calls(
        self, hits: Sequence[PageView], now: float
    ) -> tuple[Mapping[str, int], list[tuple[int, Call, bytes]]]:
        made: list[tuple[int, Call, bytes]] = []
        counts: Counter[str] = Counter()
        for place, system in enumerate(self._systems):
            young, old = in_time(hits, system, now, clamp=self._plan.clamp)
            counts["expired"] += old
            told = 0
            known = {hit.id: hit for hit in young}
            for call in system.encode(young, now):
                told += len(call.hits)
                if self._plan.carry:
                    packed = encode_hits(known[number] for number in call.hits)
                    made.append((place, call, packed))
            counts["unsupported"] += len(young) - told
            if not self._plan.carry:
                counts["would_send"] += told
        return dict(+counts), made


def in_time(
    hits: Sequence[PageView], system: System, now: float, *, clamp: bool
) -> tuple[Sequence[PageView], int]:
    """Keep the hits that are young enough for *system* at *now*; counts the others.

    With *clamp* those get the oldest time that it takes.
    """
    oldest = now - system.limits.max_age + min(MARGIN, system.limits.max_age / 2)
    young = [hit for hit in hits if hit.time >= oldest]
    if len(young) == len(hits) or not clamp:
        return young, len(hits) - len(young)
    replace = msgspec.structs.replace
    return [h if h.time >= oldest else replace(h, time=oldest) for h in hits], 0


def _shard_of(served: Served) -> int:
    text = f"{served.address} {served.user_agent}"
    return crc32(text.encode("utf-8", "surrogatepass")) % SHARDS


_shards: dict[int, _Shard] = {}
"""The shards that live in this process, if it is one of several."""


def _begin(plan: Plan, numbers: range) -> None:
    """Begin a process that tells; signals are for the one that gives it work."""
    _shards.update((number, _Shard(plan)) for number in numbers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody is left to be told of anything


def _told(number: int, lines: Sequence[Line], now: float | None) -> Part:
    return _shards[number].told(lines, now)
