"""How much memory a hit takes, estimated within half a microsecond."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from server_tracking.hits import Event, Hit, PageView
from server_tracking.senders import Draft

__all__ = ["FRAME", "size_of", "weight_of"]

FRAME = 700  # bytes of a hit without its texts: the objects, names and numbers
NODE = 16  # bytes charged for each value, so that endless ones come to an end
ENOUGH = 256 * 1024  # bytes; nothing near this is ever accepted


def size_of(hit: Hit | Draft) -> int:
    """Estimate the bytes that *hit* holds, from the texts that a client can make long.

    Encoding it would be exact, and would cost the request three times as much.
    """
    if not isinstance(hit, msgspec.Struct):
        return hit.size
    page = hit.context.page
    size = FRAME
    if page.url:
        size += 2 * len(page.url)  # path and campaign are parts of it
    if page.title:
        size += len(page.title)
    if page.referrer:
        size += len(page.referrer)
    if agent := hit.context.device.user_agent:
        size += len(agent)
    if hit.params:
        size += weight_of(hit.params)
    if hit.extra:
        size += weight_of(hit.extra)
    if isinstance(hit, Event):
        size += len(hit.category) + len(hit.action or "") + len(hit.label or "")
    elif not isinstance(hit, PageView):
        size += sum(
            weight_of(getattr(hit, name))
            for name in hit.__struct_fields__
            if name not in _COMMON
        )
    return size


_COMMON = {"context", "id", "time", "params", "extra"}


def weight_of(value: object) -> int:
    """Add up the bytes of *value* and all in it.

    A structure that holds itself ends at `ENOUGH`.
    """
    size = 0
    stack = [value]
    while stack and size < ENOUGH:
        item = stack.pop()
        size += NODE
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, Mapping):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            stack.extend(item)
        elif isinstance(item, msgspec.Struct):
            stack.extend(getattr(item, name) for name in item.__struct_fields__)
    return size
