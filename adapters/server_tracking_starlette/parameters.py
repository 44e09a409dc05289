"""What a Starlette request tells about a hit, with the middleware and without it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

import server_tracking
from server_tracking import Context, Settings, Tracker, current
from server_tracking.observation import OBSERVED

__all__ = ["get_default_parameters", "get_title"]


def get_default_parameters(
    request: Request,
    response: Response | None = None,
    *,
    settings: Settings | None = None,
    tracker: Tracker | None = None,
) -> Context:
    """Extract all that *request* tells about a hit.

    Given the *response* too, its title is found, and it gets the cookies that identity
    and session need. Behind the middleware, the context is that of the page view, and
    the middleware sets the cookies; elsewhere the settings of *tracker* count, with
    the ids that tags of its systems have given the visitor, or *settings*.
    """
    here = current() if OBSERVED in request.scope else None
    if here is not None:
        if response is not None:
            here.note(title=get_title(response))
        return here.context
    known = settings if tracker is None else tracker.settings
    neutral = server_tracking.request_from(request.scope, settings=known)
    if response is None:
        return server_tracking.get_default_parameters(
            neutral, settings=settings, tracker=tracker
        )
    answer = _neutral(response)
    before = len(answer.headers)
    context = server_tracking.get_default_parameters(
        neutral, answer, title=_title_told(response), settings=settings, tracker=tracker
    )
    for name, value in answer.headers[before:]:
        response.headers.append(name, value)
    return context


def get_title(response: Response) -> str | None:
    """Find the title of *response*: in the template's context, or in its HTML."""
    return _title_told(response) or server_tracking.get_title(_neutral(response))


def _title_told(response: Response) -> str | None:
    title = (getattr(response, "context", None) or {}).get("title")
    return str(title) if title else None


def _neutral(response: Response) -> server_tracking.Response:
    body = getattr(response, "body", None)  # what is streamed has none
    return server_tracking.Response(
        response.status_code, list(response.headers.items()), body
    )
