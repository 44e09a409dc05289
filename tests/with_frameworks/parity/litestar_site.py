"""Litestar, by the ASGI middleware."""

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from shop import ROUTES, tracker

from server_tracking.asgi import TrackingMiddleware


def route_of(method, url, handler):
    async def view() -> Stream:
        status, headers, pieces = handler()
        kind = headers.get("content-type")
        rest = {k: v for k, v in headers.items() if k != "content-type"}
        return Stream(iter(pieces), status_code=status, headers=rest, media_type=kind)

    return HTTPRouteHandler(url, http_method=method)(view)


site = Litestar([route_of(method, url, handler) for _, method, url, handler in ROUTES])
app = TrackingMiddleware(site, tracker)
