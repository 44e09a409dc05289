"""A copy of the id cookie that somebody has planted names nobody, in any framework.

What is planted is what parsers of others let through: Django's and Starlette's strip
white space that is none in cookies, most know the quotes and `$Version` of RFC 2109.
"""

import contextlib
import time

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from server_tracking.cookies import CookieSigner
from server_tracking.testing.frameworks import Client
from server_tracking_flask import ServerTracking
from server_tracking_starlette import TrackingMiddleware
from tests.with_frameworks.sites_django import site

KEY = "a secret key for tests"
ID = "1234567890.1790000000"


@contextlib.contextmanager
def flask_site(tracker):
    app = Flask("shop")
    app.get("/")(lambda: "<title>shop</title>")
    ServerTracking(app, tracker)
    yield Client("wsgi", app)


@contextlib.contextmanager
def starlette_site(tracker):
    app = Starlette(routes=[Route("/", lambda _: HTMLResponse("<title>shop</title>"))])
    app.add_middleware(TrackingMiddleware, tracker=tracker)
    yield Client("asgi", app)


def django_site(kind, handler):
    @contextlib.contextmanager
    def open_site(tracker):
        page = path("", lambda request: HttpResponse("<title>shop</title>"))
        with site(page, SERVER_SIDE_TRACKING=tracker, SERVER_SIDE_TRACKING_GA=None):
            yield Client(kind, handler())

    return open_site


SITES = {
    "flask": flask_site,
    "starlette": starlette_site,
    "django by wsgi": django_site("wsgi", WSGIHandler),
    "django by asgi": django_site("asgi", ASGIHandler),
}


def signed():
    now = int(time.time())
    value = f"1.{ID}.{now}.1.{now}.0"
    return f"__Host-vn={CookieSigner([KEY], 'visitor').sign(value)}"


def forged():
    return "__Host-vn=" + "A" * 60


# (what is sent, whether the visitor is known by it)
PLANTED = {
    "as it is": (lambda: f"a=1; {signed()}", True),
    "beside JSON": (lambda: f'j={{"a":1}}; {signed()}', True),
    "behind byte 85": (lambda: f"a=1; \x85{signed()}", False),
    "behind byte a0": (lambda: f"a=1; \xa0{signed()}", False),
    "behind U+0085": (lambda: f"a=1; \xc2\x85{signed()}", False),
    "behind U+00A0": (lambda: f"a=1; \xc2\xa0{signed()}", False),
    "behind U+2000": (lambda: f"a=1; \xe2\x80\x80{signed()}", False),
    "behind an equals sign": (lambda: f"a=1; ={signed()}", False),
    "with a version": (lambda: f"$Version=1; {forged()}; $Path=/", False),
    "in quotes": (lambda: f'x="a; {forged()}; b"', False),
    "twice": (lambda: f"{forged()}; {signed()}", False),
    "twice, signed": (lambda: f"{signed()}; {signed()}", False),
    "without its prefix": (lambda: signed().removeprefix("__Host-"), False),
}


@pytest.mark.parametrize("framework", SITES)
@pytest.mark.parametrize("planted", PLANTED)
def test_only_our_own_cookie_names_a_visitor(framework, planted, make_tracker, sender):
    header, is_known = PLANTED[planted]
    tracker = make_tracker(secret_key=KEY, cookie_host_prefix=True)

    with SITES[framework](tracker) as client:
        client.get("/", scheme="https", headers={"Cookie": header()})

    [hit] = sender.hits
    assert (hit.context.visitor.client_id == ID) is is_known
