"""Keep hits in an SQLite file, so that they outlive the inspector."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from server_tracking.inspector.bell import Bell
from server_tracking.inspector.protocols import Answer, DecodedHit, Received
from server_tracking.inspector.queries import Query
from server_tracking.inspector.raw import RawCall, raw_call
from server_tracking.inspector.stored import StoredHit, state_of, stored_hits

__all__ = ["HitDatabase"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hits (
  number INTEGER PRIMARY KEY, system TEXT, kind TEXT, state TEXT, client TEXT,
  user TEXT, path TEXT, call INTEGER, kept INTEGER DEFAULT 0, data TEXT);
CREATE INDEX IF NOT EXISTS kept_hits ON hits (number) WHERE kept;
CREATE INDEX IF NOT EXISTS hits_with_problems ON hits (number) WHERE state != 'valid';
CREATE INDEX IF NOT EXISTS narrow_hits ON hits
  (number, system, kind, state, client, user, path);
CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, data TEXT);
CREATE TABLE IF NOT EXISTS store (run TEXT, newest INTEGER, cleared INTEGER);
"""
_read_hit = msgspec.json.Decoder(StoredHit).decode
_read_call = msgspec.json.Decoder(RawCall).decode


class HitDatabase:
    """All hits, in the SQLite file at *path*, which is made if it is missing.

    A crash of the machine may lose the last seconds; one of the process does not.
    Raises `sqlite3.DatabaseError` if the file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.closed = False
        self._lock = threading.Lock()
        self._bell = Bell()
        self.on_change = self._bell.on_ring
        self._database = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None
        )
        try:
            self._open(path)
        except BaseException:
            self._database.close()
            raise

    def _open(self, path: Path) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            message = f"{path} was written by another version of the inspector"
            raise sqlite3.DatabaseError(message)
        self._database.execute("PRAGMA journal_mode = wal")
        self._database.execute("PRAGMA synchronous = off")
        self._database.executescript(_SCHEMA)
        self._database.execute(f"PRAGMA user_version = {_VERSION}")
        row = self._database.execute("SELECT run, newest, cleared FROM store")
        known = row.fetchone()
        if known is None:
            known = (secrets.token_hex(4), 0, 0)
            self._database.execute("INSERT INTO store VALUES (?, ?, ?)", known)
        self.run: str = known[0]
        self.newest: int = known[1]
        self.cleared: int = known[2]
        self.kept = self._kept()

    def add(
        self, received: Received, hits: Sequence[DecodedHit], answer: Answer
    ) -> None:
        """Keep *hits*, which came in one call that got *answer*."""
        call = msgspec.json.encode(raw_call(received, hits)).decode()
        with self._lock, self._database as database:
            first = self.newest + 1
            database.execute("BEGIN")
            database.execute("INSERT INTO calls VALUES (?, ?)", (first, call))
            database.executemany(
                "INSERT INTO hits VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
                map(_row, stored_hits(received, hits, answer, first)),
            )
            newest = self.newest + len(hits)
            database.execute("UPDATE store SET newest = ?", (newest,))
            self.newest = newest
        self._bell.ring()

    def hits(self, after: int = 0, limit: int | None = None) -> list[StoredHit]:
        """List hits with a number above *after*, oldest first, at most *limit*."""
        return self._read(
            "SELECT data FROM hits WHERE number > ? ORDER BY number LIMIT ?",
            (after, -1 if limit is None else limit),
        )

    def find(self, query: Query, limit: int) -> list[StoredHit]:
        """List the hits that *query* wants, newest first, at most *limit*."""
        wanted, values = _conditions(query)
        # Without words, what is wanted stands in an index that is a twentieth of the
        # table: 1,000,000 hits are looked through in 0.1 s.
        source = "hits" if query.words else "hits INDEXED BY narrow_hits"
        return self._read(
            "SELECT data FROM hits WHERE number IN ("  # noqa: S608 - values are bound
            f"SELECT number FROM {source} WHERE {wanted} "
            "ORDER BY number DESC LIMIT ?) ORDER BY number DESC",
            (*values, limit),
        )

    def call(self, number: int) -> RawCall | None:
        """Return the call that brought the hit of this *number*, if it is known."""
        found = self._rows(
            "SELECT calls.data FROM hits JOIN calls ON calls.number = hits.call "
            "WHERE hits.number = ?",
            (number,),
        )
        return _read_call(found[0][0]) if found else None

    def keep(self, number: int, keep: bool = True) -> None:
        """Let a hit outlive clearing, or no longer."""
        self._rows("UPDATE hits SET kept = ? WHERE number = ?", (keep, number))
        self.kept = self._kept()
        self._bell.ring()

    def clear(self) -> None:
        """Forget all hits but those kept; numbers go on."""
        with self._lock, self._database as database:
            database.execute("BEGIN")
            database.execute("DELETE FROM hits WHERE NOT kept")
            database.execute(
                "DELETE FROM calls WHERE number NOT IN (SELECT call FROM hits)"
            )
            database.execute("UPDATE store SET cleared = newest")
            self.cleared = self.newest
        self._bell.ring()

    def close(self) -> None:
        """Tell all who wait that nothing more will come."""
        self.closed = True
        self._bell.ring()

    def release(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _kept(self) -> frozenset[int]:
        rows = self._rows("SELECT number FROM hits WHERE kept", ())
        return frozenset(number for (number,) in rows)

    def _rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _read(self, statement: str, values: Sequence[Any]) -> list[StoredHit]:
        return [_read_hit(data) for (data,) in self._rows(statement, values)]


def _row(stored: StoredHit) -> tuple[object, ...]:
    hit = stored.hit
    return (
        stored.number,
        hit.system,
        hit.kind,
        state_of(stored),
        hit.client_id,
        hit.user_id,
        hit.path,
        stored.call,
        msgspec.json.encode(stored).decode(),
    )


def _conditions(query: Query) -> tuple[str, list[object]]:
    """Say *query* in SQL."""
    said = ["number > ?", "number < ?"]
    values: list[object] = [query.after, query.before]
    for column, value in (("system", query.system), ("kind", query.kind)):
        if value:
            said.append(f"{column} = ?")
            values.append(value)
    if query.state == "problems":
        said.append("state != 'valid'")
    elif query.state:
        said.append("state = ?")
        values.append(query.state)
    if query.visitor:
        said.append("? IN (client, user)")
        values.append(query.visitor)
    for column, part in (("path", query.path), ("data", query.words)):
        if part:
            said.append(f"{column} LIKE ? ESCAPE '!'")
            values.append(f"%{_as_it_is(part)}%")
    return " AND ".join(said), values


def _as_it_is(part: str) -> str:
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
