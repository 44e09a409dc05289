"""Falcon under ASGI, by the middleware."""

import falcon.asgi
from shop import ROUTES, tracker

from server_tracking.asgi import TrackingMiddleware


async def stream(pieces):
    for piece in pieces:
        yield piece


def resource_of(method, handler):
    class Page:
        async def answer(self, req, resp):
            status, headers, pieces = handler()
            resp.status = status
            resp.set_headers(headers)
            resp.stream = stream(pieces)

    setattr(Page, f"on_{method.lower()}", Page.answer)
    return Page()


site = falcon.asgi.App()
for _, method, url, handler in ROUTES:
    site.add_route(url, resource_of(method, handler))
app = TrackingMiddleware(site, tracker)
