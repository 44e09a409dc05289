"""The one thread of a sender: there when there is work, away while a process forks.

Where no thread can be had, at the end of an interpreter, whoever waits does its work.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.processes import ended, importing
from server_tracking.senders.transports import (
    Landing,
    RequestsTransport,
    Transport,
    sending,
)

__all__ = ["AWAKE", "Driven", "Driver"]

logger = logging.getLogger("server_tracking")

RESTART_PERIOD = 1.0  # seconds between two tries to start the thread
RETRY_PERIOD = 0.1  # the same for a flush that has to do without it
JOIN_TIMEOUT = 0.5  # seconds for the thread to end when it is told to
DISMISSAL = 0.2  # seconds for threads that make calls to end theirs

AWAKE = -inf
"""When the driver comes by itself while it is at work: at once."""


class Driven(Protocol):
    """What a driver drives, turn by turn."""

    def make_transport(self) -> Transport:
        """Make the way out, when the first turn begins."""
        ...

    def turn(self, transport: Transport, deadline: float) -> None:
        """Send what is due, and wait for what comes next, no longer than *deadline*."""
        ...

    def is_done(self) -> bool:
        """Tell whether the thread has nothing more to do, ever."""
        ...

    def retire(self) -> None:
        """Take back what is under way, for the transport is closed next."""
        ...


class Driver:
    """Drive *work* from one thread called *name*; *lock* guards what both know.

    *progress* is notified when something has got on, *wake_at* is when the thread
    comes by itself, on the monotonic clock.
    """

    def __init__(
        self, work: Driven, name: str, lock: threading.RLock, hooks: Hooks
    ) -> None:
        self._work = work
        self._name = name
        self._lock = lock
        self._hooks = hooks
        self.progress = threading.Condition(lock)
        self.driven = False  # by whichever thread
        self.stopped = False
        self.paused = False  # for a fork
        self._wanted = False  # by somebody, after it
        self.transport: Transport | None = None
        self.wake_at = AWAKE
        self._thread: threading.Thread | None = None
        self._start_after = 0.0

    def start(self) -> None:
        """Start the thread, unless it runs or was tried a moment ago."""
        with self._lock:
            now = monotonic()
            if self.paused:
                self._wanted = True
                return
            if self.driven or self.stopped or now < self._start_after:
                return
            self._start_after = now + RESTART_PERIOD
            self.driven = True
            self._thread = thread = threading.Thread(
                target=self._run,
                args=(self._work.is_done, inf),
                name=self._name,
                daemon=True,
            )
            try:
                # With the lock: a fork that comes meanwhile has to wait for a thread
                # that it can join. Not in the context of the request that happens to
                # be the first: tracers would count all that ever follows as its work.
                contextvars.Context().run(thread.start)
            except RuntimeError:  # the interpreter shuts down, or the system is full
                self.driven = False
                self._thread = None

    def wake(self) -> None:
        """Have the next turn come at once."""
        with self._lock:
            self.wake_at = AWAKE
            transport = self.transport
        if transport is not None:
            transport.wake()

    def wait_until(self, is_over: Callable[[], bool], deadline: float) -> None:
        """Wait until *is_over*, which says so at the *deadline* too; drive if need be."""
        while True:
            with self._lock:
                while self.driven and not is_over():
                    self.progress.wait(max(0.0, deadline - monotonic()))
                if is_over():
                    return
            self._drive(is_over, deadline)  # no thread can be started any more
            with self._lock:
                if not is_over():
                    self.progress.wait(min(RETRY_PERIOD, deadline - monotonic()))

    def rest(
        self,
        transport: Transport,
        next_due: Callable[[float], float],
        deadline: float,
    ) -> list[Landing]:
        """End a turn: wait until *next_due* for calls to land, or to be woken."""
        with self._lock:
            self.progress.notify_all()
            now = monotonic()
            self.wake_at = next_due(now)
            until = min(self.wake_at, deadline)
        landings = transport.wait(None if until == inf else max(0.0, until - now))
        with self._lock:
            self.wake_at = AWAKE
        return landings

    def stop(self) -> None:
        """Have the thread end, and wait for half a second."""
        with self._lock:
            self.stopped = True
            self.progress.notify_all()
            transport, thread = self.transport, self._thread
        if transport is not None:
            transport.wake()
        if thread is not None:
            thread.join(JOIN_TIMEOUT)

    def free(self) -> None:
        """Close what a thread that left for a fork had left open."""
        with self._lock:
            if self.driven or self.transport is None:
                return
            transport, self.transport = self.transport, None
        transport.close()

    def pause(self, patience: float) -> None:
        """End the thread between two of its steps, within *patience* seconds.

        For a fork: no other thread of ours is then inside libcurl, OpenSSL or the
        resolver, whose locks would stay locked in the child. Calls that are under way
        stay so, and go on when it is started again after `resume`. Where there is no
        thread yet, none can start meanwhile.
        """
        with self._lock:
            thread, transport = self._thread, self.transport
            if thread is threading.current_thread():
                return
            self.paused = True
            self._wanted = self._wanted or thread is not None
        if thread is not None:
            if transport is not None:
                transport.wake()
            ended(thread, patience)

    def resume(self) -> bool:
        """Allow the thread again; True if there was one, or should have been."""
        with self._lock:
            wanted, self._wanted = self._wanted, False
            self.paused = False
            if wanted:
                self._start_after = 0.0
        return wanted

    def _drive(self, is_over: Callable[[], bool], deadline: float) -> None:
        """Do the work in this thread, unless another has begun it."""
        with self._lock:
            if self.driven or self.stopped or self.paused:
                return
            self.driven = True
        self._run(is_over, deadline)

    def _run(self, is_over: Callable[[], bool], deadline: float) -> None:
        outer = sending.set(True)
        try:
            if (transport := self.transport) is None:
                with importing():
                    transport = self._work.make_transport()
                self.transport = transport
            while not is_over():
                if self.paused and self._step_aside(transport):
                    return
                self._work.turn(transport, deadline)
            self._retire()
        except FAILURES as error:
            # Not with its text, which may repeat what somebody has typed.
            logger.error(  # noqa: TRY400
                "The thread %s broke down (%s); the next hit starts it again.",
                self._name,
                type(error).__name__,
            )
            self._hooks.failed(error)
            self._retire()
        finally:
            sending.reset(outer)

    def _step_aside(self, transport: Transport) -> bool:
        """Leave all as it is for a fork, if that has not passed meanwhile."""
        if isinstance(transport, RequestsTransport):
            transport.dismiss(DISMISSAL)
        with self._lock:
            if not self.paused:
                return False
            self._leave()
        return True

    def _retire(self) -> None:
        self._work.retire()
        with self._lock:
            transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        self._thread = None
        self.driven = False
        self.wake_at = AWAKE
        self.progress.notify_all()
