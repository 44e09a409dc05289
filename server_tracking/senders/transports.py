"""Transports: carry calls over HTTP, many at once, each within its deadline.

One thread drives a transport: it starts calls and gets the finished ones. Only
`Transport.wake` may come from elsewhere.
"""

from __future__ import annotations

import importlib.util
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from server_tracking.calls import Call
from server_tracking.errors import ConfigurationError, TransportError

if TYPE_CHECKING:
    from server_tracking.senders.client import Client

__all__ = [
    "Answer",
    "Landing",
    "RequestsTransport",
    "Transport",
    "TransportName",
    "UntrustedError",
    "sending",
    "transport_from",
]

CONNECT_TIMEOUT = 3.0  # seconds
LONGEST_ANSWER = 64 * 1024  # bytes; what comes after them is not read
USER_AGENT = "server-tracking"
DEFAULT_THREADS = 4
MOST_THREADS = 8

TransportName = Literal["auto", "curl", "requests"]

sending: ContextVar[bool] = ContextVar("server_tracking.sending", default=False)
"""Whether the code that runs is a sender's own: what it does must not become a hit.

A context variable, for greenlets have their own contexts, but share a
`threading.local` that was made before gevent patched it.
"""


class Answer(NamedTuple):
    """What the other side said; *headers* have lower-case names.

    A body that broke off, or is longer than 64 KiB, is cut.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class UntrustedError(TransportError):
    """The other side's certificate does not prove who it is."""


Landing = tuple[object, Answer | TransportError]
"""The token with which a call was started, and what came of it."""


class Transport(Protocol):
    """Carry many calls at once."""

    @property
    def capacity(self) -> int | None:
        """Say how many calls can be under way; None: as many as one likes."""
        ...

    def start(self, call: Call, token: object) -> None:
        """Begin *call*; `wait` will hand *token* back."""
        ...

    def wait(self, timeout: float | None) -> list[Landing]:
        """Wait *timeout* seconds (None: without end) until something has landed.

        Comes back early, maybe with nothing, after `wake`.
        """
        ...

    def wake(self) -> None:
        """End the present `wait`, or the next. May be called from any thread."""
        ...

    def close(self) -> None:
        """Break off what is under way, and free all."""
        ...


def has_curl() -> bool:
    """Tell whether pycurl is installed, without importing it."""
    return importlib.util.find_spec("pycurl") is not None


def check_transport(name: str) -> None:
    """Raise `ConfigurationError` unless `transport_from` can make *name*."""
    if name not in ("auto", "curl", "requests"):
        raise ConfigurationError(
            f"Option 'transport': {name!r} was given; accepted are 'auto', 'curl' "
            "and 'requests'.",
            option="transport",
        )
    if name == "curl" and not has_curl():
        raise ConfigurationError(
            "Option 'transport': 'curl' needs pycurl; install server-tracking[curl].",
            option="transport",
        )


def transport_from(name: TransportName, timeout: float, systems: int) -> Transport:
    """Make the transport *name*, for calls to that many *systems*.

    ``"auto"`` takes curl where it works: it costs 16 µs of CPU for a call, requests
    450, and needs no threads. *timeout* is the deadline of a call in seconds.
    """
    if name != "requests" and has_curl():
        from server_tracking.senders.curl import CurlTransport

        try:
            return CurlTransport(timeout)
        except (
            ImportError,
            OSError,
        ):  # a pycurl that does not fit the system's libcurl
            if name == "curl":
                raise
    return RequestsTransport(timeout, threads_for(systems))


def threads_for(systems: int) -> int:
    """Say how many threads carry calls to that many *systems*, one each at least."""
    return min(max(DEFAULT_THREADS, systems), MOST_THREADS)


class RequestsTransport:
    """Carry calls with requests, from at most *threads* threads.

    The threads start when they are needed, and end with the process.
    """

    def __init__(self, timeout: float, threads: int = DEFAULT_THREADS) -> None:
        from server_tracking.senders.client import Client

        self._client = Client(timeout, connections=threads)
        self.capacity = threads
        self._threads: list[threading.Thread] = []
        self._under_way = 0
        # Named in full, for gevent may have replaced it since we were imported.
        self._todo: queue.SimpleQueue[tuple[Call, object] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Landing | None] = queue.SimpleQueue()

    def start(self, call: Call, token: object) -> None:
        """Hand *call* to a thread; make it here if no thread can be had."""
        self._under_way += 1
        if len(self._threads) < min(self.capacity, self._under_way):
            self._hire()
        if self._threads:
            self._todo.put((call, token))
        else:
            self._done.put((token, self._client.answer(call)))

    def wait(self, timeout: float | None) -> list[Landing]:
        """Wait until calls have ended."""
        landings: list[Landing] = []
        try:
            item = self._done.get(timeout=timeout)
            while True:
                if item is not None:
                    landings.append(item)
                item = self._done.get_nowait()
        except queue.Empty:
            self._under_way -= len(landings)
            return landings

    def wake(self) -> None:
        """End the present wait, or the next."""
        self._done.put(None)

    def close(self) -> None:
        """Send the threads home; one that makes a call ends it first."""
        self.dismiss(0.0)
        self._client.close()

    def dismiss(self, patience: float) -> None:
        """Send the threads home, and wait *patience* seconds; new calls get new ones."""
        threads, self._threads = self._threads, []
        todo, self._todo = self._todo, queue.SimpleQueue()
        for _ in threads:
            todo.put(None)
        until = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _hire(self) -> None:
        thread = threading.Thread(
            target=_carry,
            args=(self._client, self._todo, self._done),
            name="server-tracking-call",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:  # the interpreter shuts down, or the system is full
            return
        self._threads.append(thread)


def _carry(
    client: Client,
    todo: queue.SimpleQueue[tuple[Call, object] | None],
    done: queue.SimpleQueue[Landing | None],
) -> None:
    sending.set(True)
    while (item := todo.get()) is not None:
        call, token = item
        done.put((token, client.answer(call)))


@contextmanager
def untraced() -> Iterator[None]:
    """Keep OpenTelemetry, if the application uses it, from tracing our calls."""
    context = sys.modules.get("opentelemetry.context")
    keys = [
        key
        for name in (
            "_SUPPRESS_INSTRUMENTATION_KEY",
            "_SUPPRESS_HTTP_INSTRUMENTATION_KEY",
        )
        if (key := getattr(context, name, None))
    ]
    if context is None or not keys:
        yield
        return
    quiet = context.get_current()
    for key in keys:
        quiet = context.set_value(key, True, quiet)
    token = context.attach(quiet)
    try:
        yield
    finally:
        context.detach(token)
