"""FastAPI with Starlette's adapter."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from shop import ROUTES, tracker

from server_tracking_starlette import TrackingMiddleware

app = FastAPI()


def view_of(handler):
    def view():
        status, headers, pieces = handler()
        return StreamingResponse(iter(pieces), status, headers)

    return view


for _, method, url, handler in ROUTES:
    app.add_api_route(url, view_of(handler), methods=[method])
app.add_middleware(TrackingMiddleware, tracker=tracker)
