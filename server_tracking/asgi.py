"""Track any ASGI application (specification 3.0), under asyncio or trio."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from server_tracking.exchange import request_from_scope
from server_tracking.observation import OBSERVED, Observation
from server_tracking.tracker import Tracker, collector

__all__ = ["TrackingMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]

logger = logging.getLogger("server_tracking")

LAST_FLUSH = 5.0  # seconds; supervisors kill after 10 (Docker) to 30 (Kubernetes)
_SHUT_DOWN = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_LAST_PIECES = frozenset(
    {"http.response.pathsend", "http.response.body", "http.response.zerocopysend"}
)


class TrackingMiddleware:
    """Wrap *app*, so that *tracker* hears of its page views and events.

    Messages go out as they are, at once, but for the cookies of a visitor in the
    head of an answer; `receive` is not touched. Scopes other than HTTP pass.
    Installed twice, it counts once.

    When the application has shut down (lifespan), the hits that are left are sent,
    for at most 5 seconds, before the server hears of it: uvicorn runs no `atexit`
    after SIGTERM. An application without lifespan gives no such moment.
    """

    def __init__(self, app: ASGIApplication, tracker: Tracker) -> None:
        self.app = app
        self.tracker = tracker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, observed if it is an HTTP request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._flushing_send(send))
            return
        if scope["type"] != "http" or OBSERVED in scope:
            await self.app(scope, receive, send)
            return
        scope[OBSERVED] = True
        observation = Observation(self.tracker, scope, request_from_scope)
        # Set anew for each request: a server may hand on the context of the last.
        collector.set(observation)
        try:
            await self.app(scope, receive, self._observed_send(observation, send))
        except BaseException as error:
            observation.fail(error)
            raise
        finally:
            if not observation.closed:
                await self._end(observation)

    def _observed_send(self, observation: Observation, send: Send) -> Send:
        # What it returns is `send`'s own to await: a coroutine around it for each
        # message cost 0.4 µs.
        def observed(message: Message) -> Awaitable[None]:
            kind = message["type"]
            if kind == "http.response.start":
                if observation.attentive:
                    message = _observed_start(observation, message)
                return send(message)
            if kind == "http.response.body" and observation.wants_body:
                observation.feed(message.get("body", b""))
            if kind in _LAST_PIECES and not message.get("more_body", False):
                return self._last(observation, send, message)
            return send(message)

        return observed

    async def _last(
        self, observation: Observation, send: Send, message: Message
    ) -> None:
        await send(message)
        if self.tracker.blocks:
            await self._end(observation)
        else:
            observation.close()  # here, for a coroutine more cost 0.3 µs

    def _flushing_send(self, send: Send) -> Send:
        async def flushing(message: Message) -> None:
            if message["type"] in _SHUT_DOWN:
                await self._flush()
            await send(message)

        return flushing

    async def _flush(self) -> None:
        import anyio  # not before it is needed: it takes 5 ms

        # The server may give up on us; what is under way comes to its end.
        with anyio.CancelScope(shield=True):
            if not await self.tracker.aflush(LAST_FLUSH):
                logger.warning("Not all hits could be sent before the end.")

    async def _end(self, observation: Observation) -> None:
        if self.tracker.blocks:
            import anyio
            import anyio.to_thread

            # A client that leaves cancels us; the hits are made all the same.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(observation.close)
        else:
            observation.close()


def _observed_start(observation: Observation, message: Message) -> Message:
    given = message.get("headers", ())
    raw = list(given)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    added = observation.respond(message["status"], headers)
    if not added and isinstance(given, list | tuple):
        return message
    raw += [(name.lower().encode("latin-1"), v.encode("latin-1")) for name, v in added]
    return {**message, "headers": raw}
