"""Litestar by the ASGI middleware: the neutral part of the contract."""

from typing import Any

from litestar import Controller, Litestar, Request, Response, asgi, get, post, route
from litestar.background_tasks import BackgroundTask
from litestar.response import File, Redirect, Stream

from server_tracking import track_event
from server_tracking.asgi import TrackingMiddleware
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError
from tests.with_frameworks.test_plain_contract import ANSWERED, WITHOUT_ADAPTER, by_hand

HTML = "text/html; charset=utf-8"


def html(body, status=200, headers=None, **more):
    return Response(
        body, status_code=status, headers=headers or {}, media_type=HTML, **more
    )


def view(path, answer):
    """Make a route whose every answer is that of *answer*."""

    @get(path, name=path)
    async def handler() -> Response:
        return answer()

    return handler


def raising(path, kind):
    @get(path, name=path)
    async def handler() -> None:
        raise kind("someone@example.com")

    return handler


class TestLitestar(FrameworkContract):
    kind = "asgi"
    unsupported = WITHOUT_ADAPTER | ANSWERED

    def make_app(self, tracker):
        site = Litestar(
            [*self._pages(), *self._answers(), *self._events(), self._part()],
            exception_handlers={HandledError: lambda *_: html(self.sorry, 500)},
            openapi_config=None,
            logging_config=None,  # it would be that of the whole process
        )
        return TrackingMiddleware(site, tracker)

    def _part(self):
        page = view("/page", lambda: html(self.page))
        part = Litestar([page], openapi_config=None, logging_config=None)

        @asgi("/part", is_mount=True, copy_scope=True)
        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            await part(scope, receive, send)

        return mounted

    def _pages(self):
        @get("/plants/{name:str}")
        async def plant(request: Request) -> Response:
            return html(self.named(request.path_params["name"]))

        @get("/streamed/{name:str}")
        async def streamed(request: Request) -> Stream:
            pieces = self.async_pieces(request.path_params["name"])
            return Stream(pieces, media_type=HTML)

        @get("/file")
        async def file() -> File:
            return File(self.file, media_type=HTML, content_disposition_type="inline")

        @post("/echo", status_code=200)
        async def echo(request: Request) -> Response:
            return Response(await request.body(), media_type="text/plain")

        yield view("/", lambda: html(self.page))
        yield view("/by-hand", lambda: html(by_hand(self)))
        yield from (plant, streamed, file, echo)

    def _answers(self):
        def cookie():
            response = html(self.page)
            response.set_cookie("theirs", "1")
            return response

        cached = {"Cache-Control": "public, max-age=600"}
        zipped = {"Content-Encoding": "gzip"}
        yield view("/gzip", lambda: html(self.zipped, headers=zipped))
        yield view("/empty", lambda: Response(None, status_code=204))
        yield view("/unchanged", lambda: Response(None, status_code=304))
        yield view("/redirect", lambda: Redirect("/"))
        yield view("/data", lambda: Response({"fern": 4}))
        yield view("/cached", lambda: html(self.page, headers=cached))
        yield view("/cookie", cookie)
        yield raising("/error", SiteError)
        yield raising("/handled", HandledError)

    def _events(self):
        page = self.page

        @route("/events/function", http_method=["GET", "POST"], sync_to_thread=True)
        @track_event("Basket", "function")
        def function() -> Response:
            return html(page)

        @get("/events/coroutine")
        @track_event("Basket", "coroutine")
        async def coroutine() -> Response:
            return html(page)

        class Plants:
            @track_event("Basket", "method")
            def method(self):
                return html(page)

        class PlantController(Controller):
            path = "/events/class"

            @get()
            @track_event("Basket", "class")
            async def show(self) -> Response:
                return html(page)

        @track_event("Basket", "generator")
        async def pieces():
            yield page[:9]
            yield page[9:]

        @get("/events/generator")
        async def generator() -> Stream:
            return Stream(pieces(), media_type=HTML)

        @track_event("Basket", "background")
        async def later() -> None:
            return None

        yield view("/events/method", Plants().method)
        yield view(
            "/events/background", lambda: html(page, background=BackgroundTask(later))
        )
        yield from (function, coroutine, PlantController, generator)
