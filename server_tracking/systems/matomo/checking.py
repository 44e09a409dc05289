"""What Matomo's tracker takes of a hit, and what it refuses, cuts or ignores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.matomo.parameters import (
    CHARACTERS,
    LONGEST_TEXT,
    LONGEST_TIMING,
    PARAMETERS,
    ObsoleteParameters,
    TimingParameters,
)
from server_tracking.systems.matomo.tables import DIMENSION
from server_tracking.wire import is_address, json_from

__all__ = [
    "DAY",
    "JSON_NAMES",
    "OBSOLETE",
    "check",
    "is_refused",
    "longest_text",
    "time_of",
    "value_problem",
]

DAY = 86_400
"""Seconds that a hit may be old without a token."""

_REFERENCE = "Tracking HTTP API reference"
_TRACKER = "Matomo tracker, core/Tracker/Request.php"
_VISITOR = pattern_from(r"[0-9a-fA-F]{16}")
_DIMENSION_LENGTH = 250  # characters
_TIMINGS = frozenset(p.wire_name for p in TimingParameters.parameters.values())
# Matomo's script still sends _idn, which nobody needs to mend.
OBSOLETE = frozenset(p.wire_name for p in ObsoleteParameters.parameters.values()) - {
    "_idn"
}
_RESTRICTED = ("cip", "country", "region", "city", "lat", "long")
JSON_NAMES = frozenset({"_cvar", "cvar", "data", "e_cvar", "ec_items", "uadata"})
_COMPANY = {
    "cra": ("ca",),
    "ma_id": ("ma_re", "ma_mt"),
    "search_cat": ("search",),
    "search_count": ("search",),
}
_NONE = object()


def check(
    parameters: Mapping[str, str],
    *,
    has_token: bool,
    now: float | None = None,
    agent: str = "",
) -> Iterator[Problem]:
    """Name what Matomo refuses, cuts or ignores.

    *has_token* tells whether a token comes with the hit, *now* (Unix seconds)
    whether it is too old, *agent* is the user agent of the HTTP request.
    """
    yield from _hit_problems(parameters, has_token, now, agent)
    for name, value in parameters.items():
        if wrong := value_problem(name, value):
            yield Problem(name, wrong, _REFERENCE)
        elif wrong := _length_problem(name, value):
            yield Problem(name, wrong, _TRACKER)


def is_refused(parameters: Mapping[str, str], *, has_token: bool, now: float) -> bool:
    """Tell whether Matomo would keep nothing of a hit."""
    return any(p.fatal for p in _hit_problems(parameters, has_token, now, ""))


def _hit_problems(
    parameters: Mapping[str, str], has_token: bool, now: float | None, agent: str
) -> Iterator[Problem]:
    yield from _request_problems(parameters, agent)
    yield from _token_problems(parameters, has_token, now)
    yield from _kind_problems(parameters)


def _request_problems(parameters: Mapping[str, str], agent: str) -> Iterator[Problem]:
    site = parameters.get("idsite", "")
    if not (site.isascii() and site.isdigit() and int(site[:18]) > 0):
        yield Problem(
            "idsite", "must be the id of a site, from 1", _REFERENCE, fatal=True
        )
    if parameters.get("rec") != "1":
        yield Problem(
            "rec", "without rec=1 nothing is kept, and no error shown", _TRACKER, True
        )
    visitor = parameters.get("cid")
    if visitor is not None and not _VISITOR.fullmatch(visitor):
        yield Problem("cid", "must have 16 hexadecimal digits", _REFERENCE, fatal=True)
    if not parameters.get("ua") and not agent.startswith("Mozilla"):
        yield Problem("ua", "is missing: Matomo takes the sender's for it", _REFERENCE)
    if "recMode" in parameters and "bots" in parameters:
        yield Problem("bots", "is not read together with recMode", _REFERENCE)
    if parameters.get("ping") == "1" and parameters.get("ca") == "1":
        yield Problem("ca", "must not come with ping=1", _REFERENCE)


def _token_problems(
    parameters: Mapping[str, str], has_token: bool, now: float | None
) -> Iterator[Problem]:
    if "cip" in parameters and not is_address(parameters["cip"]):
        yield Problem("cip", "must be an IPv4 or IPv6 address", _REFERENCE, fatal=True)
    if has_token:
        return
    for name in _RESTRICTED:
        if name in parameters:
            yield Problem(
                name, "needs a token; without, the hit is refused", _TRACKER, True
            )
    if now is None:
        return
    happened = time_of(parameters, now)
    if happened is not None and now - happened > DAY:
        yield Problem(
            "cdt", "is more than a day ago, which needs a token", _TRACKER, True
        )


def _kind_problems(parameters: Mapping[str, str]) -> Iterator[Problem]:
    for name, other in (("e_c", "e_a"), ("e_a", "e_c")):
        if name in parameters and not parameters.get(other, "").strip():
            yield Problem(other, "an event needs category and action", _REFERENCE, True)
    for name in sorted(_TIMINGS & parameters.keys()):
        value = parameters[name]
        if value.startswith("-"):
            yield Problem(name, "must not be negative", _TRACKER, fatal=True)
        if {"e_c", "idgoal", "search", "link", "download"} & parameters.keys():
            yield Problem(name, "belongs to page views only", _REFERENCE)
    for name, others in _COMPANY.items():
        for other in others:
            if name in parameters and other not in parameters:
                yield Problem(name, f"has no effect without {other}", _REFERENCE)


def value_problem(name: str, value: str) -> str | None:
    """Say what is wrong with a value that Matomo then ignores or replaces."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        return None if DIMENSION.fullmatch(name) else "is not known to Matomo"
    if name in OBSOLETE:
        return "is not read since Matomo 4"
    if name in ("idsite", "rec"):
        return None
    if name in JSON_NAMES:
        return None if _is_json(value) else "is not JSON"
    if name in _TIMINGS and value.isascii() and value.isdigit():
        too_long = int(value[:18]) > LONGEST_TIMING
        return f"is more than {LONGEST_TIMING} and ignored" if too_long else None
    if parameter.type != "text" or parameter.values:
        return parameter.problem(value)
    return None


def _length_problem(name: str, value: str) -> str | None:
    parameter = PARAMETERS.get(name)
    if parameter is not None and parameter.max_bytes is not None:
        return parameter.problem(value)
    longest = longest_text(name)
    too_long = longest is not None and len(value) > longest
    return f"is cut to {longest} characters" if too_long else None


def longest_text(name: str) -> int | None:
    """Return how many characters Matomo keeps of a parameter; None for all."""
    if name in JSON_NAMES:
        return None
    if DIMENSION.fullmatch(name):
        return _DIMENSION_LENGTH
    return CHARACTERS.get(name, LONGEST_TEXT)


def time_of(parameters: Mapping[str, str], now: float) -> float | None:
    """Read when a hit happened from ``cdt`` and ``cdo``; None if neither is sent."""
    text, offset = parameters.get("cdt"), parameters.get("cdo", "")
    moment: float | None = None
    if text and re.fullmatch(r"[0-9]{1,10}", text):
        moment = float(text)
    elif text:
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            moment = None
    if re.fullmatch(r"[0-9]{1,10}", offset):
        return (now if moment is None else moment) - int(offset)
    return moment


def _is_json(text: str) -> bool:
    return json_from(text, otherwise=_NONE) is not _NONE
