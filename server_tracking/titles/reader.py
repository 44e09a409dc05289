"""Find the title in pieces of a body."""

from __future__ import annotations

import codecs

from server_tracking.titles.charsets import (
    MARKS,
    PRESCAN,
    UNLIKE_ASCII,
    codec_of,
    declared_codec,
)
from server_tracking.titles.codings import IDENTITY, decoding_of
from server_tracking.titles.tokens import PLAIN_HEAD, TITLE_END, raw_title

__all__ = ["TitleReader"]

_LONGEST_HEAD = 64 * 1024
_LONGEST_TITLE = 512
_PROMPT_WALKS = 4


class TitleReader:
    """Find the title in pieces of a body, cut anywhere.

    *content_encoding* is that of the body; what the platform cannot decode has no
    title. *charset* is what the Content-Type declares. Feed it until it is `done`:
    with the title, or after 64 KiB of decoded bytes.
    """

    # What it answers depends on nothing but the first 64 KiB: each walk begins at the
    # start. So that the cost stays linear, a walk needs an end tag of a title in what
    # is new, and after a few in vain, twice the length of the one before.

    # Most pages have their title in the first piece, and change none of these.
    done: bool = False
    _room: int = _LONGEST_HEAD
    _begun: bool = False
    _held: bytes = b""
    _transcoder: codecs.IncrementalDecoder | None = None
    _raw: bytes | None = None
    _unwalked: bool = False
    _walks: int = 0
    _next_walk: int = 0

    def __init__(
        self, content_encoding: str | None = None, charset: str | None = None
    ) -> None:
        self._codec = codec_of(charset) if charset else None
        self._head = bytearray()
        self._decoding = IDENTITY
        if content_encoding:
            decoding = decoding_of(content_encoding.strip().lower())
            self._decoding = decoding or IDENTITY
            self.done = decoding is None

    @property
    def title(self) -> str | None:
        """The title as far as it was read: unescaped, white space folded."""
        if self._unwalked:
            self._walk()
        if self._raw is None:
            return None
        return _text(self._raw, self._codec or declared_codec(self._head))

    def feed(self, chunk: bytes) -> None:
        """Look at the next piece. No bytes are too odd for it."""
        if self.done:
            return
        decoding = self._decoding
        if decoding is IDENTITY and not self._begun and self._is_plain(chunk):
            self.done = True
            return
        try:
            for start in range(0, len(chunk), decoding.slice):
                piece = chunk[start : start + decoding.slice]
                if self._take(decoding.decode(piece, self._room)):
                    self.done = True
                    break
        except decoding.errors:
            self.done = True

    def _is_plain(self, chunk: bytes) -> bool:
        """Take the title of a page that begins with nothing but plain tags.

        That is what the walk below would find, for a tenth of its cost.
        """
        if self._held or self._codec in UNLIKE_ASCII:
            return False
        found = PLAIN_HEAD.match(chunk, 0, _LONGEST_HEAD)
        if found is None:
            return False
        raw = found[1]
        # ISO-2022-JP, which a meta element may declare, hides behind escapes.
        if self._codec is None and (not raw.isascii() or b"\x1b" in raw):
            return False
        self._raw = raw
        return True

    def _take(self, data: bytes) -> bool:
        data = data[: self._room]
        self._room -= len(data)
        if not self._begun:
            data = self._begin(data)
        if self._transcoder is not None:
            try:
                data = self._transcoder.decode(data).encode("utf-8", "replace")
            except UnicodeError:  # "replace" replaces no broken ISO-2022-JP escapes
                return True
        head = self._head
        seen = max(0, len(head) - len(b"</title>"))
        head += data
        if self._raw is None and TITLE_END.search(head, seen):
            self._unwalked = True
        if self._unwalked and (
            self._walks < _PROMPT_WALKS or len(head) >= self._next_walk
        ):
            self._walk()
        return self._room <= 0 or self._is_told()

    def _begin(self, data: bytes) -> bytes:
        """Look for a byte order mark, which beats every declaration."""
        data = self._held + data
        if len(data) < 3:
            self._held = data
            return b""
        self._begun = True
        for mark, codec in MARKS.items():
            if data.startswith(mark):
                self._codec = codec
                data = data[len(mark) :]
                break
        if self._codec in UNLIKE_ASCII:
            self._transcoder = codecs.getincrementaldecoder(self._codec)("replace")
            self._codec = "utf-8"
        return data

    def _walk(self) -> None:
        self._unwalked = False
        self._walks += 1
        self._next_walk = 2 * len(self._head)
        self._raw = raw_title(self._head)

    def _is_told(self) -> bool:
        """Tell whether the title is found, and what its bytes mean."""
        return self._raw is not None and (
            self._codec is not None or self._raw.isascii() or len(self._head) >= PRESCAN
        )


def _text(raw: bytes, codec: str | None) -> str | None:
    if codec is not None:
        text = raw.decode(codec, "replace")
    else:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
    if "&" in text:
        from html import unescape  # loads a table of 2231 names

        text = unescape(text)
    return " ".join(text.split())[:_LONGEST_TITLE].rstrip() or None
