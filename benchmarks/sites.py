"""The same small site on bare WSGI and ASGI, tracked and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.requests_made import BUY_PATH, PAGES, TITLE, TITLED_PATH
from server_tracking import Tracker, current
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware
from server_tracking.wsgi import TrackingMiddleware as WSGIMiddleware


class Site(NamedTuple):
    """A site of one framework: *make* takes a tracker, or None for a plain one."""

    name: str
    gateway: str  # WSGI or ASGI
    make: Callable[[Tracker | None], Any]


def note_title() -> None:
    """Tell the title, as a site does that has no template engine."""
    here = current()
    if here is not None:
        here.title = TITLE


def note_purchase() -> None:
    """Track an event, as a handler does."""
    here = current()
    if here is not None:
        here.event("shop", "buy", "fern", 12.5)


NOTED = {TITLED_PATH: note_title, BUY_PATH: note_purchase}


def _wsgi_site(tracker: Tracker | None) -> Any:
    answers = {
        path: ([("Content-Type", kind)], [body]) for path, (kind, body) in PAGES.items()
    }

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path in NOTED:
            NOTED[path]()
        headers, body = answers[path]
        start_response("200 OK", headers)
        return body

    return app if tracker is None else WSGIMiddleware(app, tracker)


def _asgi_site(tracker: Tracker | None) -> Any:
    answers = {
        path: (
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", kind.encode())],
            },
            {"type": "http.response.body", "body": body},
        )
        for path, (kind, body) in PAGES.items()
    }

    async def app(scope, receive, send):
        path = scope["path"]
        if path in NOTED:
            NOTED[path]()
        start, body = answers[path]
        await send(start)
        await send(body)

    return app if tracker is None else ASGIMiddleware(app, tracker)


BARE_SITES = (Site("WSGI", "WSGI", _wsgi_site), Site("ASGI", "ASGI", _asgi_site))


def noop_wsgi(app):
    """Wrap *app* in nothing."""

    def noop(environ, start_response):
        return app(environ, start_response)

    return noop


def noop_asgi(app):
    """Wrap *app* in nothing."""

    async def noop(scope, receive, send):
        await app(scope, receive, send)

    return noop
