"""Watch sockets for libcurl: by epoll where there is one, else as Python chooses.

`selectors` keeps books that nobody reads here, for a tenth of what a call costs.
"""

from __future__ import annotations

import select
import selectors
from math import ceil
from typing import Protocol

__all__ = ["READ", "WRITE", "Watch", "make_watch"]

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Watch(Protocol):
    """Watch file descriptors. Belongs to one thread."""

    def add(self, fd: int, mask: int) -> None:
        """Watch *fd*, which was not, for `READ`, `WRITE` or both."""
        ...

    def change(self, fd: int, mask: int) -> None:
        """Watch *fd*, which was, for something else."""
        ...

    def drop(self, fd: int) -> None:
        """Watch *fd* no more. Comes before it is closed."""
        ...

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait *timeout* seconds (None: without end); return each fd with its mask."""
        ...

    def close(self) -> None:
        """Free the watch, not what was watched."""
        ...


def make_watch() -> Watch:
    """Make the cheapest watch that works here: gevent takes epoll away."""
    return EpollWatch() if hasattr(select, "epoll") else SelectorWatch()


class SelectorWatch:
    """Watch by what `selectors` finds."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, fd: int, mask: int) -> None:
        self._selector.register(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        self._selector.modify(fd, mask)

    def drop(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        return [(key.fd, mask) for key, mask in self._selector.select(timeout)]

    def close(self) -> None:
        self._selector.close()


class EpollWatch:
    """Watch by Linux's epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def add(self, fd: int, mask: int) -> None:
        self._epoll.register(fd, _EVENTS[mask])

    def change(self, fd: int, mask: int) -> None:
        self._epoll.modify(fd, _EVENTS[mask])

    def drop(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        # In whole milliseconds, upwards: else the last one is spent in a busy loop.
        patience = None if timeout is None else ceil(timeout * 1000) / 1000
        return [
            # An error or a hang-up counts as both: libcurl looks what it is.
            (fd, (READ if got & ~_OUT else 0) | (WRITE if got & ~_IN else 0))
            for fd, got in self._epoll.poll(patience)
        ]

    def close(self) -> None:
        self._epoll.close()


_IN = getattr(select, "EPOLLIN", 1)
_OUT = getattr(select, "EPOLLOUT", 4)
_EVENTS = {READ: _IN, WRITE: _OUT, READ | WRITE: _IN | _OUT}
