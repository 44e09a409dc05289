"""The receiving side of GoatCounter: ``/api/v0/count``.

Facts are from GoatCounter's API reference and the source of its ``handlers/api.go``.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    json_answer,
    path_of,
    text_of,
)
from server_tracking.systems.goatcounter.checking import check
from server_tracking.systems.goatcounter.tables import meaning_of
from server_tracking.wire import json_from, time_from

__all__ = ["PROTOCOL"]

_COUNT = "/api/v0/count"
_MOST_HITS = 500
_REFERENCE = "GoatCounter API reference, count"
_CALL_FIELDS = {"no_sessions", "filter", "hits"}


class _Refusal(msgspec.Struct, frozen=True):
    """Why nothing of a call is taken."""

    status: int
    field: str
    message: str


class _GoatCounterProtocol:
    """Understand what GoatCounter's API understands."""

    system = "goatcounter"
    paths = (_COUNT,)

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the hits of a call, which is taken or refused as a whole."""
        call = _call_of(received)
        refusal = call if isinstance(call, _Refusal) else _refusal_of(call)
        common = []
        if refusal:
            problem = Problem(refusal.field, refusal.message, _REFERENCE, fatal=True)
            common.append(problem)
        hits = call.get("hits") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(hits, list) or not hits:
            return [DecodedHit(system="goatcounter", kind="other", problems=common)]
        bare = call.get("no_sessions") is True
        return [_decoded(received, hit, common, no_sessions=bare) for hit in hits]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer 202, or 400 with the errors by number."""
        call = _call_of(received)
        refusal = call if isinstance(call, _Refusal) else _refusal_of(call)
        if refusal:
            return json_answer(refusal.status, {"error": refusal.message})
        errors = {}
        for index, hit in enumerate(hits):
            fatal = [p for p in hit.problems if p.fatal]
            if any("spoils" in p.message for p in fatal):
                unknown = f'unknown parameter: "{fatal[0].field}"'
                return json_answer(400, {"error": unknown})
            if fatal:
                errors[str(index)] = "; ".join(f"{p.field}: {p.message}" for p in fatal)
        if errors:
            return json_answer(400, {"errors": errors})
        return json_answer(202, {"status": "ok"})


PROTOCOL = _GoatCounterProtocol()


def _call_of(received: Received) -> dict[str, Any] | _Refusal:
    """Read the body, or say why it is refused unread."""
    if received.method != "POST":
        return _Refusal(405, "method", "only POST is taken")
    kind = received.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _Refusal(415, "Content-Type", "not application/json")
    if not _has_token(received.headers.get("authorization", "")):
        return _Refusal(401, "Authorization", "no API token")
    call = json_from(received.body)
    if not isinstance(call, dict):
        return _Refusal(400, "body", "not a JSON object")
    return call


def _refusal_of(call: Mapping[str, Any]) -> _Refusal | None:
    """Say why nothing of *call* is taken, if so."""
    if unknown := sorted(call.keys() - _CALL_FIELDS):
        field = unknown[0][:60]
        return _Refusal(400, field, f'unknown parameter: "{field}"')
    hits = call.get("hits")
    if not isinstance(hits, list) or not hits:
        return _Refusal(400, "hits", "no hits")
    if len(hits) > _MOST_HITS:
        message = f"maximum amount of pageviews in one batch is {_MOST_HITS}"
        return _Refusal(400, "hits", message)
    chosen = call.get("filter")
    if chosen is not None and chosen not in ([], ["ip"]):
        # The real one answers so with a 200.
        return _Refusal(200, "filter", "unknown value in Filter")
    return None


def _has_token(authorization: str) -> bool:
    """Tell whether there is a token; Basic takes it as a password without a name."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme == "Bearer":
        return bool(value.strip())
    if scheme.lower() != "basic":
        return False
    try:
        name, _, password = base64.b64decode(value, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return not name and bool(password)


def _decoded(
    received: Received, hit: object, common: Sequence[Problem], *, no_sessions: bool
) -> DecodedHit:
    if not isinstance(hit, dict):
        problem = Problem("hits", "not a JSON object", _REFERENCE, fatal=True)
        return DecodedHit(
            system="goatcounter", kind="other", problems=[*common, problem]
        )
    path, query = text_of(hit.get("path")), text_of(hit.get("query"))
    moment = time_from(text_of(hit.get("created_at")))
    is_event = hit.get("event") is True
    return DecodedHit(
        system="goatcounter",
        kind="event" if is_event else "pageview",
        name=path if is_event else "",
        url="" if is_event else path,
        path="" if is_event else path_of(path),
        title=text_of(hit.get("title")),
        referrer=text_of(hit.get("ref")),
        client_id=text_of(hit.get("session")),
        campaign="" if is_event else _campaign_of(query),
        user_agent=text_of(hit.get("user_agent")),
        language=text_of(hit.get("language")),
        address=text_of(hit.get("ip")),
        time=received.time if moment is None else moment,
        parameters=[
            Parameter(key, text_of(value), meaning_of(key))
            for key, value in hit.items()
        ],
        problems=[
            *common,
            # Without a time of arrival nothing is in the future.
            *check(hit, received.time or math.inf, no_sessions=no_sessions),
        ],
    )


def _campaign_of(query: str) -> str:
    """Name source and campaign; of each the first that is there."""
    try:
        found = parse_qs(query.removeprefix("?"))
    except ValueError:
        return ""
    keys = ("utm_source", "ref", "src", "source"), ("utm_campaign", "campaign")
    return campaign_of(
        *(
            next((found[key][0] for key in spellings if key in found), "")
            for spellings in keys
        )
    )
