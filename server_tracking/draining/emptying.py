"""Empty a spool, and know how far that is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from server_tracking.senders import Counts
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.drain import RULES, Drain
from server_tracking.senders.hooks import NO_HOOKS
from server_tracking.senders.options import Options
from server_tracking.systems import System

__all__ = ["Emptying", "Progress"]

LOOK_PERIOD = 0.5  # seconds between two looks for files that have become free


class Progress(NamedTuple):
    """How far it is: what has been delivered, what has no end yet, what was lost.

    Each counts a hit once for each system.
    """

    delivered: int
    left: int
    lost: int


class Emptying:
    """Send what the spool at *path* holds to *systems*, in the background.

    *max_age* and *timeout* are in seconds, as `SpoolSender` has them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        systems: Sequence[System],
        *,
        max_age: float,
        timeout: float,
    ) -> None:
        self._directory = SpoolDirectory(path)
        options = Options(timeout, 0.0, "auto", RULES, NO_HOOKS)
        self._timeout = timeout
        self._drain = Drain(
            systems,
            options,
            self._directory,
            max_age=max_age,
            adoption_period=LOOK_PERIOD,
        )
        self._best = -1
        self._moved_at = monotonic()

    def start(self) -> None:
        """Begin."""
        self._drain.adopt()

    def is_done(self) -> bool:
        """Tell whether all is sent that is nobody else's."""
        return self._drain.is_empty()

    def stood_still(self) -> float:
        """Tell for how many seconds no hit has found its end."""
        progress = self.progress()
        ends = progress.delivered + progress.lost
        if ends > self._best:
            self._best, self._moved_at = ends, monotonic()
        return monotonic() - self._moved_at

    def stop(self) -> None:
        """End the calls that are under way, and stop; what is left stays where it is."""
        self._drain.finish(self._timeout)

    def progress(self) -> Progress:
        """Count."""
        counts = self.counts().values()
        left = sum(c.queued + c.waiting + c.sending for c in counts)
        delivered = sum(c.delivered for c in counts)
        return Progress(
            delivered, left, sum(c.accepted for c in counts) - delivered - left
        )

    def counts(self) -> dict[str, Counts]:
        """Count what became of the hits, by the system's name."""
        with self._drain.lock:
            return {key: lane.counts() for key, lane in self._drain.lanes.items()}

    def files_of_others(self) -> int:
        """Count the files that running processes, or other systems, still need."""
        return self._directory.count()
