"""TrackingMiddleware: pure ASGI, for ``app.add_middleware``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server_tracking import Observation, Tracker, asgi, current

__all__ = ["TrackingMiddleware"]

FLUSH_SECONDS = 5.0
# Starlette hands a template's context to whoever offers this, as its test client does.
_DEBUG = "http.response.debug"


class TrackingMiddleware:
    """Track the page views and events of *app*; flush when the server stops.

    Titles come from the variable *title_variable* of a template's context, before
    the HTML; the route is the pattern of the route.
    """

    def __init__(
        self, app: ASGIApp, tracker: Tracker, *, title_variable: str = "title"
    ) -> None:
        self.app = app
        self.tracker = tracker
        self._title_variable = title_variable
        self._tracked = asgi.TrackingMiddleware(self._annotated, tracker)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, observed if it is an HTTP request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._flushing(send))
        else:
            await self._tracked(scope, receive, send)

    async def _annotated(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = current() if scope["type"] == "http" else None
        if here is None:
            await self.app(scope, receive, send)
            return
        root = scope.get("root_path", "")
        extensions = scope.get("extensions") or {}
        offered = _DEBUG in extensions
        scope["extensions"] = {**extensions, _DEBUG: {}}

        async def annotated(message: Message) -> None:
            if message["type"] == _DEBUG:
                self._note_title(here, message["info"])
                if not offered:
                    return
            elif message["type"] == "http.response.start":
                here.note(route=_route_of(scope, root))
            await send(message)

        try:
            await self.app(scope, receive, annotated)
        finally:
            if not here.closed:  # no answer was begun, or not to its end
                here.note(route=_route_of(scope, root))

    def _note_title(self, here: Observation, info: Mapping[str, Any]) -> None:
        title = (info.get("context") or {}).get(self._title_variable)
        if title:
            here.note(title=str(title))

    def _flushing(self, send: Send) -> Send:
        async def flushing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self.tracker.aflush(FLUSH_SECONDS)
            await send(message)

        return flushing


def _route_of(scope: Scope, root: str) -> str | None:
    """Write the pattern of the route, behind where its application is mounted.

    *root* is the prefix that the server gave. FastAPI keeps the pattern of an
    included router apart from the route.
    """
    route = (scope.get("fastapi") or {}).get("effective_route_context")
    route = route or scope.get("route")
    path = getattr(route, "path", None)
    if path is None:
        return None
    mounted: str = scope.get("root_path", "").removeprefix(root)
    if isinstance(route, Mount):  # of what has no routes of its own, as files
        return mounted or None
    return f"{mounted}{path}"
