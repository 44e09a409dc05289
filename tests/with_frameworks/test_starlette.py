"""The Starlette adapter: the contract, and what is Starlette's own."""

from functools import partial

import anyio
import jinja2
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from server_tracking import Tracker, current
from server_tracking.testing import FrameworkContract, RecordingSender
from server_tracking.testing.frameworks import Client, HandledError, SiteError
from server_tracking_starlette import (
    PageViewEndpoint,
    TrackingMiddleware,
    consent_route,
    get_default_parameters,
    get_title,
    track_event,
)

METHODS = ["GET", "POST"]
PAGES = {"page.html": FrameworkContract.template, "plain.html": "<p>No title"}
TEMPLATES = Jinja2Templates(
    env=jinja2.Environment(loader=jinja2.DictLoader(PAGES), autoescape=True)
)
template = partial(TEMPLATES.TemplateResponse, name="page.html")
cached = partial(HTMLResponse, headers={"Cache-Control": "public, max-age=600"})
zipped = partial(HTMLResponse, headers={"Content-Encoding": "gzip"})


def raising(error):
    def handler(request):
        raise error("someone@example.com")

    return handler


class TestStarlette(FrameworkContract):
    kind = "asgi"
    route = "/plants/{name}"

    def make_app(self, tracker):
        part = Starlette(routes=[Route("/page", self.answering(self.page))])
        app = Starlette(
            routes=[
                *self.pages(),
                *self.answers(),
                *self.events(),
                Mount("/part", part),
            ],
            exception_handlers={
                HandledError: lambda request, error: HTMLResponse(self.sorry, 500)
            },
        )
        app.add_middleware(TrackingMiddleware, tracker=tracker)
        return app

    def answering(self, body, kind=HTMLResponse):
        return lambda request: kind(body)

    def pages(self):
        def titled(request):
            return template(request=request, context={"title": self.template_title})

        def by_hand(request):
            if (here := current()) is not None:
                here.title = "By hand"
            return titled(request)

        async def plant(request):
            return HTMLResponse(self.named(request.path_params["name"]))

        def streamed(request):
            pieces = self.async_pieces(request.path_params["name"])
            return StreamingResponse(pieces, media_type="text/html")

        yield Route("/", self.answering(self.page))
        yield Route("/template", titled)
        yield Route("/by-hand", by_hand)
        yield Route("/plants/{name}", plant)
        yield Route("/streamed/{name}", streamed)
        yield Route("/file", self.answering(self.file, FileResponse))

    def answers(self):
        def cookie(request):
            response = HTMLResponse(self.page)
            response.set_cookie("theirs", "1")
            return response

        async def echo(request):
            return PlainTextResponse(await request.body())

        yield Route("/gzip", self.answering(self.zipped, zipped))
        yield Route("/empty", lambda request: Response(status_code=204))
        yield Route("/unchanged", lambda request: Response(status_code=304))
        yield Route("/redirect", self.answering("/", RedirectResponse))
        yield Route("/data", self.answering({"fern": 4}, JSONResponse))
        yield Route("/cached", self.answering(self.page, cached))
        yield Route("/cookie", cookie)
        yield Route("/echo", echo, methods=["POST"])
        yield Route("/error", raising(SiteError))
        yield Route("/handled", raising(HandledError))

    def events(self):
        answer = self.answering(self.page)
        tracked = {kind: track_event("Basket", kind) for kind in ("function", "method")}

        @track_event("Basket", "coroutine")
        async def coroutine(request):
            return answer(request)

        class Plants:
            @tracked["method"]
            def method(self, request):
                return answer(request)

        class PlantEndpoint(HTTPEndpoint):
            @track_event("Basket", "class")
            async def get(self, request):
                return answer(request)

        @track_event("Basket", "generator")
        async def pieces():
            yield self.page[:9]
            yield self.page[9:]

        def background(request):
            task = BackgroundTask(track_event("Basket", "background")(lambda: None))
            return HTMLResponse(self.page, background=task)

        function = tracked["function"](answer)
        yield Route("/events/function", function, methods=METHODS)
        yield Route("/events/coroutine", coroutine)
        yield Route("/events/method", Plants().method)
        yield Route("/events/class", PlantEndpoint)
        yield Route("/events/generator", lambda r: HTMLStream(pieces()))
        yield Route("/events/background", background)


HTMLStream = partial(StreamingResponse, media_type="text/html")


def open_page(app, path="/"):
    return Client("asgi", app).get(path)


@pytest.fixture
def open_site(tracker):
    """Open a page of a site with some routes, tracked by `tracker`."""

    def open_site(path, *routes, **options):
        app = Starlette(routes=routes)
        app.add_middleware(TrackingMiddleware, tracker=tracker, **options)
        return open_page(app, path)

    return open_site


