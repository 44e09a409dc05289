"""What a test run has tracked, with assertions that say what was seen instead.

The pytest plugin's fixture `tracked` is one `Tracked`; elsewhere, `recording` is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from server_tracking.hits import Hit
from server_tracking.observation import current
from server_tracking.reasons import Reason
from server_tracking.senders import Draft, Sender
from server_tracking.systems import System
from server_tracking.testing.matching import (
    differences,
    line_of,
    type_of_kind,
)
from server_tracking.testing.recording import RecordingSender
from server_tracking.testing.wiring import wire_text
from server_tracking.tracker import Tracker

__all__ = ["NotTracked", "Tracked", "recording"]


class NotTracked(NamedTuple):
    """A request or hit that was not tracked: why, and in which request."""

    reason: Reason
    request: str = ""


class Tracked:
    """All hits of all trackers, in order.

    *hits* are as systems get them, without personal data. *not_tracked* are the
    requests that made no page view, and the hits that nothing may be sent of.
    A field in an assertion is one of the hit (``label``), of its context
    (``title``, ``path``, ``source``, ``user_id``) or a property of the site's own.
    """

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.not_tracked: list[NotTracked] = []
        self._lock = threading.Lock()
        self._senders: dict[Tracker, Sender] = {}

    def __repr__(self) -> str:
        return f"<Tracked of {len(self.hits)} hits>"

    def of(self, kind: str | None = None, **fields: object) -> list[Hit]:
        """List the hits of a *kind* ("pageview", "event", "purchase" ...)."""
        wanted = None if kind is None else type_of_kind(kind)
        return [
            hit
            for hit in list(self.hits)
            if (wanted is None or type(hit) is wanted) and not differences(hit, fields)
        ]

    def assert_one(self, kind: str, **fields: object) -> Hit:
        """Return the only hit of *kind* with these *fields*."""
        found = self.of(kind, **fields)
        if len(found) != 1:
            self._fail("one", len(found), kind, fields)
        return found[0]

    def assert_none(self, kind: str | None = None, **fields: object) -> None:
        """Make sure that there is no hit of *kind* with these *fields*."""
        found = self.of(kind, **fields)
        if found:
            self._fail("no", len(found), kind, fields)

    def assert_count(self, count: int, kind: str, **fields: object) -> list[Hit]:
        """Return the hits of *kind* with these *fields*, which are *count*."""
        found = self.of(kind, **fields)
        if len(found) != count:
            self._fail(str(count), len(found), kind, fields)
        return found

    def wire(self, system: System | None = None) -> str:
        """Write what *system* would have been told, for a snapshot.

        Without one, each system of the trackers that had a hit. Ids, times and
        visitors are numbered, so that the text is the same in each run; secrets are
        not shown.
        """
        systems = [system] if system is not None else self._systems()
        return "\n".join(wire_text(self.hits, one) for one in systems)

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.hits.clear()
        self.not_tracked.clear()

    def summary(self) -> str:
        """Say what was seen, and what was not tracked and why."""
        seen = [f"  {n}. {line_of(hit)}" for n, hit in enumerate(self.hits, 1)]
        lines = ["Seen:", *(seen or ["  nothing"])]
        if self.not_tracked:
            lines.append("Not tracked:")
            for missed in self.not_tracked:
                where = f"{missed.request}: " if missed.request else ""
                lines.append(f"  {where}{missed.reason} - {missed.reason.meaning}")
        elif not self.hits:
            lines.append("No tracker saw a request: is the application wrapped?")
        return "\n".join(lines)

    def _fail(
        self, wanted: str, found: int, kind: str | None, fields: dict[str, object]
    ) -> NoReturn:
        __tracebackhide__ = True
        told = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        what = f"{kind or 'hit'} with {told}" if told else (kind or "hit")
        lines = [f"Wanted {wanted} {what}; found {found or 'none'}."]
        if found == 0 and kind is not None:
            for hit in self.of(kind):
                lines += [f"  {line_of(hit)}: {d}" for d in differences(hit, fields)]
        raise AssertionError("\n".join([*lines, self.summary()]))

    def _systems(self) -> list[System]:
        with self._lock:
            trackers = list(self._senders)
        return list(dict.fromkeys(one for t in trackers for one in t.systems))

    def _take(self, tracker: Tracker) -> None:
        with self._lock:
            if tracker not in self._senders:
                self._senders[tracker] = tracker.sender
                tracker.sender = RecordingSender(self.hits.append)
                tracker.sender.bind(tracker.systems)

    def _miss(self, tracker: Tracker, reason: Reason) -> None:
        here = current()
        request = ""
        if here is not None and here.tracker is tracker:
            request = f"{here.request.method} {here.request.path}"
        self.not_tracked.append(NotTracked(reason, request))

    def _give_back(self) -> None:
        with self._lock:
            for tracker, sender in self._senders.items():
                tracker.sender = sender
            self._senders.clear()


@contextmanager
def recording() -> Iterator[Tracked]:
    """Keep the hits of all trackers of this process from being sent, and give them.

    Trackers made before count too. Each has its own sender back at the end.
    """
    tracked = Tracked()
    send, submit, count = Tracker.send, Tracker.submit, Tracker.count

    def kept(tracker: Tracker, hit: Hit) -> bool:
        tracked._take(tracker)  # noqa: SLF001 - its other half
        return send(tracker, hit)

    def submitted(tracker: Tracker, draft: Draft) -> bool:
        tracked._take(tracker)  # noqa: SLF001 - its other half
        return tracker.sender.send(draft.hit())

    def counted(tracker: Tracker, reason: Reason) -> None:
        tracked._miss(tracker, reason)  # noqa: SLF001 - its other half
        count(tracker, reason)

    _set(Tracker, send=kept, submit=submitted, count=counted)
    try:
        yield tracked
    finally:
        _set(Tracker, send=send, submit=submit, count=count)
        tracked._give_back()  # noqa: SLF001 - its other half


def _set(owner: type, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)
