"""Quart, by the ASGI middleware."""

from quart import Quart, Response
from shop import ROUTES, tracker

from server_tracking.asgi import TrackingMiddleware

app = Quart(__name__)


def view_of(handler):
    async def view():
        status, headers, pieces = handler()
        return Response(iter(pieces), status, headers)

    return view


for name, method, url, handler in ROUTES:
    app.add_url_rule(url, name, view_of(handler), methods=[method])
app.asgi_app = TrackingMiddleware(app.asgi_app, tracker)
