"""Replay logs, from where a journal says, and tell what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.hits import PageView
from server_tracking.replaying.journal import Journal
from server_tracking.replaying.lines import served_from
from server_tracking.replaying.reading import chunks, name_of
from server_tracking.replaying.retelling import Retelling
from server_tracking.replaying.sending import Sending, StoppedError, errands
from server_tracking.senders.transports import transport_from
from server_tracking.settings import Settings
from server_tracking.systems import System, system_from_url

__all__ = ["Order", "Report", "replayed"]

VARIABLE = "SERVER_TRACKING_SYSTEMS"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay, and how."""

    logs: tuple[Path, ...]
    host: str
    scheme: str = "https"
    clamp: bool = False
    journal: Path | None = None
    dry_run: bool = False
    timeout: float = 10.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, over all runs of this replay.

    *outcomes* count a page view once for each system.
    """

    lines: int
    refused: Mapping[str, int]
    page_views: int
    outcomes: Mapping[str, int]
    complete: bool
    stopped: str = ""

    @property
    def fine(self) -> bool:
        """Tell whether all was told, as far as the systems may hear of it."""
        lost = set(self.outcomes) - {
            "delivered",
            "expired",
            "unsupported",
            "would_send",
        }
        return self.complete and not lost


def replayed(
    order: Order,
    environ: Mapping[str, str],
    seen: Callable[[int], object],
    told: threading.Event,
) -> Report:
    """Replay by *order*; *seen* gets the bytes that were read, *told* stops it.

    Raises `ConfigurationError`, and `ForeignJournalError` for a journal of another
    replay.
    """
    systems, settings = _systems(environ), Settings.from_env(environ)
    if not settings.secret_keys and not order.dry_run:
        raise ConfigurationError(
            "Option 'secret_key': nothing was given; without it a second run would "
            "take visitors for others.",
            option="secret_key",
        )
    retelling = Retelling(settings, order.host, order.scheme)
    options = f"{order.host} {order.scheme} {order.clamp} {[s.name for s in systems]}"
    with Journal(order.journal, name_of(order.logs, options)) as journal:
        return _Run(order, systems, retelling, journal).run(seen, told)


def _systems(environ: Mapping[str, str]) -> list[System]:
    systems = [system_from_url(url) for url in environ.get(VARIABLE, "").split()]
    if not systems:
        message = f"There is no system to tell: set {VARIABLE}."
        raise ConfigurationError(message, option="systems")
    return systems


class _Run:
    def __init__(
        self,
        order: Order,
        systems: list[System],
        retelling: Retelling,
        journal: Journal,
    ) -> None:
        self._order = order
        self._systems = systems
        self._retelling = retelling
        self._journal = journal
        self._lines = 0
        self._page_views = 0

    def run(self, seen: Callable[[int], object], told: threading.Event) -> Report:
        transport = transport_from("auto", self._order.timeout, len(self._systems))
        sending = Sending(transport, self._journal, told)
        try:
            for number, chunk in enumerate(chunks(self._order.logs, seen)):
                if told.is_set():
                    return self._report(stopped="by a signal")
                # What is done is read again, for who comes next may go on with a visit.
                hits = self._hits(chunk)
                if number >= self._journal.chunks:
                    self._send(hits, sending)
        except StoppedError as error:
            return self._report(stopped=str(error) or "by a signal")
        finally:
            transport.close()
        return self._report()

    def _hits(self, chunk: list[str]) -> list[PageView]:
        hits = []
        for line in chunk:
            self._lines += 1
            served = served_from(line)
            if served is None:
                self._retelling.refused["not readable"] += 1
                continue
            if (hit := self._retelling.hit(served, self._lines)) is not None:
                hits.append(hit)
        self._page_views += len(hits)
        return hits

    def _send(self, hits: list[PageView], sending: Sending) -> None:
        journal = self._journal
        if journal.begun is None:
            journal.begin(time.time())
        now = journal.begun or time.time()
        todo, counts = errands(hits, self._systems, now, clamp=self._order.clamp)
        if self._order.dry_run:
            counts["would_send"] += sum(len(errand.call.hits) for errand in todo)
        else:
            sending.make(todo, now)
        journal.finish(counts)

    def _report(self, stopped: str = "") -> Report:
        return Report(
            lines=self._lines,
            refused=dict(self._retelling.refused),
            page_views=self._page_views,
            outcomes=dict(self._journal.totals),
            complete=not stopped,
            stopped=stopped,
        )
