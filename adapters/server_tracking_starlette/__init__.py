"""Tie server-tracking to Starlette, and so to FastAPI.

app.add_middleware(TrackingMiddleware, tracker=tracker)
"""

from server_tracking import track_event, track_pageview
from server_tracking_starlette.endpoints import (
    PageViewEndpoint,
    consent_route,
    own_route,
)
from server_tracking_starlette.middleware import TrackingMiddleware
from server_tracking_starlette.parameters import get_default_parameters, get_title

__all__ = [
    "PageViewEndpoint",
    "TrackingMiddleware",
    "consent_route",
    "get_default_parameters",
    "get_title",
    "own_route",
    "track_event",
    "track_pageview",
]
