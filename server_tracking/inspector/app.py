"""The inspector as an ASGI application: collector, live page and JSON feed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_tracking.inspector.faults import Faults, cut_off
from server_tracking.inspector.feed import feed_routes
from server_tracking.inspector.protocols import (
    Answer,
    DecodedHit,
    Received,
    ReceivingProtocol,
    discovered_protocols,
)
from server_tracking.inspector.receiving import (
    LARGEST_BODY,
    complaint,
    decompressed,
    received_from,
)
from server_tracking.inspector.store import Store
from server_tracking.inspector.stored import NO_ANSWER

__all__ = ["inspector_app"]

Endpoint = Callable[[Request], Awaitable[Response]]
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src "
    "'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_ASKED_BY_BROWSERS = (
    "/favicon.ico",
    "/robots.txt",
    "/apple-touch-icon",
    "/.well-known",
)
_SMALL = 4096  # bytes
_TOO_LARGE = f"The body is larger than {LARGEST_BODY >> 20} MiB; no system takes that."


def inspector_app(store: Store, *, faults: Faults | None = None) -> Starlette:
    """Make the application that fills *store* and shows it.

    It listens on the paths of every known system, and besides on ``/`` (the page)
    and on the addresses of `feed.feed_routes`. What comes to another path is
    answered with 404, and shown. It may be mounted below any path of an ASGI
    application. *faults* are for rehearsals.
    """
    return Starlette(
        routes=[
            *_page_routes(),
            *feed_routes(store),
            Route(
                "/{path:path}",
                _collector(store, faults or Faults()),
                methods=_METHODS,
            ),
        ]
    )


def _page_routes() -> Iterator[Route]:
    for file in files("server_tracking.inspector").joinpath("page").iterdir():
        name = file.name
        media_type = _TYPES.get(name[name.rfind(".") :])
        if media_type:
            path = "/" if name == "index.html" else f"/{name}"
            yield Route(path, _shown(file, media_type))


def _shown(file: Traversable, media_type: str) -> Endpoint:
    async def show(_: Request) -> Response:
        text = file.read_text("utf-8")
        return Response(text, media_type=media_type, headers=_PAGE_HEADERS)

    return show


def _collector(store: Store, faults: Faults) -> Endpoint:
    protocols = discovered_protocols()

    def take(received: Received) -> Answer:
        """Decode and keep: for a full bulk body, that takes milliseconds."""
        hits, answer = _understood(received, protocols)
        if received.path in protocols:
            answer = faults.applied(answer)
        store.add(received, hits, answer)
        return answer

    async def collect(request: Request) -> Response:
        received, too_large = await received_from(request)
        if received.path.startswith(_ASKED_BY_BROWSERS):
            return Response(status_code=404)
        known = received.path in protocols
        if known and _is_preflight(received):
            return Response(status_code=204, headers=_for_browsers(received))
        if too_large:
            answer = Answer(413)
            store.add(received, [_oversized(received, protocols)], answer)
        else:
            # A thread costs more than a small body, which most are.
            small = len(received.body) < _SMALL
            answer = (
                take(received) if small else await run_in_threadpool(take, received)
            )
        if known and faults.delay:
            await asyncio.sleep(faults.delay)
        if answer.status == NO_ANSWER:
            await cut_off(request)
            return Response(status_code=500)  # which nobody hears
        headers = {**(_for_browsers(received) if known else {}), **answer.headers}
        return Response(answer.body, answer.status, headers=headers)

    return collect


def _understood(
    received: Received, protocols: Mapping[str, ReceivingProtocol]
) -> tuple[list[DecodedHit], Answer]:
    """Decode what was received, and answer it as its system does."""
    protocol = protocols.get(received.path)
    if protocol is None:
        known = ", ".join(sorted(protocols))
        message = f"No analytics system listens here. Known paths: {known}."
        return [complaint(received, "unknown", "path", message)], Answer(404)
    plain = decompressed(received)
    if plain is None:
        return [_oversized(received, protocols)], Answer(413)
    hits = list(protocol.decode(plain))
    return hits, protocol.answer(plain, hits)


def _oversized(
    received: Received, protocols: Mapping[str, ReceivingProtocol]
) -> DecodedHit:
    protocol = protocols.get(received.path)
    without = msgspec.structs.replace(received, body=b"")
    system = protocol.system if protocol else "unknown"
    return complaint(without, system, "body", _TOO_LARGE)


def _is_preflight(received: Received) -> bool:
    return (
        received.method == "OPTIONS"
        and "access-control-request-method" in received.headers
    )


def _for_browsers(received: Received) -> dict[str, str]:
    """Let scripts of any site send here, as all systems do (Fetch standard, 3.2)."""
    origin = received.headers.get("origin")
    if origin is None:
        return {}
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
    if _is_preflight(received):
        asked = received.headers.get("access-control-request-headers", "")
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": asked or "content-type",
            "Access-Control-Allow-Private-Network": "true",
            "Access-Control-Max-Age": "600",
        }
    return headers
