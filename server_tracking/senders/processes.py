"""State that belongs to one process, and what happens to it at a fork.

A child inherits locks that nobody will release, a queue that the parent will
send, and connections on which the parent speaks. So none of it is used: it is
found by process id, and made anew where there is none. That also works where
no fork hook is called (uWSGI forks in C).

Where hooks are called, threads of ours are ended before the fork: one that is inside
OpenSSL or the resolver would leave their locks locked in the child, where they are
the site's as well. Python 3.12 and later warn of a fork with threads.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from server_tracking.senders.transports import sending

__all__ = [
    "PerProcess",
    "ended",
    "guard_forks",
    "importing",
    "in_event_loop",
    "lacks_threads",
]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """One value of *make* for each process, made when it is first asked for.

    Before this process forks, *pause* has its threads end, within the seconds that it
    is given; in the parent, *resume* follows.
    """

    def __init__(
        self,
        make: Callable[[], T],
        *,
        pause: Callable[[T, float], object] | None = None,
        resume: Callable[[T], object] | None = None,
    ) -> None:
        self._make = make
        self._pause = pause
        self._resume = resume
        self._values: dict[int, T] = {}
        _known.add(self)

    def get(self) -> T:
        """Return the value of this process."""
        pid = os.getpid()
        value = self._values.get(pid)
        if value is None:
            # Of two threads that make one, the first wins; no lock is needed.
            value = self._values.setdefault(pid, self._make())
            if _forkers and self._pause is not None:  # which have looked for it before
                self._pause(value, 0.0)
                if not _forkers:  # and have passed meanwhile, and looked again
                    self.resume()
        return value

    def peek(self) -> T | None:
        """Return the value of this process if there is one."""
        return self._values.get(os.getpid())

    def pause(self, patience: float) -> None:
        """Have the threads end, for this process is about to fork."""
        value = self.peek()
        if value is not None and self._pause is not None:
            self._pause(value, patience)

    def resume(self) -> None:
        """Go on in the parent."""
        value = self.peek()
        if value is not None and self._resume is not None:
            self._resume(value)

    def forget(self) -> None:
        """Leave what was inherited alone, for good."""
        if self._values:
            # Freed, it would close connections that are the parent's, TLS and all.
            _inherited.append(self._values)
            self._values = {}


_known: WeakSet[PerProcess[Any]] = WeakSet()
_inherited: list[object] = []

_Guard = tuple[Callable[[], object], Callable[[], object], Callable[[], object]]
_guards: list[_Guard] = []

_forkers: set[int] = set()  # the threads that are about to fork
_import_lock = threading.Lock()
_forking: int | None = None  # the thread that holds it for a fork

LONGEST_IMPORT = 2.0  # seconds
LONGEST_PAUSE = 0.5  # seconds that a fork waits for our threads, altogether


def guard_forks(
    before: Callable[[], object],
    in_parent: Callable[[], object],
    in_child: Callable[[], object],
) -> None:
    """Have them called around each fork, between the pause and the resumption.

    A lock that *before* takes is one that our threads may need to come to an end, so
    that the order in which modules were imported must not matter.
    """
    _guards.append((before, in_parent, in_child))


@contextmanager
def importing() -> Iterator[None]:
    """Have forks wait while a thread of ours imports.

    A module that was half imported would stay so in the child.
    """
    held = _import_lock.acquire(timeout=LONGEST_IMPORT)
    try:
        yield
    finally:
        if held:
            _import_lock.release()


def ended(thread: threading.Thread, patience: float) -> None:
    """Wait at most *patience* seconds for the end of *thread*.

    Before Python 3.13, `join` comes back a moment before the system knows of it.
    """
    until = time.monotonic() + patience
    thread.join(max(0.0, patience))
    task = f"/proc/self/task/{thread.native_id}"
    while not thread.is_alive() and os.path.exists(task):  # noqa: PTH110 - cheaper
        if time.monotonic() >= until:
            return
        time.sleep(0.0001)


def in_event_loop() -> bool:
    """Tell whether this thread runs an event loop, which must not be held up."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return True
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def lacks_threads() -> bool:
    """Tell whether uWSGI lets threads of ours run during requests only.

    Before 2.0.27, it keeps the interpreter's lock between requests unless it was
    told ``enable-threads`` or ``threads``.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return False
    version = tuple(int(number) for number in re.findall(r"\d+", str(uwsgi.version)))
    options = {str(name).strip("b'") for name in uwsgi.opt}
    return version < (2, 0, 27) and not options & {"enable-threads", "threads"}


def _before_fork() -> None:
    global _forking
    _forkers.add(threading.get_ident())
    until = time.monotonic() + LONGEST_PAUSE
    for state in list(_known):
        state.pause(max(0.0, until - time.monotonic()))
    if _import_lock.acquire(timeout=LONGEST_IMPORT):
        _forking = threading.get_ident()
    for before, _, _ in _guards:
        before()


def _after_fork_in_parent() -> None:
    global _forking
    for _, in_parent, _ in _guards:
        in_parent()
    if _forking == threading.get_ident():
        _forking = None
        _import_lock.release()
    _forkers.discard(threading.get_ident())
    if not _forkers:  # else the last of them does it
        for state in list(_known):
            state.resume()


def _after_fork_in_child() -> None:
    global _forking, _import_lock
    _forking, _import_lock = None, threading.Lock()
    _forkers.clear()
    sending.set(False)
    for _, _, in_child in _guards:
        in_child()
    for state in list(_known):
        state.forget()


# Once for all senders: a hook cannot be taken back, and would keep them alive.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
