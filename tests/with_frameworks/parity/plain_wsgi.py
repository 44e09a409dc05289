"""No framework, WSGI."""

from shop import BY_PATH, HTML, tracker

from server_tracking.wsgi import TrackingMiddleware


def missing():
    return 404, HTML, [b"<title>Nowhere</title>"]


def site(environ, start_response):
    asked = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    status, headers, pieces = BY_PATH.get(asked, missing)()
    start_response(f"{status} Status", list(headers.items()))
    return iter(pieces)


app = TrackingMiddleware(site, tracker)