# Titles


@pytest.mark.parametrize(
    ("variable", "title"), [("title", "A title"), ("heading", "A heading")]
)
def test_an_option_names_the_variable_of_the_title(open_site, sender, variable, title):
    def page(request):
        return template(
            request=request, context={"title": "A title", "heading": "A heading"}
        )

    open_site("/", Route("/", page), title_variable=variable)

    assert [hit.context.page.title for hit in sender.hits] == [title]


def test_what_the_middleware_asked_for_reaches_no_server(open_site, sender):
    def page(request):
        return template(request=request, context={"title": "A title"})

    answer = open_site("/", Route("/", page))  # the client knows no such message

    assert b"A title" in answer.body


def test_what_the_server_asked_for_still_reaches_it(tracker, browser):
    def page(request):
        return template(request=request, context={"title": "A title"})

    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(TrackingMiddleware, tracker=tracker)
    extensions = {"http.response.debug": {}}
    sent = []

    async def send(message):
        sent.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    anyio.run(app, {**scope, "extensions": extensions}, None, send)

    assert sent[:2] == ["http.response.debug", "http.response.start"]
    assert extensions == {"http.response.debug": {}}


# Routes


def page(request):
    return HTMLResponse("<title>A page</title>")


@pytest.mark.parametrize(
    ("path", "routes", "pattern"),
    [
        ("/plants/4", [Route("/plants/{number:int}", page)], "/plants/{number:int}"),
        ("/a/b/c", [Mount("/a", routes=[Mount("/b", routes=[Route("/{x}", page)])])], "/a/b/{x}"),
        ("/a/a", [Mount("/a", routes=[Route("/a", page)])], "/a/a"),
    ],
)  # fmt: skip
def test_the_route_is_that_of_the_whole_site(open_site, sender, path, routes, pattern):
    open_site(path, *routes)

    assert [hit.context.page.route for hit in sender.hits] == [pattern]


def test_a_static_page_has_the_route_of_its_mount(open_site, sender, tmp_path):
    (tmp_path / "page.html").write_text("<title>Static</title>")
    files = StaticFiles(directory=tmp_path)

    open_site("/files/page.html", Mount("/files", files))

    [hit] = sender.hits
    assert (hit.context.page.title, hit.context.page.route) == ("Static", "/files")


def test_the_prefix_of_the_server_is_in_no_route(tracker, sender):
    app = Starlette(routes=[Mount("/a", routes=[Route("/b", page)])])
    app.add_middleware(TrackingMiddleware, tracker=tracker)

    Client("asgi", app).get("/shop/a/b", root="/shop")

    [hit] = sender.hits
    assert hit.context.page.path == "/shop/a/b"
    assert hit.context.page.route == "/a/b"


def test_a_path_without_a_route_has_none(open_site, make_tracker, sender):
    app = Starlette()
    app.add_middleware(
        TrackingMiddleware, tracker=make_tracker(pageview_na_exceptions=True)
    )
    open_page(app, "/missing")

    assert [hit.context.page.route for hit in sender.hits] == [None]


# Other scopes, the end


def test_hits_are_flushed_before_the_server_hears_of_the_end(tracker):
    flushed = []

    class Sender(RecordingSender):
        def flush(self, timeout=10.0):
            flushed.append(timeout)
            return super().flush(timeout)

    tracker = Tracker(sender=Sender(), secret_key="a secret key for tests")
    app = TrackingMiddleware(Starlette(), tracker)
    told = iter(["lifespan.startup", "lifespan.shutdown"])
    answered = []

    async def receive():
        return {"type": next(told)}

    async def send(message):
        answered.append((message["type"], len(flushed)))

    anyio.run(app, {"type": "lifespan", "app": app.app}, receive, send)

    assert answered == [
        ("lifespan.startup.complete", 0),
        ("lifespan.shutdown.complete", 1),
    ]


def test_a_websocket_passes(tracker, sender):
    passed = []

    async def app(scope, receive, send):
        passed.append(scope)

    scope = {"type": "websocket"}
    anyio.run(TrackingMiddleware(app, tracker), scope, None, None)

    assert passed == [{"type": "websocket"}]


# Class-based endpoints


def plant_endpoint(tracker):
    class Plants(PageViewEndpoint, HTTPEndpoint):
        page_title = "All plants"

        async def get(self, request):
            name = request.query_params.get("template", "plain.html")
            context = {"title": "From the template"} if name == "page.html" else {}
            return TEMPLATES.TemplateResponse(request, name, context)

        @track_event("Plant", "Add")
        async def post(self, request):
            return RedirectResponse("/", 303)

    Plants.tracker = tracker
    return Plants


