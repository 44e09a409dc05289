"""Hits in one SQLite file, with what each system has had of them.

    hit       id, time, body       a hit as JSON, until every system has had it
    progress  hit, done            the bits of the systems that have had a part of it
    system    bit, key             whom the hits of this file are for

One connection for each file, ever: with two, SQLite before 3.51.3 could lose what
it had committed when both reset the log (the WAL-reset bug).
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from server_tracking.senders.hooks import FAILURES
from server_tracking.senders.processes import ended, guard_forks

__all__ = ["MEMORY", "ForeignStoreError", "Row", "Store", "Syncer", "trouble_of"]

MEMORY = ":memory:"
"""Where a store is that lives no longer than its process."""

APPLICATION = 0x53545231  # "STR1"
VERSION = 1

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE hit(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE progress(hit INTEGER PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE system(bit INTEGER PRIMARY KEY, key TEXT NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

# Many rows with one statement: the module lets the interpreter's lock go at each, and
# a busy thread may keep it for 5 ms before it gives it back.
_KEEP = "INSERT INTO hit(id, time, body) VALUES {rows}"
_FORGET = "DELETE FROM hit WHERE id IN ({ids})"
_FORGET_COMPLETE = """
DELETE FROM hit WHERE id IN (SELECT hit FROM progress WHERE done = {all} AND hit IN ({ids}))"""
_NOTE = """
INSERT INTO progress VALUES {rows} ON CONFLICT DO UPDATE SET done = done | excluded.done"""
_UNNOTE = "DELETE FROM progress WHERE hit IN ({ids})"
_CLEAR = "DELETE FROM progress WHERE done = {all} AND hit IN ({ids})"
# Cast, for a damaged file may hold other types than the table was made with.
_READ = """
SELECT id, CAST(time AS REAL), CAST(body AS BLOB) FROM hit LEFT JOIN progress ON hit = id
WHERE id > ? AND coalesce(done, 0) & ? = 0 ORDER BY id LIMIT ?"""
_COUNT = """
SELECT count(*) FROM hit LEFT JOIN progress ON hit = id WHERE coalesce(done, 0) & ? = 0"""
_FIRST = "SELECT coalesce(min(id), ?) FROM hit"
_OLD = "SELECT id FROM hit WHERE time < ?"
_FORGETTING = {_FORGET, _FORGET_COMPLETE}
_AT_ONCE = 250  # rows; SQLite before 3.32 takes 999 values in one statement
CHECKPOINT_AFTER = 200  # commits, of about five pages of 4096 bytes each

_Values = tuple[float | bytes, ...]

_TROUBLES = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_IOERR: "io_error",
}


def trouble_of(error: sqlite3.Error | OSError) -> str:
    """Name in one word what *error* says of the disk."""
    if isinstance(error, OSError):
        return "cannot_open"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest are details
    if code:
        return _TROUBLES.get(code, "io_error")
    # Raised by the module itself: what was read has not the types of our schema.
    return "corrupt"


class ForeignStoreError(Exception):
    """The file belongs to another program, or to a later version of this one."""


class Row(NamedTuple):
    """A hit as it is kept. *time* is the hit's own, in Unix seconds."""

    id: int
    time: float
    body: bytes


