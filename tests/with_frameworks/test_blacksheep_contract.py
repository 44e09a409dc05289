"""BlackSheep by the ASGI middleware: the neutral part of the contract."""

import asyncio
from functools import partial

from blacksheep import (
    Application,
    Content,
    Cookie,
    Request,
    Response,
    StreamedContent,
    json,
    redirect,
)
from blacksheep.server.controllers import Controller
from blacksheep.server.responses import ContentDispositionType, file
from blacksheep.server.routing import Router, RoutesRegistry

from server_tracking import asgi, track_event
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError
from tests.with_frameworks.test_plain_contract import ANSWERED, WITHOUT_ADAPTER, by_hand

HTML = b"text/html; charset=utf-8"
INLINE = ContentDispositionType.INLINE


def html(body, status=200, headers=()):
    return Response(status, list(headers), Content(HTML, body))


def stream(make):
    return Response(200, content=StreamedContent(HTML, make))


class TestBlackSheep(FrameworkContract):
    kind = "asgi"
    unsupported = WITHOUT_ADAPTER | ANSWERED

    def make_app(self, tracker):
        # Without a router of its own, each application would have the same one.
        app, part = Application(router=Router()), Application(router=Router())
        app.controllers_router = RoutesRegistry()
        for path, answer in (self._pages() | self._answers()).items():
            app.router.add_get(path, self._view(answer))
        self._add_posts_and_errors(app)
        self._add_events(app)
        part.router.add_get("/page", self._view(lambda: html(self.page)))
        app.mount("/part", part)
        asyncio.run(app.start())
        return asgi.TrackingMiddleware(app, tracker)

    def _view(self, answer):
        async def view(request: Request) -> Response:
            return answer(*(request.route_values or {}).values())

        return view

    def _pages(self):
        return {
            "/": lambda: html(self.page),
            "/by-hand": lambda: html(by_hand(self).encode()),
            "/plants/{name}": lambda name: html(self.named(name)),
            "/streamed/{name}": lambda name: stream(partial(self.async_pieces, name)),
            "/file": lambda: file(self.file, HTML.decode(), content_disposition=INLINE),
        }

    def _answers(self):
        def cookie():
            response = html(self.page)
            response.set_cookie(Cookie("theirs", "1"))
            return response

        def raising(kind):
            def answer():
                raise kind("someone@example.com")

            return answer

        zipped = [(b"content-encoding", b"gzip")]
        cached = [(b"cache-control", b"public, max-age=600")]
        return {
            "/gzip": lambda: html(self.zipped, headers=zipped),
            "/empty": lambda: Response(204),
            "/unchanged": lambda: Response(304),
            "/redirect": lambda: redirect("/"),
            "/data": lambda: json({"fern": 4}),
            "/cached": lambda: html(self.page, headers=cached),
            "/cookie": cookie,
            "/error": raising(SiteError),
            "/handled": raising(HandledError),
        }

    def _add_posts_and_errors(self, app):
        async def echo(request: Request) -> Response:
            return Response(200, content=Content(b"text/plain", await request.read()))

        async def sorry(self_, request, error):
            return html(self.sorry, 500)

        app.router.add_post("/echo", echo)
        app.exceptions_handlers[HandledError] = sorry

    def _add_events(self, app):
        page, registry = self.page, app.controllers_router

        @track_event("Basket", "function")
        def function() -> Response:
            return html(page)

        @track_event("Basket", "coroutine")
        async def coroutine() -> Response:
            return html(page)

        class Plants:
            @track_event("Basket", "method")
            def method(self) -> Response:
                return html(page)

        class PlantController(Controller):
            @registry.get("/events/class")
            @track_event("Basket", "class")
            async def show(self) -> Response:
                return html(page)

        @track_event("Basket", "generator")
        async def pieces():
            yield page[:9]
            yield page[9:]

        @track_event("Basket", "background")
        async def later():
            return None

        async def background() -> Response:
            self.task = asyncio.create_task(later())
            return html(page)

        for kind in ("get", "post"):
            getattr(app.router, f"add_{kind}")("/events/function", function)
        app.router.add_get("/events/coroutine", coroutine)
        method = self._view(
            Plants().method
        )  # it marks its handlers, as no method lets it
        app.router.add_get("/events/method", method)
        app.router.add_get("/events/generator", self._view(lambda: stream(pieces)))
        app.router.add_get("/events/background", background)
