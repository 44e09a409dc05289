"""The title of a page: from the head of its HTML, read as it goes by.

Browsers take the first ``title`` element of the HTML namespace (HTML standard,
section 3.1.4). The rules of its tokenizer that can hide or fake one are followed
here; the rest of the standard is not.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import msgspec

from server_tracking.exchange import Response

__all__ = [
    "HtmlTitleExtractor",
    "TitleExtractor",
    "TitleReader",
    "content_charset",
    "title_from",
]

_LONGEST_HEAD = 64 * 1024
_LONGEST_TITLE = 512
_PRESCAN = 1024  # where a charset may be declared (HTML standard, section 13.2.3.2)
_PROMPT_WALKS = 4


class TitleExtractor(Protocol):
    """One way to find the title of a response."""

    def get_title(self, response: Response, /) -> str | None:
        """Return the title, or None if this way finds none."""
        ...


class HtmlTitleExtractor:
    """Read the title in the HTML of a response whose body lies in memory."""

    def get_title(self, response: Response, /) -> str | None:
        """Return the title; None if there is none or the body is not such HTML."""
        body = response.body
        content_type = response.header("content-type")
        if content_type is not None and not _is_html(content_type):
            return None
        charset = content_charset(content_type) if content_type else None
        reader = TitleReader(response.header("content-encoding"), charset)
        if isinstance(body, bytes):
            reader.feed(body)
        elif isinstance(body, list | tuple):
            for chunk in body:
                if reader.done:
                    break
                reader.feed(chunk)
        return reader.title


def title_from(response: Response, extractors: Iterable[TitleExtractor]) -> str | None:
    """Ask *extractors* in turn for the title of *response*; the first found wins."""
    for extractor in extractors:
        title = extractor.get_title(response)
        if title:
            return title
    return None


@lru_cache(maxsize=64)
def content_charset(content_type: str) -> str | None:
    """Read the charset that a Content-Type declares, in lower case."""
    found = _CHARSET_PARAMETER.search(content_type)
    return found[1].lower() if found else None


class TitleReader:
    """Find the title in pieces of a body, cut anywhere.

    *content_encoding* is that of the body; what the platform cannot decode has no
    title. *charset* is what the Content-Type declares. Feed it until it is `done`:
    with the title, or after 64 KiB of decoded bytes.
    """

    # What it answers depends on nothing but the first 64 KiB: each walk begins at the
    # start. So that the cost stays linear, a walk needs an end tag of a title in what
    # is new, and after a few in vain, twice the length of the one before.

    def __init__(
        self, content_encoding: str | None = None, charset: str | None = None
    ) -> None:
        self.done = False
        self._codec = _codec_of(charset) if charset else None
        self._room = _LONGEST_HEAD
        self._begun = False
        self._held = b""
        self._head = bytearray()
        self._transcoder: codecs.IncrementalDecoder | None = None
        self._raw: bytes | None = None
        self._unwalked = False
        self._walks = 0
        self._next_walk = 0
        self._decoding = _IDENTITY
        if content_encoding:
            decoding = _decoding_of(content_encoding.strip().lower())
            self._decoding = decoding or _IDENTITY
            self.done = decoding is None

    @property
    def title(self) -> str | None:
        """The title as far as it was read: unescaped, white space folded."""
        if self._unwalked:
            self._walk()
        if self._raw is None:
            return None
        return _text(self._raw, self._codec or _declared_codec(self._head))

    def feed(self, chunk: bytes) -> None:
        """Look at the next piece. No bytes are too odd for it."""
        if self.done:
            return
        decoding = self._decoding
        try:
            for start in range(0, len(chunk), decoding.slice):
                piece = chunk[start : start + decoding.slice]
                if self._take(decoding.decode(piece, self._room)):
                    self.done = True
                    break
        except decoding.errors:
            self.done = True

    def _take(self, data: bytes) -> bool:
        data = data[: self._room]
        self._room -= len(data)
        if not self._begun:
            data = self._begin(data)
        if self._transcoder is not None:
            data = self._transcoder.decode(data).encode("utf-8", "replace")
        head = self._head
        seen = max(0, len(head) - len(b"</title>"))
        head += data
        if self._raw is None and _TITLE_END.search(head, seen):
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
        for mark, codec in _MARKS.items():
            if data.startswith(mark):
                self._codec = codec
                data = data[len(mark) :]
                break
        if self._codec in _UNLIKE_ASCII:
            self._transcoder = codecs.getincrementaldecoder(self._codec)("replace")
            self._codec = "utf-8"
        return data

    def _walk(self) -> None:
        self._unwalked = False
        self._walks += 1
        self._next_walk = 2 * len(self._head)
        self._raw = _raw_title(self._head)

    def _is_told(self) -> bool:
        """Tell whether the title is found, and what its bytes mean."""
        return self._raw is not None and (
            self._codec is not None
            or self._raw.isascii()
            or len(self._head) >= _PRESCAN
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


def _is_html(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


# The tokenizer.

_DEEPEST = 32
_SPACE = rb"\t\n\f\r "
# Every repeat is possessive: no input makes a pattern go back over what it has read.
_TAG_REST = (
    rb"(?:[%(s)s/]++"
    rb"|[^%(s)s/>][^%(s)s/>=]*+"
    rb"(?:[%(s)s]*+=[%(s)s]*+(?:\"[^\"]*+\"|'[^']*+'|[^%(s)s\"'>][^%(s)s>]*+|(?=>))"
    rb"|(?![%(s)s]*+=)))*+>"
) % {b"s": _SPACE}
_NESTING = rb"(?i:template|svg|math)(?=[%s/>])" % _SPACE
_RAW_TEXT = (
    rb"(?i:title|script|style|textarea|noscript|iframe|xmp|noembed|noframes|plaintext)"
    rb"(?=[%s/>])" % _SPACE
)
# Text, tags that change nothing, and what is a comment though it does not look like it.
_PLAIN = re.compile(
    rb"(?:[^<]++|<(?:/(?!%s)|(?!%s|%s))[a-zA-Z][^%s/>]*+%s|<(?![a-zA-Z/!?])"
    rb"|<(?:!(?!--|\[CDATA\[)|\?|/(?![a-zA-Z]))[^>]*+>)*+"
    % (_NESTING, _NESTING, _RAW_TEXT, _SPACE, _TAG_REST)
)
_SPECIAL = re.compile(
    rb"<(?:(!--)|!\[CDATA\[|(?:(/?)(%s)|(%s))%s)" % (_NESTING, _RAW_TEXT, _TAG_REST)
)
_COMMENT_END = re.compile(rb"--!?>")
_SCRIPT_TOKEN = re.compile(rb"(?i)(<!--(?!-?>))|(-->)|<(/?)script(?=[\t\n\f\r />])")
_TITLE_END = re.compile(rb"(?i)</title(?=[\t\n\f\r />])")


def _raw_title(head: bytearray) -> bytes | None:
    """Find the content of the first title element; None if it is not (all) there."""
    hidden: list[bytes] = []  # open elements whose titles are not the page's
    at = 0
    while len(hidden) <= _DEEPEST:
        plain = _PLAIN.match(head, at)
        found = _SPECIAL.match(head, plain.end()) if plain else None
        if found is None:
            return None
        at = found.end()
        foreign = bool(hidden) and hidden[-1] != b"template"
        if found[3]:
            _nest(hidden, found)
        elif found[4]:
            if foreign:
                continue
            name = found[4].lower()
            end = _raw_text_end(head, name, at)
            if name == b"title" and end >= 0 and not hidden:
                return bytes(head[at:end])
            at = end
        elif found[1]:
            at = _comment_end(head, at)
        else:  # what only foreign elements know as CDATA is a comment elsewhere
            at = head.find(b"]]>" if foreign else b">", at)
        if at < 0:
            return None
    return None


def _nest(hidden: list[bytes], found: re.Match[bytes]) -> None:
    name = found[3].lower()
    if not found[2]:
        # Only foreign elements can close themselves.
        if name == b"template" or not found[0].endswith(b"/>"):
            hidden.append(name)
    elif name in hidden:
        while hidden.pop() != name:
            pass


def _comment_end(head: bytearray, at: int) -> int:
    """Find the end of the comment whose text begins at *at*; -1 if it is open."""
    if head.startswith((b">", b"->"), at):
        return at
    found = _COMMENT_END.search(head, at)
    return -1 if found is None else found.start()


def _raw_text_end(head: bytearray, name: bytes, at: int) -> int:
    """Find where the text of an element ends that holds no tags; -1 if open."""
    if name == b"plaintext":
        return -1
    found = _end_tag(name).search(head, at)
    end = -1 if found is None else found.start()
    if name != b"script" or head.find(b"<!--", at, end) < 0:
        return end
    # In a script's comment a script may stand (section 13.2.5.18 and following).
    in_comment = in_script = False
    for token in _SCRIPT_TOKEN.finditer(head, at):
        if token[1] or token[2]:
            in_comment, in_script = bool(token[1]), in_script and bool(token[1])
        elif not token[3]:
            in_script = in_comment
        elif not in_script:
            return token.start()
        else:
            in_script = False
    return -1


@lru_cache(maxsize=16)
def _end_tag(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)</%s(?=[%s/>])" % (name, _SPACE))


# Charsets.

_CHARSET_PARAMETER = re.compile(r"(?i);\s*charset\s*=\s*[\"']?([^\s\"';,]+)")
_META = re.compile(
    rb"<!--(?s:.*?)(?:-->|\Z)|<(?i:meta)(?=[%s/])%s" % (_SPACE, _TAG_REST)
)
_ATTRIBUTE = re.compile(rb"([^\s/>=\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_CHARSET_IN_CONTENT = re.compile(rb"(?i)charset\s*=\s*[\"']?([^\s\"';]+)")
_LABEL = re.compile(r"[a-z0-9_.:-]{1,40}")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UNLIKE_ASCII = frozenset({"utf-16-le", "utf-16-be", "iso2022_jp"})
# Codecs with the labels that mean something else to browsers than to Python, or
# nothing to it (Encoding standard, section 4.2).
_ALIASES = """
cp1252 ascii us-ascii latin1 latin-1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 ibm819
cp1254 latin5 l5 iso-8859-9 iso8859-9 iso88599 iso_8859-9
cp874 iso-8859-11 iso8859-11 tis-620 windows-874
gb18030 gb2312 gbk gb_2312-80 gb_2312 chinese csgb2312
cp932 shift_jis shift-jis sjis ms_kanji ms932 windows-31j csshiftjis
cp949 euc-kr euckr korean ks_c_5601-1987 ksc5601 windows-949
big5hkscs big5 cn-big5 csbig5 big5-hkscs
utf-16-le utf-16 utf-16le unicode ucs-2
utf-8 utf8 unicode-1-1-utf-8
koi8-r koi koi8
koi8-u koi8-ru
mac-roman macintosh mac
mac-cyrillic mac-ukrainian
"""
_LABELS = {
    label: codec
    for codec, *labels in map(str.split, _ALIASES.strip().splitlines())
    for label in labels
}
_CODEC = re.compile(
    r"utf-8|utf-16-[lb]e|cp(?:932|949|866|874|125[0-8])|iso8859-(?:[2-8]|1[03-6])"
    r"|koi8-[ru]|mac-(?:roman|cyrillic)|gb18030|big5hkscs|euc_jp|iso2022_jp"
)


@lru_cache(maxsize=64)
def _codec_of(label: str) -> str | None:
    """Name the codec for a charset's *label* as browsers understand it."""
    label = label.strip().lower().removeprefix("x-")
    if not _LABEL.fullmatch(label):
        return None
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError:
        return None
    return name if _CODEC.fullmatch(name) else None