def test_an_endpoint_is_tracked_where_the_site_is_not(tracker, sender):
    app = Starlette(
        routes=[Route("/", page), Route("/plants", plant_endpoint(tracker))]
    )
    client = Client("asgi", app)
    client.get("/")
    answer = client.get("/plants")
    client.post("/plants")

    view, event = sender.hits
    assert "vn" in answer.cookies
    assert view.context.page.title == "All plants"
    assert view.context.page.route == "/plants"
    assert (event.category, event.action) == ("Plant", "Add")
    assert event.context.visitor.client_id == view.context.visitor.client_id


def test_beside_the_middleware_an_endpoint_counts_once(open_site, sender, tracker):
    answer = open_site("/plants", Route("/plants", plant_endpoint(tracker)))

    assert [hit.context.page.title for hit in sender.hits] == ["All plants"]
    assert list(answer.cookies) == ["vn"]


def test_the_title_of_the_template_wins_over_that_of_the_endpoint(tracker, sender):
    app = Starlette(routes=[Route("/plants", plant_endpoint(tracker))])

    Client("asgi", app).get("/plants", query="template=page.html")

    assert [hit.context.page.title for hit in sender.hits] == ["From the template"]


# By hand


def test_parameters_by_hand_are_those_of_the_page_view(open_site, sender):
    found = []

    def handler(request):
        response = template(request=request, context={"title": "A title"})
        assert get_title(response) == "A title"
        found.append(get_default_parameters(request, response))
        return response

    answer = open_site("/", Route("/", handler))

    [hit] = sender.hits
    assert found[0].visitor == hit.context.visitor
    assert found[0].page.title == "A title"
    assert list(answer.cookies) == ["vn"]


def test_parameters_by_hand_need_no_middleware(tracker):
    found = []

    def handler(request):
        response = HTMLResponse("<title>Bare</title>")
        told = partial(get_default_parameters, request, settings=tracker.settings)
        found.extend([told(), told(response)])
        return response

    answer = open_page(Starlette(routes=[Route("/", handler)]))

    assert [context.page.title for context in found] == [None, "Bare"]
    assert answer.cookies["vn"].startswith("vn=1.")


def test_a_streamed_response_has_no_title_by_hand():
    assert get_title(HTMLStream(iter(["<title>x</title>"]))) is None


# Consent

FORM = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}


@pytest.fixture
def asking_site(sender):
    """Open a site that asks before it tracks, with a route for the answer."""

    def asking_site(**where):
        tracker = Tracker(
            sender=sender, secret_key="a key for the tests", consent_mode="opt-in"
        )
        page = Route("/", lambda request: HTMLResponse("<title>shop</title>"))
        app = Starlette(routes=[page, consent_route(tracker, **where)])
        app.add_middleware(TrackingMiddleware, tracker=tracker)
        return Client("asgi", app)

    return asking_site


def test_who_accepts_by_the_route_is_tracked_from_then_on(asking_site, sender):
    site = asking_site()
    site.get("/")
    assert sender.hits == []

    answer = site.post("/consent", body=b"action=accept", headers=FORM)
    site.get("/")
    site.get("/")

    assert (answer.status, answer.body) == (204, b"")
    assert site.cookies["cookie_status"] == "1"
    assert [k for k, v in answer.headers if v.startswith("vn=")] == ["set-cookie"]
    first, second = (hit.context for hit in sender.hits)
    assert first.page.title == "shop"
    assert first.visitor.client_id == second.visitor.client_id


def test_who_withdraws_by_the_route_is_forgotten(asking_site, sender):
    site = asking_site()
    site.post("/consent", body=b"action=accept", headers=FORM)
    site.post("/consent", body=b"action=withdraw", headers=FORM)
    site.get("/")

    assert "vn" not in site.cookies
    assert sender.hits == []


def test_only_pages_of_the_site_may_post_to_the_route(asking_site):
    headers = {**FORM, "Sec-Fetch-Site": "cross-site"}
    answer = asking_site().post("/consent", body=b"action=accept", headers=headers)

    assert answer.status == 403
    assert answer.cookies == {}


def test_the_route_has_the_script_and_may_be_elsewhere(asking_site, sender):
    site = asking_site(path="/privacy/choice")
    answer = site.get("/privacy/choice", headers=FORM)

    assert (answer.header("content-type") or "").startswith("text/javascript")
    assert b"trackingConsent" in answer.body
    assert site.get("/consent").status == 404
    assert site.app.url_path_for("server_tracking_consent") == "/privacy/choice"
    assert sender.hits == []
