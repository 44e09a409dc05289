"""Track each page view of a Django site, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest

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
        if self._is_async:
            return self._acall(request)
        response = serve(request, partial(self.get_response, request))
        _annotate_outer(request, response)
        return response

    async def _acall(self, request: HttpRequest) -> Any:
        response = await aserve(request, partial(self.get_response, request))
        _annotate_outer(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note an error before Django makes a response of it."""
        observation = observation_of(request)
        if observation is not None:
            observation.fail(exception)


def _annotate_outer(request: HttpRequest, response: Any) -> None:
    """Tell a WSGI or ASGI middleware around Django what only Django knows."""
    outer = observation_of(request)
    if outer is not None:
        annotate(outer, request, response)
