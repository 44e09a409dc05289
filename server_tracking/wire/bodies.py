"""Write and read JSON, and bundle what is written into the bodies of calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from server_tracking.wire.texts import well_formed

__all__ = ["bodies", "bundles", "json_bytes", "json_from", "json_object_from"]

T = TypeVar("T")

_DEEPEST = 20  # levels of a site's own data that are written
_LARGEST_INTEGER = 2**63 - 1


def json_bytes(value: Any) -> bytes:
    """Write *value* as JSON, whatever a site has put into it.

    Objects that JSON does not know are written as text, numbers that are not finite
    as null; texts are made well formed, and what is nested deeper than 20 levels is
    left out.
    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode(_tame(value, _DEEPEST))


def json_from(data: bytes | str, otherwise: Any = None) -> Any:
    """Read JSON; *otherwise* for what is none, or nested too deep to be read."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return otherwise


def json_object_from(data: bytes | str) -> dict[str, Any]:
    """Read a JSON object; an empty one for whatever else *data* is."""
    content = json_from(data)
    return content if isinstance(content, dict) else {}


def bundles(
    parts: Iterable[tuple[T, bytes]], *, most: int, largest: int, spacing: int = 1
) -> Iterator[list[tuple[T, bytes]]]:
    """Bundle *parts* in order, so that each bundle fits one call.

    A bundle has at most *most* parts and *largest* bytes, with *spacing* bytes
    between two parts. A part that is larger by itself gets a bundle of its own.
    """
    bundle: list[tuple[T, bytes]] = []
    size = 0
    for part in parts:
        added = len(part[1]) + (spacing if bundle else 0)
        if bundle and (len(bundle) >= most or size + added > largest):
            yield bundle
            bundle, size, added = [], 0, len(part[1])
        bundle.append(part)
        size += added
    if bundle:
        yield bundle


def bodies(
    parts: Iterable[tuple[T, bytes]],
    *,
    most: int,
    largest: int,
    head: bytes = b"",
    tail: bytes = b"",
    joint: bytes = b",",
) -> Iterator[tuple[bytes, tuple[T, ...]]]:
    """Bundle *parts* in order, and write the body of each call beside their keys.

    A body is *head*, at most *most* parts with *joint* between them, and *tail*,
    together *largest* bytes; it is larger only if one part is by itself.
    """
    room = largest - len(head) - len(tail)
    for bundle in bundles(parts, most=most, largest=room, spacing=len(joint)):
        written = joint.join(data for _, data in bundle)
        yield head + written + tail, tuple(key for key, _ in bundle)


def _tame(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        # Most readers refuse or round JSON numbers beyond 64 bits; str() refuses
        # numbers beyond 4300 digits.
        if abs(value) <= _LARGEST_INTEGER:
            return value
        return str(value) if value.bit_length() < 400 else None
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {_text(key): _tame(v, depth - 1) for key, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tame(item, depth - 1) for item in value]
    return _text(value)


def _text(value: object) -> str:
    # Of Markup msgspec knows nothing; and of Django's, str() makes the same again.
    return well_formed(str.__str__(str(value)))
