"""Tie server-tracking to Flask.

tracking = ServerTracking()

def create_app():
    app = Flask(__name__)
    app.config.from_mapping(SERVER_SIDE_TRACKING_GA={"property": "G-XXXXXXX", ...})
    tracking.init_app(app)
    return app
"""

from server_tracking import track_event, track_pageview
from server_tracking_flask.endpoints import consent, own
from server_tracking_flask.extension import ServerTracking
from server_tracking_flask.parameters import get_default_parameters, get_title

__all__ = [
    "ServerTracking",
    "consent",
    "get_default_parameters",
    "get_title",
    "own",
    "track_event",
    "track_pageview",
]
