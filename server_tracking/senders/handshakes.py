"""TLS handshakes that are under way in threads of ours, for which a fork waits.

A child finds the locks of OpenSSL taken for ever that a thread has at the fork. Our
threads end before one, but on a busy machine a thread gets no processor for longer than
a fork waits for it: then a child hung in ``SSL_CTX_new``, in 2 of 100 runs of 20 forks.
"""

from __future__ import annotations

import threading

from server_tracking.senders.processes import guard_forks

__all__ = ["begin", "end", "number"]

LONGEST = 2.0  # seconds that a fork waits for them


class _Handshakes:
    """Those of one process."""

    def __init__(self) -> None:
        self.number = 0
        self.changed = threading.Condition(threading.Lock())
        self.forking: int | None = None  # the thread that has the lock for a fork


_own = _Handshakes()


def begin() -> None:
    """Count one more; waits while the process forks."""
    with _own.changed:
        _own.number += 1


def end() -> None:
    """Count one less."""
    with _own.changed:
        _own.number -= 1
        _own.changed.notify_all()


def number() -> int:
    """Tell how many are under way."""
    return _own.number


def _hold() -> None:
    """Wait until there is none, and let none begin."""
    if _own.changed.acquire(timeout=LONGEST):
        _own.changed.wait_for(lambda: _own.number <= 0, LONGEST)
        _own.forking = threading.get_ident()


def _go_on() -> None:
    if _own.forking == threading.get_ident():
        _own.forking = None
        _own.changed.release()


def _forget() -> None:
    global _own
    _own = _Handshakes()


guard_forks(_hold, _go_on, _forget)
