"""SpoolSender: keep hits on disk until they are delivered."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from weakref import WeakSet, finalize

from server_tracking.hits import Hit
from server_tracking.senders import Counts, Draft
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.drain import RULES, Drain
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.intake import Intake, Terms
from server_tracking.senders.lanes import Rules, lanes_for
from server_tracking.senders.options import Options, bound_once, check_numbers
from server_tracking.senders.processes import PerProcess
from server_tracking.senders.transports import TransportName, check_transport, sending
from server_tracking.systems import System

__all__ = ["SpoolSender"]


class SpoolSender:
    """Keep hits in *directory* until they are delivered; the process may die any time.

    A hit that `send` has accepted survives ``kill -9`` (without *durable*, on Linux).
    It is on disk some 5 ms later, with *durable* before `send` returns, with *synced*
    even if the power fails. It is sent by this process or, if that has died, by any
    other that uses the directory. Each system gets each hit at least once: twice only if its
    call was under way when the process was killed.

    With ``drain=False`` this process sends nothing: ``server-tracking drain`` does.
    The files of all processes together take up *max_bytes*; what comes when they are
    full is refused. What is older than *max_age* seconds is not sent any more.
    *timeout* is the deadline of one call, *exit_timeout* that of sending at the end
    of the process, in seconds; what is left then stays on disk.

    If the disk fails, hits are kept in memory and sent from there (with *durable*
    they are refused); `unkept` counts them. *before_send*, *on_drop* and *on_error*
    are called as `Hooks` says. Raises `ConfigurationError` for wrong options.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        durable: bool = False,
        synced: bool = False,
        drain: bool = True,
        max_bytes: int = 256 * 1024 * 1024,
        max_age: float = 7 * 86400.0,
        timeout: float = 10.0,
        transport: TransportName = "auto",
        exit_timeout: float = 2.0,
        rules: Rules | None = None,
        before_send: Callable[[Hit], Hit | None] | None = None,
        on_drop: Callable[[str, str, int], object] | None = None,
        on_error: Callable[[BaseException], object] | None = None,
    ) -> None:
        check_transport(transport)
        check_numbers(
            ("max_bytes", max_bytes, 1024 * 1024),
            ("max_age", max_age, 1),
            ("timeout", timeout, 0.001),
            ("exit_timeout", exit_timeout, 0),
        )
        self.blocking = durable or synced
        self._directory = SpoolDirectory(directory)
        self._drains = drain
        self._max_age = max_age
        self._options = Options(
            timeout=timeout,
            exit_timeout=exit_timeout,
            transport=transport,
            rules=rules or RULES,
            hooks=Hooks(before_send, on_drop, on_error),
        )
        self._terms = Terms(
            durable=durable or synced,
            synced=synced,
            max_bytes=max_bytes,
            max_hit_bytes=self._options.rules.max_hit_bytes,
        )
        self._systems: tuple[System, ...] | None = None
        self._closed = False
        self._process = PerProcess(self._begin, pause=_Post.pause, resume=_Post.resume)

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems to send to; raises `ConfigurationError` the second time."""
        self._systems = bound_once(self._systems, systems)

    def send(self, hit: Hit | Draft) -> bool:
        """Take *hit*; True if it was accepted. Waits for the disk only if *durable*."""
        return self._process.get().intake.take(hit)

    def flush(self, timeout: float = 10.0) -> bool:
        """Put all on disk, and wait until all that is kept here has an end.

        With ``drain=False``, only the first. False at once from a hook, and when
        nothing can get through in time because a system has asked for a pause.
        """
        return self._process.get().flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse new hits, flush, and leave what is left on disk to others.

        May take a second longer than *timeout*. False at once from a hook.
        """
        self._closed = True
        return self._process.get().close(timeout)

    def adopt(self) -> None:
        """Look now for what dead processes have left; else it is done every 30 s."""
        post = self._process.get()
        if post.drain is not None:
            post.drain.adopt()

    def stats(self) -> Mapping[str, Counts]:
        """Count what became of the hits in this process, by the system's name.

        What it took over from a process that died counts as submitted and accepted
        here; what it left on disk stays queued.
        """
        return self._process.get().intake.counts()

    def unkept(self) -> Mapping[str, int]:
        """Count the hits of this process that could not be put on disk, by cause."""
        return dict(self._process.get().intake.unkept)

    def _begin(self) -> _Post:
        systems = self._systems or ()
        drain = None
        if self._drains:
            drain = Drain(
                systems, self._options, self._directory, max_age=self._max_age
            )
        intake = Intake(
            tuple(lanes_for(systems)),
            self._terms,
            self._directory,
            drain,
            self._options.hooks,
            closed=self._closed,
        )
        post = _Post(intake, drain, self._options.exit_timeout)
        _posts.add(post)
        finalize(self, intake.orphan).atexit = False
        _finish_with_multiprocessing()
        return post


class _Post:
    """What a spool sender has in one process."""

    def __init__(
        self, intake: Intake, drain: Drain | None, exit_timeout: float
    ) -> None:
        self.intake = intake
        self.drain = drain
        self.exit_timeout = exit_timeout

    def flush(self, timeout: float) -> bool:
        deadline = monotonic() + timeout
        kept = self.intake.commit()
        if self.drain is None:
            return kept
        return self.drain.flush(max(0.0, deadline - monotonic()))

    def pause(self, patience: float) -> None:
        until = monotonic() + patience
        self.intake.pause(patience)
        if self.drain is not None:
            self.drain.pause(max(0.0, until - monotonic()))

    def resume(self) -> None:
        self.intake.resume()
        if self.drain is not None:
            self.drain.resume()

    def close(self, timeout: float) -> bool:
        if sending.get():
            return False  # the drain cannot wait for itself
        self.intake.close()
        flushed = self.flush(timeout)
        self.intake.stop()
        if self.drain is not None:
            self.drain.stop()
        return flushed


_posts: WeakSet[_Post] = WeakSet()


def _at_exit() -> None:
    """Put all on disk first, and then send what can be sent in time."""
    pid = os.getpid()
    own = [post for post in list(_posts) if post.intake.pid == pid]
    begun = monotonic()
    for post in own:
        post.intake.close()
    for post in own:
        post.close(max(0.0, begun + post.exit_timeout - monotonic()))


atexit.register(_at_exit)


def _finish_with_multiprocessing() -> None:
    """Do so at the end of a child of `multiprocessing`, which skips `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process():
        util.Finalize(None, _at_exit, exitpriority=100)
