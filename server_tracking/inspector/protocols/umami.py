"""The receiving side of Umami: ``/api/send`` for one event, ``/api/batch`` for many.

Facts are from the source of Umami 3.1 (``src/app/api/send``, ``src/app/api/batch``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote
from uuid import NAMESPACE_URL, uuid5

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
from server_tracking.systems.umami.checking import check
from server_tracking.systems.umami.tables import meaning_of
from server_tracking.wire import json_from

__all__ = ["PROTOCOL"]

_SEND, _BATCH = "/api/send", "/api/batch"
_SOURCE = "Umami source, api/send"
_NOT_JSON = Problem("body", "not JSON", _SOURCE, fatal=True)
_BOT = "a bot's user agent: nothing is stored"
# A few of the names that isbot knows, by which most are found.
_BOTS = re.compile(
    r"(?<!cu)bot|crawl|spider|headless"
    r"|^(?:axios|curl|go-http-client|java|node|okhttp|python|ruby|wget)",
    re.IGNORECASE,
)


class _UmamiProtocol:
    """Understand what Umami's collector understands."""

    system = "umami"
    paths = (_SEND, _BATCH)

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read one event, or many."""
        events = _events_of(received)
        if isinstance(events, Problem):
            return [DecodedHit(system="umami", kind="other", problems=[events])]
        return [_decoded(received, event) for event in events]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer a session to one event, and to many how many were taken."""
        if received.method != "POST":
            return Answer(405)
        answers = [_answer_to(hit) for hit in hits]
        if isinstance(_events_of(received), Problem) or received.path == _SEND:
            [(status, answer)] = answers
            return json_answer(status, answer)
        failed = [
            {"index": index, "response": answer}
            for index, (status, answer) in enumerate(answers)
            if status != 200
        ]
        summary = {
            "size": len(answers),
            "processed": len(answers) - len(failed),
            "errors": len(failed),
            "details": failed,
        }
        tokens = [answer["cache"] for _, answer in answers if "cache" in answer]
        return json_answer(200, {**summary, "cache": tokens[0] if tokens else None})


PROTOCOL = _UmamiProtocol()


def _events_of(received: Received) -> Sequence[Any] | Problem:
    """Read the events, or say why there are none."""
    if received.method != "POST":
        return Problem("method", "only POST is taken", _SOURCE, fatal=True)
    body = json_from(received.body, otherwise=_NOT_JSON)
    if isinstance(body, Problem):
        return body
    if received.path == _SEND:
        return [body]
    if not isinstance(body, list):
        return Problem("body", "not a JSON array", _SOURCE, fatal=True)
    return body


def _decoded(received: Received, event: object) -> DecodedHit:
    problems = list(check(event))
    payload = event.get("payload") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(payload, dict):
        return DecodedHit(system="umami", kind="other", problems=problems)
    agent = text_of(payload.get("userAgent")) or received.headers.get("user-agent", "")
    if _BOTS.search(agent):
        problems.append(Problem("userAgent", _BOT, "isbot, as Umami asks", fatal=True))
    if "x-umami-cache" in received.headers and received.path == _BATCH:
        message = "makes all events of the batch one session's"
        problems.append(Problem("x-umami-cache", message, _SOURCE))
    url, host = text_of(payload.get("url")), text_of(payload.get("hostname"))
    parts = split_url(url)
    query = parse_qs(parts.query)
    stamp = payload.get("timestamp")
    return DecodedHit(
        system="umami",
        kind=_kind_of(event, payload),
        name=text_of(payload.get("name")),
        url=f"https://{host}{url}" if host and url[:1] == "/" else url,
        path=path_of(url),
        title=unquote(text_of(payload.get("title"))),
        referrer=text_of(payload.get("referrer")),
        client_id=text_of(payload.get("id")),
        campaign=campaign_of(
            *(
                query.get(f"utm_{part}", [""])[0]
                for part in ("source", "medium", "campaign")
            )
        ),
        user_agent=agent,
        language=text_of(payload.get("language")),
        address=text_of(payload.get("ip")) or received.peer or "",
        time=float(stamp) if type(stamp) is int else received.time,
        parameters=list(_parameters(event, payload)),
        problems=problems,
    )


def _kind_of(event: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    if event.get("type") != "event":
        return "other"
    if not payload.get("name"):
        return "pageview"
    data = payload.get("data")
    if isinstance(data, dict) and data.get("currency"):
        revenue = re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text_of(data.get("revenue")))
        if revenue and float(revenue[0]) > 0:
            return "purchase"
    return "event"


def _parameters(
    event: Mapping[str, Any], payload: Mapping[str, Any]
) -> Iterator[Parameter]:
    yield Parameter("type", text_of(event.get("type")), meaning_of("type"))
    for key, value in payload.items():
        yield from _flattened(key, value)


def _flattened(name: str, value: object) -> Iterator[Parameter]:
    """Name what is nested as Umami does, with dots."""
    if not isinstance(value, dict) or name.count(".") > 20:
        yield Parameter(name, text_of(value), meaning_of(name))
        return
    for key, inner in value.items():
        yield from _flattened(f"{name}.{key}", inner)


def _answer_to(hit: DecodedHit) -> tuple[int, dict[str, Any]]:
    fatal = [problem for problem in hit.problems if problem.fatal]
    if [problem.message for problem in fatal] == [_BOT]:
        return 200, {"beep": "boop"}
    if fatal:
        errors = [f"{problem.field}: {problem.message}" for problem in fatal]
        error = {"message": "Bad request", "code": "bad-request", "status": 400}
        return 400, {"error": {**error, "errors": errors}}
    visitor = hit.client_id or f"{hit.address} {hit.user_agent}"
    session = str(uuid5(NAMESPACE_URL, f"session {visitor!r}"))
    visit = str(uuid5(NAMESPACE_URL, f"visit {visitor!r}"))
    return 200, {"cache": "inspector", "sessionId": session, "visitId": visit}
