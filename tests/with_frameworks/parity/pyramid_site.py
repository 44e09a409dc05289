"""Pyramid, by the WSGI middleware."""

from pyramid.config import Configurator
from pyramid.response import Response
from shop import ROUTES, tracker

from server_tracking.wsgi import TrackingMiddleware


def view_of(handler):
    def view(request):
        status, headers, pieces = handler()
        return Response(app_iter=iter(pieces), status=status, headers=headers)

    return view


with Configurator() as config:
    for name, method, url, handler in ROUTES:
        config.add_route(name, url)
        config.add_view(view_of(handler), route_name=name, request_method=method)
    app = TrackingMiddleware(config.make_wsgi_app(), tracker)
