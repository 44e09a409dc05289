"""Bottle, by the WSGI middleware."""

from bottle import Bottle, HTTPResponse
from shop import ROUTES, tracker

from server_tracking.wsgi import TrackingMiddleware

site = Bottle()


def view_of(handler):
    def view():
        status, headers, pieces = handler()
        return HTTPResponse(iter(pieces), status, headers)

    return view


for _, method, url, handler in ROUTES:
    site.route(url, method, view_of(handler))
app = TrackingMiddleware(site, tracker)
