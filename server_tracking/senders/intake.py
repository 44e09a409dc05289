"""Intake: accept hits, and have them on disk within milliseconds.

    send ──► buffer and tail ──commit──► store of this process ──► drain

The tail is a copy of the buffer that survives ``kill -9``, see `tail`. Whoever commits takes all that is in the buffer: a thread every few milliseconds,
or, where `send` is to wait, one of the callers for all of them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from math import inf
from time import monotonic
from typing import NamedTuple

import msgspec

from server_tracking.hits import Hit, encode_hits
from server_tracking.reasons import Reason
from server_tracking.senders import Counts, Draft
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.drain import Drain
from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.processes import ended
from server_tracking.senders.sources import Source
from server_tracking.senders.store import MEMORY, Store, Syncer, trouble_of
from server_tracking.senders.tail import Row, Tail
from server_tracking.senders.transports import sending

__all__ = ["STORAGE", "Intake", "Terms"]

logger = logging.getLogger("server_tracking")

STORAGE = "storage"  # refused: it could not be kept on disk, as was asked for

GATHER = 0.005  # seconds that a hit may wait for others before it is committed
UPKEEP_PERIOD = 1.0  # seconds between two looks at sizes, and until power may fail
TROUBLE_PERIOD = 5.0  # seconds without asking a disk that has failed
LOG_PERIOD = 60.0
RESTART_PERIOD = 1.0
BUFFER_BYTES = 16 * 1024 * 1024  # held in memory at most
ROW_BYTES = 48  # on disk, beside the hit itself
WORN = 8 * 1024 * 1024  # bytes after which an empty file is replaced, to shrink
JOIN_TIMEOUT = 0.5


class Terms(NamedTuple):
    """What is promised: *durable* hits are on disk when `take` returns.

    *synced* ones are even when power fails. *max_bytes* bounds the directory.
    """

    durable: bool
    synced: bool
    max_bytes: int
    max_hit_bytes: int


class _Waiting:
    """A hit in the buffer; *kept* says what became of it."""

    __slots__ = ("body", "hit", "kept", "row")

    def __init__(self, hit: Hit, body: bytes) -> None:
        self.hit = hit
        self.body = body
        self.row: Row = float(hit.time), body
        self.kept: bool | None = None


class Intake:
    """Keep hits for the systems *keys* in *directory*, in this process.

    *drain* sends them; None leaves that to another process, which gets what is
    kept second by second.
    """

    def __init__(
        self,
        keys: Sequence[str],
        terms: Terms,
        directory: SpoolDirectory,
        drain: Drain | None,
        hooks: Hooks,
        *,
        closed: bool,
    ) -> None:
        self.pid = os.getpid()
        self.unkept: dict[str, int] = {}
        self._keys = tuple(keys)
        self._terms = terms
        self._directory = directory
        self._drain = drain
        self._hooks = hooks
        self._closed = closed
        self._stopped = False
        self._orphaned = False
        self._paused = False  # for a fork
        self._lock = threading.RLock()
        self._tick = threading.Condition(self._lock)
        self._committing = threading.RLock()
        self._inside = False  # of `take`, to know a signal handler that comes back
        self._buffer: list[_Waiting] = []
        self._buffered = 0  # bytes
        self._kept = 0
        self._refused: dict[str, int] = {}
        self._commit_at = inf
        self._upkeep_at = inf
        self._thread: threading.Thread | None = None
        self._start_after = 0.0
        self._syncer = Syncer(hooks.failed)
        stem = None if terms.durable else directory.tail_stem
        self._tail = Tail(stem, keys, self._lock)
        self._source: Source | None = None
        self._volatile: Source | None = None
        self._sealed: os.PathLike[str] | str | None = None
        self._written = 0  # bytes in the present file, ever
        self._average = 0.0  # bytes of a hit
        self._room = float(terms.max_bytes)
        self._trust_at = 0.0  # when a disk that has failed may be tried again
        self._tell_at = 0.0
        self._cause = ""

    def take(self, hit: Hit | Draft) -> bool:
        """Accept *hit*; True if it is, or will be within milliseconds, on disk."""
        if sending.get():
            return self._refuse(Reason.REENTRANT)
        try:
            written = hit if isinstance(hit, msgspec.Struct) else hit.hit()
            waiting = _Waiting(written, encode_hits((written,)))
            if not hit.time >= 0:
                return self._refuse(Reason.INVALID)
        except FAILURES as error:
            self._hooks.failed(error)
            return self._refuse(Reason.INVALID)
        reason = self._admit(waiting)
        if reason is not None:
            return self._refuse(reason)
        if self._terms.durable:
            with self._committing:
                if waiting.kept is None:  # another has not taken it along
                    self.commit()
            return bool(waiting.kept)
        if self._commit_at == inf:
            self._expect(monotonic() + GATHER)
        return True

    def commit(self) -> bool:
        """Put on disk all that was taken so far; False if the disk did not let us."""
        with self._committing:
            with self._lock:
                batch, self._buffer = self._buffer, []
                self._buffered = 0
                self._commit_at = inf
                if batch:
                    self._tail.turn(len(batch))
            if not batch:
                return True
            outer = sending.set(True)
            try:
                return self._keep(batch)
            finally:
                sending.reset(outer)

    def close(self) -> bool:
        """Refuse new hits, and put the last on disk."""
        with self._lock:
            self._closed = True
        return self.commit()

    def stop(self) -> None:
        """Stop the thread, and leave the file to whoever wants it."""
        with self._lock:
            self._stopped = True
            thread = self._thread
            self._tick.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_TIMEOUT)
        self._tail.close()
        if self._drain is None:
            with self._committing:
                source, self._source = self._source, None
            if source is not None:
                source.close()

    def pause(self, patience: float) -> None:
        """End the thread between two commits, for this process is about to fork."""
        until = monotonic() + patience
        with self._lock:
            thread = self._thread
            if thread is threading.current_thread():
                return
            self._paused = True  # also if there is none, for none must start now
            self._tick.notify_all()
        if thread is not None:
            ended(thread, patience)
        self._syncer.wait(max(0.0, until - monotonic()))

    def resume(self) -> None:
        """Start the thread again, for what came meanwhile."""
        with self._lock:
            self._paused = False
            self._start_after = 0.0
            due = min(self._commit_at, self._upkeep_at)
        if due != inf:
            self._expect()

    def orphan(self) -> None:
        """Come to an end, for nobody is left to take hits from."""
        self._orphaned = True
        if self.pid == os.getpid():
            with self._lock:  # it lets its own thread in, as a garbage collector needs
                self._upkeep_at = 0.0
                self._tick.notify_all()

    def counts(self) -> Mapping[str, Counts]:
        """Count what became of the hits."""
        with self._committing, self._lock:
            # Those that `send` waits for are not accepted yet.
            held = 0 if self._terms.durable else len(self._buffer)
            refused = dict(self._refused)
            kept = self._kept
            if self._drain is None:
                counts = Counts(submitted=kept, accepted=kept, queued=kept)
                found = dict.fromkeys(self._keys, counts)
            else:
                with self._drain.lock:
                    found = {k: lane.counts() for k, lane in self._drain.lanes.items()}
        return {
            key: msgspec.structs.replace(
                counts,
                submitted=counts.submitted + held + sum(refused.values()),
                refused=refused,
                accepted=counts.accepted + held,
                queued=counts.queued + held,
            )
            for key, counts in found.items()
        }

    # Inside

    def _admit(self, waiting: _Waiting) -> Reason | None:
        """Put a hit into the buffer, or say why not."""
        size = len(waiting.body) + ROW_BYTES
        if size > self._terms.max_hit_bytes:
            return Reason.TOO_BIG
        with self._lock:
            if self._closed:
                return Reason.CLOSED
            if self._inside:
                return Reason.REENTRANT
            self._inside = True
            try:
                fits = self._fits(size)
                if fits:
                    self._tail.put(*waiting.row)
                    self._buffer.append(waiting)
                    self._buffered += size
            finally:
                self._inside = False
        return None if fits else Reason.QUEUE_FULL

    def _refuse(self, reason: str, number: int = 1) -> bool:
        with self._lock:
            self._refused[reason] = self._refused.get(reason, 0) + number
        for key in self._keys:
            self._hooks.dropped(key, reason, number)
        return not self._keys

    def _fits(self, size: int) -> bool:
        buffered = self._buffered + size
        source = self._volatile or self._source
        kept = source.store.pending * self._average if source is not None else 0
        room = self._room if self._volatile is None else BUFFER_BYTES
        return buffered <= BUFFER_BYTES and kept + buffered <= room

    def _keep(self, batch: list[_Waiting]) -> bool:
        rows = [waiting.row for waiting in batch]
        size = sum(len(body) for _, body in rows) + ROW_BYTES * len(rows)
        self._average = self._average or size / len(rows)
        self._average += (size / len(rows) - self._average) / 8
        try:
            source = self._on_disk()
            if self._tail.is_missed:
                self._have_a_tail_again(source, rows)
            ids = source.store.append(rows)
            self._written += size
            if source.claim is not None:
                source.claim.note()
        except (sqlite3.Error, OSError) as error:
            self._fail(error, len(batch))
            return self._keep_elsewhere(batch, rows)
        self._volatile_no_more()
        self._kept_in(source, ids, batch)
        return True

    def _on_disk(self) -> Source:
        """Return the source of this process's own file, which is made at need."""
        if monotonic() < self._trust_at:
            raise OSError("it has just failed")
        source = self._source
        if source is not None and self._is_worn(source):
            source.adopted = True  # the drain removes it
            source = None
        if source is None or source.broken:
            claim = self._directory.make(
                self._keys, synced=self._terms.synced, name_store=self._tail.name_store
            )
            source = Source(claim.store, claim, self._keys, adopted=False)
            if self._drain is not None:
                self._drain.add(source)
            self._source = source
            self._written = 0
            self._look_around()
        return source

    def _have_a_tail_again(self, source: Source, rows: list[Row]) -> None:
        if source.claim is not None:
            with self._lock:
                waiting = [held.row for held in self._buffer]
                first = source.store.last + 1
                self._tail.reopen(source.claim.name, first, rows, waiting)

    def _is_worn(self, source: Source) -> bool:
        return (
            self._drain is not None
            and self._written > WORN
            and not source.store.pending
            and not source.under_way
        )

    def _kept_in(self, source: Source, ids: range, batch: list[_Waiting]) -> None:
        for waiting in batch:
            waiting.kept = True
        with self._lock:
            self._tail.settle()
            self._kept += len(batch)
        if self._drain is not None:
            hits = [(waiting.hit, len(waiting.body)) for waiting in batch]
            self._drain.stored(source, ids, hits)
        if self._upkeep_at == inf:
            self._expect(upkeep_at=monotonic() + UPKEEP_PERIOD)

    def _keep_elsewhere(self, batch: list[_Waiting], rows: list[Row]) -> bool:
        """Keep in memory what the disk does not take, or refuse it as promised."""
        if self._terms.durable:
            for waiting in batch:
                waiting.kept = False
            self._refuse(STORAGE, len(batch))
        elif self._drain is None:
            with self._lock:
                self._buffer[:0] = batch
                self._buffered += sum(len(body) + ROW_BYTES for _, body in rows)
            self._expect(self._trust_at)
        else:
            if self._volatile is None:
                store = Store(MEMORY, self._keys)
                self._volatile = Source(store, None, self._keys, adopted=False)
                self._drain.add(self._volatile)
            self._kept_in(self._volatile, self._volatile.store.append(rows), batch)
        return False

    def _volatile_no_more(self) -> None:
        if self._volatile is not None:
            self._volatile.adopted = True  # gone when all of it is sent
            self._volatile = None
            logger.warning("The spool keeps hits on disk again.")

    def _fail(self, error: sqlite3.Error | OSError, number: int) -> None:
        now = monotonic()
        if now < self._trust_at:
            cause = self._cause
        else:
            cause = self._cause = trouble_of(error)
            self._trust_at = now + TROUBLE_PERIOD
            if now >= self._tell_at:
                self._tell_at = now + LOG_PERIOD
                logger.error(
                    "The spool %s cannot keep hits (%s). They are %s meanwhile.",
                    self._directory.path,
                    error,
                    "refused" if self._terms.durable else "kept in memory",
                )
        self._tail.close()
        with self._lock:
            self.unkept[cause] = self.unkept.get(cause, 0) + number
        source = self._source
        if cause == "corrupt" and source is not None and not source.broken:
            self._source = None
            if self._drain is not None:
                self._drain.give_up(source, error)
            elif source.claim is not None:
                self._directory.set_aside(source.claim, error)

    # The thread

    def _expect(self, commit_at: float = inf, upkeep_at: float = inf) -> None:
        """Have the thread at work at that time."""
        with self._lock:
            self._commit_at = min(self._commit_at, commit_at)
            self._upkeep_at = min(self._upkeep_at, upkeep_at)
            self._tick.notify_all()
            if self._thread is not None or self._stopped or self._paused:
                return
            if (now := monotonic()) < self._start_after:
                return
            self._start_after = now + RESTART_PERIOD
            self._thread = thread = threading.Thread(
                target=self._run, name="server-tracking-spool", daemon=True
            )
            try:
                thread.start()  # with the lock: a fork waits for what it can join
            except RuntimeError:  # the interpreter shuts down, or the system is full
                self._thread = None
            else:
                return
        self.commit()

    def _run(self) -> None:
        sending.set(True)
        while not self._stopped:
            with self._lock:
                if self._paused:
                    self._thread = None
                    return
                due = min(self._commit_at, self._upkeep_at)
                left = due - monotonic()
                if left > 0 and not self._stopped:
                    self._tick.wait(None if due == inf else left)
                    continue
            try:
                self.commit()
                if monotonic() >= self._upkeep_at:
                    self._keep_up()
            except FAILURES as error:
                self._hooks.failed(error)

    def _keep_up(self) -> None:
        """Do what has time: sizes, the disk's own cache, and the next file."""
        with self._committing:
            self._upkeep_at = inf
            source = self._source
            if self._orphaned:
                self._stopped = True
                self._tail.close()
                if self._drain is not None:
                    self._drain.orphan()
                elif source is not None:
                    source.close()
                return
            if source is None or source.broken:
                return
            self._look_around()
            if self._drain is None:
                source.store.sync()
                if source.store.pending:
                    self._seal(source)
                return
        if not self._syncer.begin(source.store):
            self._expect(upkeep_at=monotonic() + UPKEEP_PERIOD)

    def _look_around(self) -> None:
        """See how much room the other processes' files leave."""
        if self._source is not None and self._source.claim is not None:
            others = self._directory.size() - self._source.claim.size()
            self._room = self._terms.max_bytes - others

    def _seal(self, source: Source) -> None:
        """Hand our file over to a drain of another process, if it has had the last."""
        if self._sealed is not None and os.path.exists(self._sealed):  # noqa: PTH110
            self._upkeep_at = monotonic() + UPKEEP_PERIOD
            return
        self._tail.leave_store()
        self._source = None
        self._sealed = source.store.path
        source.close()
