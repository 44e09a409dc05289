"""What a hit costs when there are more hits, threads, systems and requests.

Each cost stands beside that of the floor in the same minute: their ratio counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from threading import Barrier, Thread
from typing import Any

from benchmarks.delivery import resident
from benchmarks.fast_collector import collecting
from benchmarks.measuring import Size, Variant, measured, serve_wsgi
from benchmarks.overhead import (
    FLOOR,
    ITSELF,
    OURS,
    known_cookie,
    maker,
    table_of,
    tracking,
    yardsticks,
)
from benchmarks.requests_made import PAGE_VIEW, Kind
from benchmarks.sites import BARE_SITES
from benchmarks.tables import Row, Table
from server_tracking import Tracker
from server_tracking.asgi import TrackingMiddleware
from server_tracking.systems import PostHog

WSGI, ASGI = BARE_SITES
HITS = (1_000, 10_000, 100_000, 1_000_000)
THREADS = (1, 2, 4, 8, 16, 32, 64)
SYSTEMS = (1, 2, 5, 10)
CONCURRENT = (1, 10, 100, 1_000, 10_000)
BETWEEN = 2_000  # hits between two flushes: fewer than a queue holds


def growth(size: Size, smoke: bool, most_hits: int) -> Iterator[Table]:
    """Measure all four; a *smoke* run goes only a few steps."""
    marks = tuple(mark for mark in HITS if mark <= most_hits)
    yield _by_hits(marks[:1] if smoke else marks, size)
    yield _by_threads(THREADS[:2] if smoke else THREADS, size)
    yield _by_systems(SYSTEMS[:2] if smoke else SYSTEMS, size)
    yield _by_requests(CONCURRENT[:2] if smoke else CONCURRENT, size)


def _by_hits(marks: tuple[int, ...], size: Size) -> Table:
    """Measure after so many hits of visitors who come again, and of new ones."""
    new = Kind("new", PAGE_VIEW.path, PAGE_VIEW.headers, False, 1)
    rows, sent = [], 0
    with collecting(0.0) as url, tracking(url) as tracker:
        cookie = known_cookie(tracker)
        variants = yardsticks(WSGI, cookie)
        tracked, make = WSGI.make(tracker), maker(WSGI, PAGE_VIEW, cookie)
        variants[OURS] = Variant(tracked, make, tracker.flush)
        make_new = maker(WSGI, new, cookie)
        for mark in marks:
            while sent < mark:
                some = min(BETWEEN, mark - sent)
                serve_wsgi(tracked, [(make, make_new)[n % 2]() for n in range(some)])
                tracker.flush(60)
                sent += some
            rows.append(_beside_floor("hits so far", mark, variants, serve_wsgi, size))
    return Table("Growth: hits", rows, f"Bare WSGI, {PAGE_VIEW.name}; CPU in µs.")


def _beside_floor(
    column: str, value: int, variants: dict[str, Variant], serve: Any, size: Size
) -> Row:
    table = table_of("", measured(variants, serve, size), {OURS: ITSELF, FLOOR: ITSELF})
    _, ours, by_hand = table.rows
    return {
        column: value,
        "CPU": ours["CPU"],
        "floor": by_hand["CPU"],
        "x the floor": ours["x the floor"],
        "total CPU": ours["total CPU"],
        "p99": ours["p99"],
        "resident MB": resident(),
    }


def _by_systems(numbers: tuple[int, ...], size: Size) -> Table:
    rows = []
    for number in numbers:
        with collecting(0.0) as url:
            systems = [PostHog(f"phc_number_{n}", host=url) for n in range(number)]
            with tracking(url, *systems) as tracker:
                cookie = known_cookie(tracker)
                variants = yardsticks(WSGI, cookie)
                make = maker(WSGI, PAGE_VIEW, cookie)
                variants[OURS] = Variant(WSGI.make(tracker), make, tracker.flush)
                rows.append(
                    _beside_floor("systems", number, variants, serve_wsgi, size)
                )
    return Table("Growth: systems", rows, "Each gets every hit, in calls of its own.")


def _by_threads(numbers: tuple[int, ...], size: Size) -> Table:
    """Share the same number of requests among so many threads, bare and tracked."""
    rows = []
    each = 20 * size.requests
    with collecting(0.0) as url, tracking(url) as tracker:
        cookie = known_cookie(tracker)
        apps = {"plain": WSGI.make(None), "tracked": WSGI.make(tracker)}
        make = maker(WSGI, PAGE_VIEW, cookie)
        for number in numbers:
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in apps}
            for _ in range(min(3, size.rounds)):
                for name, app in apps.items():
                    made = [make() for _ in range(each)]
                    serve = partial(_serve_by_threads, app, made, number)
                    taken[name].append(_timed(serve, tracker.flush, each))
            plain, tracked = (
                tuple(map(median, zip(*times, strict=True))) for times in taken.values()
            )
            rows.append(
                {
                    "threads": number,
                    "µs a request, plain": plain[0],
                    "tracked": tracked[0],
                    "total CPU, plain": plain[1],
                    "total CPU, tracked": tracked[1],
                    "refused": _refused(tracker),
                }
            )
    note = "All threads serve at once, with one interpreter lock; µs on the clock."
    return Table("Growth: threads", rows, note)


def _serve_by_threads(app: Any, made: list[Any], number: int) -> None:
    ready = Barrier(number)

    def work(own: list[Any]) -> None:
        ready.wait()
        serve_wsgi(app, own)

    workers = [Thread(target=work, args=(made[n::number],)) for n in range(number)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _timed(serve: Any, settle: Any, requests: int) -> tuple[float, float]:
    """Give the microseconds a request on the clock, and of CPU with delivery."""
    cpu, begun = time.process_time(), time.perf_counter()
    serve()
    took = time.perf_counter() - begun
    settle()
    return took / requests * 1e6, (time.process_time() - cpu) / requests * 1e6


def _by_requests(numbers: tuple[int, ...], size: Size) -> Table:
    """Have so many ASGI requests under way at once, all of them in the application."""
    rows = []
    waiting = _waiting(ASGI.make(None))
    with (
        collecting(0.0) as url,
        tracking(url) as tracker,
        asyncio.Runner() as runner,
    ):
        make = maker(ASGI, PAGE_VIEW, known_cookie(tracker))
        apps = {"plain": waiting, "tracked": TrackingMiddleware(waiting, tracker)}
        for number in numbers:
            taken: dict[str, list[float]] = {name: [] for name in apps}
            for _ in range(max(3, size.requests // number)):
                for name, app in apps.items():
                    scopes = [make() for _ in range(number)]
                    taken[name].append(runner.run(_at_once(app, scopes)))
                    tracker.flush(60)
            plain, tracked = (median(times) / number * 1e6 for times in taken.values())
            rows.append(
                {
                    "requests at once": number,
                    "CPU, plain": plain,
                    "CPU, tracked": tracked,
                    "over": tracked - plain,
                    "refused": _refused(tracker),
                    "resident MB": resident(),
                }
            )
    note = "CPU of the serving thread, in µs a request; each waits once for all others."
    return Table("Growth: concurrent ASGI requests", rows, note)


def _waiting(app: Any) -> Any:
    """Let all requests that have come begin before any of them ends."""

    async def waiting(scope, receive, send):
        await asyncio.sleep(0)
        await app(scope, receive, send)

    return waiting


async def _at_once(app: Any, scopes: list[Any]) -> float:
    """Serve *scopes* concurrently; gives the seconds of CPU of this thread."""

    async def talk(message=None):
        pass

    begun = time.thread_time()
    async with asyncio.TaskGroup() as group:
        for scope in scopes:
            group.create_task(app(scope, talk, talk))
    return time.thread_time() - begun


def _refused(tracker: Tracker) -> int:
    counts = tracker.stats().systems.values()
    return sum(sum(one.refused.values()) for one in counts)
