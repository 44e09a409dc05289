"""Drive an observation through Django's requests and responses, sync and async.

The middleware, the mixin and the decorator all come here. A request is observed
once, by whoever comes first, a WSGI or ASGI middleware around Django included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache, partial
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    SuspiciousOperation,
)
from django.core.signals import setting_changed
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse

from server_tracking import Observation, Request, current
from server_tracking.exchange import (
    AddressRule,
    public_host,
    request_from_environ,
    request_from_scope,
)
from server_tracking.observation import OBSERVED, guarded
from server_tracking.tracker import collector
from server_tracking_django.conf import get_configuration, get_tracker
from server_tracking_django.titles import title_told

__all__ = ["annotate", "aserve", "neutral_request", "observation_of", "serve"]

R = TypeVar("R")

# What Django answers by itself when a view raises it; all else becomes 500.
_ANSWERED: tuple[tuple[type[Exception], int], ...] = (
    (Http404, 404),
    (PermissionDenied, 403),
    (SuspiciousOperation, 400),
    (BadRequest, 400),
)


def serve(
    request: HttpRequest,
    call: Callable[..., R],
    *given: HttpRequest,
    events_only: bool = False,
) -> R:
    """Return what *call* makes of what is *given*, observed unless it already is."""
    observation = _begin(request, events_only)
    if observation is None:
        return call(*given)
    try:
        response = call(*given)
    except BaseException as error:
        _fail(observation, error)
        observation.close()
        observation.release()
        raise
    _take(observation, request, response)
    collector.set(None)
    return response


async def aserve(
    request: HttpRequest,
    call: Callable[..., Awaitable[R]],
    *given: HttpRequest,
    events_only: bool = False,
) -> R:
    """Return what awaiting *call* makes of what is *given*, as `serve` does."""
    observation = _begin(request, events_only)
    if observation is None:
        return await call(*given)
    try:
        response = await call(*given)
    except BaseException as error:
        _fail(observation, error)
        await _close(observation)
        raise
    _take(observation, request, response)
    collector.set(None)
    return response


def _begin(request: HttpRequest, events_only: bool) -> Observation | None:
    """Begin to observe *request*; None if something does already."""
    source = _source_of(request)
    if OBSERVED in source:
        return None
    source[OBSERVED] = True
    observation = Observation(get_tracker(), request, neutral_request)
    observation.events_only = events_only
    # Set anew for each request: a server may hand on the context of the last.
    collector.set(observation)
    return observation


def observation_of(request: HttpRequest) -> Observation | None:
    """Return the observation of *request*, if something observes it."""
    return current() if OBSERVED in _source_of(request) else None


def _take(observation: Observation, request: HttpRequest, response: object) -> None:
    """Take the answer of *request*, or what a handler of no answer has returned."""
    if not isinstance(response, HttpResponseBase):
        observation.close()
        observation.release()
    elif isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        # Later middleware may still change what the template gets.
        response.add_post_render_callback(
            lambda rendered: _finish(observation, request, rendered)
        )
    else:
        _finish(observation, request, response)


def _fail(observation: Observation, error: BaseException) -> None:
    """Take an *error* that a view raised."""
    observation.fail(error)
    for kind, status in _ANSWERED:
        if isinstance(error, kind):
            observation.respond(status, [])
            return


def annotate(
    observation: Observation, request: HttpRequest, response: HttpResponseBase
) -> None:
    """Note what only Django knows: the title in the context, the route, the user."""
    guarded(observation.tracker, None, _annotate, observation, request, response)


def neutral_request(request: HttpRequest, address_rule: AddressRule) -> Request:
    """View Django's *request* as the library does."""
    scope = getattr(request, "scope", None)
    if scope is None:
        neutral = request_from_environ(request.META, address_rule)
        # Django writes it into the environ decoded, against PEP 3333.
        neutral.path_info = request.path_info
    else:
        neutral = request_from_scope(scope, address_rule)
    if not request.path.isascii() or _has_other_address():
        _ = neutral.path  # the parts of the URL are read together
        neutral.path = request.path
        neutral.scheme = scheme = request.scheme or neutral.scheme
        neutral.host = public_host(_host_of(request), scheme)
    return neutral


