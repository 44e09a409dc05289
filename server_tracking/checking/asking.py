"""Ask a system about sample hits: itself, its validator, and by a test event."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import msgspec

from server_tracking.calls import Call, Outcome, Problem, Verdict
from server_tracking.checking.findings import (
    Delivery,
    KindFinding,
    SystemFinding,
    Validation,
)
from server_tracking.checking.places import place_of
from server_tracking.errors import TransportError
from server_tracking.hits import Event, Hit, Page
from server_tracking.senders.hooks import NO_HOOKS
from server_tracking.senders.judging import judged
from server_tracking.senders.transports import Answer
from server_tracking.systems import System
from server_tracking.testing.samples import sample_context, sample_hits
from server_tracking.visitors import new_client_id

__all__ = [
    "Carrier",
    "Validating",
    "asked",
    "called_by",
    "kinds_of",
    "sent",
    "validated",
]


class Carrier(Protocol):
    """What makes calls: a `Client`."""

    def answer(self, call: Call) -> Answer | TransportError:
        """Make *call*; never raises."""
        ...


@runtime_checkable
class Validating(Protocol):
    """A system whose collector checks hits without keeping them."""

    def validation_call(self, hit: Hit, now: float) -> Call | None:
        """Make the call that has *hit* checked; None if nothing may be told of it."""
        ...

    @staticmethod
    def problems_of_answer(body: bytes) -> tuple[Problem, ...]:
        """Read the answer to it; empty if all is well."""
        ...


def asked(system: System, now: float) -> SystemFinding:
    """Find out what can be known without the network."""
    return SystemFinding(
        system.name,
        tuple(kinds_of(system, now)),
        has_validator=any(_validation_calls(system, now)),
    )


def kinds_of(system: System, now: float) -> Iterator[KindFinding]:
    """Ask *system* what it makes of a sample hit of each kind."""
    for hit in _samples(now):
        told = any(hit.id in call.hits for call in system.encode([hit], now))
        yield KindFinding(_kind(hit), told, tuple(system.problems(hit)))


def called_by(system: System, now: float) -> Iterator[str]:
    """List the addresses that *system* calls, for a sample hit of each kind."""
    for hit in _samples(now):
        for call in system.encode([hit], now):
            yield call.url
    for _, call in _validation_calls(system, now):
        yield call.url


def validated(
    system: System, now: float, client: Carrier
) -> tuple[Validation, ...] | None:
    """Have the collector of *system* check a hit of each kind; None if it cannot."""
    if not isinstance(system, Validating):
        return None
    calls = _validation_calls(system, now)
    found = tuple(_validation(system, hit, call, client) for hit, call in calls)
    return found or None


def sent(system: System, now: float, client: Carrier, page: str) -> Delivery:
    """Send a test event that happened on *page*, as an `InlineSender` would.

    An inline sender only counts what becomes of hits; here the reason is wanted.
    """
    event = f"server-tracking check {secrets.token_hex(4)}"
    context = msgspec.structs.replace(
        sample_context(),
        visitor=msgspec.structs.replace(
            sample_context().visitor, client_id=new_client_id(now)
        ),
        session=msgspec.structs.replace(sample_context().session, id=int(now)),
        page=Page(url=page, title="server-tracking check"),
    )
    hit = Event(context=context, time=now, category=event)
    outcome = Outcome(Verdict.REJECTED, "the system cannot be told of it")
    for call in system.encode([hit], now):
        whole = judged(system, call, client.answer(call), NO_HOOKS)
        outcome = whole.exceptions.get(hit.id, whole)
    place = place_of(system)
    return Delivery(event, outcome.verdict, outcome.reason, place.seen, place.caveat)


def _samples(now: float) -> list[Hit]:
    return [msgspec.structs.replace(hit, time=now) for hit in sample_hits()]


def _kind(hit: Hit) -> str:
    return str(type(hit).__struct_config__.tag)


def _validation_calls(system: System, now: float) -> Iterator[tuple[Hit, Call]]:
    """Make the calls that have a hit of each kind checked, as far as *system* can."""
    if not isinstance(system, Validating):
        return
    for hit in _samples(now):
        call = system.validation_call(hit, now)
        if call is not None:
            yield hit, call


def _validation(
    system: Validating, hit: Hit, call: Call, client: Carrier
) -> Validation:
    answer = client.answer(call)
    if isinstance(answer, TransportError):
        return Validation(_kind(hit), failure=str(answer))
    if answer.status != 200:
        return Validation(_kind(hit), failure=f"it answered {answer.status}")
    return Validation(_kind(hit), tuple(system.problems_of_answer(answer.body)))
