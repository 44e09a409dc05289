"""Make calls of a handler events: `track_event`, for all that Django has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

import server_tracking
from server_tracking import Tracker
from server_tracking_django.shell import aserve, serve

__all__ = ["track_event"]

P = ParamSpec("P")
R = TypeVar("R")
Params = Mapping[str, Any]


def track_event(
    category: str,
    action: str | None = None,
    label: str | Callable[[Any], str | None] | None = None,
    value: float | Callable[[Any], float | None] | None = None,
    *,
    params: Params | Callable[[Any], Params | None] | None = None,
    when: Literal["success", "always"] = "success",
    tracker: Tracker | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make each call of a handler an event, as `server_tracking.track_event` does.

    For methods of class-based views and view sets, function views, coroutines, and
    any function that is called during a request. Where neither the middleware nor the
    mixin observes the request, that of the view itself is taken.
    """
    decorate = server_tracking.track_event(
        category, action, label, value, params=params, when=when, tracker=tracker
    )

    def decorated(handler: Callable[P, R]) -> Callable[P, R]:
        observing: Callable[P, R] = _observing(handler, decorate)
        return observing

    return decorated


def _observing(handler: Any, decorate: Callable[[Any], Any]) -> Any:
    if not inspect.isfunction(handler) or _yields(handler):
        return decorate(handler)
    if iscoroutinefunction(handler):
        tracked = decorate(_coroutine_function(handler))

        @wraps(handler)
        async def observed_async(*args: Any, **kwargs: Any) -> Any:
            request = _request_in(args)
            if request is None:
                return await tracked(*args, **kwargs)
            call = lambda: tracked(*args, **kwargs)  # noqa: E731
            return await aserve(request, call, events_only=True)

        return observed_async
    tracked = decorate(handler)

    @wraps(handler)
    def observed(*args: Any, **kwargs: Any) -> Any:
        request = _request_in(args)
        if request is None:
            return tracked(*args, **kwargs)
        call = lambda: tracked(*args, **kwargs)  # noqa: E731
        return serve(request, call, events_only=True)

    return observed


def _yields(handler: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)


def _coroutine_function(handler: Any) -> Any:
    """Make one of what only says that it is, as `View.as_view()` of async views."""
    if inspect.iscoroutinefunction(handler):
        return handler

    @wraps(handler)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await handler(*args, **kwargs)

    return awaited


def _request_in(args: tuple[Any, ...]) -> HttpRequest | None:
    """Find the request: the first argument, or that of the view that comes first."""
    for given in args[:2]:
        request = getattr(given, "request", given)
        request = getattr(request, "_request", request)  # Django REST framework
        if isinstance(request, HttpRequest):
            return request
    return None
