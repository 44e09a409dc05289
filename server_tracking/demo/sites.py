"""The example shop as a plain WSGI and as a plain ASGI application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from server_tracking.decorators import track_event
from server_tracking.demo.pages import (
    Answer,
    Plant,
    answer_to,
    basket_choice,
    bug_page,
    order_in,
)
from server_tracking.hits import Item
from server_tracking.tracker import Tracker

__all__ = [
    "asgi_site",
    "behind_proxy_asgi",
    "behind_proxy_wsgi",
    "tracked_answer",
    "wsgi_site",
]

_LONGEST_FORM = 10_000
_VISITOR = "203.0.113.77"
"""An address for documentation (RFC 5737). The visitor of a demo sits at this
machine, and loopback says nothing: some systems then hear nothing at all."""


def wsgi_site(tracker: Tracker) -> Callable[..., Iterable[bytes]]:
    """Make the shop for WSGI servers; it tracks events with *tracker*."""

    def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        form = b""
        if method == "POST":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            form = environ["wsgi.input"].read(min(length, _LONGEST_FORM))
        query = environ.get("QUERY_STRING", "")
        answer = tracked_answer(tracker, method, path, query, form)
        start_response(answer.status, answer.headers)
        return answer.body

    return site


def asgi_site(tracker: Tracker) -> Callable[..., Any]:
    """Make the shop for ASGI servers; it tracks events with *tracker*."""

    async def site(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        form = await _form(receive) if method == "POST" else b""
        query = scope["query_string"].decode("latin-1")
        answer = tracked_answer(tracker, method, path, query, form)
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


def _buy(tracker: Tracker, form: bytes) -> None:
    plants = order_in(form)
    if plants:
        items = tuple(
            Item(id=plant.slug, name=plant.name, price=Decimal(str(plant.price)))
            for plant in plants
        )
        tracker.purchase(f"FF-{secrets.token_hex(4)}", items, currency="EUR")


def tracked_answer(
    tracker: Tracker, method: str, path: str, query: str, form: bytes
) -> Answer:
    """Answer a request of the shop, and track what is more than a page view.

    The search is measured, and a bug becomes the page that says so.
    """
    if (method, path) == ("POST", "/basket"):
        _put_into_basket(form)
    elif (method, path) == ("POST", "/checkout"):
        _buy(tracker, form)
    begun = time.perf_counter()
    try:
        answer = answer_to(method, path, query, form)
    except LookupError as error:
        tracker.exception(type(error).__name__)
        return bug_page()
    if path == "/search":
        tracker.timing("Search", "catalogue", (time.perf_counter() - begun) * 1000)
    return answer
