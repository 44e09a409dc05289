"""The one way in which all requests are measured: in turn, round by round.

The machine's moods meet all variants alike, so that the ratios in one run count.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

Serve = Callable[[Any, Sequence[Any]], tuple[list[int], int]]
"""Serve requests; gives the nanoseconds of each, and those of CPU of this thread."""


def nothing() -> None:
    """Wait for nobody: most variants have nothing to deliver."""


class Variant(NamedTuple):
    """An application, and what makes a request for it.

    Each round begins with *ready*, and ends when *settle* has waited for delivery.
    """

    app: Any
    make: Callable[[], Any]
    settle: Callable[[], object] = nothing
    ready: Callable[[], object] = nothing


class Size(NamedTuple):
    """How much is measured: in each of *rounds*, so many *requests* of a variant.

    The memory of *weighed* requests is measured before.
    """

    rounds: int
    requests: int
    weighed: int = 25


class Cost(NamedTuple):
    """Microseconds of one request, and bytes that it takes at its peak.

    *p50* and *p99* are of the quietest round, the others medians of all rounds.
    """

    wall: float
    cpu: float  # of the serving thread
    total: float  # of the process, until all is delivered
    p50: float
    p99: float
    peak: float


def measured(variants: dict[str, Variant], serve: Serve, size: Size) -> dict[str, Cost]:
    """Measure each variant, in turn in each round."""
    gc.collect()
    gc.freeze()  # what is there now need not be looked through again and again
    peaks = {name: _peak(one, serve, size.weighed) for name, one in variants.items()}
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in variants}
    order = list(variants)
    for round_number in range(size.rounds + 1):
        for name in order:
            times = _round(variants[name], serve, size.requests)
            if round_number:  # the first warms up
                taken[name].append(times)
        order.append(order.pop(0))
    gc.unfreeze()
    return {name: _cost(times, peaks[name]) for name, times in taken.items()}


def _cost(times: list[tuple[float, ...]], peak: float) -> Cost:
    *sums, middle, late = zip(*times, strict=True)
    # Single requests tell of whatever else the machine does; its quietest round least.
    return Cost(*map(statistics.median, sums), min(middle), min(late), peak)


def _round(variant: Variant, serve: Serve, requests: int) -> tuple[float, ...]:
    made = [variant.make() for _ in range(requests)]
    variant.ready()
    gc.collect()
    gc.disable()
    begun = time.process_time_ns()
    nanoseconds, cpu = serve(variant.app, made)
    variant.settle()
    total = time.process_time_ns() - begun
    gc.enable()
    nanoseconds.sort()
    middle, late = nanoseconds[requests // 2], nanoseconds[int(requests * 0.99)]
    sums = (sum(nanoseconds) / requests, cpu / requests, total / requests)
    return tuple(value / 1000 for value in (*sums, middle, late))


def _peak(variant: Variant, serve: Serve, requests: int) -> float:
    """Give the most memory that one request takes while it is served, in bytes."""
    made = [variant.make() for _ in range(requests)]
    variant.ready()
    serve(variant.app, [variant.make()])  # caches fill
    peaks = []
    tracemalloc.start()
    for one in made:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        serve(variant.app, [one])
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    variant.settle()
    return statistics.median(peaks)


def serve_wsgi(app: Any, environs: Sequence[Any]) -> tuple[list[int], int]:
    """Serve each of *environs* as a server does, in this thread."""

    def write(data: bytes) -> None:
        pass

    def start_response(status, headers, *exc_info):
        return write

    clock = time.perf_counter_ns
    taken = []
    begun = time.thread_time_ns()
    for environ in environs:
        start = clock()
        body = app(environ, start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
        taken.append(clock() - start)
    return taken, time.thread_time_ns() - begun


class ServeASGI:
    """Serve scopes one after the other, in the event loop of *runner*."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner

    def __call__(self, app: Any, scopes: Sequence[Any]) -> tuple[list[int], int]:
        return self.runner.run(self._serve(app, scopes))

    async def _serve(self, app: Any, scopes: Sequence[Any]) -> tuple[list[int], int]:
        async def send(message):
            pass

        clock = time.perf_counter_ns
        taken = []
        made = [(scope, _receiver()) for scope in scopes]
        begun = time.thread_time_ns()
        for scope, receive in made:
            start = clock()
            await app(scope, receive, send)
            taken.append(clock() - start)
        return taken, time.thread_time_ns() - begun


@contextmanager
def serving(gateway: str) -> Iterator[Serve]:
    """Give what serves the requests of WSGI or of ASGI."""
    if gateway == "WSGI":
        yield serve_wsgi
    else:
        with asyncio.Runner() as runner:
            yield ServeASGI(runner)


def _receiver() -> Callable[[], Any]:
    """Make a client that sends no body, and stays."""
    given = False

    async def receive():
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive
