"""The receiving side of Google Analytics 4: the collector and the validation server.

The collector answers 204 to everything that is posted to it, as Google's does; what
is wrong with it stands in the hits' problems. The validation server answers with
messages, and like Google's looks neither at the secret nor at the measurement id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    HIDDEN,
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    path_of,
    split_url,
    text_of,
)
from server_tracking.systems.google_analytics_4.checking import check_body, check_event
from server_tracking.systems.google_analytics_4.findings import Finding, number_of
from server_tracking.systems.google_analytics_4.meanings import meaning_of
from server_tracking.systems.google_analytics_4.tables import (
    BODY,
    LARGEST_BODY,
    LONGEST_VALUE,
)
from server_tracking.wire import json_bytes, json_from

__all__ = ["PROTOCOL"]

_COLLECT = "/mp/collect"
_VALIDATE = "/debug/mp/collect"
_TRANSPORT = "GA4 reference, transport"
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DEEPEST = 8  # levels that are shown one by one
_LATEST = 4e9  # Unix seconds; beyond lies no time that anything happened
_KINDS = {
    "page_view": "pageview",
    "screen_view": "screenview",
    "view_screen": "screenview",
    "exception": "exception",
    "timing_complete": "timing",
    "share": "social",
    "purchase": "purchase",
    "refund": "refund",
    "view_item_list": "product_action",
    "select_item": "product_action",
    "view_item": "product_action",
    "add_to_cart": "product_action",
    "remove_from_cart": "product_action",
    "begin_checkout": "product_action",
    "view_promotion": "product_action",
    "select_promotion": "product_action",
}


class _GoogleAnalytics4Protocol:
    """Decode, check and answer what is sent to the Measurement Protocol."""

    system = "google_analytics_4"
    paths = (_COLLECT, _VALIDATE)

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the events of a request; one hit if it has none."""
        query = _query(received)
        body = _body(received)
        problems = [*_request_problems(received, query)]
        if body is None:
            message = "The body is no JSON object."
            problems.append(Problem("", message, _TRANSPORT, fatal=True))
            return [DecodedHit(system=self.system, kind="other", problems=problems)]
        app = "firebase_app_id" in query
        now = received.time or None
        problems += [finding.problem for finding in check_body(body, now, app=app)]
        around = [*_query_parameters(query), *_body_parameters(body)]
        events = body.get("events")
        if isinstance(events, dict):  # ga4mp sends an event it had postponed like that
            events = [events]
        if not isinstance(events, list) or not events:
            if events or not (body.get("user_properties") or body.get("user_data")):
                message = "A request has at least one event."
                problems.append(Problem("events", message, _TRANSPORT, fatal=True))
            return [_hit(body, {}, received, around, problems)]
        return [
            _hit(
                body,
                event if isinstance(event, dict) else {},
                received,
                around,
                [*problems, *_event_problems(event, index, now, app=app)],
            )
            for index, event in enumerate(events)
        ]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:  # noqa: ARG002 - Google does not mind
        """Answer 204 without a body, or with the messages of the validation server."""
        if received.method != "POST":
            return Answer(405, {"allow": "POST"})
        if received.path != _VALIDATE:
            return Answer(204)
        body = {"validationMessages": _messages(received)}
        headers = {"content-type": "application/json; charset=utf-8"}
        return Answer(200, headers, json_bytes(body))


PROTOCOL = _GoogleAnalytics4Protocol()


def _query(received: Received) -> dict[str, str]:
    try:
        pairs = parse_qs(received.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in pairs.items()}


def _body(received: Received) -> dict[str, Any] | None:
    """Read the body; Google takes its fields in snake case and in camelCase."""
    body = json_from(received.body)
    if not isinstance(body, dict):
        return None
    return {_snake_case(name): value for name, value in body.items()}


def _snake_case(name: str) -> str:
    snake = _HUMP.sub("_", name).lower()
    return snake if snake in BODY and "_" not in name else name


def _request_problems(
    received: Received, query: Mapping[str, str]
) -> Iterator[Problem]:
    if received.method != "POST":
        yield Problem("", "A hit is sent with POST.", _TRANSPORT, fatal=True)
    if len(received.body) > LARGEST_BODY:
        message = f"A body has less than 130 kB, here {len(received.body)} bytes."
        yield Problem("", message, _TRANSPORT, fatal=True)
    if not query.get("api_secret"):
        message = "Without the secret of the stream nothing is counted."
        yield Problem("api_secret", message, _TRANSPORT, fatal=True)
    if not (query.get("measurement_id") or query.get("firebase_app_id")):
        message = "Without the id of a stream nothing is counted."
        yield Problem("measurement_id", message, _TRANSPORT, fatal=True)


def _event_problems(
    event: Any, index: int, now: float | None, *, app: bool
) -> list[Problem]:
    return [
        finding.problem
        for finding in check_event(event, index, now, app=app, longest=LONGEST_VALUE)
    ]


def _hit(
    body: Mapping[str, Any],
    event: Mapping[str, Any],
    received: Received,
    around: Sequence[Parameter],
    problems: Sequence[Problem],
) -> DecodedHit:
    given = event.get("params")
    words = given if isinstance(given, dict) else {}
    name = text_of(event.get("name"))
    url = text_of(words.get("page_location"))
    device = body.get("device")
    device = device if isinstance(device, dict) else {}
    own = [Parameter("name", name, meaning_of("name"))] if name else []
    if "timestamp_micros" in event:
        micros = text_of(event["timestamp_micros"])
        own.append(
            Parameter("timestamp_micros", micros, meaning_of("timestamp_micros"))
        )
    return DecodedHit(
        system="google_analytics_4",
        kind=_KINDS.get(name, "event") if name else "other",
        name=name,
        url=url,
        path=path_of(url),
        title=text_of(words.get("page_title")),
        referrer=text_of(words.get("page_referrer")),
        client_id=text_of(body.get("client_id", body.get("app_instance_id"))),
        user_id=text_of(body.get("user_id")),
        session_id=text_of(words.get("session_id")),
        campaign=_campaign(words, parse_qs(split_url(url).query)),
        user_agent=text_of(body.get("user_agent")),
        language=text_of(device.get("language", words.get("language"))),
        address=text_of(body.get("ip_override")),
        time=_time(body, event, words) or received.time or None,
        parameters=[*around, *own, *_parameters("", words, of_event=True)],
        problems=problems,
    )


def _time(*places: Mapping[str, Any]) -> float | None:
    """Find the innermost time, in Unix seconds."""
    for place in reversed(places):
        micros = number_of(place.get("timestamp_micros"))
        if micros is not None and 0 < micros / 1e6 < _LATEST:
            return micros / 1e6
    return None


def _campaign(words: Mapping[str, Any], query: Mapping[str, list[str]]) -> str:
    parts = [
        text_of(words.get(own)) or (query.get(utm) or [""])[0]
        for own, utm in (
            ("source", "utm_source"),
            ("medium", "utm_medium"),
            ("campaign", "utm_campaign"),
        )
    ]
    return campaign_of(*parts)


def _query_parameters(query: Mapping[str, str]) -> Iterator[Parameter]:
    for name, value in query.items():
        shown = HIDDEN if name == "api_secret" else value
        yield Parameter(name, shown, meaning_of(name))


def _body_parameters(body: Mapping[str, Any]) -> Iterator[Parameter]:
    return _parameters(
        "", {name: value for name, value in body.items() if name != "events"}
    )


def _parameters(
    place: str,
    value: Any,
    depth: int = _DEEPEST,
    *,
    of_event: bool = False,
) -> Iterator[Parameter]:
    """List what *value* holds, by its path: ``items[0].price``, ``consent.ad_user_data``."""
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            path = f"{place}.{name}" if place else name
            yield from _parameters(path, inner, depth - 1, of_event=of_event)
    elif isinstance(value, list) and depth:
        for number, inner in enumerate(value):
            path = f"{place}[{number}]"
            yield from _parameters(path, inner, depth - 1, of_event=of_event)
    else:
        meaning = meaning_of(place, of_event=of_event)
        yield Parameter(place, text_of(value), meaning)


def _messages(received: Received) -> list[dict[str, str]]:
    body = _body(received)
    if body is None:
        message = "The body is no JSON object."
        return [{"description": message, "validationCode": "VALUE_INVALID"}]
    app = "firebase_app_id" in _query(received)
    enforced = body.get("validation_behavior") == "ENFORCE_RECOMMENDATIONS"
    now = received.time or None
    found: list[tuple[int | None, Finding]] = [
        (None, finding) for finding in check_body(body, now, app=app)
    ]
    events = body.get("events")
    for index, event in enumerate(events if isinstance(events, list) else ()):
        found += [
            (index, finding) for finding in check_event(event, index, now, app=app)
        ]
    return [
        _message(index, finding)
        for index, finding in found
        if finding.code and (enforced or not finding.strict)
    ]


def _message(index: int | None, finding: Finding) -> dict[str, str]:
    if index is None:
        described = {"description": finding.message}
        # Google's parser does not know where a stranger stood.
        if finding.field.partition(".")[0] in BODY:
            described = {"fieldPath": finding.field, **described}
    else:
        text = f"Event at index [{index}], {finding.field}: {finding.message}"
        described = {"fieldPath": "events", "description": text}
    return {**described, "validationCode": finding.code}
