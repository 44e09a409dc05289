"""What Umami refuses, fails at, or cuts in an event.

Its schema refuses what is too long for some fields; others overflow a column of the
database, on which it answers with a 500.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.umami.urls import (
    LONGEST_CAMPAIGN,
    LONGEST_ESCAPED_PATH,
    LONGEST_PATH,
    LONGEST_QUERY,
    ORIGIN,
    campaign_of,
    decoded_units,
    escaped,
    parts_of,
    units,
)

__all__ = ["FAILS_BEYOND", "LONGEST_TEXT", "REFUSED_BEYOND", "check", "fits_number"]

REFUSED_BEYOND = {"hostname": 100, "name": 50, "tag": 50, "language": 35, "screen": 11}
FAILS_BEYOND = {"id": 50, "browser": 20, "os": 20, "device": 20}
LONGEST_TEXT = 500  # of a title, and of a name and a value in the data

_KINDS = ("event", "identify", "performance")
_SITE_KEYS = ("website", "link", "pixel")
_VITALS = {"lcp": 60000, "inp": 60000, "cls": 100, "fcp": 60000, "ttfb": 60000}
_LARGEST_NUMBER = 10**15  # the column keeps 19 digits, 4 of them after the point
_UUID = pattern_from(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SECONDS = pattern_from(r"-?[0-9]{1,12}(?:\.0)?")

_SCHEMA = "Umami source, api/send schema"
_DATABASE = "Umami source, prisma/schema.prisma"
_STORING = "Umami source, saveEvent"


def check(event: object) -> Iterator[Problem]:
    """Check one event as Umami would."""
    if not isinstance(event, Mapping):
        yield Problem("body", "not a JSON object", _SCHEMA, fatal=True)
        return
    if event.get("type") not in _KINDS:
        message = f"not one of {', '.join(_KINDS)}"
        yield Problem("type", message, _SCHEMA, fatal=True)
    payload = event.get("payload")
    if not isinstance(payload, Mapping):
        yield Problem("payload", "not a JSON object", _SCHEMA, fatal=True)
        return
    yield from _check_site(payload)
    yield from _check_texts(payload)
    yield from _check_addresses(payload)
    yield from _check_numbers(payload)
    if "data" in payload:
        yield from _check_data(payload["data"])


def _check_site(payload: Mapping[str, Any]) -> Iterator[Problem]:
    keys = [key for key in _SITE_KEYS if payload.get(key)]
    if len(keys) != 1:
        message = "exactly one of website, link and pixel is needed"
        yield Problem("website", message, _SCHEMA, fatal=True)
    for key in keys:
        if not _UUID.fullmatch(str(payload[key])):
            yield Problem(key, "not a UUID", _SCHEMA, fatal=True)


def _check_texts(payload: Mapping[str, Any]) -> Iterator[Problem]:
    for field in (*REFUSED_BEYOND, *FAILS_BEYOND, "title", "ip", "userAgent"):
        if field not in payload:
            continue
        text = payload[field]
        if not isinstance(text, str):
            yield Problem(field, "not a text", _SCHEMA, fatal=True)
            continue
        if "\0" in text:
            yield Problem(field, "has a NUL, which fails", _DATABASE, fatal=True)
        if units(text) > (limit := REFUSED_BEYOND.get(field, len(text) * 2)):
            message = f"longer than {limit} characters"
            yield Problem(field, message, _SCHEMA, fatal=True)
        if units(text) > (limit := FAILS_BEYOND.get(field, len(text) * 2)):
            message = f"longer than {limit} characters, which fails"
            yield Problem(field, message, _DATABASE, fatal=True)
        if field == "title" and units(unquote(text)) > LONGEST_TEXT:
            message = f"longer than {LONGEST_TEXT} characters, will be cut"
            yield Problem(field, message, _STORING)


def _check_addresses(payload: Mapping[str, Any]) -> Iterator[Problem]:
    for field in ("url", "referrer"):
        if field not in payload:
            continue
        text = payload[field]
        origin = ORIGIN.match(text) if isinstance(text, str) else None
        if not isinstance(text, str) or (origin and re.search(r"[\s<>^|%]", origin[0])):
            yield Problem(field, "not a URL or path", _SCHEMA, fatal=True)
            continue
        path, query = parts_of(text)
        if decoded_units(path[: LONGEST_ESCAPED_PATH + 1]) > LONGEST_PATH:
            message = f"the path is longer than {LONGEST_PATH}, will be cut"
            yield Problem(field, message, _STORING)
        if len(escaped(query)) > LONGEST_QUERY:
            message = f"the query is longer than {LONGEST_QUERY}, will be cut"
            yield Problem(field, message, _STORING)
        if field == "url":
            for key, value in campaign_of(query):
                if units(value) > LONGEST_CAMPAIGN:
                    message = f"longer than {LONGEST_CAMPAIGN}, which fails"
                    yield Problem(key, message, _DATABASE, fatal=True)


def _check_numbers(payload: Mapping[str, Any]) -> Iterator[Problem]:
    if not _SECONDS.fullmatch(str(payload.get("timestamp", 0))):
        yield Problem("timestamp", "not whole Unix seconds", _SCHEMA, fatal=True)
    for field, most in _VITALS.items():
        value = payload.get(field, 0)
        if not isinstance(value, int | float) or not 0 <= value <= most:
            message = f"not a number from 0 to {most}"
            yield Problem(field, message, _SCHEMA, fatal=True)


def _check_data(data: object) -> Iterator[Problem]:
    if not isinstance(data, Mapping):
        yield Problem("data", "not a JSON object", _SCHEMA, fatal=True)
        return
    for key, value in data.items():
        field = f"data.{str(key)[:60]}"
        if units(str(key)) > LONGEST_TEXT:
            message = f"the name is longer than {LONGEST_TEXT}, which fails"
            yield Problem(field, message, _DATABASE, fatal=True)
        if isinstance(value, str):
            if units(value) > LONGEST_TEXT:
                message = f"longer than {LONGEST_TEXT} characters, which fails"
                yield Problem(field, message, _DATABASE, fatal=True)
        elif isinstance(value, int | float | Decimal) and not fits_number(value):
            yield Problem(field, "a number that is too large", _DATABASE, fatal=True)


def fits_number(number: float | Decimal) -> bool:
    """Tell whether the database can keep *number*."""
    if isinstance(number, Decimal) and not number.is_finite():
        return False
    return -_LARGEST_NUMBER < number < _LARGEST_NUMBER
