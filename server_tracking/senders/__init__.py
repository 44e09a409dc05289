"""Senders: when hits are sent. The only place of the library that does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

import msgspec

from server_tracking.hits import Hit
from server_tracking.systems import System

__all__ = ["Counts", "Draft", "Sender", "Stats"]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the hits for one system.

    Always: submitted = sum(refused) + accepted, and accepted = delivered +
    sum(rejected) + sum(dropped_by_system) + unknown + expired + abandoned + lost +
    queued + waiting + sending.
    """

    submitted: int = 0
    refused: Mapping[str, int] = msgspec.field(default_factory=dict)
    accepted: int = 0
    delivered: int = 0
    rejected: Mapping[str, int] = msgspec.field(default_factory=dict)
    dropped_by_system: Mapping[str, int] = msgspec.field(default_factory=dict)
    unknown: int = 0
    expired: int = 0
    abandoned: int = 0
    lost: int = 0
    queued: int = 0
    waiting: int = 0
    sending: int = 0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of a tracker in this process.

    *systems* are by the system's name; *not_tracked* counts requests that made no
    page view and hits that were never submitted, by `Reason`; *errors* counts
    errors of our own that were kept from the site.
    """

    systems: Mapping[str, Counts] = msgspec.field(default_factory=dict)
    not_tracked: Mapping[str, int] = msgspec.field(default_factory=dict)
    errors: int = 0


class Draft(Protocol):
    """A hit that is still to be written out, by `hit`, in whichever thread.

    *time* is in Unix seconds, *size* the bytes that it holds.
    """

    time: float
    size: int

    @property
    def id(self) -> UUID:
        """The id of the hit, which is written out for it."""
        ...

    def hit(self) -> Hit:
        """Write the hit out; the same each time."""
        ...


@runtime_checkable
class Sender(Protocol):
    """Send hits to systems, now or later.

    One that has ``takes_drafts = True`` is handed a `Draft` for a hit of a request,
    to be written in the sender's own thread.
    """

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems to send to. Called once, by the tracker; starts nothing."""
        ...

    def send(self, hit: Hit) -> bool:
        """Take *hit* for every system; True if all lanes accepted it.

        Never raises, never blocks on I/O unless the sender says that it does.
        """
        ...

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all hits accepted before have an end; True if they have.

        *timeout* is in seconds, for the whole wait.
        """
        ...

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse new hits, flush, and free what is held. Safe to call twice."""
        ...

    def stats(self) -> Mapping[str, Counts]:
        """Count what became of the hits, by the system's name."""
        ...
