"""A Flask application, tracked: `flask --app flask_app run`.

Start the inspector (`server-tracking inspect`) beside it, and open
http://127.0.0.1:5000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os

from flask import Flask, redirect, render_template_string

from server_tracking import Tracker
from server_tracking_flask import ServerTracking, track_event

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
PAGE = """<!doctype html><title>{{ title }} - An example</title>
<style>body { font: 18px/1.6 system-ui; max-width: 40rem; margin: 3rem auto }</style>
<h1>{{ title }}</h1><p><a href="/">Home</a> <a href="/about">About</a></p>
<form method="post" action="/vote"><button>I like it</button></form>"""

app = Flask(__name__)


@app.get("/")
@app.get("/<name>")
def page(name="home"):
    # The title of the page view is the template's, without the site's name.
    return render_template_string(PAGE, title=name.title())


@app.post("/vote")
@track_event("Vote", "Like")
def vote():
    return redirect("/thanks", 303)


tracker = Tracker.from_env(
    {
        "SERVER_TRACKING_SYSTEMS": INSPECTOR,
        "SERVER_TRACKING_SECRET_KEY": "change me: any long random text",
        **os.environ,
    }
)
ServerTracking(app, tracker)
