"""What a request costs on the serving thread, beside a floor that does the same.

All variants are served in turn, round by round, so that the machine's moods meet
them alike. A row is the median over the rounds, less that of the bare application.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks import floor
from benchmarks.requests_made import (
    AJAX,
    LARGE,
    NAVIGATION,
    SMALL,
    asgi_app,
    environ_of,
    scope_of,
    wsgi_app,
)
from server_tracking import Tracker
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware
from server_tracking.hits import Hit
from server_tracking.wsgi import TrackingMiddleware as WSGIMiddleware


class Row(NamedTuple):
    """Microseconds of CPU over the bare application, and times the floor."""

    variant: str
    microseconds: float
    floors: float | None


class QueueSender:
    """Take hits as a thread's queue does; nobody sends them."""

    blocking = False
    takes_drafts = True

    def __init__(self) -> None:
        self.queue = floor.queue

    def bind(self, systems: Any) -> None:
        pass

    def send(self, hit: Hit) -> bool:
        self.queue.append((hit,))
        return True

    def flush(self, timeout: float = 0) -> bool:
        return True

    def close(self, timeout: float = 0) -> bool:
        return True

    def stats(self) -> dict[str, Any]:
        return {}


def overhead(rounds: int = 40, requests: int = 400) -> dict[str, list[Row]]:
    """Measure every variant; returns the rows of WSGI and of ASGI."""
    return {
        "WSGI": _measured(_wsgi_variants(), _serve_wsgi, rounds, requests),
        "ASGI": _measured(_asgi_variants(), _serve_asgi, rounds, requests),
    }


def _tracker() -> Tracker:
    return Tracker(sender=QueueSender(), secret_key="a key for the benchmark")


def _known_cookie(tracker: Tracker) -> str:
    """Take the cookie that a first page view sets."""
    kept: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        kept.extend(value for name, value in headers if name == "Set-Cookie")

    app = WSGIMiddleware(wsgi_app(), tracker)
    app(environ_of(NAVIGATION), start_response)
    return "theme=dark; " + kept[0].partition(";")[0] + "; other=1"


def _noop_wsgi(app):
    def noop(environ, start_response):
        return app(environ, start_response)

    return noop


def _noop_asgi(app):
    async def noop(scope, receive, send):
        await app(scope, receive, send)

    return noop


def _variants(app, noop, by_hand, middleware, make):
    tracker = _tracker()
    cookie = _known_cookie(tracker)
    own = f"theme=dark; vn={floor.signed('1.2.3')}; other=1"
    tracked, tracked_large = (middleware(app(p), tracker) for p in (SMALL, LARGE))
    return {
        "bare": (app(SMALL), lambda: make(NAVIGATION, cookie)),
        "no-op wrapper": (noop(app(SMALL)), lambda: make(NAVIGATION, cookie)),
        "floor": (by_hand(app(SMALL)), lambda: make(NAVIGATION, own)),
        "untracked (AJAX)": (tracked, lambda: make(AJAX, cookie)),
        "page view, known visitor, 4 kB": (tracked, lambda: make(NAVIGATION, cookie)),
        "page view, known visitor, 100 kB": (
            tracked_large,
            lambda: make(NAVIGATION, cookie),
        ),
        "page view, new visitor": (tracked, lambda: make(NAVIGATION)),
    }


def _wsgi_variants():
    return _variants(wsgi_app, _noop_wsgi, floor.wsgi_floor, WSGIMiddleware, environ_of)


def _asgi_variants():
    return _variants(asgi_app, _noop_asgi, floor.asgi_floor, ASGIMiddleware, scope_of)


def _serve_wsgi(app, environs) -> float:
    def start_response(status, headers, *exc_info):
        pass

    begun = time.thread_time()
    for environ in environs:
        for _ in app(environ, start_response):
            pass
    return time.thread_time() - begun


def _serve_asgi(app, scopes) -> float:
    async def receive():
        raise AssertionError

    async def send(message):
        pass

    async def serve():
        for scope in scopes:
            await app(scope, receive, send)

    # Driven by hand: an event loop's own work would only add noise.
    coroutine = serve()
    begun = time.thread_time()
    with contextlib.suppress(StopIteration):
        coroutine.send(None)
    return time.thread_time() - begun


def _measured(
    variants: dict[str, tuple[Any, Callable[[], Any]]],
    serve: Callable[..., float],
    rounds: int,
    requests: int,
) -> list[Row]:
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(rounds + 2):
        for name, (app, make) in variants.items():
            made = [make() for _ in range(requests)]
            gc.collect()
            gc.disable()
            seconds = serve(app, made)
            gc.enable()
            if round_number >= 2:  # the first two warm up
                taken[name].append(seconds / requests * 1e6)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    bare, by_hand = medians["bare"], medians["floor"]
    return [
        Row(
            name,
            median - bare,
            (median - bare) / (by_hand - bare) if name.startswith("page") else None,
        )
        for name, median in medians.items()
    ]
