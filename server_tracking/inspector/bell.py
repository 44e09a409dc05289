"""Wake whoever waits for hits."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Bell"]


class Bell:
    """Rings after each change; safe to use from several threads."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._wakers: list[Callable[[], object]] = []

    def ring(self) -> None:
        """Wake all."""
        with self._rung:
            self._rung.notify_all()
            wakers = list(self._wakers)
        for waker in wakers:
            waker()

    def on_ring(self, waker: Callable[[], object]) -> Callable[[], None]:
        """Call *waker* at each ring, in any thread; returns how to stop that."""
        with self._rung:
            self._wakers.append(waker)

        def stop() -> None:
            with self._rung:
                self._wakers.remove(waker)

        return stop

    def wait_until(self, true: Callable[[], bool], timeout: float) -> None:
        """Wait until *true* after a ring, at most *timeout* seconds."""
        with self._rung:
            self._rung.wait_for(true, timeout)
