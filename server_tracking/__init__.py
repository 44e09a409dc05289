"""Server-side analytics for any Python web application.

Wrap a WSGI or ASGI application in the `TrackingMiddleware` of `server_tracking.wsgi`
or `server_tracking.asgi`, with a `Tracker` of the systems that shall hear of it.
"""

from server_tracking.decorators import track_event, track_pageview
from server_tracking.errors import (
    ConfigurationError,
    InvalidParametersError,
    TrackingError,
    TransportError,
)
from server_tracking.exchange import Request, Response
from server_tracking.explanation import Explanation
from server_tracking.extractor import (
    get_default_parameters,
    get_title,
    request_from,
)
from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Event,
    ExceptionHit,
    Hit,
    Item,
    Page,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    ScreenView,
    Session,
    Social,
    Timing,
    Visitor,
)
from server_tracking.observation import Observation, current
from server_tracking.reasons import Reason
from server_tracking.settings import Settings
from server_tracking.tracker import Tracker

__all__ = [
    "Campaign",
    "ConfigurationError",
    "Consent",
    "Context",
    "Device",
    "Event",
    "ExceptionHit",
    "Explanation",
    "Hit",
    "InvalidParametersError",
    "Item",
    "Observation",
    "Page",
    "PageView",
    "ProductAction",
    "Purchase",
    "Reason",
    "Refund",
    "Request",
    "Response",
    "ScreenView",
    "Session",
    "Settings",
    "Social",
    "Timing",
    "Tracker",
    "TrackingError",
    "TransportError",
    "Visitor",
    "current",
    "get_default_parameters",
    "get_title",
    "request_from",
    "track_event",
    "track_pageview",
]
