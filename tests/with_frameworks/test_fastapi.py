"""FastAPI, by the Starlette adapter: the contract, injection, background tasks."""

from typing import Annotated

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from jinja2 import DictLoader, Environment
from starlette.templating import Jinja2Templates

from server_tracking import Tracker, current
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import Client, HandledError, SiteError
from server_tracking_starlette import TrackingMiddleware, consent_route, track_event

METHODS = ["GET", "POST"]
TEMPLATES = Jinja2Templates(
    env=Environment(
        loader=DictLoader({"page.html": FrameworkContract.template}), autoescape=True
    )
)


class TestFastAPI(FrameworkContract):
    kind = "asgi"
    route = "/plants/{name}"
    unsupported = {
        "test_a_class_based_handler_is_an_event": (
            "The framework has no class-based handlers."
        )
    }

    def make_app(self, tracker):
        app = FastAPI(default_response_class=HTMLResponse)
        for add in (self.add_pages, self.add_answers, self.add_errors, self.add_events):
            add(app)
        part = FastAPI()
        part.get("/page", response_class=HTMLResponse)(lambda: self.page)
        app.mount("/part", part)
        app.add_middleware(TrackingMiddleware, tracker=tracker)
        return app

    def add_pages(self, app):
        def template(request: Request):
            context = {"title": self.template_title}
            return TEMPLATES.TemplateResponse(request, "page.html", context)

        @app.get("/by-hand")
        def by_hand(request: Request):
            if (here := current()) is not None:
                here.title = "By hand"
            return template(request)

        @app.get("/plants/{name}")
        async def plant(name: str):
            return self.named(name)

        @app.get("/streamed/{name}")
        def streamed(name: str):
            return StreamingResponse(self.async_pieces(name), media_type="text/html")

        app.api_route("/", methods=["GET", "HEAD"])(lambda: self.page)
        app.get("/template")(template)
        app.get("/file")(lambda: FileResponse(self.file))

    def add_answers(self, app):
        @app.get("/cached")
        def cached(response: Response):
            response.headers["Cache-Control"] = "public, max-age=600"
            return self.page

        @app.get("/cookie")
        def cookie(response: Response):
            response.set_cookie("theirs", "1")
            return self.page

        @app.post("/echo")
        async def echo(request: Request):
            return PlainTextResponse(await request.body())

        @app.get("/gzip")
        def zipped():
            return HTMLResponse(self.zipped, headers={"Content-Encoding": "gzip"})

        app.get("/empty", status_code=204)(lambda: None)
        app.get("/unchanged")(lambda: Response(status_code=304))
        app.get("/redirect")(lambda: RedirectResponse("/"))
        app.get("/data", response_model=dict, response_class=JSONResponse)(
            lambda: {"a": 1}
        )

    def add_errors(self, app):
        @app.get("/error")
        def error():
            raise SiteError("someone@example.com")

        @app.get("/handled")
        def handled():
            raise HandledError("someone@example.com")

        @app.exception_handler(HandledError)
        def answered(request, error):
            return HTMLResponse(self.sorry, 500)

    def add_events(self, app):
        page = self.page

        @app.api_route("/events/function", methods=METHODS)
        @track_event("Basket", "function")
        def function():
            return page

        @app.get("/events/coroutine")
        @track_event("Basket", "coroutine")
        async def coroutine():
            return page

        class Plants:
            @track_event("Basket", "method")
            def method(self):
                return page

        @track_event("Basket", "generator")
        def pieces():
            yield page[:9]
            yield page[9:]

        @app.get("/events/background")
        def background(tasks: BackgroundTasks):
            tasks.add_task(track_event("Basket", "background")(lambda: None))
            return page

        app.get("/events/method")(Plants().method)
        app.get("/events/generator")(
            lambda: StreamingResponse(pieces(), media_type="text/html")
        )


@pytest.fixture
def app(tracker):
    app = FastAPI()
    app.add_middleware(TrackingMiddleware, tracker=tracker)
    return app


def test_a_decorated_handler_still_gets_its_arguments(app, sender):
    def basket_of(request: Request):
        return request.query_params["basket"]

    @app.post("/basket/{plant}")
    @track_event("Basket", "Add", label=lambda answer: answer["plant"])
    async def add(
        plant: str, basket: Annotated[str, Depends(basket_of)], count: int = 1
    ):
        return {"plant": plant, "basket": basket, "count": count}

    answer = Client("asgi", app).post("/basket/fern", query="basket=7&count=2")

    assert answer.body == b'{"plant":"fern","basket":"7","count":2}'
    [event] = sender.hits
    assert (event.category, event.action, event.label) == ("Basket", "Add", "fern")
    assert event.context.page.route == "/basket/{plant}"


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
def test_a_dependency_is_an_event(app, sender, kind):
    @track_event("Rule", "function")
    def function():
        return 1

    @track_event("Rule", "coroutine")
    async def coroutine():
        return 1

    @track_event("Rule", "generator")
    def generator():
        yield 1

    dependency = {"function": function, "coroutine": coroutine, "generator": generator}

    @app.get("/")
    def page(one: Annotated[int, Depends(dependency[kind])]):
        return HTMLResponse(f"<title>{one}</title>")

    answer = Client("asgi", app).get("/")

    assert answer.body == b"<title>1</title>"
    view, event = sender.hits
    assert (event.category, event.action) == ("Rule", kind)
    assert event.context == view.context


def test_work_in_the_background_may_track_by_hand(app, sender):
    @app.get("/")
    def page(tasks: BackgroundTasks):
        tasks.add_task(lambda: current().event("Mail", "Sent"))
        return HTMLResponse("<title>Thanks</title>")

    Client("asgi", app).get("/")

    view, event = sender.hits
    assert (event.category, event.context) == ("Mail", view.context)


def test_the_route_of_an_included_router_has_all_its_prefixes(app, sender):
    plants = APIRouter(prefix="/plants")
    plants.get("/{number}", response_class=HTMLResponse)(lambda number: "<p>")
    part = FastAPI()
    part.include_router(plants, prefix="/inner")
    app.include_router(plants, prefix="/shop")
    app.mount("/part", part)
    client = Client("asgi", app)

    for path in ("/shop/plants/4", "/part/inner/plants/4"):
        assert client.get(path).body == b"<p>"

    routes = [hit.context.page.route for hit in sender.hits]
    assert routes == ["/shop/plants/{number}", "/part/inner/plants/{number}"]


def test_a_request_that_fails_its_checks_is_no_event(app, sender):
    @app.get("/")
    @track_event("Basket", "Add")
    def page(count: int):
        return HTMLResponse("<p>")

    answer = Client("asgi", app).get("/", query="count=many")

    assert answer.status == 422
    assert sender.hits == []


def test_the_route_for_consent_is_one_of_fastapis(sender):
    tracker = Tracker(sender=sender, secret_key="a key for the tests")
    app = FastAPI()
    app.router.routes.append(consent_route(tracker))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
    }

    site = Client("asgi", app)
    answer = site.post("/consent", body=b"action=refuse", headers=headers)

    assert answer.status == 204
    assert site.cookies["cookie_status"] == "0"
    assert app.openapi()["paths"] == {}
