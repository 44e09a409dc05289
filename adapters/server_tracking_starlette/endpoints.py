"""PageViewEndpoint, for one endpoint that is tracked; routes for consent and own people."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server_tracking import Tracker, current
from server_tracking.consent_endpoint import ConsentASGI
from server_tracking.observation import OBSERVED
from server_tracking.own_cookie import OwnCookie
from server_tracking_starlette.middleware import TrackingMiddleware

__all__ = ["PageViewEndpoint", "consent_route", "own_route"]


def consent_route(tracker: Tracker, path: str = "/consent") -> Route:
    """Make the route where the site's script says what the visitor decided.

    Its name, for ``url_for``, is ``server_tracking_consent``.
    """
    return Route(path, ConsentASGI(tracker), name="server_tracking_consent")


def own_route(
    tracker: Tracker, permission: Callable[[Scope], bool], path: str = "/own"
) -> Route:
    """Make the route that marks the site's own people; see `OwnCookie`.

    *permission* says of a scope whether it is one of theirs: by ``scope["session"]``,
    ``scope["user"]``. Its name, for ``url_for``, is ``server_tracking_own``.
    """
    return Route(path, _Own(tracker, permission), name="server_tracking_own")


class _Own:
    """Starlette takes an object for an ASGI application, and a method for a view."""

    def __init__(self, tracker: Tracker, permission: Callable[[Scope], bool]) -> None:
        self._cookie = OwnCookie(tracker, permission)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._cookie.asgi(scope, receive, send)


class PageViewEndpoint:
    """Track an `HTTPEndpoint`, where the whole site is not.

        class Plants(PageViewEndpoint, HTTPEndpoint):
            tracker = tracker
            page_title = "All plants"

    Beside the middleware, each page still counts once. *page_title* is the title for
    pages whose template names none.
    """

    tracker: ClassVar[Tracker]
    page_title: ClassVar[str | None] = None

    scope: Scope
    receive: Receive
    send: Send

    async def dispatch(self) -> None:
        """Serve the request, observed."""

        async def rest(_scope: Scope, _receive: Receive, send: Send) -> None:
            self.send = send
            here = current()
            if here is not None:
                here.note(title=self.page_title)
            await super(PageViewEndpoint, self).dispatch()  # type: ignore[misc]

        observed = rest if OBSERVED in self.scope else self._tracked(rest)
        await observed(self.scope, self.receive, self.send)

    def _tracked(self, app: ASGIApp) -> ASGIApp:
        return TrackingMiddleware(app, self.tracker)
