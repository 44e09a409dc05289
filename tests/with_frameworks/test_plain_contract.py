"""Without an adapter: the two middlewares keep the contract's neutral part."""

import asyncio

import bottle
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response
from pyramid.wsgi import wsgiapp2
from werkzeug.wsgi import ClosingIterator

from server_tracking import asgi, current, track_event, wsgi
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError

NO_ADAPTER = "Only an adapter can know it."
NO_LOOP = "The framework has no asynchronous handlers."
NO_CLASSES = "The framework has no class-based handlers."
ANSWERED = {
    "test_an_error_is_told_by_its_type_and_not_its_words": (
        "The framework makes an answer of the error; it is told as HTTP 500."
    )
}
WITHOUT_ADAPTER = dict.fromkeys(FrameworkContract.adapters_only, NO_ADAPTER)


def by_hand(contract):
    if (here := current()) is not None:
        here.title = "By hand"
    return contract.template


class Plants:
    """Handlers that are methods, and one for each kind of event."""

    def __init__(self, contract):
        self.contract = contract

    @track_event("Basket", "method")
    def method(self, *_):
        return self.contract.page

    @track_event("Basket", "function")
    def function(self, *_):
        return self.contract.page

    @track_event("Basket", "coroutine")
    async def coroutine(self):
        return self.contract.page

    @track_event("Basket", "generator")
    def generator(self, *_):
        yield self.contract.page[:9]
        yield self.contract.page[9:]

    @track_event("Basket", "background")
    def background(self, *_):
        return None

    @track_event("Basket", "class")
    def __call__(self, *_):
        return self.contract.page


# Plain applications


def plain_answers(contract):
    """What each path answers: status, headers, body."""
    plants, html = Plants(contract), {"content-type": "text/html; charset=utf-8"}
    page = (200, html, contract.page)
    return {
        "/": lambda: page,
        "/part/page": lambda: page,
        "/by-hand": lambda: (200, html, by_hand(contract).encode()),
        "/gzip": lambda: (200, html | {"content-encoding": "gzip"}, contract.zipped),
        "/empty": lambda: (204, {}, b""),
        "/unchanged": lambda: (304, {}, b""),
        "/redirect": lambda: (302, {"location": "/"}, b""),
        "/data": lambda: (200, {"content-type": "application/json"}, b"{}"),
        "/cached": lambda: (
            200,
            html | {"cache-control": "public, max-age=600"},
            contract.page,
        ),
        "/cookie": lambda: (200, html | {"set-cookie": "theirs=1"}, contract.page),
        "/handled": lambda: (500, html, contract.sorry),
        "/events/function": lambda: (200, html, plants.function()),
        "/events/method": lambda: (200, html, plants.method()),
        "/events/class": lambda: (200, html, plants()),
        "/events/generator": lambda: (200, html, plants.generator()),
        "/events/background": lambda: page,
        "/file": lambda: page,
    }


def plain_answer(contract, path, posted):
    """Find the answer for *path*."""
    kind, _, name = path.removeprefix("/").rpartition("/")
    html = {"content-type": "text/html; charset=utf-8"}
    if kind == "plants":
        return 200, html, contract.named(name)
    if kind == "streamed":
        return 200, html, contract.pieces(name)
    if path == "/echo":
        return 200, {"content-type": "text/plain"}, posted
    if path == "/error":
        raise SiteError("someone@example.com")
    found = plain_answers(contract).get(path)
    return found() if found else (404, html, b"<title>Nowhere</title>")


class TestPlainWSGI(FrameworkContract):
    kind = "wsgi"
    unsupported = WITHOUT_ADAPTER | {"test_a_coroutine_is_an_event": NO_LOOP}

    def make_app(self, tracker):
        def site(environ, start_response):
            path = environ["PATH_INFO"].encode("latin-1").decode()
            posted = environ["wsgi.input"].read()
            status, headers, body = plain_answer(self, path, posted)
            if path == "/part/page":  # as dispatchers rewrite what they mount
                environ |= {"SCRIPT_NAME": "/part", "PATH_INFO": "/page"}
            start_response(f"{status} Status", list(headers.items()))
            if path == "/file":
                return environ["wsgi.file_wrapper"](open(self.file, "rb"))
            if path == "/events/background":
                return ClosingIterator([body], Plants(self).background)
            return [body] if isinstance(body, bytes) else body

        return wsgi.TrackingMiddleware(site, tracker)


class TestPlainASGI(FrameworkContract):
    kind = "asgi"
    unsupported = WITHOUT_ADAPTER

    def make_app(self, tracker):
        async def site(scope, receive, send):
            path = scope["path"].removeprefix(scope["root_path"])
            posted, more = b"", True
            while more:
                message = await receive()
                posted, more = posted + message["body"], message["more_body"]
            if path == "/events/coroutine":
                body = await Plants(self).coroutine()
                status, headers, _ = plain_answer(self, "/", b"")
            else:
                status, headers, body = plain_answer(self, path, posted)
            if path == "/part/page":  # as Starlette does with what it mounts
                scope["root_path"] = "/part"
            raw = [(k.encode(), v.encode()) for k, v in headers.items()]
            start = {"type": "http.response.start", "status": status}
            await send({**start, "headers": raw})
            pieces = [body] if isinstance(body, bytes) else body
            message = {"type": "http.response.body", "more_body": True}
            try:
                for piece in pieces:
                    await send({**message, "body": piece})
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
            await send({"type": "http.response.body", "body": b""})
            if path == "/events/background":
                await asyncio.to_thread(Plants(self).background)

        return asgi.TrackingMiddleware(site, tracker)


