"""The live stream of hits: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from server_tracking.inspector.store import Store, StoredHit

__all__ = ["events"]

_KEEP_ALIVE = 15.0
"""Seconds after which an idle stream sends a comment, so that it stays open."""
_AT_ONCE = 200  # hits in one piece: what a page draws without a pause
_SHOWN = 10_000  # hits: what a page keeps; it asks for older ones when it needs them


async def events(store: Store, seen: int) -> AsyncIterator[bytes]:
    """Write each hit of *store* after number *seen* as an event, until it is closed.

    An event ``run`` names the store first, so that a page that outlives its
    inspector knows that numbers begin anew; an event ``clear`` says up to which
    number all hits are gone but those that the last event ``kept`` has listed. A
    new page gets the newest 10,000 hits.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    stop = store.on_change(lambda: loop.call_soon_threadsafe(changed.set))
    cleared, kept = 0, frozenset[int]()
    seen = max(seen, store.newest - _SHOWN)
    try:
        yield b"retry: 1000\nevent: run\ndata: %b\n\n" % store.run.encode()
        while not store.closed:
            changed.clear()
            if kept != store.kept:
                kept = store.kept
                numbers = msgspec.json.encode(sorted(kept))
                yield b"event: kept\ndata: %b\n\n" % numbers
            if cleared != store.cleared:
                cleared = store.cleared
                yield b"event: clear\ndata: %d\n\n" % cleared
            hits = store.hits(after=seen, limit=_AT_ONCE)
            if hits:
                yield b"".join(_event(store.run, stored) for stored in hits)
                seen = hits[-1].number
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
