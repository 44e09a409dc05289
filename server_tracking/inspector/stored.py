"""A hit as the inspector keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from server_tracking.bots import is_bot
from server_tracking.inspector.protocols import Answer, DecodedHit, Received

__all__ = ["NO_ANSWER", "StoredHit", "state_of", "stored_hits"]

NO_ANSWER = 0
"""The status of a call whose connection was cut instead (`Faults.drop`)."""


class StoredHit(msgspec.Struct, frozen=True, kw_only=True):
    """A hit with what it came in.

    *number* counts from 1, *call* is that of the first hit of the same call,
    *arrived* is Unix seconds, *bytes* the size of the call's body, *status* what it
    was answered. *valid* hits are those that the real system would take; *bot* tells
    whether their user agent is a robot's.
    """

    number: int
    call: int
    arrived: float
    method: str
    path: str
    bytes: int
    status: int
    valid: bool
    bot: bool = False
    hit: DecodedHit


def stored_hits(
    received: Received, hits: Sequence[DecodedHit], answer: Answer, first: int
) -> Iterator[StoredHit]:
    """Make `StoredHit` of the *hits* of one call, numbered from *first*."""
    for number, hit in enumerate(hits, first):
        yield StoredHit(
            number=number,
            call=first,
            arrived=received.time,
            method=received.method,
            path=received.path,
            bytes=len(received.body) or len(received.query),
            status=answer.status,
            valid=not any(problem.fatal for problem in hit.problems),
            bot=bool(hit.user_agent) and is_bot(hit.user_agent),
            hit=hit,
        )


def state_of(stored: StoredHit) -> str:
    """Say what its check found: valid, noted or refused."""
    if not stored.valid:
        return "refused"
    return "noted" if stored.hit.problems else "valid"
