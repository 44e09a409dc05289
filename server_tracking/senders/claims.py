"""A directory of stores, each claimed by one process through a lock on a file.

    <name>.spool (+ -wal, -shm)   a store
    <name>.lock                   whose it is; and 16 bytes of what it should hold
    /dev/shm/...<name>            what was on its way to it, see `tail`
    aside/                        files that SQLite could not read

The kernel gives a lock back however its process ends, so that ownership needs no
clock, no heartbeat, and nothing to be cleaned up after a crash. What nobody has
claimed is an orphan, for whoever wants it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import sqlite3
import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from server_tracking.errors import ConfigurationError
from server_tracking.senders import tail
from server_tracking.senders.store import ForeignStoreError, Store

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Claim", "SpoolDirectory"]

logger = logging.getLogger("server_tracking")

MOST_ASIDE = 5  # unreadable files that are kept
_MARK = struct.Struct("<qq")  # the highest id given, the lowest that is kept
_PARTS = ("-wal", "-shm", "")

# Record locks do not hold between threads and senders of one process, so they are
# counted here; by process, for a child inherits this, but not the locks.
_held: dict[tuple[int, str], object] = {}


class Mark(NamedTuple):
    """What an owner has last noted of its store."""

    last: int
    first: int


class Claim:
    """A store that is this process's own until `release` or `discard`.

    *lost* is how many hits the store should hold and does not. That counts those
    that were delivered out of order twice, so it is never too low.
    """

    def __init__(self, store: Store, name: str, lock: _Lock) -> None:
        self.store = store
        self.name = name
        self._lock = lock
        self._noted = lock.mark
        self.lost = _missing(lock.mark, store.last)

    def note(self) -> None:
        """Write down what the store holds, beside it, so that a loss can be counted."""
        mark = Mark(self.store.last, self.store.first())
        if mark != self._noted:
            self._lock.note(mark)
            self._noted = mark

    def rescue(self, wreck: tail.Wreck) -> None:
        """Keep what the store's owner had taken and not committed when it died."""
        try:
            self.store.append(wreck.rows(self.store.last))
            self.note()
        except (sqlite3.Error, OSError):  # the disk is full: it goes on waiting
            wreck.keep(self.store.last)
        else:
            wreck.remove()

    def size(self) -> int:
        """Add up the bytes of its files."""
        return self._lock.size()

    def release(self) -> None:
        """Close the store and leave it to whoever wants it."""
        if not self.store.pending:
            self.discard()
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self.store.close()
            self._lock.note(self._noted)
        self._lock.free()

    def discard(self) -> None:
        """Remove the store with all that it holds."""
        with contextlib.suppress(sqlite3.Error):
            self.store.close()
        self._lock.remove()


