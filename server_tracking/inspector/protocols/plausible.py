"""The receiving side of Plausible: its events API, and the page that tells its health.

Facts are from Plausible's "Events API reference" and the source of its collector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    json_answer,
    path_of,
    split_url,
    text_of,
)
from server_tracking.systems.plausible.checking import check, spelled_out
from server_tracking.systems.plausible.tables import meaning_of
from server_tracking.wire import json_from

__all__ = ["PROTOCOL"]

_EVENT, _HEALTH = "/api/event", "/api/health"
_REFERENCE = "Events API reference"


class _PlausibleProtocol:
    """Understand what Plausible's collector understands."""

    system = "plausible"
    paths = (_EVENT, _HEALTH)

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the one event of a request."""
        if received.path == _HEALTH:
            return []
        event = _event_of(received)
        if isinstance(event, Problem):
            return [DecodedHit(system="plausible", kind="other", problems=[event])]
        return [_decoded(received, event)]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer "ok", the errors of an event, or how the server is."""
        if received.path == _HEALTH:
            health = ("clickhouse", "postgres", "sites_cache")
            return json_answer(200, dict.fromkeys(health, "ok"))
        if received.method != "POST":
            return Answer(404, {"content-type": "text/plain"}, b"Not Found")
        if received.headers.get("x-debug-request", "").lower() == "true":
            address = _address_of(received).encode()
            return Answer(200, {"content-type": "text/plain"}, address)
        if errors := _errors(hits):
            return json_answer(400, {"errors": errors})
        return Answer(202, {"content-type": "text/plain"}, b"ok")


PROTOCOL = _PlausibleProtocol()


def _event_of(received: Received) -> dict[str, Any] | Problem:
    """Read the event, or say why there is none. The body is JSON whatever its type."""
    if received.method != "POST":
        return Problem("method", "only POST is taken", _REFERENCE, fatal=True)
    event = json_from(received.body)
    if not isinstance(event, dict):
        return Problem("body", "not a JSON object", _REFERENCE, fatal=True)
    return event


def _decoded(received: Received, event: Mapping[str, Any]) -> DecodedHit:
    told = spelled_out(event)
    name, url = text_of(told.get("name")), text_of(told.get("url"))
    parts = split_url(url)
    path, query = path_of(url) or "/", parse_qs(parts.query)
    kind = "event"
    if name == "pageview":
        kind = "screenview" if parts.scheme == "app" else "pageview"
    elif told.get("revenue") is not None:
        kind = "purchase"
    return DecodedHit(
        system="plausible",
        kind=kind,
        name="" if kind == "pageview" else path if kind == "screenview" else name,
        url=url,
        path=path,
        referrer=text_of(told.get("referrer")),
        campaign=campaign_of(
            *(
                query.get(f"utm_{part}", [""])[0]
                for part in ("source", "medium", "campaign")
            )
        ),
        user_agent=received.headers.get("user-agent", ""),
        address=_address_of(received),
        time=received.time,
        parameters=list(_parameters(received, event)),
        problems=[*check(event), *_check_headers(received)],
    )


def _parameters(received: Received, event: Mapping[str, Any]) -> Iterator[Parameter]:
    for key, value in event.items():
        [long] = spelled_out({key: None})
        if isinstance(value, dict):
            for inner, text in value.items():
                meaning = meaning_of(f"{long}.{inner}")
                yield Parameter(f"{key}.{inner}", text_of(text), meaning)
        else:
            yield Parameter(key, text_of(value), meaning_of(long))
    for header in ("user-agent", "x-forwarded-for"):
        if header in received.headers:
            yield Parameter(header, received.headers[header], meaning_of(header))


def _check_headers(received: Received) -> Iterator[Problem]:
    source = f"{_REFERENCE}, request headers"
    if not received.headers.get("user-agent"):
        yield Problem("User-Agent", "required, though its lack drops nothing", source)
    if "," in received.headers.get("x-forwarded-for", ""):
        message = "several addresses: the first counts, whoever wrote it"
        yield Problem("X-Forwarded-For", message, source)
    kind = received.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/plain"):
        message = "neither application/json nor text/plain"
        yield Problem("Content-Type", message, source)


def _errors(hits: Sequence[DecodedHit]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for hit in hits:
        for problem in hit.problems:
            if problem.fatal:
                errors.setdefault(problem.field, []).append(problem.message)
    return errors


def _address_of(received: Received) -> str:
    forwarded = received.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return forwarded or received.peer or ""
