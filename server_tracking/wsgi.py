"""Track any WSGI application (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from types import TracebackType
from typing import Any

from server_tracking.exchange import request_from_environ
from server_tracking.observation import OBSERVED, Observation
from server_tracking.tracker import Tracker, collector

__all__ = ["TrackingMiddleware"]

Environ = dict[str, Any]
ExcInfo = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
WSGIApplication = Callable[[Environ, Any], Iterable[bytes]]


class TrackingMiddleware:
    """Wrap *app*, so that *tracker* hears of its page views and events.

    The answers of *app* go out as they are: nothing is gathered, delayed or
    changed but for the cookies of a visitor. Installed twice, it counts once.
    """

    def __init__(self, app: WSGIApplication, tracker: Tracker) -> None:
        self.app = app
        self.tracker = tracker

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request, observed."""
        if OBSERVED in environ:
            return self.app(environ, start_response)
        environ[OBSERVED] = True
        observation = Observation(self.tracker, environ, request_from_environ)
        collector.set(observation)
        try:
            body = self.app(environ, partial(_start, observation, start_response))
        except BaseException as error:
            observation.fail(error)
            observation.close()
            observation.release()
            raise
        if type(body) is list or type(body) is tuple:
            for chunk in body:
                if not observation.wants_body:
                    break
                observation.feed(chunk)
        elif not _is_file(body, environ):
            return _observed_body(body, observation)
        observation.close()
        observation.release()
        return body


def _start(
    observation: Observation,
    start_response: StartResponse,
    status: str,
    headers: list[tuple[str, str]],
    *exc_info: ExcInfo | None,
) -> Write:
    if observation.attentive:
        added = observation.respond(_code(status), headers)
        if added:
            headers = [*headers, *added]
    write = start_response(status, headers, *exc_info)
    return partial(_write, observation, write) if observation.wants_body else write


def _write(observation: Observation, write: Write, data: bytes) -> object:
    if observation.wants_body:
        observation.feed(data)
    return write(data)


@lru_cache(maxsize=64)
def _code(status: str) -> int:
    """Read the code of a status line; a malformed one is for the server to refuse."""
    digits = status[:3]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _is_file(body: Iterable[bytes], environ: Environ) -> bool:
    """Tell whether the server may send *body* by means of its own.

    Servers recognise what their file wrapper made by its type, uWSGI by its
    identity, so it must reach them as it is.
    """
    wrapper = environ.get("wsgi.file_wrapper")
    return (isinstance(wrapper, type) and isinstance(body, wrapper)) or hasattr(
        body, "read"
    )


def _observed_body(body: Iterable[bytes], observation: Observation) -> Iterable[bytes]:
    # A server may take the length of a body of one piece for Content-Length.
    kind = _SizedBody if hasattr(body, "__len__") else _Body
    return kind(body, observation)


class _Body:
    """Hand on the pieces of *body*, and see its end."""

    def __init__(self, body: Iterable[bytes], observation: Observation) -> None:
        self._body = body
        self._observation = observation
        self._next: Callable[[], bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        observation = self._observation
        # A server may run another request on this thread between two pieces.
        collector.set(observation)
        try:
            if self._next is None:
                self._next = iter(self._body).__next__
            chunk = self._next()
        except StopIteration:
            raise
        except BaseException as error:
            observation.fail(error)
            raise
        if observation.wants_body:
            observation.feed(chunk)
        return chunk

    def close(self) -> None:
        observation = self._observation
        collector.set(observation)
        try:
            # The iterable has `close`, which its iterator may lack.
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            observation.close()
            observation.release()


class _SizedBody(_Body):
    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]
