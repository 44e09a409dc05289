"""Measure and print: `python -m benchmarks [PART ...]`, as `make bench`.

Without a part, all of them: overhead frameworks peers delivery imports growth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from benchmarks import delivery
from benchmarks.goals import goals
from benchmarks.growth import HITS, growth
from benchmarks.imports import imports
from benchmarks.measuring import Size
from benchmarks.overhead import frameworks, overhead, peers, tell
from benchmarks.peers import installed
from benchmarks.tables import Report, Table, machine, markdown_of, text_of

PARTS = ("overhead", "frameworks", "peers", "delivery", "imports", "growth")
FULL, SMOKE = Size(rounds=25, requests=400), Size(rounds=1, requests=4, weighed=1)
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]!r}; there are {' '.join(PARTS)}")
    if chosen.markdown:
        _split(chosen.markdown)  # a page without the marks is told of now
    report = _merged(chosen.read) if chosen.read else _measured(chosen)
    _keep(report, chosen.json)
    told = goals(report.parts)
    if told is not None:
        print(text_of(told))
    if chosen.markdown:
        before, after = _split(chosen.markdown)
        middle = "\n\n".join(_page(report, told))
        chosen.markdown.write_text(f"{before}{BEGIN}\n\n{middle}\n\n{END}{after}")


def _measured(chosen: argparse.Namespace) -> Report:
    """Measure part after part, and keep what there is if a later one breaks off."""
    size = SMOKE if chosen.smoke else Size(chosen.rounds, chosen.requests)
    report = Report(machine(), {})
    print(_where(report), flush=True)
    for part in chosen.parts or PARTS:
        tables = report.parts[part] = []
        for table in _maker(part, chosen)(size):
            tables.append(table)
            print(text_of(table), flush=True)
            _keep(report, chosen.json)
    return report


def _keep(report: Report, file: Path | None) -> None:
    if file:
        written = msgspec.json.format(msgspec.json.encode(report), indent=1)
        file.write_bytes(written + b"\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--smoke", action="store_true", help="run, whatever the times")
    parser.add_argument(
        "--rounds", type=int, default=FULL.rounds, help="turns that each variant gets"
    )
    parser.add_argument(
        "--requests", type=int, default=FULL.requests, help="how many in each turn"
    )
    parser.add_argument(
        "--hits", type=int, default=HITS[-1], help="how far growth goes, at most"
    )
    parser.add_argument("--json", type=Path, help="write the tables to this file too")
    parser.add_argument(
        "--markdown", type=Path, help=f"write them into this page, behind {BEGIN}"
    )
    parser.add_argument(
        "--read",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measure nothing: take the tables of these JSON files",
    )
    return parser


def _maker(part: str, chosen: argparse.Namespace) -> Callable[[Size], Iterable[Table]]:
    if part == "growth":
        return lambda size: growth(size, chosen.smoke, chosen.hits)
    if part == "delivery":
        return lambda size: _delivery(size, chosen.smoke)
    made: dict[str, Callable[[Size], Iterable[Table]]] = {
        "overhead": overhead,
        "frameworks": frameworks,
        "peers": peers,
        "imports": imports,
    }
    return made[part]


def _delivery(size: Size, smoke: bool) -> Iterator[Table]:
    tell("peers", installed()[1])
    for latency in delivery.LATENCIES[:1] if smoke else delivery.LATENCIES:
        rounds = min(size.rounds, 3)  # a subject takes two seconds in each
        rows = delivery.throughput(latency, rounds, 0.01 if smoke else 1)
        yield Table(
            f"Delivery, a collector that takes {latency * 1000:.0f} ms",
            [
                {
                    "sender": row.subject,
                    "hits": row.hits,
                    "hits/s": round(row.per_second),
                    "CPU µs a hit": row.microseconds,
                }
                for row in rows
            ],
        )


def _merged(files: list[Path]) -> Report:
    """Take the parts of several runs; later ones win."""
    reports = [msgspec.json.decode(one.read_bytes(), type=Report) for one in files]
    merged = reports[-1]
    parts = {name: tables for one in reports for name, tables in one.parts.items()}
    merged.parts = {name: parts[name] for name in PARTS if name in parts}
    return merged


def _where(report: Report) -> str:
    at = report.machine
    versions = ", ".join(f"{name} {v}" for name, v in at["versions"].items())
    return (
        f"{at['processor']}, {at['cores']} cores, load {at['load']}; {at['system']}, "
        f"{at['python']}; {at['day']}. {versions}."
    )


def _page(report: Report, told: Table | None) -> Iterator[str]:
    yield _where(report)
    load, cores = report.machine["load"], report.machine["cores"]
    if load is not None and load > cores / 2:
        yield (
            f"**It was busy with other things** (load {load} on {cores} cores): an "
            "idle machine of its kind takes a fraction of these microseconds."
        )
    if told is not None:
        yield markdown_of(told, level=2)
    for part, tables in report.parts.items():
        yield f"## {part.capitalize()}"
        yield from map(markdown_of, tables)


def _split(page: Path) -> tuple[str, str]:
    """Give what stands before and after the tables in *page*."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{page} has no {BEGIN} and {END} to write between.")
    return before, after


if __name__ == "__main__":
    main()
