"""Tables of results: for the terminal, for a page of the docs, and for JSON."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

PACKAGES = (
    "server-tracking",
    "msgspec",
    "pycurl",
    "requests",
    "flask",
    "django",
    "starlette",
    "fastapi",
    "opentelemetry-sdk",
    "sentry-sdk",
    "posthog",
    "segment-analytics-python",
    "snowplow-tracker",
    "apitally",
)

Row = dict[str, Any]


class Table(msgspec.Struct):
    """Rows with the same columns; the first column says what a row is about."""

    title: str
    rows: list[Row]
    note: str = ""


class Report(msgspec.Struct):
    """What one run has measured, part by part, and where."""

    machine: dict[str, Any]
    parts: dict[str, list[Table]]


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "day": time.strftime("%Y-%m-%d"),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Give the versions of what is installed of that which is measured."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def table_named(tables: Iterable[Table], title: str) -> dict[str, Row]:
    """Give the rows of a table by their first column; none if it is not there."""
    for table in tables:
        if table.title == title:
            return {str(next(iter(row.values()))): row for row in table.rows}
    return {}


def text_of(table: Table) -> str:
    """Write a table for the terminal."""
    lines = _cells(table)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    written = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([f"\n{table.title}", *_noted(table), *written])


def markdown_of(table: Table, level: int = 3) -> str:
    """Write a table for a page of the docs, with a heading."""
    head, *lines = (f"| {' | '.join(line)} |" for line in _cells(table))
    rule = "|---" + "|--:" * (len(table.rows[0]) - 1) + "|"
    noted = [*_noted(table), ""] if table.note else []
    return "\n".join(["#" * level + f" {table.title}", "", *noted, head, rule, *lines])


def _noted(table: Table) -> list[str]:
    return [table.note] if table.note else []


def _cells(table: Table) -> list[list[str]]:
    head = list(table.rows[0])
    return [head, *([_cell(row.get(name)) for name in head] for row in table.rows)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        size = abs(value)
        return f"{value:,.{2 if size < 10 else 1 if size < 100 else 0}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, platform.machine())
