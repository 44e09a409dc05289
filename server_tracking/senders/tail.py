"""Tail: memory that outlives the process, for hits on their way to the disk.

A hit that nobody waits for is in memory for some milliseconds, and for a fifth of a
second where a busy machine gives no time to the thread that commits. A copy of it lies
in a file of tmpfs meanwhile: ``kill -9`` leaves it there for whoever adopts the store.
To put it there takes a microsecond and waits for no disk.

    header   whom the hits are for
    halves   number of the first hit in the store, how many, and the hits
             one is filled while the other is committed
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import stat
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

try:
    import fcntl
except ImportError:  # Windows, where there is no spool either
    fcntl = None  # type: ignore[assignment]

__all__ = ["Row", "Tail", "Wreck", "names_of_tails", "wreck_at"]

FOLDER = "/dev/shm"  # noqa: S108 - only our own files are opened, and by their owner
_HEADER = 4096
_HALF = 128 * 1024
_MOST = 100  # tails of one directory; those of the killed stay until they are adopted
_SIZE = _HEADER + 2 * _HALF
_WORD = struct.Struct("@q")  # written in one step, so that a kill cannot tear it
_KEYS = struct.Struct("=8sI")
_RECORD = struct.Struct("=Id")  # length, and the hit's own time
_MAGIC = b"STtail1\n"
_NEVER = 2**62  # the number of a hit that no store has got

Row = tuple[float, bytes]

# A record lock is lost when its process closes any descriptor of the file, so it must
# not open its own again; by process, for a child inherits this, but not the lock.
_own: set[tuple[int, str]] = set()


class Tail:
    """Hold the hits for *keys* that an intake has taken and not committed yet.

    *stem* tells where: all but the name of the store that they will be in. Without it,
    or without tmpfs (not on Linux, or full), it holds nothing. The caller's *lock* guards
    it; `put`, `turn` and `settle` are called with it.
    """

    def __init__(
        self,
        stem: Callable[[], str] | None,
        keys: Sequence[str],
        lock: threading.RLock,
    ) -> None:
        self._stem = stem or str
        self._keys = keys
        self._lock = lock
        self._memory: mmap.mmap | None = None
        self._file = -1
        self._path = ""
        self._tried = stem is None
        self._named = False  # a store has the name
        self._half = 0
        self._base = 1
        self._count = 0
        self._start = 0  # of the half
        self._end = 0
        self._full = False
        self._leaving = 0  # hits that are being committed

    @property
    def is_missed(self) -> bool:
        """Tell whether it was given up, and may be had again."""
        return self._memory is None and self._tried and bool(self._path)

    def put(self, time: float, body: bytes) -> None:
        """Keep a copy of a hit; what does not fit is only in the caller's memory."""
        if not self._tried:
            self._open(secrets.token_hex(8), 1)
        memory = self._memory
        length = len(body)
        end = self._end + _RECORD.size + length
        if memory is None or self._full or end > self._start + _HALF:
            self._full = True  # what comes is the beginning of a batch, without a gap
            return
        _RECORD.pack_into(memory, self._end, length, time)
        memory[end - length : end] = body
        self._end = end
        self._count += 1
        _WORD.pack_into(memory, self._start + _WORD.size, self._count)

    def turn(self, number: int) -> None:
        """Begin the other half: the next *number* hits are being committed."""
        self._leaving = number
        self._half = 1 - self._half
        self._begin(self._base + number)

    def settle(self) -> None:
        """Forget the hits that were being committed."""
        self._leaving = 0
        self._write(1 - self._half, _WORD.size, 0)

    def name_store(self) -> str:
        """Return the name for a new store; the hits here will be its first."""
        with self._lock:
            if self._named:
                self.leave_store()
            if self._memory is None:
                return secrets.token_hex(8)
            self._named = True
            return self._path.rpartition(".")[2]

    def leave_store(self) -> None:
        """Let the present store go, which has no hit that is here."""
        with self._lock:
            self._named = False
            if self._memory is None:
                return
            try:
                path = self._stem() + secrets.token_hex(8)
                # Until the numbers are right too, they only have to be above 0.
                os.rename(self._path, path)  # noqa: PTH104
            except OSError:  # somebody has cleared it away
                self.close()
                return
            _own.discard((os.getpid(), self._path))
            _own.add((os.getpid(), path))
            self._path = path
            self._base = 1 + self._leaving
            self._write(1 - self._half, 0, 1)
            self._write(self._half, 0, self._base)

    def reopen(
        self, name: str, first: int, leaving: Sequence[Row], waiting: Iterable[Row]
    ) -> None:
        """Hold hits again: those *leaving* for the store *name*, and those *waiting*."""
        with self._lock:
            self._open(name, first)
            self._named = True
            for row in leaving:
                self.put(*row)
            self.turn(len(leaving))
            for row in waiting:
                self.put(*row)

    def close(self) -> None:
        """Forget all, for it is on disk, or can only be kept in memory."""
        with self._lock:
            self._tried = True
            memory, self._memory = self._memory, None
            if memory is None:
                return
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108
            memory.close()
            os.close(self._file)
            _own.discard((os.getpid(), self._path))

    def _open(self, name: str, first: int) -> None:
        self._tried = True
        self._path = ""
        keys = msgspec.json.encode(list(self._keys))
        try:
            path = self._stem() + name
            if (
                len(keys) > _HEADER - _KEYS.size
                or len(names_of_tails(self._stem())) >= _MOST
            ):
                return
            # Nobody sees it until it is whole, and locked.
            file = os.open(FOLDER, os.O_RDWR | os.O_TMPFILE, 0o600)
            try:
                os.posix_fallocate(file, 0, _SIZE)  # else, a full tmpfs would kill us
                self._memory = mmap.mmap(file, _SIZE)
                _KEYS.pack_into(self._memory, 0, _MAGIC, len(keys))
                self._memory[_KEYS.size : _KEYS.size + len(keys)] = keys
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # With a directory, it is the file that is linked, not the link to it.
                os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file)
            except BaseException:
                os.close(file)
                raise
        except (
            OSError,
            ValueError,
            AttributeError,
        ):  # no tmpfs, or none of its kinds of files
            self._memory = None
            return
        self._file = file
        self._path = path
        _own.add((os.getpid(), path))
        self._half = 0
        self._begin(first)

    def _begin(self, base: int) -> None:
        self._base = base
        self._count = 0
        self._start = _HEADER + self._half * _HALF
        self._end = self._start + 2 * _WORD.size
        self._full = False
        self._write(self._half, _WORD.size, 0)
        self._write(self._half, 0, base)

    def _write(self, half: int, place: int, value: int) -> None:
        if self._memory is not None:
            _WORD.pack_into(self._memory, _HEADER + half * _HALF + place, value)


