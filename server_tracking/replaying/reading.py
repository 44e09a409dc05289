"""Read logs line by line, gzip or not, with little memory."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

__all__ = ["LONGEST_LINE", "lines_of", "name_of"]

LONGEST_LINE = 64 * 1024  # bytes; what is longer is no line of a log


def lines_of(paths: Sequence[Path], seen: Callable[[int], object]) -> Iterator[str]:
    """Yield the lines of all files; *seen* gets bytes read of files."""
    return (line for path in paths for line in _lines(path, seen))


def name_of(paths: Sequence[Path], *more: str) -> str:
    """Name what is replayed, for the journal: files, and what else counts."""
    files = [f"{path.resolve()} {_beginning(path)}" for path in paths]
    return "\n".join([*files, *more])


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(64).hex()


def _lines(path: Path, seen: Callable[[int], object]) -> Iterator[str]:
    with closing(path.open("rb")) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        at = 0
        source = gzip.GzipFile(fileobj=file) if packed else file
        reader = io.BufferedReader(source, 1 << 18)
        for line in _pieces(reader):
            if (now_at := file.tell()) != at:
                seen(now_at - at)
                at = now_at
            yield line


def _pieces(reader: io.BufferedIOBase | BinaryIO) -> Iterator[str]:
    while line := reader.readline(LONGEST_LINE):
        while not line.endswith(b"\n"):
            rest = reader.readline(LONGEST_LINE)
            if not rest:
                break
            line = b"?" + rest[-1:]  # too long: nothing that anybody can read
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if text:
            yield text