def _declared_codec(head: bytearray) -> str | None:
    """Find the charset that a meta element in the first 1024 bytes declares."""
    for tag in _META.finditer(head[:_PRESCAN]):
        if tag[0].startswith(b"<!"):
            continue
        attributes: dict[bytes, bytes] = {}
        for name, *values in _ATTRIBUTE.findall(tag[0]):
            attributes.setdefault(name.lower(), b"".join(values))
        label = attributes.get(b"charset")
        kind = attributes.get(b"http-equiv", b"").lower()
        if label is None and kind == b"content-type":
            found = _CHARSET_IN_CONTENT.search(attributes.get(b"content", b""))
            label = found[1] if found else None
        codec = _codec_of(label.decode("ascii", "replace")) if label else None
        if codec is not None:
            # What could be read so far is no UTF-16 (section 13.2.3.2).
            return "utf-8" if codec.startswith("utf-16") else codec
    return None


# Content codings.


class _Decoding(msgspec.Struct):
    """How to undo a content coding: bytes and the most to return, to bytes.

    *slice* is how much to decode at once: a title stands early.
    """

    decode: Callable[[bytes, int], bytes]
    errors: tuple[type[Exception], ...] = (zlib.error,)
    slice: int = 1024


_IDENTITY = _Decoding(lambda data, _: data, (), 8 * 1024)