class SpoolDirectory:
    """The stores in the directory *path*, which is made when it is first needed.

    It belongs to its user alone (mode 0700). Methods raise `OSError` or
    `sqlite3.Error` if the disk fails. Raises `ConfigurationError` where files
    cannot be locked.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if fcntl is None:
            raise ConfigurationError(
                "The spool needs a system that can lock files with fcntl; Windows "
                "cannot.",
                option="sender",
            )
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - follows no link
        self._passed_over: set[tuple[str, int]] = set()
        self._stem = ""  # of tails

    def make(
        self,
        keys: Sequence[str],
        *,
        synced: bool = False,
        name_store: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> Claim:
        """Make a new store for hits to the systems *keys*."""
        self._prepare()
        while True:
            name = name_store()  # not the pid: containers have few of them
            lock = self._lock(name)
            if lock is None:
                continue
            path = self.path / f"{name}.spool"
            return Claim(_founded(path, keys, lock, synced=synced), name, lock)

    def orphans(self) -> Iterator[Claim]:
        """Claim, one after the other, the stores that belong to no living process.

        What cannot be read is set aside, and told in the log.
        """
        with contextlib.suppress(OSError):
            self._stem = self._tail_stem()
        for name in sorted({*self._names(), *tail.names_of_tails(self._stem)}):
            if (os.getpid(), str(self.path / name)) in _held:
                continue
            try:
                claim = self._claim(name)
            except OSError:  # gone, or another user's
                continue
            if claim is not None:
                yield claim

    def tail_stem(self) -> str:
        """Say where the tails of this directory's stores are, but for their names."""
        self._prepare()
        return self._tail_stem()

    def _tail_stem(self) -> str:
        # Containers that share tmpfs may have other directories at the same path.
        found = self.path.stat()
        place = f"{self.path} {found.st_dev} {found.st_ino}".encode()
        digest = hashlib.sha256(place).hexdigest()[:16]
        return f"{tail.FOLDER}/server-tracking.{os.geteuid()}.{digest}."

    def size(self) -> int:
        """Add up the bytes of all files."""
        total = 0
        with contextlib.suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # it may have gone meanwhile
                    total += entry.stat(follow_symlinks=False).st_size
        return total

    def count(self) -> int:
        """Count the stores that there are, whosever they are."""
        return len(self._names())

    def set_aside(self, claim: Claim, error: Exception) -> None:
        """Move a store out of the way that turned out to be unreadable."""
        with contextlib.suppress(sqlite3.Error):
            claim.store.close()
        self._set_aside(claim.name, claim._lock, error)  # noqa: SLF001 - our own

    def _prepare(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            # Whoever owns it could read our visitors' hits, or put in their own.
            raise PermissionError(f"{self.path} is not a directory of our own")
        if stat.S_IMODE(found.st_mode) & 0o022:
            raise PermissionError(f"{self.path} can be written to by others")

    def _names(self) -> list[str]:
        try:
            found = [path.name for path in self.path.iterdir()]
        except OSError:
            return []
        parts = (name.partition(".") for name in found)
        return sorted({name for name, _, end in parts if end in {"lock", "spool"}})

    def _lock(self, name: str) -> _Lock | None:
        try:
            return _Lock(self.path / name)
        except BlockingIOError:
            return None

    def _claim(self, name: str) -> Claim | None:
        try:
            wreck = tail.wreck_at(self._stem + name) if self._stem else None
        except BlockingIOError:
            return None
        except OSError:
            wreck = None  # another user's
        claim = None
        try:
            claim = self._claim_store(name, wreck)
        finally:
            if claim is not None and wreck is not None:
                claim.rescue(wreck)
            elif wreck is not None and not wreck.rows(0):
                wreck.remove()
            elif wreck is not None:
                wreck.leave()
        return claim

    def _claim_store(self, name: str, wreck: tail.Wreck | None) -> Claim | None:
        path = self.path / f"{name}.spool"
        lock = self._lock(name)
        if lock is None:
            return None
        if not path.exists():
            if wreck is None or not wreck.rows(0):
                lock.remove()
                return None
            with contextlib.suppress(sqlite3.Error):  # killed before its first commit
                return Claim(_founded(path, wreck.keys, lock), name, lock)
            return None
        seen = {(name, path.stat().st_mtime_ns), (name, -1)}
        if seen & self._passed_over:
            lock.free()
            return None
        try:
            # If it was killed while it made the file, there is no schema yet.
            store = Store(path, () if wreck is None else wreck.keys)
        except ForeignStoreError as error:
            self._pass_over(name)
            lock.free()
            logger.warning("The spool leaves %s alone: %s.", path, error)
        except sqlite3.Error as error:
            if _is_unreadable(error):
                self._set_aside(name, lock, error)
            else:
                lock.free()
        else:
            return Claim(store, name, lock)
        return None

    def pass_over(self, claim: Claim) -> None:
        """Release a store, and do not claim it again until it has changed."""
        claim.release()
        with contextlib.suppress(OSError):
            self._pass_over(claim.name)

    def _pass_over(self, name: str) -> None:
        path = self.path / f"{name}.spool"
        self._passed_over.add((name, path.stat().st_mtime_ns))

    def _set_aside(self, name: str, lock: _Lock, error: Exception) -> None:
        aside = self.path / "aside"
        try:
            aside.mkdir(mode=0o700, exist_ok=True)
            for part in _PARTS:
                file = self.path / f"{name}.spool{part}"
                if file.exists():
                    file.rename(aside / file.name)
        except OSError:  # it stays where it is
            self._passed_over.add((name, -1))
            lock.free()
            return
        kept = sorted(aside.glob("*.spool"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-MOST_ASIDE]:
            for part in _PARTS:
                Path(f"{old}{part}").unlink(missing_ok=True)
        logger.error(
            "A file of the spool cannot be read (%s) and was set aside as %s; up to %d "
            "hits in it are lost. Tracking goes on.",
            error,
            aside / f"{name}.spool",
            _missing(lock.mark, 0),
        )
        lock.remove()


class _Lock:
    """The lock file of the store *stem*; raises `BlockingIOError` if it is another's."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._path = stem.with_suffix(".lock")
        self._key = (os.getpid(), str(stem))
        token = object()
        # First: to close a second descriptor of the file would free our own lock.
        if _held.setdefault(self._key, token) is not token:
            raise BlockingIOError
        try:
            self._file = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode=0o600
            )
            try:
                self._take()
            except BaseException:
                os.close(self._file)
                raise
        except BaseException:
            del _held[self._key]
            raise

    def _take(self) -> None:
        # Not flock: a forked child would share it, and keep it when its parent dies.
        fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            raise BlockingIOError from None  # its owner has removed it meanwhile
        own = os.fstat(self._file)
        if (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino):
            raise BlockingIOError
        data = os.pread(self._file, _MARK.size, 0)
        self.mark = Mark(*_MARK.unpack(data)) if len(data) == _MARK.size else Mark(0, 1)

    def note(self, mark: Mark) -> None:
        """Write *mark*; it survives this process."""
        os.pwrite(self._file, _MARK.pack(*mark), 0)

    def size(self) -> int:
        """Add up the bytes of the store and the lock."""
        total = 0
        for part in (".lock", *(f".spool{part}" for part in _PARTS)):
            with contextlib.suppress(OSError):
                total += Path(f"{self._stem}{part}").stat().st_size
        return total

    def free(self) -> None:
        """Give the lock back."""
        os.close(self._file)
        _held.pop(self._key, None)

    def remove(self) -> None:
        """Remove the store and the lock."""
        for part in _PARTS:
            with contextlib.suppress(OSError):
                Path(f"{self._stem}.spool{part}").unlink()
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.free()


def _founded(
    path: Path, keys: Sequence[str], lock: _Lock, *, synced: bool = False
) -> Store:
    try:
        # SQLite would let others read it, and gives its log the same mode.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return Store(path, keys, synced=synced)
    except BaseException:
        lock.remove()
        raise


def _missing(mark: Mark, last: int) -> int:
    return max(0, mark.last - max(last, mark.first - 1))


def _is_unreadable(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
