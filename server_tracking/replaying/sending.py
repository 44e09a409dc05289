"""Send the page views of a chunk to the systems, and write down what came of it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import NamedTuple

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.hits import decode_hits, encode_hits
from server_tracking.replaying.journal import Journal
from server_tracking.senders.hooks import NO_HOOKS
from server_tracking.senders.judging import judged
from server_tracking.senders.transports import Transport
from server_tracking.systems import System

__all__ = ["Errand", "Sending", "StoppedError"]

ATTEMPTS = 8
LONGEST_WAIT = 30.0  # seconds between two tries
AT_ONCE = 8  # calls under way
_SPLIT = "split"


class StoppedError(Exception):
    """The replay cannot go on now; run again, it goes on where it was."""


class Errand(NamedTuple):
    """A call to make: its name in the journal, and what is tried how often.

    *hits* are those of the call, as `encode_hits` writes them.
    """

    name: str
    system: System
    call: Call
    hits: bytes
    tries: int = 0
    not_before: float = 0.0


class Sending:
    """Make calls through *transport*, several at once, until *told* to stop."""

    def __init__(
        self, transport: Transport, journal: Journal, told: threading.Event
    ) -> None:
        self._transport = transport
        self._journal = journal
        self._told = told
        self._flying = 0

    def make(self, todo: Sequence[Errand], now: float) -> None:
        """Make the calls of a chunk that have not ended; *now* is when it was encoded.

        Raises `StoppedError` if told so, or if a system does not take them; calls
        under way are awaited first.
        """
        waiting = deque(one for errand in todo for one in self._left(errand, now))
        failure = ""
        while waiting or self._flying:
            stopped = failure or self._told.is_set()
            while waiting and not stopped and self._flying < AT_ONCE:
                if waiting[0].not_before > monotonic():
                    break
                self._start(waiting.popleft())
            if stopped and not self._flying:
                raise StoppedError(failure)
            if not self._flying:
                self._told.wait(max(0.0, waiting[0].not_before - monotonic()))
                continue
            for token, answer in self._transport.wait(1.0):
                assert isinstance(token, Errand)  # noqa: S101 - what start was given
                self._flying -= 1
                outcome = judged(token.system, token.call, answer, NO_HOOKS)
                again = list(self._landed(token, outcome, now))
                if outcome.misconfigured or any(e.tries >= ATTEMPTS for e in again):
                    failure = f"{token.system.name}: {outcome.reason}"
                waiting.extend(again)

    def _left(self, errand: Errand, now: float) -> Iterator[Errand]:
        """Yield what is left to make of *errand*.

        Whether a call that was cut off has arrived is unknown: a second one could
        count it twice, if the system does not know it again.
        """
        journal, name = self._journal, errand.name
        if name in journal.ended:
            if journal.ended[name][0] == _SPLIT:
                for part in _one_by_one(errand, now):
                    yield from self._left(part, now)
        elif name in journal.open and not errand.system.limits.idempotent:
            journal.end(name, "unknown", len(errand.call.hits))
        else:
            yield errand

    def _start(self, errand: Errand) -> None:
        self._journal.start(errand.name)
        self._transport.start(errand.call, errand)
        self._flying += 1

    def _landed(self, errand: Errand, outcome: Outcome, now: float) -> Iterator[Errand]:
        """Write down what came of a call; yields what has to be made again."""
        verdict = outcome.verdict
        if verdict is Verdict.UNKNOWN and errand.system.limits.idempotent:
            verdict = Verdict.RETRY
        if verdict is Verdict.RETRY:
            self._journal.put_off(errand.name)
            wait = outcome.after or min(LONGEST_WAIT, 0.25 * 2**errand.tries)
            yield errand._replace(
                tries=errand.tries + 1,
                not_before=monotonic() + min(wait, LONGEST_WAIT),
            )
            return
        count = len(errand.call.hits)
        if verdict is Verdict.REJECTED and outcome.split and count > 1:
            self._journal.end(errand.name, _SPLIT, 0)
            yield from _one_by_one(errand, now)
            return
        others = Counter(one.verdict for one in outcome.exceptions.values())
        self._journal.end(errand.name, verdict, count - sum(others.values()))
        for word, hits in others.items():
            self._journal.end(f"{errand.name}:{word}", word, hits)


def _one_by_one(errand: Errand, now: float) -> Iterator[Errand]:
    """Tell each hit of a call alone: one of them spoilt it for the others."""
    for hit in decode_hits(errand.hits):
        for call in errand.system.encode([hit], now):
            name = f"{errand.name}/{hit.id}"
            yield Errand(name, errand.system, call, encode_hits([hit]))
