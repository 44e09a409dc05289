"""Say what lanes have lost, and which systems take nothing until somebody acts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from time import monotonic

from server_tracking.calls import Outcome
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.lanes import Lane
from server_tracking.senders.losses import LossNews, log_losses

__all__ = ["Reports"]

logger = logging.getLogger("server_tracking")

LOG_PERIOD = 60.0  # seconds between two lines about the same


class Reports:
    """Report on *lanes*, which *lock* guards, to the log and to *hooks*."""

    def __init__(
        self, lanes: Sequence[Lane], lock: threading.RLock, hooks: Hooks
    ) -> None:
        self._lanes = lanes
        self._lock = lock
        self._hooks = hooks
        self._drops = LossNews(0.0)
        self._news = LossNews(LOG_PERIOD)
        self._alarms: dict[str, float] = {}

    def tell_losses(self) -> None:
        """Report what was lost since the last time; holds no lock meanwhile."""
        with self._lock:
            states = [(lane.key, lane.losses(), lane.trouble) for lane in self._lanes]
        now = monotonic()
        for key, losses, trouble in states:
            for reason, number in self._drops.of(key, losses, now).items():
                self._hooks.dropped(key, reason, number)
            if news := self._news.of(key, losses, now):
                log_losses(key, news, trouble)

    def tell_outcome(self, lane: Lane, outcome: Outcome) -> None:
        """Log that the system of *lane* is misconfigured, if *outcome* says so."""
        now = monotonic()
        if outcome.misconfigured and now >= self._alarms.get(lane.key, now):
            self._alarms[lane.key] = now + LOG_PERIOD
            logger.error(
                "%s takes no hits until somebody acts: %s. It is tried again in %d s.",
                lane.key,
                outcome.reason,
                lane.rules.misconfigured_pause,
            )

    def due(self) -> float | None:
        """Say when news that came too early may be told."""
        return self._news.due()
