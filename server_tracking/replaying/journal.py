"""What of a replay is done: a file that outlives a kill.

The file begins with one JSON line: what is replayed, how many lines are done, and
what came of them. Behind it stand lines for the calls of the chunk under way, each
written before the call begins (``s``), after it ended (``e``), and if it has to be
made again (``r``). The operating system keeps what was written when the process is killed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

__all__ = ["ForeignJournalError", "Journal"]


class ForeignJournalError(Exception):
    """The file belongs to another replay."""


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    replay: str
    lines: int = 0
    totals: dict[str, int] = msgspec.field(default_factory=dict)
    begun: float | None = None
    size: int = 0


class Journal:
    """Keep in *path* how far the replay named *name* is; None keeps nothing.

    *lines* are done; *begun* is when the chunk behind them was encoded first, *size*
    its lines, *ended* are its calls with what came of them, *open* those that began
    and never ended.
    """

    def __init__(self, path: Path | None, name: str) -> None:
        self._path = path
        self._head = _Head(name)
        self.totals: Counter[str] = Counter()
        self.ended: dict[str, tuple[str, int]] = {}
        self.open: set[str] = set()
        if path is not None and path.exists():
            self._read(path, name)
        self._file = None if path is None else path.open("ab", buffering=0)

    @property
    def lines(self) -> int:
        """Return how many lines are done."""
        return self._head.lines

    @property
    def begun(self) -> float | None:
        """Return the time for which the chunk under way was encoded, if it was."""
        return self._head.begun

    @property
    def size(self) -> int:
        """Return how many lines the chunk under way has."""
        return self._head.size

    def begin(self, now: float, size: int) -> None:
        """Begin a chunk of *size* lines that is encoded for *now*."""
        self._head.begun, self._head.size = now, size
        self._rewrite()

    def start(self, call: str) -> None:
        """Note that *call* is about to begin."""
        self._write(f"s {call}\n")

    def put_off(self, call: str) -> None:
        """Note that *call* surely had no effect, and will be made again."""
        self._write(f"r {call}\n")

    def end(self, call: str, word: str, hits: int) -> None:
        """Note what came of the *hits* of *call*, in one *word*."""
        self.ended[call] = (word, hits)
        self._write(f"e {call} {word} {hits}\n")

    def finish(self, counts: Mapping[str, int]) -> None:
        """Note that the chunk is done: what came of its calls, and *counts*."""
        for word, hits in self.ended.values():
            self.totals[word] += hits
        self.totals.update(counts)
        self.ended.clear()
        self.open.clear()
        self._head.lines += self._head.size
        self._head.begun, self._head.size = None, 0
        self._rewrite()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _read(self, path: Path, name: str) -> None:
        first, *rest = path.read_bytes().split(b"\n")
        try:
            self._head = msgspec.json.decode(first, type=_Head)
        except msgspec.DecodeError as error:
            raise ForeignJournalError from error
        if self._head.replay != name:
            raise ForeignJournalError
        self.totals.update(self._head.totals)
        for line in rest[:-1]:  # behind the last line end is nothing, or half a line
            mark, call, *told = line.decode().split(" ")
            if mark == "s":
                self.open.add(call)
            elif mark == "r":
                self.open.discard(call)
            else:
                self.open.discard(call)
                self.ended[call] = (told[0], int(told[1]))

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line.encode())

    def _rewrite(self) -> None:
        if self._path is None or self._file is None:
            return
        self._head.totals = dict(self.totals)
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_bytes(msgspec.json.encode(self._head) + b"\n")
        self._file.close()
        os.replace(fresh, self._path)  # noqa: PTH105 - as one step
        self._file = self._path.open("ab", buffering=0)
