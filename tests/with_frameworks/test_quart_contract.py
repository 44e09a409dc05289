"""Quart by the ASGI middleware: the neutral part of the contract."""

from functools import partial

from hypercorn.middleware import DispatcherMiddleware
from quart import Quart, Response, redirect, render_template_string, request, send_file
from quart.views import MethodView

from server_tracking import asgi, track_event
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError
from tests.with_frameworks.test_plain_contract import ANSWERED, WITHOUT_ADAPTER, by_hand

METHODS = ["GET", "POST"]


class TestQuart(FrameworkContract):
    kind = "asgi"
    unsupported = WITHOUT_ADAPTER | ANSWERED

    def make_app(self, tracker):
        app, part = Quart("site"), Quart("part")
        for path, view in (self._pages() | self._answers()).items():
            app.add_url_rule(path, path, view)
        self._add_events(app)
        self._add_errors(app)
        app.post("/echo")(self._echo)
        part.get("/page")(self._answering(self.page))
        site = DispatcherMiddleware({"/part": part, "": app})
        return asgi.TrackingMiddleware(site, tracker)

    def _answering(self, body, more=200):
        async def view():
            return body, more

        return view

    def _pages(self):
        async def titled_by_hand():
            return await render_template_string(by_hand(self), title="x")

        async def plant(name):
            return self.named(name)

        async def streamed(name):
            return Response(self.async_pieces(name))

        return {
            "/": self._answering(self.page),
            "/by-hand": titled_by_hand,
            "/plants/<name>": plant,
            "/streamed/<name>": streamed,
            "/file": partial(send_file, self.file),
        }

    def _answers(self):
        async def redirected():
            return redirect("/")

        async def data():
            return {"fern": 4}

        async def cookie():
            response = Response(self.page)
            response.set_cookie("theirs", "1")
            return response

        cached = {"Cache-Control": "public, max-age=600"}
        return {
            "/gzip": self._answering(self.zipped, {"Content-Encoding": "gzip"}),
            "/empty": self._answering("", 204),
            "/unchanged": self._answering("", 304),
            "/cached": self._answering(self.page, cached),
            "/redirect": redirected,
            "/data": data,
            "/cookie": cookie,
        }

    async def _echo(self):
        return Response(await request.get_data(), mimetype="text/plain")

    def _add_errors(self, app):
        @app.get("/error")
        async def error():
            raise SiteError("someone@example.com")

        @app.get("/handled")
        async def handled():
            raise HandledError("someone@example.com")

        @app.errorhandler(HandledError)
        async def sorry(error):
            return self.sorry, 500

    def _add_events(self, app):
        page = self.page

        @app.route("/events/function", methods=METHODS)
        @track_event("Basket", "function")
        def function():  # Quart runs it in a thread
            return page

        @app.get("/events/coroutine")
        @track_event("Basket", "coroutine")
        async def coroutine():
            return page

        class Plants:
            @track_event("Basket", "method")
            async def method(self):
                return page

        class PlantView(MethodView):
            @track_event("Basket", "class")
            async def get(self):
                return page

        @track_event("Basket", "generator")
        async def pieces():
            yield page[:9]
            yield page[9:]

        @app.get("/events/background")
        async def background():
            app.add_background_task(track_event("Basket", "background")(lambda: None))
            return page

        async def generator():
            return Response(pieces())

        app.add_url_rule("/events/method", "method", Plants().method)
        app.add_url_rule("/events/class", "class", PlantView.as_view("plants"))
        app.add_url_rule("/events/generator", "generator", generator)