def _decoding_of(coding: str) -> _Decoding | None:
    """Make what undoes *coding*; None if nothing here can."""
    if coding in ("", "identity"):
        return _IDENTITY
    if coding in ("gzip", "x-gzip"):
        return _Decoding(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress)
    if coding == "deflate":
        return _Decoding(_deflated())
    if coding == "br":
        return _brotli()
    if coding == "zstd":
        return _zstd()
    return None


def _deflated() -> Callable[[bytes, int], bytes]:
    """Undo "deflate", which is zlib's format, or none at all from some servers."""
    held = b""
    decompress: Callable[[bytes, int], bytes] | None = None

    def decode(data: bytes, limit: int) -> bytes:
        nonlocal held, decompress
        if decompress is None:
            data = held + data
            if len(data) < 2:
                held = data
                return b""
            # RFC 1950 section 2.2: method 8, and a check of both bytes.
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            bits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
            decompress = zlib.decompressobj(bits).decompress
        return decompress(data, limit)

    return decode


def _brotli() -> _Decoding | None:
    module = _module("brotli") or _module("brotlicffi")
    if module is None:
        return None
    process = module.Decompressor().process
    try:
        process(b"", output_buffer_limit=1)
    except TypeError:  # before 1.2, nothing bounds what a few bytes become
        return None
    return _Decoding(
        lambda data, limit: process(data, output_buffer_limit=limit), (module.error,)
    )


def _zstd() -> _Decoding | None:
    module = _module("compression.zstd")
    if module is not None:
        options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return _Decoding(
            module.ZstdDecompressor(options=options).decompress,
            (module.ZstdError, EOFError),
        )
    module = _module("zstandard")
    if module is None:
        return None
    stream = module.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
    decompress = stream.decompressobj().decompress
    # It takes no limit. A block of 128 KiB needs 4 bytes (RFC 8878 section 3.1.1.2),
    # so that 64 bytes become 2 MiB at most.
    return _Decoding(lambda data, _: decompress(data), (module.ZstdError,), 64)


_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most for HTTP (RFC 9659 section 3)


@lru_cache(maxsize=8)
def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
