"""Where the hits of a drain come from, and the lanes that take them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from server_tracking.hits import Hit, decode_hits
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.senders.claims import Claim, SpoolDirectory
from server_tracking.senders.lanes import Entry, Lane, lanes_for
from server_tracking.senders.parcels import Rules
from server_tracking.senders.store import Store, trouble_of
from server_tracking.systems import System

__all__ = ["Goal", "Source", "SourceLane", "adopted", "source_lanes"]

logger = logging.getLogger("server_tracking")

UNBOUNDED = 10**12  # for a lane: here, the drain bounds it
LOST = "lost"  # the word for it in hooks and logs


class Source:
    """What a drain knows of *store*, for the systems that are among *keys*.

    *claim* is None for a store in memory. Its owner goes on writing to it unless
    it is *adopted*. *backlog* counts what no lane has taken yet, *fresh* are hits
    that need not be read again, *ended* what is to be marked, by id and bits.
    """

    def __init__(
        self, store: Store, claim: Claim | None, keys: Iterable[str], *, adopted: bool
    ) -> None:
        self.store = store
        self.claim = claim
        self.adopted = adopted
        self.lost = claim.lost if claim is not None else 0
        self.fresh: dict[int, tuple[Hit, int]] = {}
        self.ended: dict[int, int] = {}
        self.under_way = 0
        self.broken = False
        self._bits = {key: bit for key, bit in store.bits.items() if key in set(keys)}
        self._cursors = dict.fromkeys(self._bits, 0)
        self.backlog = {key: store.count(bit) for key, bit in self._bits.items()}

    def read(
        self, key: str, most: int
    ) -> Sequence[tuple[int, float, Hit | bytes, int]]:
        """Read the next hits for the system *key*: id, time, hit or JSON, and size."""
        cursor = self._cursors[key]
        rows: list[tuple[int, float, Hit | bytes, int]] = []
        while len(rows) < most and (fresh := self.fresh.get(cursor + 1)) is not None:
            cursor += 1
            rows.append((cursor, fresh[0].time, *fresh))
        if not rows:
            found = self.store.read(cursor, self._bits[key], most)
            rows = [(row.id, row.time, row.body, len(row.body)) for row in found]
        return rows

    def passed(self, key: str, row: int | None) -> None:
        """Note that the lane *key* has taken all up to *row*; None: all there was."""
        if row is None:
            self.backlog[key] = 0
            return
        self.backlog[key] -= 1
        self._cursors[key] = row
        if row in self.fresh and min(self._cursors.values()) >= row:
            del self.fresh[row]

    def has_passed(self, key: str, row: int) -> bool:
        """Tell whether the lane *key* has taken all up to *row*."""
        return not self.backlog.get(key) or self._cursors[key] >= row

    def end(self, key: str, row: int) -> None:
        """Note that a hit has found its end at the system *key*."""
        self.under_way -= 1
        self.skip(key, row)

    def skip(self, key: str, row: int) -> None:
        """Note that a hit was none."""
        if not self.broken:
            self.ended[row] = self.ended.get(row, 0) | self._bits[key]

    def mark(self) -> None:
        """Write down what has ended. Raises `sqlite3.Error` or `OSError`."""
        ended, self.ended = self.ended, {}
        try:
            self.store.mark(ended)
        except BaseException:
            for row, bits in self.ended.items():
                ended[row] = ended.get(row, 0) | bits
            self.ended = ended
            raise
        if self.claim is not None:
            self.claim.note()

    def is_done(self) -> bool:
        """Tell whether nothing in it is left for us."""
        return not (self.under_way or self.ended or any(self.backlog.values()))

    def is_broken_by(self, error: sqlite3.Error) -> bool:
        """Tell whether *error* means that the file cannot be read any more."""
        return trouble_of(error) == "corrupt"

    def forget(self, key: str) -> int:
        """Give up what the lane *key* has not taken yet; returns how much it was."""
        self.broken = True
        self.ended.clear()
        self.fresh.clear()
        number = self.backlog.get(key, 0)
        if number:
            self.backlog[key] = 0
        return number

    def close(self) -> None:
        """Leave the store to the next who wants it."""
        if self.claim is not None:
            self.claim.release()
        else:
            self.store.close()


class _Sourced(tuple[Hit, int, float]):  # noqa: SLOT001 - a tuple can have none
    """An entry of a lane that knows where it comes from."""

    source: Source
    row: int


class SourceLane(Lane):
    """A lane that takes hits from sources, and tells them of their ends.

    *patience* is its linger when nobody waits. *taken* counts the hits that sources
    have held for it, *lost* those that could not be read.
    """

    def __init__(self, system: System, rules: Rules, key: str, max_age: float) -> None:
        super().__init__(system, rules, key=key)
        self.patience = self.linger
        self.taken = 0
        self.lost = 0
        self._fed = 0
        self._abandoned = 0
        self._closed = False
        # A lane knows the system's own bound; where ours is less, hits look older.
        self._ahead = max(0.0, system.limits.max_age - max_age)

    @property
    def backlog(self) -> int:
        """Count what is in sources and not here yet."""
        return self.taken - self._fed - self.lost

    def feed(
        self,
        source: Source,
        rows: Sequence[tuple[int, float, Hit | bytes, int]],
        now: float,
        wall: float,
    ) -> None:
        """Take *rows* of *source*; *now* is monotonic, *wall* the time of day."""
        if not rows and (missing := source.backlog[self.key]):
            self.lost += missing  # it holds less than it said
            source.passed(self.key, None)
        for row, made, hit, size in rows:
            source.passed(self.key, row)
            if isinstance(hit, bytes):
                try:
                    [hit] = decode_hits(hit)  # noqa: PLW2901
                except ValueError:
                    self.lost += 1
                    source.skip(self.key, row)
                    continue
            entry = _Sourced((hit, size, now - max(0.0, wall - made) - self._ahead))
            entry.source, entry.row = source, row
            source.under_way += 1
            self._fed += 1
            self.offer(entry, now)

    def close(self, volatile: Iterable[Source]) -> None:
        """Stop counting; what is in *volatile* sources ends here, the rest stays."""
        if self._closed:
            return
        self._closed = True
        # What is not marked yet is not kept either, but it has an end of its own.
        self._abandoned = sum(
            source.store.count(source.store.bits[self.key])
            - sum(
                1
                for bits in source.ended.values()
                if bits & source.store.bits[self.key]
            )
            for source in volatile
        )

    def counts(self) -> Counts:
        """Count what became of the hits; what waits in sources is queued."""
        own = super().counts()
        held = own.queued + own.waiting + own.sending + self.backlog
        changed: dict[str, int] = {
            "submitted": self.taken,
            "accepted": self.taken,
            "lost": own.lost + self.lost,
            "queued": own.queued + self.backlog,
        }
        if self._closed:
            changed |= {
                "abandoned": own.abandoned + self._abandoned,
                "queued": held - self._abandoned,
                "waiting": 0,
                "sending": 0,
            }
        return msgspec.structs.replace(own, **changed)

    def losses(self) -> dict[str, int]:
        """Count the hits that were lost so far, by reason."""
        losses = super().losses()
        return {**losses, LOST: self.lost} if self.lost else losses

    def _finish(self, entries: Iterable[Entry], reason: Reason | None) -> None:
        entries = list(entries)
        super()._finish(entries, reason)
        for entry in entries:
            if isinstance(entry, _Sourced):
                entry.source.end(self.key, entry.row)


def source_lanes(
    systems: Sequence[System], rules: Rules, max_age: float
) -> dict[str, SourceLane]:
    """Make a lane for each system, by its name in `stats()`."""
    rules = msgspec.structs.replace(
        rules, max_hits=UNBOUNDED, max_bytes=UNBOUNDED, max_hit_bytes=UNBOUNDED
    )
    return {
        key: SourceLane(lane.system, rules, key, max_age)
        for key, lane in lanes_for(systems).items()
    }


def adopted(directory: SpoolDirectory, keys: Iterable[str]) -> Iterator[Source]:
    """Take over what nobody else has claimed in *directory*, for the systems *keys*."""
    for claim in directory.orphans():
        try:
            source = Source(claim.store, claim, keys, adopted=True)
        except sqlite3.Error as error:
            directory.set_aside(claim, error)
            continue
        if source.lost:
            logger.error(
                "A file of the spool lacks up to %d hits that were kept in it; "
                "they are lost.",
                source.lost,
            )
        yield source


class Goal:
    """The aim of a flush: that *lane* has done with all that *sources* held; each with its last id."""

    def __init__(self, lane: SourceLane, sources: list[tuple[Source, int]]) -> None:
        self.lane = lane
        self._sources = sources
        self._place: int | None = None

    def is_reached(self) -> bool:
        """Tell whether it is so."""
        if self._place is None:
            key = self.lane.key
            if not all(source.has_passed(key, last) for source, last in self._sources):
                return False
            self._place = self.lane.mark()
        return self.lane.settled(self._place)
