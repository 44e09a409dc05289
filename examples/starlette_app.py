"""A Starlette application, tracked: `uvicorn starlette_app:app`.

Start the inspector (`server-tracking inspect`) beside it, and open
http://127.0.0.1:8000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from server_tracking import Tracker
from server_tracking_starlette import TrackingMiddleware, track_event

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
PAGE = """<!doctype html><title>{title}</title>
<style>body {{ font: 18px/1.6 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>{title}</h1><p><a href="/">Home</a> <a href="/about">About</a></p>
<form method="post" action="/vote"><button>I like it</button></form>"""


async def page(request):
    name = request.path_params.get("name", "home")
    return HTMLResponse(PAGE.format(title=name.title()))


class Vote(HTTPEndpoint):
    @track_event("Vote", "Like")
    async def post(self, request):
        return RedirectResponse("/thanks", 303)


tracker = Tracker.from_env(
    {
        "SERVER_TRACKING_SYSTEMS": INSPECTOR,
        "SERVER_TRACKING_SECRET_KEY": "change me: any long random text",
        **os.environ,
    }
)
app = Starlette(
    routes=[Route("/", page), Route("/vote", Vote), Route("/{name:str}", page)],
    middleware=[Middleware(TrackingMiddleware, tracker=tracker)],
)
