"""Track each page view of a Django site, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest

from server_tracking import Observation
from server_tracking_django.conf import get_tracker
from server_tracking_django.shell import annotate, aserve, observation_of, serve

__all__ = ["PageViewMiddleware"]


class PageViewMiddleware:
    """List it first in `MIDDLEWARE`: before what answers from a cache.

    Each page view and each event is sent when its response is closed. It is
    asynchronous where the rest is, and costs no thread there.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        get_tracker()  # wrong settings shall stop the start, not the first visitor

    def __call__(self, request: HttpRequest) -> Any:
        """Answer *request*, observed."""
        outer = observation_of(request)
        if outer is not None:
            annotated = _annotated_async if self._is_async else _annotated
            return annotated(outer, self.get_response, request)
        answer = aserve if self._is_async else serve
        return answer(request, self.get_response, request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note an error before Django makes a response of it."""
        observation = observation_of(request)
        if observation is not None:
            observation.fail(exception)


def _annotated(
    outer: Observation, get_response: Callable[[HttpRequest], Any], request: HttpRequest
) -> Any:
    """Tell a WSGI or ASGI middleware around Django what only Django knows."""
    response = get_response(request)
    annotate(outer, request, response)
    return response


async def _annotated_async(
    outer: Observation, get_response: Callable[[HttpRequest], Any], request: HttpRequest
) -> Any:
    response = await get_response(request)
    annotate(outer, request, response)
    return response
