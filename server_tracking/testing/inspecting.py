"""An inspector for the time of a test: real HTTP, the systems' own rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from server_tracking.inspector.server import listening_socket, serving_inspector
from server_tracking.inspector.store import HitStore, StoredHit

__all__ = ["Inspection", "inspection"]


class Inspection:
    """An inspector at *url*, without a slash at its end; give it to your systems."""

    def __init__(self, url: str, store: HitStore) -> None:
        self.url = url
        self.store = store

    @property
    def hits(self) -> list[StoredHit]:
        """Return the hits that arrived, oldest first."""
        return self.store.hits()

    def wait_for(self, number: int, timeout: float = 10.0) -> list[StoredHit]:
        """Wait for this *number* of hits, at most *timeout* seconds; return all.

        Raises `AssertionError` with what arrived if there are fewer.
        """
        hits = self.store.wait_for(lambda hits: len(hits) >= number, timeout)
        assert len(hits) >= number, f"{number} hits expected; {_seen(hits)}"
        return hits

    def assert_valid(self) -> None:
        """Raise `AssertionError` if a system would refuse one of the hits, with why."""
        refused = [stored for stored in self.hits if not stored.valid]
        assert not refused, f"{len(refused)} hits would be refused; {_seen(refused)}"


@contextmanager
def inspection() -> Iterator[Inspection]:
    """Serve an inspector on a free port of loopback while the block lasts.

    The pytest plugin gives it as the fixture ``inspection``.
    """
    store = HitStore()
    with listening_socket() as listening, serving_inspector(store, listening) as url:
        yield Inspection(url, store)


def _seen(hits: Sequence[StoredHit]) -> str:
    if not hits:
        return "nothing arrived"
    lines = [_line(stored) for stored in hits]
    return "\n".join(["arrived:", *lines])


def _line(stored: StoredHit) -> str:
    hit = stored.hit
    why = "; ".join(f"{p.field}: {p.message}" for p in hit.problems if p.fatal)
    words = (hit.system, hit.kind, hit.path, hit.name or hit.title, why)
    return "  " + "  ".join(word for word in words if word)