class TestBottle(FrameworkContract):
    kind = "wsgi"
    unsupported = (
        WITHOUT_ADAPTER
        | ANSWERED
        | {
            "test_a_coroutine_is_an_event": NO_LOOP,
            "test_a_class_based_handler_is_an_event": NO_CLASSES,
        }
    )

    def make_app(self, tracker):
        app, plants = bottle.Bottle(), Plants(self)
        pages = {
            "/": lambda: self.page,
            "/by-hand": lambda: bottle.template(by_hand(self), title="x"),
            "/plants/<name>": self.named,
            "/streamed/<name>": self.pieces,
            "/file": lambda: bottle.static_file(self.file.rpartition("/")[2], _HERE),
            "/gzip": lambda: self._with("content-encoding", "gzip", self.zipped),
            "/empty": lambda: bottle.HTTPResponse(status=204),
            "/unchanged": lambda: bottle.HTTPResponse(status=304),
            "/redirect": lambda: bottle.redirect("/"),
            "/data": lambda: {"fern": 4},
            "/cached": lambda: self._with(
                "cache-control", "public, max-age=600", self.page
            ),
            "/cookie": lambda: self._with("set-cookie", "theirs=1", self.page),
            "/error": self._raise(SiteError),
            "/handled": self._raise(HandledError),
        }
        for path, handler in pages.items():
            app.route(path, callback=handler)
        app.post("/echo", callback=self._echo)
        for kind in ("function", "method", "generator"):
            app.route(f"/events/{kind}", ["GET", "POST"], getattr(plants, kind))
        app.route(
            "/events/background",
            callback=lambda: ClosingIterator([self.page], plants.background),
        )
        app.error(500)(
            lambda error: (
                self.sorry if isinstance(error.exception, HandledError) else b"Oh"
            )
        )
        part = bottle.Bottle()
        part.route("/page", callback=lambda: self.page)
        app.mount("/part/", part)
        return wsgi.TrackingMiddleware(app, tracker)

    def _echo(self):
        bottle.response.content_type = "text/plain"
        return bottle.request.body.read()

    def _with(self, name, value, body):
        bottle.response.add_header(name, value)
        return body

    def _raise(self, kind):
        def handler():
            raise kind("someone@example.com")

        return handler


class TestPyramid(FrameworkContract):
    kind = "wsgi"
    unsupported = WITHOUT_ADAPTER | {"test_a_coroutine_is_an_event": NO_LOOP}

    def make_app(self, tracker):
        plants = Plants(self)
        with Configurator() as config:
            self._add_pages(config)
            for kind in ("function", "method"):
                view = self._view(getattr(plants, kind))
                self._add(config, f"/events/{kind}", view)
            self._add(
                config,
                "/events/generator",
                lambda _: Response(app_iter=plants.generator()),
            )
            self._add(config, "/events/class", self._page_view(), attr="get")
            self._add(config, "/events/background", self._background(plants))
            config.add_exception_view(
                lambda error, _: Response(self.sorry, status=500), context=HandledError
            )
            config.add_notfound_view(lambda _: Response("<p>Nowhere", status=404))
            with Configurator() as part:
                self._add(part, "/page", lambda _: Response(self.page))
            self._add(config, "/part/*subpath", wsgiapp2(part.make_wsgi_app()))
            return wsgi.TrackingMiddleware(config.make_wsgi_app(), tracker)

    def _add(self, config, pattern, view, **options):
        config.add_route(pattern, pattern)
        config.add_view(view, route_name=pattern, **options)

    def _add_pages(self, config):
        def fail(kind):
            def view(request):
                raise kind("someone@example.com")

            return view

        def cached(request):
            return self._with("Cache-Control", "public, max-age=600")

        pages = {
            "/": lambda _: Response(self.page),
            "/by-hand": lambda _: Response(by_hand(self)),
            "/plants/{name}": lambda r: Response(self.named(r.matchdict["name"])),
            "/streamed/{name}": lambda r: Response(
                app_iter=self.pieces(r.matchdict["name"])
            ),
            "/file": lambda r: FileResponse(self.file, r),
            "/gzip": lambda _: Response(self.zipped, content_encoding="gzip"),
            "/empty": lambda _: Response(status=204),
            "/unchanged": lambda _: Response(status=304),
            "/redirect": lambda _: HTTPFound("/"),
            "/data": lambda _: Response(json={"fern": 4}),
            "/cached": cached,
            "/cookie": lambda _: self._with("Set-Cookie", "theirs=1"),
            "/echo": lambda r: Response(r.body, content_type="text/plain"),
            "/error": fail(SiteError),
            "/handled": fail(HandledError),
        }
        for pattern, view in pages.items():
            self._add(config, pattern, view)

    def _with(self, name, value):
        response = Response(self.page)
        response.headers[name] = value
        return response

    def _view(self, handler):
        return lambda request: Response(handler())

    def _page_view(self):
        page = self.page

        class PageView:
            def __init__(self, request):
                self.request = request

            @track_event("Basket", "class")
            def get(self):
                return Response(page)

        return PageView

    def _background(self, plants):
        def view(request):
            request.add_finished_callback(plants.background)
            return Response(self.page)

        return view


_HERE = TestBottle.file.rpartition("/")[0]
