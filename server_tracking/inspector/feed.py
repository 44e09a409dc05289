"""What the page and programs ask the inspector for: feed, stream, calls, exports."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from server_tracking.inspector.queries import Query, number_of, query_from
from server_tracking.inspector.raw import curl_of
from server_tracking.inspector.store import Store, StoredHit
from server_tracking.inspector.stream import events

__all__ = ["feed_routes"]

_FRESH = {"Cache-Control": "no-store"}
_AT_ONCE = 1000  # hits read from the store in one piece
_ALL = 1 << 62


def feed_routes(store: Store) -> list[Route]:
    """Make the routes that show *store* to programs.

    ``/hits.json`` (oldest first; a query as `queries.Query`, *limit*, and *reach*:
    among how many hits to look, down to the number that X-Searched-After says),
    ``/stream`` (server-sent events), ``/call.json`` and ``/call.sh`` (the call of
    the hit *number*), ``/export.jsonl`` and ``/export.sh`` (newest first, a
    query), ``/keep`` and ``/clear`` (POST), ``/health``.
    """
    return [
        *_listing_routes(store),
        *_call_routes(store),
        *_changing_routes(store),
        Route("/health", _health),
    ]


async def _health(_: Request) -> Response:
    return Response("ok\n", media_type="text/plain")


def _listing_routes(store: Store) -> list[Route]:
    async def list_hits(request: Request) -> Response:
        query = query_from(request.query_params)
        limit = number_of(request.query_params.get("limit")) or _ALL
        reach = number_of(request.query_params.get("reach")) or _ALL
        query = query.within(store.newest, reach)

        def listed() -> bytes:
            return msgspec.json.encode(store.find(query, limit)[::-1])

        text = await run_in_threadpool(listed)
        headers = {**_FRESH, "X-Searched-After": str(max(query.after, 0))}
        return Response(text, media_type="application/json", headers=headers)

    async def stream(request: Request) -> Response:
        run, _, number = request.headers.get("last-event-id", "").partition("-")
        seen = number_of(number) if run == store.run else 0
        return StreamingResponse(
            events(store, seen),
            media_type="text/event-stream",
            headers={**_FRESH, "X-Accel-Buffering": "no"},
        )

    async def export_lines(request: Request) -> Response:
        hits = _found(store, query_from(request.query_params))
        return StreamingResponse(
            (msgspec.json.encode(stored) + b"\n" for stored in hits),
            media_type="application/jsonl",
            headers={**_FRESH, "Content-Disposition": _attachment("hits.jsonl")},
        )

    return [
        Route("/hits.json", list_hits),
        Route("/stream", stream),
        Route("/export.jsonl", export_lines),
    ]


def _call_routes(store: Store) -> list[Route]:
    async def call(request: Request) -> Response:
        number = number_of(request.query_params.get("number"))
        found = await run_in_threadpool(store.call, number)
        if found is None:
            return Response("This call is not kept.\n", 404, media_type="text/plain")
        if request.scope["path"].endswith(".sh"):
            return _script(f"{curl_of(found, _base(request))}\n")
        text = msgspec.json.encode(found)
        return Response(text, media_type="application/json", headers=_FRESH)

    async def export_script(request: Request) -> Response:
        hits = _found(store, query_from(request.query_params))
        script = await run_in_threadpool(_commands, store, hits, _base(request))
        return _script(script)

    return [
        Route("/call.json", call),
        Route("/call.sh", call),
        Route("/export.sh", export_script),
    ]


def _changing_routes(store: Store) -> list[Route]:
    async def keep(request: Request) -> Response:
        if _of_another_site(request):
            return Response(status_code=403)
        number = number_of(request.query_params.get("number"))
        wanted = request.query_params.get("keep") != "no"
        await run_in_threadpool(store.keep, number, wanted)
        return Response(status_code=204)

    async def clear(request: Request) -> Response:
        if _of_another_site(request):
            return Response(status_code=403)
        await run_in_threadpool(store.clear)
        return Response(status_code=204)

    return [
        Route("/keep", keep, methods=["POST"]),
        Route("/clear", clear, methods=["POST"]),
    ]


def _of_another_site(request: Request) -> bool:
    """Tell whether a page of somebody else asks, as browsers say."""
    asking = request.headers.get("sec-fetch-site", "none")
    return asking not in ("none", "same-origin")


def _found(store: Store, query: Query) -> Iterator[StoredHit]:
    """Read all that *query* wants, newest first, without holding it at once."""
    while hits := store.find(query, _AT_ONCE):
        yield from hits
        query = msgspec.structs.replace(query, before=hits[-1].number)


def _commands(store: Store, hits: Iterator[StoredHit], base: str) -> str:
    """Write the calls of *hits*, oldest first, each once."""
    numbers = sorted({stored.call for stored in hits})
    calls = (store.call(number) for number in numbers)
    return "".join(f"{curl_of(call, base)}\n" for call in calls if call)


def _script(text: str) -> Response:
    headers = {**_FRESH, "Content-Disposition": _attachment("hits.sh")}
    return Response(text, media_type="text/plain", headers=headers)


def _attachment(name: str) -> str:
    return f'attachment; filename="{name}"'


def _base(request: Request) -> str:
    # Starlette's own `base_url` is that of the outermost application.
    url, root = request.url, request.scope.get("root_path", "")
    return f"{url.scheme}://{url.netloc}{root}".rstrip("/")
