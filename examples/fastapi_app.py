"""A FastAPI application, tracked: `uvicorn fastapi_app:app`.

Start the inspector (`server-tracking inspect`) beside it, and open
http://127.0.0.1:8000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from server_tracking import Tracker
from server_tracking_starlette import TrackingMiddleware, track_event

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
PAGE = """<!doctype html><title>{title}</title>
<style>body {{ font: 18px/1.6 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>{title}</h1><p><a href="/">Home</a> <a href="/about">About</a></p>
<form method="post" action="/vote"><button>I like it</button></form>"""

app = FastAPI()


@app.get("/", response_class=HTMLResponse)
@app.get("/{name}", response_class=HTMLResponse)
async def page(name: str = "home"):
    return PAGE.format(title=name.title())


@app.post("/vote")
async def vote(tasks: BackgroundTasks):
    tasks.add_task(count_vote)
    return RedirectResponse("/thanks", 303)


# Work after the answer is an event of the same visitor.
@track_event("Vote", "Like")
def count_vote():
    print("One more likes it.")


tracker = Tracker.from_env(
    {
        "SERVER_TRACKING_SYSTEMS": INSPECTOR,
        "SERVER_TRACKING_SECRET_KEY": "change me: any long random text",
        **os.environ,
    }
)
app.add_middleware(TrackingMiddleware, tracker=tracker)
