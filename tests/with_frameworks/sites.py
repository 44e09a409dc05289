"""One small site in several frameworks, each wrapped in one line.

Served by real servers in processes of their own (`test_servers.py`). The tracker is
configured by the environment alone.
"""

from bottle import Bottle, HTTPResponse
from fastapi import FastAPI
from fastapi.responses import HTMLResponse as FastAPIPage
from fastapi.responses import RedirectResponse as FastAPIRedirect
from fastapi.responses import StreamingResponse as FastAPIStream
from pyramid.config import Configurator
from pyramid.response import Response as PyramidResponse
from starlette.applications import Starlette
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    StreamingResponse,
)
from starlette.routing import Route

from server_tracking import Tracker, track_event
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware
from server_tracking.wsgi import TrackingMiddleware as WSGIMiddleware

HTML = "text/html; charset=utf-8"
HOME = "<!doctype html><title>Plants &amp; more</title><h1>Plants</h1>"
FERN = "<!doctype html><title>Boston fern, 日本</title><h1>Fern</h1>"
MISSING = "<!doctype html><title>Nowhere</title>"
CARE = ["<!doctype html><ti", "tle>How to ca", "re</title>", "<p>Water."]
DATA = '{"fern": 4}'

tracker = Tracker.from_env()


@track_event("Basket", "Add", "fern", 19.5)
def add():
    return "/"


# Plain WSGI


def plain_wsgi_site(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    page = {"/": HOME, "/plants/fern": FERN}.get(path)
    if (method, path) == ("POST", "/basket"):
        start_response("303 See Other", [("Location", add())])
        return [b""]
    if path == "/care":
        start_response("200 OK", [("Content-Type", HTML)])
        return (piece.encode() for piece in CARE)
    if path == "/data.json":
        start_response("200 OK", [("Content-Type", "application/json")])
        return [DATA.encode()]
    start_response("200 OK" if page else "404 Not Found", [("Content-Type", HTML)])
    return [(page or MISSING).encode()]


plain_wsgi = WSGIMiddleware(plain_wsgi_site, tracker)


# Bottle

bottle_site = Bottle()


@bottle_site.get("/")
def bottle_home():
    return HOME


@bottle_site.get("/plants/fern")
def bottle_fern():
    return FERN


@bottle_site.post("/basket")
def bottle_basket():
    raise HTTPResponse(status=303, headers={"Location": add()})


@bottle_site.get("/care")
def bottle_care():
    yield from (piece.encode() for piece in CARE)


@bottle_site.get("/data.json")
def bottle_data():
    return {"fern": 4}


@bottle_site.error(404)
def bottle_missing(error):
    return MISSING


bottle = WSGIMiddleware(bottle_site, tracker)


# Pyramid


def pyramid_site():
    with Configurator() as config:
        views = {
            "home": ("/", lambda r: PyramidResponse(HOME)),
            "fern": ("/plants/fern", lambda r: PyramidResponse(FERN)),
            "care": (
                "/care",
                lambda r: PyramidResponse(
                    app_iter=(piece.encode() for piece in CARE),
                    content_type="text/html",
                ),
            ),
            "data": ("/data.json", lambda r: PyramidResponse(json={"fern": 4})),
            "basket": (
                "/basket",
                lambda r: PyramidResponse(status=303, headers={"Location": add()}),
            ),
        }
        for name, (pattern, view) in views.items():
            config.add_route(name, pattern)
            config.add_view(view, route_name=name)
        config.add_notfound_view(lambda r: PyramidResponse(MISSING, status=404))
        return config.make_wsgi_app()


pyramid = WSGIMiddleware(pyramid_site(), tracker)


# Plain ASGI


async def plain_asgi_site(scope, receive, send):
    if scope["type"] != "http":
        return
    method, path = scope["method"], scope["path"]

    async def answer(status, *pieces, kind=HTML, location=None):
        headers = [(b"content-type", kind.encode())]
        if location:
            headers = [(b"location", location.encode())]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        for piece in pieces:
            body = {"type": "http.response.body", "body": piece.encode()}
            await send({**body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    page = {"/": HOME, "/plants/fern": FERN}.get(path)
    if (method, path) == ("POST", "/basket"):
        await answer(303, "", location=add())
    elif path == "/care":
        await answer(200, *CARE)
    elif path == "/data.json":
        await answer(200, DATA, kind="application/json")
    else:
        await answer(200 if page else 404, page or MISSING)


plain_asgi = ASGIMiddleware(plain_asgi_site, tracker)


# Starlette


async def starlette_stream():
    for piece in CARE:
        yield piece


async def starlette_missing(request, error):
    return HTMLResponse(MISSING, 404)


starlette_site = Starlette(
    routes=[
        Route("/", lambda r: HTMLResponse(HOME)),
        Route("/plants/fern", lambda r: HTMLResponse(FERN)),
        Route("/basket", lambda r: RedirectResponse(add(), 303), methods=["POST"]),
        Route(
            "/care",
            lambda r: StreamingResponse(starlette_stream(), media_type="text/html"),
        ),
        Route("/data.json", lambda r: JSONResponse({"fern": 4})),
    ],
    exception_handlers={404: starlette_missing},
)
starlette = ASGIMiddleware(starlette_site, tracker)


# FastAPI

fastapi_site = FastAPI(exception_handlers={404: starlette_missing})


@fastapi_site.get("/", response_class=FastAPIPage)
def fastapi_home():
    return HOME


@fastapi_site.get("/plants/fern", response_class=FastAPIPage)
async def fastapi_fern():
    return FERN


@fastapi_site.post("/basket")
@track_event("Basket", "Add", "fern", 19.5)
async def fastapi_basket(plant: str = "fern"):
    assert plant == "fern"
    return FastAPIRedirect("/", 303)


@fastapi_site.get("/care")
def fastapi_care():
    return FastAPIStream(starlette_stream(), media_type="text/html")


@fastapi_site.get("/data.json")
def fastapi_data():
    return {"fern": 4}


fastapi = ASGIMiddleware(fastapi_site, tracker)
