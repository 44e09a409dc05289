"""The inspector as an ASGI application: collector, live page and JSON feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

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
from server_tracking.inspector.store import HitStore
from server_tracking.inspector.stream import events

__all__ = ["inspector_app"]

Endpoint = Callable[[Request], Awaitable[Response]]
_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
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
_TOO_LARGE = f"The body is larger than {LARGEST_BODY >> 20} MiB; no system takes that."


def inspector_app(store: HitStore) -> Starlette:
    """Make the application that fills *store* and shows it.

    It listens on the paths of every known system, and besides on ``/`` (the page),
    ``/hits.json`` (all hits; ``?after=N`` for those with a higher number),
    ``/stream`` (server-sent events), ``/clear`` (POST) and ``/health``. What comes to
    another path is answered with 404, and shown.
    """

    async def list_hits(request: Request) -> Response:
        hits = store.hits(after=_number(request.query_params.get("after")))
        return Response(
            await run_in_threadpool(msgspec.json.encode, hits),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def stream(request: Request) -> Response:
        run, _, number = request.headers.get("last-event-id", "").partition("-")
        seen = _number(number) if run == store.run else 0
        return StreamingResponse(
            events(store, seen),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def clear(_: Request) -> Response:
        store.clear()
        return Response(status_code=204)

    async def health(_: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    return Starlette(
        routes=[
            *(Route(path, _page(*shown)) for path, shown in _PAGE.items()),
            Route("/hits.json", list_hits),
            Route("/stream", stream),
            Route("/clear", clear, methods=["POST"]),
            Route("/health", health),
            Route("/{path:path}", _collector(store), methods=_METHODS),
        ]
    )


def _page(name: str, media_type: str) -> Endpoint:
    page = files("server_tracking.inspector").joinpath("page", name)

    async def show(_: Request) -> Response:
        text = page.read_text("utf-8")
        return Response(text, media_type=media_type, headers=_PAGE_HEADERS)

    return show


def _collector(store: HitStore) -> Endpoint:
    protocols = discovered_protocols()

    def take(received: Received) -> Answer:
        """Decode and keep: for a full bulk body, that takes milliseconds."""
        hits, answer = _understood(received, protocols)
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
            answer = await run_in_threadpool(take, received)
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


def _number(text: str | None) -> int:
    """Read the number of a hit; 0, before the first, for anything else."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0