@cache
def _has_other_address() -> bool:
    """Tell whether the settings name what neither environ nor scope knows."""
    # Django's settings take 0.2 µs to read, each.
    return bool(
        settings.SECURE_PROXY_SSL_HEADER
        or settings.USE_X_FORWARDED_HOST
        or settings.FORCE_SCRIPT_NAME is not None
    )


def _forget(**_: object) -> None:
    _has_other_address.cache_clear()


setting_changed.connect(_forget, dispatch_uid="server_tracking_django.shell")


def _source_of(request: HttpRequest) -> Any:
    """Return what the server made of the request: ASGI's scope, WSGI's environ."""
    scope = getattr(request, "scope", None)
    return request.META if scope is None else scope


def _host_of(request: HttpRequest) -> str | None:
    try:
        return request.get_host()
    except DisallowedHost:
        return None


def _finish(observation: Observation, request: HttpRequest, response: Any) -> None:
    told = observation.attentive
    if told:
        annotate(observation, request, response)
        head = list(response.items())
        for _, cookie in observation.respond(response.status_code, head):
            response.cookies.load(cookie)
    body = None
    if response.streaming:
        _look_at_stream(observation, response)
    elif observation.wants_body:
        # Taken as it is now, before others compress it, and read when the visitor has it.
        body = response.content
    tell = None if told else partial(annotate, observation, request, response)
    _end_with(response, request, partial(_end, observation, body, tell))


def _end(
    observation: Observation,
    body: bytes | None,
    tell: Callable[[], None] | None,
    close: Callable[[], None],
) -> None:
    """End an answer by *close*, and what was observed after it.

    What there was no need to *tell* there is if an event has come since.
    """
    collector.set(observation)
    if body is not None:
        observation.feed(body)
    try:
        close()
    finally:
        if tell is not None and observation.attentive:
            tell()
        observation.close()
        observation.release()


def _end_with(
    response: Any, request: Any, end: Callable[[Callable[[], None]], None]
) -> None:
    """Have *end* called when *response* is closed, with what would close it.

    If a middleware gives another answer in its place, as 304, nobody closes it; Django
    closes the request then. There is no hook for either; it does the same with files.
    """
    close_response, close_request = response.close, request.close

    # Each takes itself off: what is left would be memory that only the garbage
    # collector frees, since response and request hold it, and it them.
    def closed() -> None:
        vars(response).pop("close", None)
        vars(request).pop("close", None)
        end(close_response)

    def request_closed() -> None:
        vars(request).pop("close", None)
        if vars(response).pop("close", None) is not None:
            end(close_request)
        else:
            close_request()

    response.close, request.close = closed, request_closed


def _look_at_stream(observation: Observation, response: Any) -> None:
    # Files go out by the server's own means, which another iterator would prevent.
    if getattr(response, "file_to_stream", None) is None:
        pieces = response.streaming_content
        look = _observed_async if response.is_async else _observed
        response.streaming_content = look(observation, pieces)


def _observed(observation: Observation, pieces: Iterator[bytes]) -> Iterator[bytes]:
    collector.set(observation)
    try:
        for piece in pieces:
            if observation.wants_body:
                observation.feed(piece)
            yield piece
            # A server may run another request on this thread between two pieces.
            collector.set(observation)
    except BaseException as error:
        observation.fail(error)
        raise


async def _observed_async(
    observation: Observation, pieces: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    collector.set(observation)
    try:
        async for piece in pieces:
            if observation.wants_body:
                observation.feed(piece)
            yield piece
    except BaseException as error:
        observation.fail(error)
        # Some versions of Django do not close the response of a visitor who left.
        await _close(observation)
        raise


async def _close(observation: Observation) -> None:
    await sync_to_async(observation.close)()
    observation.release()


def _annotate(
    observation: Observation, request: HttpRequest, response: HttpResponseBase
) -> None:
    match = request.resolver_match
    observation.note(
        title=title_told(response),
        route=f"/{match.route}" if match is not None else None,
    )
    if get_configuration().user_ids:
        user = _evaluated_user(request)
        if user is not None and user.is_authenticated:
            observation.identify(str(user.pk))


def _evaluated_user(request: HttpRequest) -> Any:
    """Return the user if they were looked up: it costs a query, and the page's cache.

    Django keeps who was found in these, beside the lazy `request.user`.
    """
    known = request.__dict__
    return known.get("_cached_user") or known.get("_acached_user")
