"""ThreadSender: send from one thread in the background."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Literal, get_args
from weakref import WeakSet, finalize

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Hit
from server_tracking.senders import Counts, Draft
from server_tracking.senders.dispatch import Dispatch
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.lanes import Rules
from server_tracking.senders.options import Options, bound_once, check_numbers
from server_tracking.senders.processes import PerProcess, lacks_threads
from server_tracking.senders.totals import total
from server_tracking.senders.transports import TransportName, check_transport
from server_tracking.systems import System

if TYPE_CHECKING:
    from server_tracking.senders.spool import SpoolSender

__all__ = ["Overflow", "ThreadSender"]

logger = logging.getLogger("server_tracking")

Overflow = Literal["refuse", "drop_oldest", "block", "spool"]
"""What happens to a hit for which there is no room."""


class ThreadSender:
    """Send from one background thread, however many systems and hits there are.

    The thread starts with the first hit, in each process. It ends before a fork, and
    starts again when there is something to send: in the parent with what it had
    accepted and the calls under way, in the child with the child's own. With pycurl
    it carries all calls; with requests, 4 to 8 more threads do.

    *timeout* is the deadline of one call, *exit_timeout* that of the whole flush at
    the end of the process, in seconds; a spool takes half of that more. *linger* is
    how long a hit may wait for company (None: as each system says); *rules* say the
    rest.

    At most *max_hits* and *max_bytes* are held for each system. What *overflow* does
    with a hit for which there is no room:

    - ``"refuse"``: it is not accepted.
    - ``"drop_oldest"``: it takes the place of the oldest that is queued.
    - ``"block"``: the caller waits for room, up to *block_ms* milliseconds; never
      where an event loop runs, nor for a system that is down.
    - ``"spool"``: it goes to the directory *spool*, from where a `SpoolSender` with
      its own two threads sends it to all systems, now or after a restart.

    What is held in memory is lost if the process is killed, or ended by a signal that
    Python does not handle (SIGTERM, unless the server does).

    *before_send*, *on_drop* and *on_error* are called as `Hooks` says. Raises
    `ConfigurationError` for wrong options.
    """

    blocking = False
    takes_drafts = True

    def __init__(
        self,
        *,
        timeout: float = 10.0,
        max_hits: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        linger: float | None = None,
        transport: TransportName = "auto",
        exit_timeout: float = 2.0,
        overflow: Overflow = "refuse",
        block_ms: float = 50.0,
        spool: str | os.PathLike[str] | None = None,
        rules: Rules | None = None,
        before_send: Callable[[Hit], Hit | None] | None = None,
        on_drop: Callable[[str, str, int], object] | None = None,
        on_error: Callable[[BaseException], object] | None = None,
    ) -> None:
        check_transport(transport)
        _check_overflow(overflow, spool)
        check_numbers(
            ("timeout", timeout, 0.001),
            ("max_hits", max_hits, 1),
            ("max_bytes", max_bytes, 1),
            ("linger", linger or 0, 0),
            ("exit_timeout", exit_timeout, 0),
            ("block_ms", block_ms, 0.001),
        )
        self._options = Options(
            timeout=timeout,
            exit_timeout=exit_timeout,
            transport=transport,
            rules=msgspec.structs.replace(
                rules or Rules(),
                max_hits=max_hits,
                max_bytes=max_bytes,
                linger=linger,
                drop_oldest=overflow == "drop_oldest",
            ),
            hooks=Hooks(before_send, on_drop, on_error),
            patience=block_ms / 1000 if overflow == "block" else 0.0,
        )
        self._systems: tuple[System, ...] | None = None
        self._closed = False
        self._spool = None if spool is None else _spool_at(spool, self._options)
        self._process = PerProcess(
            self._begin, pause=Dispatch.pause, resume=Dispatch.resume
        )

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems to send to; raises `ConfigurationError` the second time."""
        self._systems = bound_once(self._systems, systems)
        if self._spool is not None:
            self._spool.bind(systems)

    def send(self, hit: Hit | Draft) -> bool:
        """Queue *hit*; True if there was room for it in every system's lane.

        Takes a few microseconds, and never raises. From code that the sender's own
        thread runs, hits are refused.
        """
        return self._process.get().offer(hit)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all hits accepted before have an end; True if they have.

        False at once from a hook, and when nothing can get through in time because
        a system has asked for a longer pause.
        """
        deadline = monotonic() + timeout
        flushed = self._process.get().flush(timeout)
        if self._spool is None:
            return flushed
        return self._spool.flush(max(0.0, deadline - monotonic())) and flushed

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse new hits, flush, give up the rest, and stop the thread.

        What is on disk stays there. May take half a second longer than *timeout*, and
        a second more with a spool. False at once from a hook.
        """
        self._closed = True
        deadline = monotonic() + timeout
        closed = self._process.get().close(timeout)
        if self._spool is None:
            return closed
        return self._spool.close(max(0.0, deadline - monotonic())) and closed

    def stats(self) -> Mapping[str, Counts]:
        """Count what became of the hits in this process, by the system's name."""
        counts = self._process.get().counts()
        if self._spool is None:
            return counts
        spooled = self._spool.stats()
        return {key: total(counts[key], spooled[key]) for key in counts}

    def _begin(self) -> Dispatch:
        dispatch = Dispatch(
            self._systems or (),
            self._options,
            closed=self._closed,
            spill=None if self._spool is None else self._spool.send,
        )
        if self._spool is not None and not self._closed:
            self._spool.adopt()  # what a process that was killed has left there
        _dispatches.add(dispatch)
        finalize(self, dispatch.orphan).atexit = False
        _finish_with_multiprocessing()
        if lacks_threads():
            logger.warning(
                "uWSGI runs without threads: hits are sent while it serves requests "
                "and when it ends, not between. Give it enable-threads."
            )
        return dispatch


