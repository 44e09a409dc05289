"""What the inspector received of the sample visit, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from server_tracking.demo.visit import (
    EXPECTED,
    EXPECTED_AS_EVENTS,
    UNTITLED,
    Expected,
)
from server_tracking.inspector.protocols import DecodedHit
from server_tracking.inspector.store import StoredHit

__all__ = ["complaints", "table"]

_HEAD = ("System", "Type", "Page", "Title", "Client id", "Campaign")


def table(hits: Sequence[StoredHit]) -> str:
    """Write *hits* as an aligned table, by system, in the order of their arrival."""
    by_system = sorted(hits, key=lambda stored: stored.hit.system)
    rows = [_HEAD, *(_row(stored.hit) for stored in by_system)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def complaints(hits: Sequence[StoredHit], systems: Sequence[str]) -> list[str]:
    """Name what is missing, refused or unexpected among *hits* for *systems*."""
    found: list[str] = []
    for system in systems:
        of_system = [stored for stored in hits if stored.hit.system == system]
        found += _complaints(system, of_system)
    found += [
        f"{stored.hit.system}: unexpected: {stored.hit.name}"
        for stored in hits
        if stored.hit.system not in systems
    ]
    return found


def _complaints(system: str, hits: Sequence[StoredHit]) -> Iterator[str]:
    left = list(hits)
    if not left:
        yield f"{system}: missing: all {len(EXPECTED)} hits"
        return
    for expected in EXPECTED:
        match = next((one for one in left if _fits(one.hit, expected)), None)
        if match is None:
            yield f"{system}: missing: {expected.kind} of {expected.path}"
            continue
        left.remove(match)
        if not match.valid:
            why = "; ".join(p.message for p in match.hit.problems if p.fatal)
            yield f"{system}: refused: {expected.kind} of {expected.path}: {why}"
    for one in left:
        yield f"{system}: unexpected: {one.hit.kind} of {one.hit.path or one.hit.name}"
    visitors = {one.hit.client_id for one in hits}
    if len(visitors) > 1:
        yield f"{system}: took one visitor for {len(visitors)}"


def _fits(hit: DecodedHit, expected: Expected) -> bool:
    kind = expected.kind
    if kind in EXPECTED_AS_EVENTS.get(hit.system, ()):
        kind = "event"
    if hit.kind != kind:
        return False
    if kind == "pageview" and hit.system not in UNTITLED:
        return (hit.path, hit.title) == (expected.path, expected.title)
    # GoatCounter shows an event's name where a page has its path.
    return hit.path == expected.path or (not hit.path and hit.name == expected.name)


def _row(hit: DecodedHit) -> tuple[str, ...]:
    return (
        hit.system,
        hit.kind,
        hit.path or hit.url,
        hit.title or hit.name,
        hit.client_id,
        hit.campaign,
    )
