"""Decorate a handler, so that calling it is an event or a page view."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import partial, wraps
from typing import Any, Literal, ParamSpec, Self, TypeVar

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Scalar
from server_tracking.observation import current, guarded
from server_tracking.tracker import Tracker

__all__ = ["track_event", "track_pageview"]

P = ParamSpec("P")
R = TypeVar("R")
When = Literal["success", "always"]
Record = Callable[[Any, bool], None]
Params = Mapping[str, Scalar]


def track_event(
    category: str,
    action: str | None = None,
    label: str | Callable[[Any], str | None] | None = None,
    value: float | Callable[[Any], float | None] | None = None,
    *,
    params: Params | Callable[[Any], Params | None] | None = None,
    when: When = "success",
    tracker: Tracker | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make each call of a handler an event.

    For functions, coroutines, methods and generators, of any framework; name,
    docstring and signature stay. *label*, *value* and *params* may be functions of
    the handler's result. A handler that raises is no event unless *when* is
    ``"always"``; functions of the result are not called then. Outside of a request
    the event goes to *tracker* if one is given, else nowhere.
    """
    _check("track_event", category, when)

    def record(result: Any, ended_well: bool) -> None:
        target = current() or tracker
        if target is None:
            return

        def told(given: Any) -> Any:
            if callable(given):
                return given(result) if ended_well else None
            return given

        def tell() -> None:
            target.event(
                category, action, told(label), told(value), params=told(params)
            )

        owner = target if isinstance(target, Tracker) else target.tracker
        guarded(owner, None, tell)

    return _recording(record, when)


def track_pageview(
    title: str | Callable[[Any], str | None] | None = None,
    *,
    when: When = "success",
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make the request that a handler serves a page view, whatever its kind.

    Counted once, beside the middleware too. *title* may be a function of the
    handler's result. Outside of a request nothing happens.
    """
    _check("track_pageview", title if isinstance(title, str) else "page", when)

    def record(result: Any, ended_well: bool) -> None:
        here = current()
        if here is None:
            return

        def tell() -> None:
            name = title
            if callable(name):
                name = name(result) if ended_well else None
            here.pageview(name)

        guarded(here.tracker, None, tell)

    return _recording(record, when)


def _check(decorator: str, text: object, when: object) -> None:
    if not isinstance(text, str):
        raise ConfigurationError(
            f"@{decorator} takes a string first, not {type(text).__name__}: "
            f"write @{decorator}(...), with brackets."
        )
    if when not in ("success", "always"):
        raise ConfigurationError(
            f"@{decorator}: when={when!r} was given; accepted are 'success' and "
            "'always'.",
            option="when",
        )


def _recording(
    record: Record, when: When
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Call *record* with the result of each call, in the way of the handler's kind."""

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        tracked: Callable[P, R] = _tracked(handler, record, when == "always")
        return tracked

    return decorate


def _tracked(handler: Any, record: Record, always: bool) -> Any:
    if isinstance(handler, staticmethod | classmethod):
        return type(handler)(_tracked(handler.__func__, record, always))
    if isinstance(handler, type):
        raise ConfigurationError(
            f"A class, {handler.__name__}, is no handler: decorate its methods."
        )
    # An object that can be called is of the kind of its method.
    kind = handler if inspect.isroutine(handler) else _called(handler)
    if inspect.isasyncgenfunction(kind):
        return _async_generator(handler, record, always)
    if inspect.iscoroutinefunction(kind):
        return _coroutine(handler, record, always)
    if inspect.isgeneratorfunction(kind):
        return _generator(handler, record, always)
    return _function(handler, record, always)


def _called(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Find the function behind a `functools.partial` or an object with `__call__`."""
    while isinstance(handler, partial):
        handler = handler.func
    if inspect.isroutine(handler):
        return handler
    method: Callable[..., Any] = type(handler).__call__
    return method


class _Recorded:
    """Record how the block within ends; its *result* is set by the block."""

    __slots__ = ("_always", "_record", "result")

    def __init__(self, record: Record, always: bool) -> None:
        self._record = record
        self._always = always
        self.result: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._record(self.result, True)
        elif self._always:
            self._record(None, False)


def _function(handler: Callable[P, R], record: Record, always: bool) -> Callable[P, R]:
    @wraps(handler)
    def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
        with _Recorded(record, always) as call:
            call.result = result = handler(*args, **kwargs)
        return result

    return tracked


def _coroutine(
    handler: Callable[..., Any], record: Record, always: bool
) -> Callable[..., Any]:
    @wraps(handler)
    async def tracked(*args: Any, **kwargs: Any) -> Any:
        with _Recorded(record, always) as call:
            call.result = await handler(*args, **kwargs)
        return call.result

    return tracked


def _generator(
    handler: Callable[..., Generator[Any, Any, Any]], record: Record, always: bool
) -> Callable[..., Generator[Any, Any, Any]]:
    @wraps(handler)
    def tracked(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with _Recorded(record, always) as call:
            call.result = yield from handler(*args, **kwargs)
        return call.result

    return tracked


def _async_generator(
    handler: Callable[..., AsyncGenerator[Any, Any]], record: Record, always: bool
) -> Callable[..., AsyncGenerator[Any, Any]]:
    @wraps(handler)
    async def tracked(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with _Recorded(record, always):
            inner = handler(*args, **kwargs)
            try:
                item = await anext(inner)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001 - for the handler
                        item = await inner.athrow(error)
                    else:
                        item = await inner.asend(sent)
            except StopAsyncIteration:
                pass

    return tracked
