"""Flask with its adapter."""

from flask import Flask, Response
from shop import ROUTES, tracker

from server_tracking_flask import ServerTracking

app = Flask(__name__)


def view_of(handler):
    def view():
        status, headers, pieces = handler()
        return Response(iter(pieces), status, headers)

    return view


for name, method, url, handler in ROUTES:
    app.add_url_rule(url, name, view_of(handler), methods=[method])
ServerTracking(app, tracker)
