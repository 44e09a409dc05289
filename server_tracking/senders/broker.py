"""Hits as messages to a broker: calls like any others, but for how they travel.

The lanes, the thread and the accounts are those of every sender. A message has an
address that nobody can have; a transport hands it to a `Publisher`, and leaves
other calls to HTTP.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import ClassVar, Protocol, cast
from urllib.parse import quote, unquote

from server_tracking.calls import Call, Limits, Outcome, Problem, Verdict
from server_tracking.errors import TransportError
from server_tracking.hits import Hit, encode_hits
from server_tracking.senders.dispatch import Dispatch
from server_tracking.senders.lanes import lanes_for
from server_tracking.senders.options import Options
from server_tracking.senders.transports import Answer, Landing, Transport, untraced
from server_tracking.systems import System

__all__ = ["BrokerDispatch", "BrokerTransport", "Publisher", "Route"]

HITS = 100  # in one message
BYTES = 256 * 1024  # of the hits in one message
DIRECT_PERIOD = 10.0  # seconds without asking a broker that has failed
ADDRESS = "http://broker.invalid/"  # RFC 2606 section 2: nobody has that name


class Publisher(Protocol):
    """The way to a broker, used by one thread."""

    def publish(self, system: str, hits: str) -> None:
        """Have the broker keep *hits*, as `encode_hits` writes them, for *system*.

        Raises whatever the broker's library does; ends within a few seconds.
        """
        ...

    def close(self) -> None:
        """Close the connection; never raises."""
        ...


class Route:
    """Whether hits go to the broker now, or directly to their systems.

    It has no lock and no connection, so that a child may inherit it.
    """

    def __init__(self, *, may_be_direct: bool) -> None:
        self.may_be_direct = may_be_direct
        self._closed_until = 0.0

    def is_open(self) -> bool:
        """Tell whether to ask the broker."""
        return not self.may_be_direct or monotonic() >= self._closed_until

    def failed(self) -> None:
        """Note that the broker did not take a message."""
        # Processes that lost one broker do not come back to it in step.
        wait = DIRECT_PERIOD * (0.5 + 0.5 * random.random())  # noqa: S311
        self._closed_until = monotonic() + wait


class _ByBroker:
    """A system whose hits become messages while *route* is open."""

    scheme: ClassVar[str] = "broker"

    def __init__(self, name: str, system: System, route: Route) -> None:
        self.name = name
        self._system = system
        self._route = route
        limits = system.limits
        self.limits = Limits(
            hits=HITS,
            bytes=BYTES,
            max_age=limits.max_age,
            mixed_visitors=True,
            idempotent=limits.idempotent,
            concurrency=limits.concurrency,
            linger=limits.linger,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterable[Call]:
        if self._route.is_open():
            return self._messages(hits)
        return self._system.encode(hits, now)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        if _is_message(call):
            return Outcome(Verdict.DELIVERED)
        return self._system.outcome(call, status, headers, body)

    def problems(self, hit: Hit) -> Iterable[Problem]:
        return self._system.problems(hit)

    def _messages(self, hits: Sequence[Hit]) -> Iterable[Call]:
        data = encode_hits(hits)
        if len(hits) > 1 and (len(hits) > HITS or len(data) > BYTES):
            half = len(hits) // 2
            yield from self._messages(hits[:half])
            yield from self._messages(hits[half:])
        elif hits:
            address = ADDRESS + quote(self.name, safe="")
            yield Call("POST", address, {}, data, tuple(hit.id for hit in hits))


def _is_message(call: Call) -> bool:
    return call.url.startswith(ADDRESS)


class BrokerDispatch(Dispatch):
    """Lanes for *systems* whose calls are messages, or direct where *route* says so."""

    def __init__(
        self,
        systems: Sequence[System],
        options: Options,
        make_publisher: Callable[[], Publisher],
        route: Route,
        *,
        closed: bool,
    ) -> None:
        wrapped = [
            _ByBroker(key, lane.system, route)
            for key, lane in lanes_for(systems).items()
        ]
        # They are systems in all but this: each has a name of its own.
        super().__init__(cast("list[System]", wrapped), options, closed=closed)
        self._make_publisher = make_publisher
        self._route = route

    def make_transport(self) -> Transport:
        """Make the way to the broker."""
        direct = super().make_transport() if self._route.may_be_direct else None
        return BrokerTransport(self._make_publisher(), direct, self._route)


class BrokerTransport:
    """Publish messages, one after the other; *direct* carries other calls."""

    capacity = None

    def __init__(
        self, publisher: Publisher, direct: Transport | None, route: Route
    ) -> None:
        self._publisher = publisher
        self._direct = direct
        self._route = route
        self._landed: list[Landing] = []
        self._woken = threading.Event()

    def start(self, call: Call, token: object) -> None:
        """Publish a message now; begin another call."""
        if _is_message(call):
            self._landed.append((token, self._published(call)))
        elif self._direct is not None:
            self._direct.start(call, token)

    def wait(self, timeout: float | None) -> list[Landing]:
        """Return what has been published, or wait for calls."""
        landed, self._landed = self._landed, []
        if landed or self._woken.is_set():
            timeout = 0.0
        if self._direct is not None:
            landed += self._direct.wait(timeout)
        else:
            self._woken.wait(timeout)
        self._woken.clear()
        return landed

    def wake(self) -> None:
        """End the present wait, or the next."""
        self._woken.set()
        if self._direct is not None:
            self._direct.wake()

    def close(self) -> None:
        """Close the connections."""
        self._publisher.close()
        if self._direct is not None:
            self._direct.close()

    def _published(self, call: Call) -> Answer | TransportError:
        system = unquote(call.url.removeprefix(ADDRESS))
        try:
            with untraced():
                self._publisher.publish(system, call.body.decode())
        except Exception as error:  # noqa: BLE001 - each broker has its own
            self._route.failed()
            # Also if it may have arrived: a message is promised at least once.
            reason = f"broker: {type(error).__name__}"
            return TransportError(reason, processed=False)
        return Answer(202, {}, b"")