def _check_overflow(overflow: str, spool: object) -> None:
    if overflow not in get_args(Overflow):
        raise ConfigurationError(
            f"Option 'overflow': {overflow!r} was given; accepted are "
            f"{', '.join(map(repr, get_args(Overflow)))}.",
            option="overflow",
        )
    if (overflow == "spool") != (spool is not None):
        raise ConfigurationError(
            f"Option 'spool': {spool!r} was given with overflow={overflow!r}; accepted "
            "is a directory with overflow='spool', and None with any other.",
            option="spool",
        )


def _spool_at(directory: str | os.PathLike[str], options: Options) -> SpoolSender:
    """Make the sender of what finds no room, with the hooks and limits of the other."""
    from server_tracking.senders.drain import RULES  # with SQLite: 5 ms, for few
    from server_tracking.senders.spool import SpoolSender

    return SpoolSender(
        directory,
        timeout=options.timeout,
        exit_timeout=options.exit_timeout / 2,  # what is left is on disk
        transport=options.transport,
        rules=msgspec.structs.replace(
            options.rules,
            **{name: getattr(RULES, name) for name in _RULES_ON_DISK},
        ),
        before_send=options.hooks.before_send,
        on_drop=options.hooks.on_drop,
        on_error=options.hooks.on_error,
    )


_RULES_ON_DISK = (
    "attempts",
    "backoff_cap",
    "retry_after_cap",
    "max_hits",
    "max_bytes",
    "drop_oldest",
)


_dispatches: WeakSet[Dispatch] = WeakSet()


def _at_exit() -> None:
    """Send what is left, within one deadline for all senders.

    Non-daemon threads have ended by now, and no thread can be started on
    Python 3.12; ours is a daemon, and alive.
    """
    pid = os.getpid()
    working = [dispatch for dispatch in list(_dispatches) if dispatch.pid == pid]
    begun = monotonic()
    for dispatch in working:
        dispatch.drain()
    for dispatch in working:
        left = begun + dispatch.options.exit_timeout - monotonic()
        dispatch.close(max(0.0, left))


atexit.register(_at_exit)


def _finish_with_multiprocessing() -> None:
    """Flush at the end of a child of `multiprocessing`, which skips `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process():
        util.Finalize(None, _at_exit, exitpriority=100)
