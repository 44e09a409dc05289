"""A plain WSGI application, tracked.

Start the inspector (`server-tracking inspect`), then this file, and open
http://127.0.0.1:8000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os
from wsgiref.simple_server import make_server

from server_tracking import Tracker, track_event
from server_tracking.wsgi import TrackingMiddleware

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
PAGE = """<!doctype html><title>{title}</title>
<style>body {{ font: 18px/1.6 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>{title}</h1><p><a href="/">Home</a> <a href="/about">About</a></p>
<form method="post" action="/vote"><button>I like it</button></form>"""


@track_event("Vote", "Like")
def vote():
    return "303 See Other", [("Location", "/thanks")], b""


def page(title):
    headers = [("Content-Type", "text/html; charset=utf-8")]
    return "200 OK", headers, PAGE.format(title=title).encode()


def site(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/vote" and environ["REQUEST_METHOD"] == "POST":
        status, headers, body = vote()
    else:
        status, headers, body = page(path.strip("/").title() or "Home")
    start_response(status, headers)
    return [body]


tracker = Tracker.from_env(
    {
        "SERVER_TRACKING_SYSTEMS": INSPECTOR,
        "SERVER_TRACKING_SECRET_KEY": "change me: any long random text",
        **os.environ,
    }
)
app = TrackingMiddleware(site, tracker)

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, app) as server:
        print("http://127.0.0.1:8000/")
        server.serve_forever()
