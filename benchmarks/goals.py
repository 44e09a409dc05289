"""The goals of issue 8, beside what one run has measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from benchmarks.overhead import NOOP, OURS, QUEUED
from benchmarks.requests_made import KINDS, PAGE_VIEW
from benchmarks.tables import Row, Table, table_named

STATIC, AJAX, BOT = (kind.name for kind in KINDS[:3])
LARGE = next(kind.name for kind in KINDS if "100 kB" in kind.name)
# CPU of a page view, total CPU with delivery, times the framework's own request.
LIMITS: Mapping[str, tuple[float | None, float | None, float | None]] = {
    "WSGI": (5.5, 23, None),
    "ASGI": (6, None, None),
    "Flask": (13, 35, 1.3),
    "Django": (14, 35, 1.25),
    "Starlette": (None, None, 2.1),
}


def goals(parts: Mapping[str, Sequence[Table]]) -> Table | None:
    """Set each goal beside its figure; None if nothing of it was measured."""
    tables = list(chain.from_iterable(parts.values()))
    rows = [
        {
            "goal": name,
            "at most": float(limit),
            "measured": figure,
            "met": "yes" if figure <= limit else "**no**",
        }
        for name, limit, figure in _figures(tables)
    ]
    return Table("Goals", rows) if rows else None


def _figures(tables: list[Table]) -> Iterator[tuple[str, float, float]]:
    for site, limits in LIMITS.items():
        rows = table_named(tables, site)
        if rows:
            yield from _of_site(site, rows, *limits)
    for site in LIMITS:
        yield from _of_peers(site, table_named(tables, f"{site}, beside others"))
    yield from _of_imports(table_named(tables, "Imports"))
    yield from _of_growth(table_named(tables, "Growth: hits"))


def _of_site(
    site: str,
    rows: Mapping[str, Row],
    cpu: float | None,
    total: float | None,
    times: float | None,
) -> Iterator[tuple[str, float, float]]:
    page, queued = rows[PAGE_VIEW.name], rows[QUEUED]
    if site in ("WSGI", "ASGI"):
        for name in (STATIC, AJAX, BOT):
            over = rows[name]["CPU"] - rows[NOOP]["CPU"]
            yield f"{site}: {name}, µs over the no-op wrapper", 1.5, over
        large = rows[LARGE]["CPU"] - page["CPU"]
        yield f"{site}: 100 kB page, µs over the 4 kB page", 20, large
    else:
        yield f"{site}: p99 of a page view, times its own", 2, page["x its p99"]
    yield f"{site}: page view, hit queued, times the floor", 1.5, queued["x the floor"]
    if cpu is not None:
        yield f"{site}: page view, hit queued, µs of CPU", cpu, queued["CPU"]
    if total is not None:
        yield f"{site}: page view with delivery, µs of CPU", total, page["total CPU"]
    if times is not None:
        yield f"{site}: page view, times the own request", times, queued["x itself"]


def _of_peers(site: str, rows: Mapping[str, Row]) -> Iterator[tuple[str, float, float]]:
    others = {name: row["CPU"] for name, row in rows.items() if name.startswith("peer")}
    if others:
        least = min(others, key=others.__getitem__)
        ratio = rows[OURS]["CPU"] / others[least]
        name = least.removeprefix("peer: ")
        yield f"{site}: page view, times the cheapest peer ({name})", 1, ratio


def _of_imports(rows: Mapping[str, Row]) -> Iterator[tuple[str, float, float]]:
    row = rows.get("server_tracking")
    if row:
        yield "import server_tracking, ms of CPU", 60, row["CPU ms"]
        yield "import server_tracking, MB", 15, row["MB"]
        heavy = row["of them heavy"]
        number = len(heavy.split(", ")) if heavy else 0
        yield "import server_tracking, requests or frameworks in it", 0, number


def _of_growth(rows: Mapping[str, Row]) -> Iterator[tuple[str, float, float]]:
    if {"10000", "1000000"} <= set(rows):
        early, late = (rows[n]["x the floor"] for n in ("10000", "1000000"))
        yield "cost per hit after 1,000,000 hits, times after 10,000", 1.1, late / early
