"""Read lines of access logs: common, combined and JSON, and the inspector's exports."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

__all__ = ["Served", "served_from"]


class Served(NamedTuple):
    """A request that was served, as a log tells it; *time* is in Unix seconds.

    *address* is as the log has it: whoever makes a hit of it makes it anonymous.
    """

    time: float
    method: str
    target: str
    status: int
    address: str = ""
    referrer: str = ""
    user_agent: str = ""
    host: str = ""
    content_type: str = ""


# Apache's and nginx's common form, and what combined adds to it. A virtual host may
# stand first (Apache's vhost_combined). What is read once is not tried again another
# way ("++"), which makes it three times as fast.
_LINE = re.compile(
    r"(?:(?P<host>[\w.-]++(?::\d++)?) (?=\S++ \S++ \S++ \[))?"
    r"(?P<address>\S++) \S++ \S++ "
    r"\[(?P<day>[^:\]]+):(?P<clock>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4})\] "
    r'"(?P<method>[A-Z]++) (?P<target>\S+)(?: [^"]*+)?" (?P<status>\d{3}) \S++'
    r'(?: "(?P<referrer>(?:[^"\\]++|\\.)*+)" "(?P<agent>(?:[^"\\]++|\\.)*+)")?'
)
_ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|(["\\]))')
_STATUS = re.compile("[1-9][0-9]{2}")
_LATEST = 1e11  # Unix seconds, in the year 5138; what is more are milliseconds
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
# The names that nginx, Caddy, Traefik, Apache and AWS recipes use.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "ts", "timestamp", "@timestamp", "time_iso8601", "msec"),
    "method": ("method", "request_method", "RequestMethod"),
    "target": ("request_uri", "uri", "target", "path", "RequestPath", "url"),
    "status": ("status", "DownstreamStatus", "status_code"),
    "address": ("remote_addr", "client_ip", "remote_ip", "ClientHost", "address"),
    "referrer": ("http_referer", "referer", "referrer", "request_Referer"),
    "user_agent": ("http_user_agent", "user_agent", "agent", "request_User-Agent"),
    "host": ("http_host", "host", "RequestHost", "server_name"),
    "content_type": ("content_type", "sent_http_content_type"),
}


def served_from(line: str) -> Served | None:
    """Read a *line* of an access log, whatever its form; None if it is none."""
    if line.startswith("{"):
        return _from_json(line)
    found = _LINE.match(line)
    if found is None:
        return None
    moment = _midnight(found["day"], found["zone"])
    if moment is None:
        return None
    clock = found["clock"]
    seconds = int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:])
    return Served(
        float(moment + seconds),
        found["method"],
        found["target"],
        int(found["status"]),
        found["address"],
        _text(found["referrer"]),
        _text(found["agent"]),
        found["host"] or "",
    )


@lru_cache(maxsize=64)
def _midnight(day: str, zone: str) -> int | None:
    """Return the Unix time of the day's begin in its zone; None if it is no day."""
    month = _MONTHS.find(day[3:6]) // 3 + 1
    try:
        midnight = timegm((int(day[7:11]), month, int(day[:2]), 0, 0, 0))
        datetime(int(day[7:11]), month, int(day[:2]), tzinfo=UTC)
    except ValueError:
        return None
    offset = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
    return midnight - (offset if zone[0] == "+" else -offset)


def _text(quoted: str | None) -> str:
    if not quoted or quoted == "-":
        return ""
    return _ESCAPE.sub(_unescaped, quoted) if "\\" in quoted else quoted


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _from_json(line: str) -> Served | None:
    try:
        told = msgspec.json.decode(line)
    except (ValueError, RecursionError):  # ValueError: it is not even UTF-8
        return None
    if isinstance(told.get("hit"), dict):
        return _from_export(told)
    flat = {**told, **_caddy(told)}
    found = {key: _first(flat, names) for key, names in _NAMES.items()}
    if found["method"] is None and isinstance(told.get("request"), str):
        found["method"], _, rest = told["request"].partition(" ")
        found["target"] = rest.rpartition(" ")[0] or rest
    moment = _moment(found.pop("time"))
    status = str(found.pop("status") or "")
    if moment is None or not _STATUS.fullmatch(status) or not found["target"]:
        return None
    texts = {key: _plain(value) for key, value in found.items()}
    texts["method"] = texts["method"] or "GET"
    return Served(time=moment, status=int(status), **texts)


def _caddy(told: Mapping[str, Any]) -> dict[str, Any]:
    """Take out of Caddy's nested form what it calls otherwise, or keeps in lists."""
    request = told.get("request")
    if not isinstance(request, dict):
        return {}
    flat = dict(request)
    headers = flat.pop("headers", None)
    if isinstance(headers, dict):
        low = {str(name).lower(): value for name, value in headers.items()}
        flat["user_agent"] = low.get("user-agent")
        flat["referer"] = low.get("referer")
    return flat


def _from_export(told: Mapping[str, Any]) -> Served | None:
    """Read a line of the inspector's export; only page views can be told again."""
    hit = told["hit"]
    try:
        parts = urlsplit(_plain(hit.get("url")))
    except ValueError:
        return None
    moment = _moment(hit.get("time") or told.get("arrived"))
    if hit.get("kind") != "pageview" or not parts.netloc or moment is None:
        return None
    return Served(
        moment,
        "GET",
        parts._replace(scheme="", netloc="").geturl() or "/",
        200,
        _plain(hit.get("address")),
        _plain(hit.get("referrer")),
        _plain(hit.get("user_agent")),
        parts.netloc,
    )


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((told[name] for name in names if told.get(name) is not None), None)


def _plain(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    text = "" if value is None else str(value)
    return "" if text == "-" else text


def _moment(value: object) -> float | None:
    """Read Unix seconds (or milliseconds), or an ISO 8601 time."""
    try:
        number = float(str(value))
    except ValueError:
        try:
            number = datetime.fromisoformat(str(value)).timestamp()
        except (ValueError, OverflowError):
            return None
    if number > _LATEST:
        number /= 1000
    return number if 0 <= number <= _LATEST else None  # never for nan