class Store:
    """Open the file *path*, or make it for hits to the systems named by *keys*.

    *keys* are those of the file, where there is one. *synced* also waits for the
    disk with each commit, so that power may fail. May be shared by threads, not
    by processes. All methods raise `sqlite3.Error` if the disk fails.
    """

    def __init__(
        self, path: Path | str, keys: Sequence[str] = (), *, synced: bool = False
    ) -> None:
        self.path = path
        self.bits: Mapping[str, int] = {}  # of each system
        self.last = 0  # the highest id ever given
        self.pending = 0  # how many hits are kept
        self._dirty = False
        self._commits = 0  # since the log was copied back
        self._closed = False
        self._founded = False
        with _using():
            self._open(keys, synced=synced)

    def append(self, hits: Iterable[tuple[float, bytes]]) -> range:
        """Keep hits, given by time and body, all or none; returns their ids."""
        with _using():
            rows = [
                (number, *hit) for number, hit in enumerate(hits, start=self.last + 1)
            ]
            self._write([(_KEEP, rows)])
            ids = range(self.last + 1, self.last + 1 + len(rows))
            self.last += len(rows)
            self.pending += len(rows)
            return ids

    def read(self, after: int, bit: int, most: int) -> list[Row]:
        """Read the next hits behind *after* that the system of *bit* has not had."""
        with _using():
            rows = self._db.execute(_READ, (after, bit, most)).fetchall()
        return [Row(*row) for row in rows]

    def mark(self, done: Mapping[int, int]) -> None:
        """Note which systems have had which hits, by id and bits; forget what is done."""
        whole: list[_Values] = []
        partial: list[_Values] = []
        for hit, bits in done.items():
            if bits == self._all:
                whole.append((hit,))
            else:
                partial.append((hit, bits))
        touched: list[_Values] = [row[:1] for row in partial]
        with _using():
            self._write(
                [
                    (_FORGET, whole),
                    (_NOTE, partial),
                    (_FORGET_COMPLETE, touched),
                    (_CLEAR, touched),
                ]
            )

    def count(self, bit: int) -> int:
        """Count the hits that the system of *bit* has not had."""
        with _using():
            return self._one(_COUNT, bit)

    def first(self) -> int:
        """Return the lowest id that is kept; one above `last` if there is none."""
        with _using():
            return self._one(_FIRST, self.last + 1)

    def drop_older(self, than: float) -> int:
        """Forget hits from before *than*, in Unix seconds; returns how many."""
        with _using():
            before = self.pending
            old: list[_Values] = self._db.execute(_OLD, (than,)).fetchall()
            self._write([(_FORGET, old), (_UNNOTE, old)])
            return before - self.pending

    def sync(self) -> None:
        """Have what was committed so far survive a power failure.

        Commits go on meanwhile.
        """
        if not self._dirty or self.path == MEMORY:
            return
        self._dirty = False
        if not self._founded:
            self._found()
            return
        try:
            # SQLite would do it only when it copies the log back. It locks the other
            # two files, not this one, so that closing it here frees nothing.
            log = os.open(f"{self.path}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(log)
        finally:
            os.close(log)
        if self._commits > CHECKPOINT_AFTER:
            self._checkpoint()

    def close(self) -> None:
        """Close the file; what is kept in it stays."""
        with _using():
            if not self._closed:
                self._closed = True
                self._db.close()
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._db))

    def _open(self, keys: Sequence[str], *, synced: bool) -> None:
        self._db = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(keys, synced=synced)
            systems = self._db.execute("SELECT bit, key FROM system").fetchall()
            self.bits = {key: 1 << bit for bit, key in systems}
            self.last = self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence")
            self.pending = self._one("SELECT count(*) FROM hit")
        except BaseException:
            self._db.close()
            raise
        self._all = sum(self.bits.values())
        # A forked child must not even free it at its end: that may end the parent's
        # transaction in the shared memory. A reference that nobody gives back helps
        # also where no fork hook is called.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._db))

    def _prepare(self, keys: Sequence[str], *, synced: bool) -> None:
        application = self._one("PRAGMA application_id")
        version = self._one("PRAGMA user_version")
        is_new = not self._one("SELECT count(*) FROM sqlite_master")
        if not is_new and (application != APPLICATION or version > VERSION):
            raise ForeignStoreError(f"application {application:#x}, version {version}")
        if not synced:  # the first hit need not wait until the disk has a new file
            self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = WAL").fetchall()
        # By itself at a commit, which then waits for the disk, only if `sync` has not.
        self._db.execute("PRAGMA wal_autocheckpoint = 2000").fetchall()
        self._db.execute("PRAGMA journal_size_limit = 4194304")
        self._db.execute("PRAGMA secure_delete = ON").fetchall()
        if is_new:
            self._db.executescript(SCHEMA)
            self._db.executemany("INSERT INTO system VALUES (?, ?)", enumerate(keys))
            self._db.execute("COMMIT")
        else:
            [(answer,)] = self._db.execute("PRAGMA quick_check(1)").fetchall()
            if answer != "ok":
                raise sqlite3.DatabaseError(answer)
        # NORMAL loses nothing when a process is killed; only power can take the
        # last second (see `sync`).
        self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        if synced:
            self._found()

    def _found(self) -> None:
        """Have the file itself survive a power failure: without it, its log is void."""
        self._founded = True
        if self.path == MEMORY:
            return
        self._checkpoint()
        folder = os.open(Path(self.path).parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _checkpoint(self) -> None:
        """Copy the log back; within milliseconds, if the disk has the log already."""
        with _using():
            if not self._closed:
                self._commits = 0
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _write(self, steps: Iterable[tuple[str, Sequence[_Values]]]) -> None:
        """Carry out *steps* as one transaction, and keep `pending` true."""
        parts = [
            (statement, rows[start : start + _AT_ONCE])
            for statement, rows in steps
            for start in range(0, len(rows), _AT_ONCE)
        ]
        gone = 0
        if len(parts) == 1:  # a transaction by itself
            gone = self._carry_out(*parts[0])
        elif parts:
            gone = self._together(parts)
        self.pending -= gone
        self._dirty = True
        self._commits += 1

    def _together(self, parts: Iterable[tuple[str, Sequence[_Values]]]) -> int:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            gone = sum(self._carry_out(*part) for part in parts)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has not rolled it back by itself
                self._db.execute("ROLLBACK")
            raise
        return gone

    def _carry_out(self, statement: str, rows: Sequence[_Values]) -> int:
        """Carry out *statement* for *rows*; returns how many hits it forgot."""
        marks = ",".join("?" * len(rows[0]))
        text = statement.format(
            rows=",".join([f"({marks})"] * len(rows)),
            ids=",".join("?" * len(rows)),
            all=self._all,
        )
        cursor = self._db.execute(text, [value for row in rows for value in row])
        return cursor.rowcount if statement in _FORGETTING else 0

    def _one(self, statement: str, *values: int) -> int:
        [(value,)] = self._db.execute(statement, values).fetchall()
        return int(value)


class Syncer:
    """Wait for the disk (20 ms and more) in another thread than hits wait for.

    *failed* hears of errors.
    """

    def __init__(self, failed: Callable[[BaseException], object]) -> None:
        self._failed = failed
        self._thread: threading.Thread | None = None

    def begin(self, store: Store) -> bool:
        """Begin `Store.sync`; False if the last one has not ended."""
        if self._thread is not None and self._thread.is_alive():
            return False
        thread = threading.Thread(
            target=self._sync, args=(store,), name="server-tracking-sync", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the interpreter shuts down, or the system is full
            self._sync(store)
        else:
            self._thread = thread
        return True

    def wait(self, patience: float) -> None:
        """Wait until the last one has ended, at most *patience* seconds."""
        if self._thread is not None:
            ended(self._thread, patience)

    def _sync(self, store: Store) -> None:
        try:
            store.sync()
        except FAILURES as error:
            self._failed(error)


LONGEST_USE = 2.0  # seconds that a fork waits

# One lock for all stores of a process: at a fork, no thread may be inside of SQLite,
# whose own locks the child would find taken for ever. By process, for where no fork
# hook is called (uWSGI forks in C) a child inherits a lock that nobody will release.
_locks: dict[int, threading.RLock] = {}
_forking: tuple[int, threading.RLock] | None = None  # the thread that holds it


def _own_lock() -> threading.RLock:
    pid = os.getpid()
    return _locks.get(pid) or _locks.setdefault(pid, threading.RLock())


@contextmanager
def _using() -> Iterator[None]:
    with _own_lock():
        yield


def _before_fork() -> None:
    global _forking
    lock = _own_lock()
    if lock.acquire(timeout=LONGEST_USE):
        _forking = threading.get_ident(), lock


def _after_fork_in_parent() -> None:
    global _forking
    if _forking is not None and _forking[0] == threading.get_ident():
        lock, _forking = _forking[1], None
        lock.release()


def _after_fork_in_child() -> None:
    global _forking
    _forking = None
    _locks.clear()


guard_forks(_before_fork, _after_fork_in_parent, _after_fork_in_child)
