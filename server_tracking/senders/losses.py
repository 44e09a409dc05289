"""What was lost, told now and then rather than hit by hit."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LossNews"]


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