class Wreck:
    """What a process that died has left in its tail, ours until `remove` or `leave`."""

    def __init__(self, path: str, file: int, memory: mmap.mmap) -> None:
        self._path = path
        self._file = file
        self._memory = memory
        _, length = _KEYS.unpack_from(memory)
        self.keys: list[str] = msgspec.json.decode(
            memory[_KEYS.size : _KEYS.size + length], type=list[str]
        )

    def rows(self, last: int) -> list[Row]:
        """Read the hits that a store whose highest number is *last* has not got."""
        halves = sorted((self._word(half, 0), half) for half in (0, 1))
        return [row for base, half in halves if base > last for row in self._read(half)]

    def keep(self, last: int) -> None:
        """Leave what `rows` has read to the next, whatever the store's numbers are."""
        for half in (0, 1):
            if self._word(half, 0) > last:
                self._set(half, 0, _NEVER)
            else:
                self._set(half, _WORD.size, 0)
        self.leave()

    def leave(self) -> None:
        """Leave all to the next who wants it."""
        self._memory.close()
        os.close(self._file)

    def remove(self) -> None:
        """Remove it, for all of it is in a store."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108
        self.leave()

    def _read(self, half: int) -> Iterable[Row]:
        start = _HEADER + half * _HALF
        place = start + 2 * _WORD.size
        for _ in range(self._word(half, _WORD.size)):
            length, time = _RECORD.unpack_from(self._memory, place)
            place += _RECORD.size
            yield time, self._memory[place : place + length]
            place += length

    def _word(self, half: int, place: int) -> int:
        [value] = _WORD.unpack_from(self._memory, _HEADER + half * _HALF + place)
        return int(value)

    def _set(self, half: int, place: int, value: int) -> None:
        _WORD.pack_into(self._memory, _HEADER + half * _HALF + place, value)


def wreck_at(path: str) -> Wreck | None:
    """Take over the tail at *path*, if there is one.

    Raises `BlockingIOError` if its process lives, another `OSError` if it is not ours.
    """
    if (os.getpid(), path) in _own:
        raise BlockingIOError
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(file)
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
            raise PermissionError(f"{path} is not a file of our own")
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino != found.st_ino:  # noqa: PTH116
            raise BlockingIOError
        memory = mmap.mmap(file, _SIZE)
        if memory[: len(_MAGIC)] != _MAGIC:
            raise PermissionError(f"{path} is a file of another version")
        return Wreck(path, file, memory)
    except (OSError, ValueError) as error:
        os.close(file)
        if isinstance(error, ValueError):  # of another size
            raise PermissionError(f"{path} is a file of another version") from None
        raise


def names_of_tails(stem: str) -> list[str]:
    """Name the stores that tails at *stem* belong to."""
    folder, _, start = stem.rpartition("/")
    if not start:
        return []
    with contextlib.suppress(OSError):
        found = [path.name for path in Path(folder).iterdir()]
        return [name[len(start) :] for name in found if name.startswith(start)]
    return []
