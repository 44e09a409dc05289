"""Starlette with its adapter."""

from shop import ROUTES, tracker
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from server_tracking_starlette import TrackingMiddleware


def view_of(handler):
    async def view(request):
        status, headers, pieces = handler()
        return StreamingResponse(iter(pieces), status, headers)

    return view


app = Starlette(
    routes=[Route(url, view_of(handler), methods=[m]) for _, m, url, handler in ROUTES]
)
app.add_middleware(TrackingMiddleware, tracker=tracker)
