"""Falcon under WSGI, by the middleware."""

import falcon
from shop import ROUTES, tracker

from server_tracking.wsgi import TrackingMiddleware


def resource_of(method, handler):
    class Page:
        def answer(self, req, resp):
            status, headers, pieces = handler()
            resp.status = status
            resp.set_headers(headers)
            resp.stream = iter(pieces)

    setattr(Page, f"on_{method.lower()}", Page.answer)
    return Page()


site = falcon.App()
for _, method, url, handler in ROUTES:
    site.add_route(url, resource_of(method, handler))
app = TrackingMiddleware(site, tracker)
