"""The example shop in each framework, tracked as its users track it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from server_tracking import asgi, wsgi
from server_tracking.demo.sites import asgi_site, tracked_answer, wsgi_site
from server_tracking.tracker import Tracker

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase
    from flask import Response as FlaskResponse
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["SHOPS", "Framework", "missing"]

Framework = Literal["wsgi", "asgi", "django", "flask", "starlette"]


def missing(framework: Framework) -> str | None:
    """Name the package that *framework* needs and that is not installed."""
    if framework in ("wsgi", "asgi") or find_spec(framework):
        return None
    return framework


def _wsgi(tracker: Tracker) -> Any:
    return wsgi.TrackingMiddleware(wsgi_site(tracker), tracker)


def _asgi(tracker: Tracker) -> Any:
    return asgi.TrackingMiddleware(asgi_site(tracker), tracker)


def _flask(tracker: Tracker) -> Any:
    from flask import Flask, Response, request

    from server_tracking_flask import ServerTracking

    app = Flask("shop", static_folder=None)
    ServerTracking(app, tracker)

    def shop(path: str = "") -> FlaskResponse:
        query = request.query_string.decode("latin-1")
        answer = tracked_answer(
            tracker, request.method, f"/{path}", query, request.get_data()
        )
        return Response(answer.body, answer.status, answer.headers)

    for rule in ("/", "/<path:path>"):
        app.add_url_rule(rule, "shop", shop, methods=["GET", "POST"])
    return app


def _starlette(tracker: Tracker) -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    from server_tracking_starlette import TrackingMiddleware

    async def shop(request: Request) -> Response:
        answer = tracked_answer(
            tracker,
            request.method,
            request.url.path,
            request.url.query,
            await request.body(),
        )
        status = int(answer.status.partition(" ")[0])
        return StreamingResponse(answer.body, status, headers=dict(answer.headers))

    return Starlette(
        routes=[Route("/{path:path}", shop, methods=["GET", "POST"])],
        middleware=[Middleware(TrackingMiddleware, tracker=tracker)],
    )


def _django(tracker: Tracker) -> Any:
    """Configure Django, which can be done once in a process."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, StreamingHttpResponse
    from django.urls import re_path

    def shop(request: HttpRequest) -> HttpResponseBase:
        answer = tracked_answer(
            tracker,
            request.method or "GET",
            request.path,
            request.META.get("QUERY_STRING", ""),
            request.body,
        )
        make = HttpResponse if isinstance(answer.body, list) else StreamingHttpResponse
        status = int(answer.status.partition(" ")[0])
        return make(answer.body, status=status, headers=dict(answer.headers))

    settings.configure(
        SECRET_KEY=secrets.token_urlsafe(32),
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(re_path("", shop),),
        INSTALLED_APPS=["server_tracking_django"],
        MIDDLEWARE=["server_tracking_django.middleware.PageViewMiddleware"],
        SERVER_SIDE_TRACKING=tracker,
        # The page with a bug is part of the show.
        LOGGING={"version": 1, "loggers": {"django.request": {"level": "CRITICAL"}}},
    )
    return get_wsgi_application()


SHOPS: dict[Framework, tuple[Callable[[Tracker], Any], bool]] = {
    "wsgi": (_wsgi, False),
    "asgi": (_asgi, True),
    "django": (_django, False),
    "flask": (_flask, False),
    "starlette": (_starlette, True),
}
"""How each makes the tracked shop, and whether that is an ASGI application."""
