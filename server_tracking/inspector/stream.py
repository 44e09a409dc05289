"""The live stream of hits: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from server_tracking.inspector.store import HitStore, StoredHit

__all__ = ["events"]

_KEEP_ALIVE = 15.0
"""Seconds after which an idle stream sends a comment, so that it stays open."""
_AT_ONCE = 200  # hits in one piece: what a page draws without a pause


async def events(store: HitStore, seen: int) -> AsyncIterator[bytes]:
    """Write each hit of *store* after number *seen* as an event, until it is closed.

    An event ``run`` names the store first, so that a page that outlives its
    inspector knows that numbers begin anew; an event ``clear`` says up to which
    number all hits are gone.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    stop = store.on_change(lambda: loop.call_soon_threadsafe(changed.set))
    cleared = 0
    try:
        yield b"retry: 1000\nevent: run\ndata: %b\n\n" % store.run.encode()
        while not store.closed:
            changed.clear()
            if cleared != store.cleared:
                cleared = store.cleared
                yield b"event: clear\ndata: %d\n\n" % cleared
            hits = store.hits(after=seen)
            for begin in range(0, len(hits), _AT_ONCE):
                some = hits[begin : begin + _AT_ONCE]
                yield b"".join(_event(store.run, stored) for stored in some)
                seen = some[-1].number
            if hits:
                continue
            try:
                await asyncio.wait_for(changed.wait(), _KEEP_ALIVE)
            except TimeoutError:
                yield b": still here\n\n"
    finally:
        stop()


def _event(run: str, stored: StoredHit) -> bytes:
    data = msgspec.json.encode(stored)
    return b"id: %b-%d\ndata: %b\n\n" % (run.encode(), stored.number, data)
