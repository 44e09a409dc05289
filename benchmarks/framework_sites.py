"""The same small site on Flask, Django, Starlette and FastAPI, as each is written."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from benchmarks.requests_made import (
    BUY_PATH,
    LARGE_PATH,
    PAGES,
    SMALL_PATH,
    STYLE_PATH,
    TITLE,
    TITLED_PATH,
)
from benchmarks.sites import Site, note_purchase
from server_tracking import Tracker

TEMPLATE = (
    "<!doctype html><html><head><meta charset=utf-8><title>{{ title }}</title>"
    + "<p>A fern.</p>" * 280
)
CONTEXT = {"title": TITLE}
PLAIN = (SMALL_PATH, LARGE_PATH, STYLE_PATH)


def flask_site(tracker: Tracker | None) -> Any:
    from flask import Flask, Response, render_template

    app = Flask("benchmarks", static_folder=None)
    template = app.jinja_env.from_string(TEMPLATE)
    if tracker is not None:
        from server_tracking_flask import ServerTracking

        ServerTracking(app, tracker)

    def plain(path):
        kind, body = PAGES[path]
        return lambda: Response(body, content_type=kind)

    def buy():
        note_purchase()
        return Response(b"{}", content_type="application/json")

    for path in PLAIN:
        app.add_url_rule(path, path, plain(path))
    app.add_url_rule(
        TITLED_PATH, "titled", lambda: render_template(template, **CONTEXT)
    )
    app.add_url_rule(BUY_PATH, "buy", buy, methods=["POST"])
    return app


def django_site(tracker: Tracker | None) -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    _configure_django(tracker, _django_views())
    return WSGIHandler()


def async_django_site(tracker: Tracker | None) -> Any:
    from django.core.handlers.asgi import ASGIHandler

    def asynchronous(view):
        async def aview(request):
            return view(request)

        return aview

    views = {path: asynchronous(view) for path, view in _django_views().items()}
    _configure_django(tracker, views)
    return ASGIHandler()


def _django_views() -> dict[str, Callable[..., Any]]:
    from django.http import HttpResponse
    from django.template.response import TemplateResponse

    def plain(path):
        kind, body = PAGES[path]
        return lambda request: HttpResponse(body, content_type=kind)

    def titled(request):
        # Rendered at once: under ASGI Django would do it in another thread.
        return TemplateResponse(request, "page.html", CONTEXT).render()

    def buy(request):
        note_purchase()
        return HttpResponse(b"{}", content_type="application/json")

    return {**{path: plain(path) for path in PLAIN}, TITLED_PATH: titled, BUY_PATH: buy}


def _configure_django(tracker: Tracker | None, views: dict[str, Any]) -> None:
    """Set what the handlers read that are made next."""
    import django
    from django.conf import settings
    from django.core.signals import setting_changed
    from django.urls import clear_url_caches, path

    if not settings.configured:
        engine = {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"page.html": TEMPLATE})
                ]
            },
        }
        settings.configure(
            SECRET_KEY="a key for the benchmark",
            ALLOWED_HOSTS=["example.com"],
            TEMPLATES=[engine],
            LOGGING_CONFIG=None,
        )
        django.setup()
    urls = ModuleType("urls")
    urls.urlpatterns = [path(at[1:], view) for at, view in views.items()]
    settings.ROOT_URLCONF = urls
    clear_url_caches()
    settings.MIDDLEWARE = []
    if tracker is not None:
        settings.SERVER_SIDE_TRACKING = tracker
        setting_changed.send(
            sender=None, setting="SERVER_SIDE_TRACKING", value=tracker, enter=True
        )
        settings.MIDDLEWARE = ["server_tracking_django.middleware.PageViewMiddleware"]


def starlette_site(tracker: Tracker | None) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Route

    routes = [
        Route(path, handler, methods=["POST" if path == BUY_PATH else "GET"])
        for path, handler in _starlette_handlers().items()
    ]
    return _tracked_starlette(Starlette(routes=routes), tracker)


def fastapi_site(tracker: Tracker | None) -> Any:
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)
    for path, handler in _starlette_handlers().items():
        method = "POST" if path == BUY_PATH else "GET"
        app.add_api_route(path, handler, methods=[method], response_model=None)
    return _tracked_starlette(app, tracker)


def _tracked_starlette(app: Any, tracker: Tracker | None) -> Any:
    if tracker is not None:
        from server_tracking_starlette import TrackingMiddleware

        app.add_middleware(TrackingMiddleware, tracker=tracker)
    return app


def _starlette_handlers() -> dict[str, Callable[..., Any]]:
    from jinja2 import DictLoader, Environment
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.templating import Jinja2Templates

    environment = Environment(
        loader=DictLoader({"page.html": TEMPLATE}), autoescape=True
    )
    templates = Jinja2Templates(env=environment)

    def plain(path):
        kind, body = PAGES[path]

        async def page(request: Request):
            return Response(body, headers={"content-type": kind})

        return page

    async def titled(request: Request):
        return templates.TemplateResponse(request, "page.html", CONTEXT)

    async def buy(request: Request):
        note_purchase()
        return Response(b"{}", media_type="application/json")

    # FastAPI looks annotations up among a module's names, and these are not there.
    handlers = {
        **{path: plain(path) for path in PLAIN},
        TITLED_PATH: titled,
        BUY_PATH: buy,
    }
    for handler in handlers.values():
        handler.__annotations__["request"] = Request
    return handlers


_SITES = (
    (("flask",), Site("Flask", "WSGI", flask_site)),
    (("django",), Site("Django", "WSGI", django_site)),
    (("django",), Site("Django, async", "ASGI", async_django_site)),
    (("starlette", "jinja2"), Site("Starlette", "ASGI", starlette_site)),
    (("fastapi", "jinja2"), Site("FastAPI", "ASGI", fastapi_site)),
)


def installed_sites() -> tuple[list[Site], list[str]]:
    """Part the sites into those that can be made and the names of the others."""
    found = [site for needed, site in _SITES if all(map(find_spec, needed))]
    return found, [site.name for _, site in _SITES if site not in found]
