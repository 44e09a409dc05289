"""The example shop as a plain WSGI and as a plain ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from server_tracking.decorators import track_event
from server_tracking.demo.pages import (
    Answer,
    Plant,
    answer_to,
    basket_choice,
    bug_page,
)
from server_tracking.tracker import Tracker

__all__ = ["asgi_site", "behind_proxy_asgi", "behind_proxy_wsgi", "wsgi_site"]

_LONGEST_FORM = 10_000
_VISITOR = "203.0.113.77"
"""An address for documentation (RFC 5737). The visitor of a demo sits at this
machine, and loopback says nothing: some systems then hear nothing at all."""


def wsgi_site(tracker: Tracker) -> Callable[..., Iterable[bytes]]:
    """Make the shop for WSGI servers; it tracks events with *tracker*."""

    def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            _put_into_basket(environ["wsgi.input"].read(min(length, _LONGEST_FORM)))
        answer = _timed(tracker, method, path, environ.get("QUERY_STRING", ""))
        start_response(answer.status, answer.headers)
        return answer.body

    return site


def asgi_site(tracker: Tracker) -> Callable[..., Any]:
    """Make the shop for ASGI servers; it tracks events with *tracker*."""

    async def site(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if method == "POST":
            _put_into_basket(await _form(receive))
        answer = _timed(tracker, method, path, scope["query_string"].decode("latin-1"))
        headers = [
            (name.lower().encode(), value.encode()) for name, value in answer.headers
        ]
        status = int(answer.status.partition(" ")[0])
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        for piece in answer.body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return site


async def _form(receive: Any) -> bytes:
    form = b""
    while len(form) < _LONGEST_FORM:
        message = await receive()
        form += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return form[:_LONGEST_FORM]


def behind_proxy_wsgi(app: Callable[..., Iterable[bytes]]) -> Any:
    """Name the visitor's address as a proxy would, if nobody has."""

    def proxied(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.setdefault("HTTP_X_FORWARDED_FOR", _VISITOR)
        return app(environ, start_response)

    return proxied


def behind_proxy_asgi(app: Callable[..., Any]) -> Callable[..., Any]:
    """Name the visitor's address as a proxy would, if nobody has."""

    async def proxied(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = list(scope["headers"])
            if not any(name == b"x-forwarded-for" for name, _ in headers):
                headers.append((b"x-forwarded-for", _VISITOR.encode()))
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return proxied


@track_event(
    "Basket",
    "Add",
    label=lambda plant: plant.name if plant else None,
    value=lambda plant: plant.price if plant else None,
)
def _put_into_basket(form: bytes) -> Plant | None:
    return basket_choice(form)


def _timed(tracker: Tracker, method: str, path: str, query: str) -> Answer:
    """Answer; the search is measured, and a bug becomes the page that says so."""
    begun = time.perf_counter()
    try:
        answer = answer_to(method, path, query)
    except LookupError as error:
        tracker.exception(type(error).__name__)
        return bug_page()
    if path == "/search":
        tracker.timing("Search", "catalogue", (time.perf_counter() - begun) * 1000)
    return answer
