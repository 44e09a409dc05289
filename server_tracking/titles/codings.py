"""Content codings, undone as far as the platform can, and no further than needed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import msgspec

__all__ = ["IDENTITY", "Decoding", "decoding_of"]


class Decoding(msgspec.Struct):
    """How to undo a content coding: bytes and the most to return, to bytes.

    *slice* is how much to decode at once: a title stands early.
    """

    decode: Callable[[bytes, int], bytes]
    errors: tuple[type[Exception], ...] = (zlib.error,)
    slice: int = 1024


_GZIP = zlib.MAX_WBITS | 16
_MEMBER = b"\x1f\x8b"

IDENTITY = Decoding(lambda data, _: data, (), 8 * 1024)


def decoding_of(coding: str) -> Decoding | None:
    """Make what undoes *coding*; None if nothing here can."""
    if coding in ("", "identity"):
        return IDENTITY
    if coding in ("gzip", "x-gzip"):
        return Decoding(_gzipped())
    if coding == "deflate":
        return Decoding(_deflated())
    if coding == "br":
        return _brotli()
    if coding == "zstd":
        return _zstd()
    return None


def _gzipped() -> Callable[[bytes, int], bytes]:
    """Undo "gzip": members one after the other, as Django makes one of each piece."""
    stream = zlib.decompressobj(_GZIP)

    def decode(data: bytes, limit: int) -> bytes:
        nonlocal stream
        decoded = stream.decompress(data, limit)
        # RFC 1952 section 2.2; what else follows a member is padding.
        while stream.unused_data.startswith(_MEMBER) and len(decoded) < limit:
            data, stream = stream.unused_data, zlib.decompressobj(_GZIP)
            decoded += stream.decompress(data, limit - len(decoded))
        return decoded

    return decode


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


def _brotli() -> Decoding | None:
    module = _module("brotli") or _module("brotlicffi")
    if module is None:
        return None
    process = module.Decompressor().process
    try:
        process(b"", output_buffer_limit=1)
    except TypeError:  # before 1.2, nothing bounds what a few bytes become
        return None
    return Decoding(
        lambda data, limit: process(data, output_buffer_limit=limit), (module.error,)
    )


def _zstd() -> Decoding | None:
    module = _module("compression.zstd")
    if module is not None:
        options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return Decoding(
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
    return Decoding(lambda data, _: decompress(data), (module.ZstdError,), 64)


_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most for HTTP (RFC 9659 section 3)


@lru_cache(maxsize=8)
def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
