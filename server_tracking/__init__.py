"""Server-side analytics for any Python web application.

Wrap a WSGI or ASGI application in the `TrackingMiddleware` of `server_tracking.wsgi`
or `server_tracking.asgi`, with a `Tracker` of the systems that shall hear of it.
"""

TYPE_CHECKING = False  # typing, which type checkers ask for, takes 3 ms to import

if TYPE_CHECKING:
    from server_tracking.contexts import get_default_parameters
    from server_tracking.decorators import track_event, track_pageview
    from server_tracking.errors import (
        ConfigurationError,
        InvalidParametersError,
        TrackingError,
        TransportError,
    )
    from server_tracking.exchange import Request, Response
    from server_tracking.explanation import Explanation
    from server_tracking.extractor import get_title, request_from
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

# A name is loaded when it is first asked for (PEP 562): pytest, which loads plugins of
# whatever is installed, the commands and Celery's workers import few of them.
_MODULES = {
    "Campaign": "hits",
    "ConfigurationError": "errors",
    "Consent": "hits",
    "Context": "hits",
    "Device": "hits",
    "Event": "hits",
    "ExceptionHit": "hits",
    "Explanation": "explanation",
    "Hit": "hits",
    "InvalidParametersError": "errors",
    "Item": "hits",
    "Observation": "observation",
    "Page": "hits",
    "PageView": "hits",
    "ProductAction": "hits",
    "Purchase": "hits",
    "Reason": "reasons",
    "Refund": "hits",
    "Request": "exchange",
    "Response": "exchange",
    "ScreenView": "hits",
    "Session": "hits",
    "Settings": "settings",
    "Social": "hits",
    "Timing": "hits",
    "Tracker": "tracker",
    "TrackingError": "errors",
    "TransportError": "errors",
    "Visitor": "hits",
    "current": "observation",
    "get_default_parameters": "contexts",
    "get_title": "extractor",
    "request_from": "extractor",
    "track_event": "decorators",
    "track_pageview": "decorators",
}

if not TYPE_CHECKING:  # which would take any name to be there

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
