"""Build hits by hand: what a request tells, and the title of a response."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase

import server_tracking
from server_tracking import Context, Response
from server_tracking_django.conf import get_tracker
from server_tracking_django.shell import annotate, neutral_request, observation_of
from server_tracking_django.titles import (
    ContextTitleExtractor,
    ViewTitleExtractor,
    title_told,
)

__all__ = [
    "ContextTitleExtractor",
    "ViewTitleExtractor",
    "get_default_parameters",
    "get_title",
]


def get_default_parameters(
    request: HttpRequest, response: HttpResponseBase | None = None
) -> Context:
    """Extract all that *request* tells about a hit, for ``get_tracker().event(...)``.

    Given the *response* too, its title is found, and it gets the cookies that
    identity and session need. Where the middleware observes the request, the context
    is that of its page view, and the cookies are set by it.
    """
    observation = observation_of(request)
    if observation is not None:
        if response is not None:
            annotate(observation, request, response)
        return observation.context
    tracker = get_tracker()
    neutral = neutral_request(request, tracker.extractor.address_rule)
    if response is None:
        return server_tracking.get_default_parameters(neutral, tracker=tracker)
    answer = _neutral_response(response)
    given = len(answer.headers)
    context = server_tracking.get_default_parameters(
        neutral, answer, title=title_told(response), tracker=tracker
    )
    for _, cookie in answer.headers[given:]:
        response.cookies.load(cookie)
    return context


def get_title(response: HttpResponseBase) -> str | None:
    """Find the title of *response*: by ``django_title_extractors``, then in its HTML."""
    return title_told(response) or server_tracking.get_title(
        _neutral_response(response)
    )


def _neutral_response(response: HttpResponseBase) -> Response:
    body = None
    if isinstance(response, HttpResponse) and getattr(response, "is_rendered", True):
        body = response.content
    return Response(response.status_code, list(response.items()), body)
