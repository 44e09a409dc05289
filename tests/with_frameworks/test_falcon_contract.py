"""Falcon by the two middlewares: the neutral part of the contract."""

from pathlib import Path

import falcon
import falcon.asgi
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wsgi import ClosingIterator

from server_tracking import asgi, track_event, wsgi
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError
from tests.with_frameworks.test_plain_contract import (
    ANSWERED,
    NO_LOOP,
    WITHOUT_ADAPTER,
    Plants,
    by_hand,
)

HTML = "text/html; charset=utf-8"
# A folder, whether to download, and what to send for the path itself.
FILE = (Path(FrameworkContract.file).parent, False, FrameworkContract.file)


class AsyncPlants(Plants):
    """The same, where the framework streams asynchronously."""

    @track_event("Basket", "generator")
    async def generator(self):
        yield self.contract.page[:9]
        yield self.contract.page[9:]


def failing(kind):
    """Make a handler that raises an error of *kind*."""

    def handler(*_):
        raise kind("someone@example.com")

    return handler


class FalconPage:
    """A resource of Falcon's: *answer* fills the response to GET and POST."""

    def __init__(self, answer):
        self.answer = answer

    def on_get(self, req, resp, **values):
        resp.content_type = HTML
        self.answer(resp, **values)

    on_post = on_get


class AsyncFalconPage(FalconPage):
    """The same for ASGI."""

    async def on_get(self, req, resp, **values):
        FalconPage.on_get(self, req, resp, **values)

    on_post = on_get


class FalconEcho:
    """Answers what is posted."""

    def on_post(self, req, resp):
        resp.content_type = "text/plain"
        resp.data = req.bounded_stream.read()


class AsyncFalconEcho:
    """The same for ASGI."""

    async def on_post(self, req, resp):
        resp.content_type = "text/plain"
        resp.data = await req.stream.read()


def streaming(make):
    """Fill a response with the pieces that *make* makes."""
    return lambda resp, **values: setattr(resp, "stream", make(**values))


def answering(handler):
    """Fill a response with the page that *handler* returns."""
    return lambda resp: setattr(resp, "data", handler())


def falcon_pages(contract):
    """Say how each response of Falcon's is filled."""

    def redirecting(resp):
        raise falcon.HTTPFound("/")

    def sending(body, **more):
        def fill(resp):
            resp.data = body
            for name, value in more.items():
                resp.set_header(name.replace("_", "-"), value)

        return fill

    def cookie(resp):
        resp.data = contract.page
        resp.append_header("Set-Cookie", "theirs=1")

    def by_name(resp, name):
        resp.data = contract.named(name)

    def by_hand_titled(resp):
        resp.text = by_hand(contract)

    def data(resp):
        resp.content_type = falcon.MEDIA_JSON
        resp.media = {"fern": 4}

    return {
        "/": sending(contract.page),
        "/by-hand": by_hand_titled,
        "/plants/{name}": by_name,
        "/gzip": sending(contract.zipped, content_encoding="gzip"),
        "/empty": lambda resp: setattr(resp, "status", 204),
        "/unchanged": lambda resp: setattr(resp, "status", 304),
        "/redirect": redirecting,
        "/data": data,
        "/cached": sending(contract.page, cache_control="public, max-age=600"),
        "/cookie": cookie,
        "/error": failing(SiteError),
        "/handled": failing(HandledError),
    }


class TestFalcon(FrameworkContract):
    kind = "wsgi"
    unsupported = WITHOUT_ADAPTER | ANSWERED | {"test_a_coroutine_is_an_event": NO_LOOP}

    def make_app(self, tracker):
        app, part, plants = falcon.App(), falcon.App(), Plants(self)
        page = falcon_pages(self)["/"]
        for path, fill in (falcon_pages(self) | self._own_pages(plants)).items():
            app.add_route(path, FalconPage(fill))
        app.add_static_route("/file", *FILE)
        app.add_route("/echo", FalconEcho())
        app.add_route("/events/class", self._resource())
        app.add_error_handler(HandledError, self._sorry)
        part.add_route("/page", FalconPage(page))
        site = DispatcherMiddleware(app, {"/part": part})
        return wsgi.TrackingMiddleware(site, tracker)

    def _own_pages(self, plants):
        return {
            "/streamed/{name}": streaming(self.pieces),
            "/events/function": answering(plants.function),
            "/events/method": answering(plants.method),
            "/events/generator": streaming(plants.generator),
            "/events/background": streaming(
                lambda: ClosingIterator([self.page], plants.background)
            ),
        }

    def _resource(self):
        page = self.page

        class Page:
            @track_event("Basket", "class")
            def on_get(self, req, resp):
                resp.content_type, resp.data = HTML, page

        return Page()

    def _sorry(self, req, resp, error, values):
        resp.status, resp.content_type, resp.data = 500, HTML, self.sorry


class TestFalconASGI(FrameworkContract):
    kind = "asgi"
    unsupported = (
        WITHOUT_ADAPTER
        | ANSWERED
        | {
            "test_a_site_under_a_prefix_has_its_public_address": (
                "The framework looks for a route of the path with its prefix."
            )
        }
    )

    def make_app(self, tracker):
        app, part = falcon.asgi.App(), falcon.asgi.App()
        plants, pages = AsyncPlants(self), falcon_pages(self)
        for path, fill in (pages | self._own_pages(plants)).items():
            app.add_route(path, AsyncFalconPage(fill))
        app.add_static_route("/file", *FILE)
        app.add_route("/echo", AsyncFalconEcho())
        for kind in ("class", "coroutine"):
            app.add_route(f"/events/{kind}", self._resource(kind))
        app.add_error_handler(HandledError, self._sorry)
        part.add_route("/page", AsyncFalconPage(pages["/"]))

        async def site(scope, receive, send):
            path = scope["path"]
            if path.startswith("/part/"):  # as it has no way to mount anything
                scope |= {"root_path": "/part", "path": path.removeprefix("/part")}
                await part(scope, receive, send)
            else:
                await app(scope, receive, send)

        return asgi.TrackingMiddleware(site, tracker)

    def _own_pages(self, plants):
        def background(resp):
            async def later():
                plants.background()

            resp.data = self.page
            resp.schedule(later)

        return {
            "/streamed/{name}": streaming(self.async_pieces),
            "/events/function": answering(plants.function),
            "/events/method": answering(plants.method),
            "/events/generator": streaming(plants.generator),
            "/events/background": background,
        }

    def _resource(self, kind):
        page = self.page

        class Page:
            @track_event("Basket", kind)
            async def on_get(self, req, resp):
                resp.content_type, resp.data = HTML, page

        return Page()

    async def _sorry(self, req, resp, error, values):
        resp.status, resp.content_type, resp.data = 500, HTML, self.sorry
