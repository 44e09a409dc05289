"""What a Flask request tells about a hit, with the middleware and without it."""

from __future__ import annotations

from flask import Request, Response

import server_tracking
from server_tracking import Context, Settings, Tracker, current
from server_tracking.observation import OBSERVED
from server_tracking_flask.extension import noted_title

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
    and session need. In an application that is tracked, the context is that of the
    page view, and the cookies are set with it; elsewhere the settings of *tracker*
    count, with the ids that tags of its systems have given the visitor, or *settings*.
    """
    here = current() if OBSERVED in request.environ else None
    if here is not None:
        if response is not None:
            here.note(title=get_title(response))
        return here.context
    known = settings if tracker is None else tracker.settings
    neutral = server_tracking.request_from(request.environ, settings=known)
    if response is None:
        return server_tracking.get_default_parameters(
            neutral, settings=settings, tracker=tracker
        )
    answer = _neutral(response)
    before = len(answer.headers)
    context = server_tracking.get_default_parameters(
        neutral, answer, title=noted_title(), settings=settings, tracker=tracker
    )
    for name, value in answer.headers[before:]:
        response.headers.add(name, value)
    return context


def get_title(response: Response) -> str | None:
    """Find the title of *response*: in the template's context, or in its HTML."""
    return noted_title() or server_tracking.get_title(_neutral(response))


def _neutral(response: Response) -> server_tracking.Response:
    body = response.response if response.is_sequence else None
    pieces = [p.encode() if isinstance(p, str) else p for p in body or ()]
    return server_tracking.Response(
        response.status_code, list(response.headers), pieces
    )
