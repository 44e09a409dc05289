"""Write what a check has found: for people, and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import msgspec

from server_tracking.calls import Problem, Verdict
from server_tracking.checking.findings import (
    Delivery,
    Fact,
    KindFinding,
    Report,
    SystemFinding,
    Validation,
    Way,
)
from server_tracking.errors import ConfigurationError
from server_tracking.hits import Hit

__all__ = ["as_json", "as_text", "error_as_json"]

_VERDICTS = {
    Verdict.DELIVERED: "accepted",
    Verdict.RETRY: "not taken now; a tracker would try again",
    Verdict.REJECTED: "refused",
    Verdict.DROPPED: "taken, and thrown away",
    Verdict.UNKNOWN: "nobody knows whether it was counted",
}
_KINDS = len(get_args(Hit))
_WORD, _WHAT = 11, 17  # characters of the first two columns


def as_text(report: Report) -> str:
    """Write *report* as lines to read."""
    lines = []
    if report.facts:
        lines += ["Settings", *map(_fact_line, report.facts), ""]
    if report.server:
        lines += ["uWSGI", *map(_fact_line, report.server), ""]
    for system in report.systems:
        lines += [system.system, *_system_lines(system), ""]
    failed = [system.system for system in report.systems if system.failed]
    if failed:
        lines.append(f"Not fine: {', '.join(failed)}.")
    else:
        lines.append(f"Fine: {', '.join(system.system for system in report.systems)}.")
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Write *report* as one JSON object."""
    found = {
        "fine": report.fine,
        "settings": report.facts,
        "server": report.server,
        "systems": [
            {**msgspec.to_builtins(system), "fine": not system.failed}
            for system in report.systems
        ],
    }
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def error_as_json(error: ConfigurationError) -> str:
    """Write what is wrong with the configuration as one JSON object."""
    told = {"option": error.option, "message": str(error)}
    found = {"fine": False, "error": told}
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _fact_line(fact: Fact) -> str:
    return _line("warning" if fact.warning else "", fact.option, fact.text)


def _system_lines(system: SystemFinding) -> Iterator[str]:
    told = [found for found in system.kinds if found.told]
    yield from _list_line("valid", [found for found in told if not found.problems])
    yield from _list_line("not told", [one for one in system.kinds if not one.told])
    for found in system.kinds:
        for problem in found.problems:
            yield _line(_word(problem), found.kind, _said(problem))
    for way in system.ways:
        yield from _way_lines(way)
    if system.validations is not None:
        yield from _validation_lines(system.validations)
    elif system.has_validator:
        yield _line("not asked", "its validator", "--online asks it")
    if system.delivery is not None:
        yield from _delivery_lines(system.delivery)


def _list_line(word: str, kinds: Sequence[KindFinding]) -> Iterator[str]:
    if kinds:
        names = ", ".join(found.kind for found in kinds)
        yield _line(word, f"{len(kinds)} of {_KINDS} kinds", names)


def _way_lines(way: Way) -> Iterator[str]:
    through = f"through the proxy {way.proxy}" if way.proxy else ""
    if way.failure:
        yield _line("not found", way.host, f"{way.failure} {through}".rstrip())
    elif way.addresses is not None:
        plural = "" if way.addresses == 1 else "es"
        said = f"{way.addresses} address{plural} in {way.ms:.0f} ms"
        yield _line("found", way.host, f"{said}, {through}" if through else said)
    elif through:
        yield _line("", way.host, through)


def _validation_lines(validations: tuple[Validation, ...]) -> Iterator[str]:
    asked = "its validator"
    clean = 0
    for found in validations:
        if found.failure:
            yield _line("no answer", asked, f"{found.kind}: {found.failure}")
        elif found.problems:
            for problem in found.problems:
                yield _line(_word(problem), asked, f"{found.kind}: {_said(problem)}")
        else:
            clean += 1
    if clean:
        yield _line("valid", asked, f"found nothing wrong with {clean} hits")


def _delivery_lines(delivery: Delivery) -> Iterator[str]:
    meaning = _VERDICTS[delivery.verdict]
    reason = f" ({delivery.reason})" if delivery.reason else ""
    yield _line(delivery.verdict, "test event", f"{meaning}{reason}")
    if delivery.verdict in (Verdict.DELIVERED, Verdict.UNKNOWN):
        # Systems write names in their own ways; the digits stay as they are.
        digits = delivery.event.rpartition(" ")[2]
        event = f"an event with {digits} in its name,\n{delivery.seen}"
        yield _line("", "look for", event)
        if delivery.caveat:
            yield _line("", "mind", delivery.caveat)


def _word(problem: Problem) -> str:
    return "refused" if problem.fatal else "note"


def _said(problem: Problem) -> str:
    source = f" [{problem.source}]" if problem.source else ""
    field = f"{problem.field}: " if problem.field else ""
    return f"{field}{problem.message}{source}"


def _line(word: str, what: str, text: str) -> str:
    """Write three columns; further lines of *text* stand below its first."""
    first, *more = text.splitlines() or [""]
    what = f"{what:<{_WHAT}}" if len(what) < _WHAT else f"{what}  "
    lines = [f"  {word:<{_WORD}}{what}{first}".rstrip()]
    indent = " " * (2 + _WORD + _WHAT)
    return "\n".join([*lines, *(f"{indent}{line}" for line in more)])
