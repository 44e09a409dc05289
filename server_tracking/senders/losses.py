"""What was lost, told now and then rather than hit by hit."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from server_tracking.reasons import Reason

__all__ = ["LossNews", "log_losses"]

logger = logging.getLogger("server_tracking")

# The system has no words for it, or may not hear of the visitor: nothing is wrong.
_NO_NEWS = frozenset({Reason.UNSUPPORTED, Reason.UNDECIDED})


class LossNews:
    """Tell what is new of each lane's losses, at most once in *period* seconds."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._told: dict[str, Mapping[str, int]] = {}
        self._next: dict[str, float] = {}
        self._held: set[str] = set()

    def of(self, lane: str, losses: Mapping[str, int], now: float) -> dict[str, int]:
        """Return what *losses* count more than was told; nothing if it is too early."""
        told = self._told.get(lane, {})
        if losses == told:
            return {}
        if now < self._next.get(lane, now):
            self._held.add(lane)
            return {}
        self._held.discard(lane)
        self._told[lane] = losses
        self._next[lane] = now + self._period
        return {
            reason: number - told.get(reason, 0)
            for reason, number in losses.items()
            if number > told.get(reason, 0)
        }

    def due(self) -> float | None:
        """Say when news that came too early may be told."""
        return min((self._next[lane] for lane in self._held), default=None)


def log_losses(key: str, losses: Mapping[str, int], trouble: str) -> None:
    """Log one line of what was lost for the system *key*, if anything of worth."""
    worth = {r: n for r, n in losses.items() if r not in _NO_NEWS}
    if worth:
        logger.warning(
            "Hits for %s were lost: %s%s.",
            key,
            ", ".join(f"{number} {reason}" for reason, number in worth.items()),
            f"; its last trouble was {trouble}" if trouble else "",
        )
