"""A plain ASGI application, tracked: `uvicorn asgi_app:app`.

Start the inspector (`server-tracking inspect`) beside it, and open
http://127.0.0.1:8000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os

from server_tracking import Tracker, track_event
from server_tracking.asgi import TrackingMiddleware

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
PAGE = """<!doctype html><title>{title}</title>
<style>body {{ font: 18px/1.6 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>{title}</h1><p><a href="/">Home</a> <a href="/about">About</a></p>
<form method="post" action="/vote"><button>I like it</button></form>"""


@track_event("Vote", "Like")
async def vote():
    return 303, [(b"location", b"/thanks")], b""


async def page(title):
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    return 200, headers, PAGE.format(title=title).encode()


async def site(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    path = scope["path"]
    if path == "/vote" and scope["method"] == "POST":
        status, headers, body = await vote()
    else:
        status, headers, body = await page(path.strip("/").title() or "Home")
    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive, send):
    """Send what is left when the server stops."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await tracker.aflush(5)
    await send({"type": "lifespan.shutdown.complete"})


tracker = Tracker.from_env(
    {
        "SERVER_TRACKING_SYSTEMS": INSPECTOR,
        "SERVER_TRACKING_SECRET_KEY": "change me: any long random text",
        **os.environ,
    }
)
app = TrackingMiddleware(site, tracker)
