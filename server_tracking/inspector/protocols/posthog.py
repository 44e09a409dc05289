"""The receiving side of PostHog's capture API, old routes and old bodies included."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    json_answer,
    text_of,
)
from server_tracking.systems.posthog.checking import check
from server_tracking.systems.posthog.tables import meaning_of
from server_tracking.wire import json_from, time_from, well_formed

__all__ = ["PROTOCOL"]

_EVENT_PATHS = ("/capture", "/i/v0/e", "/e", "/track", "/engage")
_FLAG_PATHS = ("/decide", "/flags")
_LARGEST_EVENT_BODY = 2 * 1024 * 1024
_LARGEST_BATCH_BODY = 20 * 1024 * 1024
_COLLECTOR = "PostHog collector, rust/capture"

# Feature flags are asked for by PostHog's own clients; here there are none.
_NO_FLAGS = {
    "config": {"enable_collect_everything": True},
    "errorsWhileComputingFlags": False,
    "featureFlagPayloads": {},
    "featureFlags": {},
    "flags": {},
    "sessionRecording": False,
    "supportedCompression": ["gzip", "gzip-js"],
    "toolbarParams": {},
}

_KINDS = {
    "$exception": "exception",
    "$pageview": "pageview",
    "$screen": "screenview",
    "Checkout": "product_action",
    "Purchase": "purchase",
    "Refund": "refund",
}


class _PostHogProtocol:
    """Understand what PostHog's collector understands.

    ``/batch`` without a slash at its end is left to Universal Analytics, which has no
    other; PostHog's clients send the slash.
    """

    system = "posthog"
    paths = (
        "/batch/",
        *(p + end for p in _EVENT_PATHS + _FLAG_PATHS for end in ("", "/")),
    )

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the events of a request, one, a list or a batch."""
        if received.path.rstrip("/") in _FLAG_PATHS:
            return []
        content = _content(received)
        if isinstance(content, Problem):
            return [DecodedHit(system=self.system, kind="other", problems=(content,))]
        events = list(_events(content))
        if not events:
            return [DecodedHit(system=self.system, kind="other", problems=(_NO_EVENT,))]
        trouble = _key_problem(content, events)
        return [_decoded(event, trouble) for event in events]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer 200 to all or, for one bad event, 400 or 401 to all."""
        if received.path.rstrip("/") in _FLAG_PATHS:
            return json_answer(200, _NO_FLAGS)
        fatal = [p for hit in hits for p in hit.problems if p.fatal]
        text = {"content-type": "text/plain; charset=utf-8"}
        for problem in fatal:
            if problem.field == "api_key":
                return Answer(401, text, b"API key: " + problem.message.encode())
        for problem in fatal:
            status = 413 if problem == _TOO_LARGE else 400
            message = f"{problem.field}: {problem.message}"
            return Answer(status, text, well_formed(message).encode())
        return json_answer(200, {"status": "Ok"})


PROTOCOL = _PostHogProtocol()


def _trouble(message: str, field: str = "body") -> Problem:
    return Problem(field, message, _COLLECTOR, fatal=True)


_NO_EVENT = _trouble("the request holds no event")
_TOO_LARGE = _trouble("the request is too large")


def _content(received: Received) -> Any:
    """Read a body as JSON: as it is, or as base64 in the form field ``data``."""
    is_batch = received.path.rstrip("/") == "/batch"
    if len(received.body) > (_LARGEST_BATCH_BODY if is_batch else _LARGEST_EVENT_BODY):
        return _TOO_LARGE
    data: bytes | None = received.body
    if not data:
        data = _form_data(received.query)
    elif "urlencoded" in received.headers.get("content-type", ""):
        data = _form_data(data.decode("latin-1"))
    if data is None:
        return _trouble("the form has no readable field data")
    return json_from(data, otherwise=_trouble("is not JSON"))


def _form_data(form: str) -> bytes | None:
    """Read the field ``data`` of a form, as PostHog's first clients wrote it."""
    text = parse_qs(form).get("data", [""])[0]
    # A plus sign that was not escaped arrives as a space.
    text = text.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        if data[:2] == b"\x1f\x8b":
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            data = inflater.decompress(data, _LARGEST_BATCH_BODY)
    except (ValueError, zlib.error):
        return None
    return data or None


def _events(content: Any) -> Iterator[Any]:
    if isinstance(content, list):
        yield from content
    elif isinstance(content, dict) and isinstance(content.get("batch"), list):
        yield from content["batch"]
    elif isinstance(content, dict) and "batch" not in content:
        yield content


def _key_problem(content: Any, events: Sequence[Any]) -> Problem | None:
    """Check the project keys: one for all, and no personal one."""
    holders = [content] if isinstance(content, dict) else events
    keys = {key for holder in holders if (key := _key(holder)) is not None}
    if not keys or "" in keys:
        return _trouble("there is no project key", "api_key")
    if len(keys) > 1:
        return _trouble("events of one request name several projects", "api_key")
    if keys.pop().startswith("phx_"):
        return _trouble("this is a personal key, not the project's", "api_key")
    return None


def _key(holder: Any) -> str | None:
    if not isinstance(holder, dict):
        return None
    inner = holder.get("properties")
    for place in (holder, inner if isinstance(inner, dict) else {}):
        for name in ("api_key", "token", "$token"):
            if isinstance(place.get(name), str):
                return str(place[name])
    return None


def _decoded(event: Any, trouble: Problem | None) -> DecodedHit:
    if not isinstance(event, dict):
        problem = _trouble("an event must be an object", "event")
        return DecodedHit(system="posthog", kind="other", problems=(problem,))
    properties = event.get("properties")
    if not isinstance(properties, dict):
        properties = {}

    def text(*names: str) -> str:
        for holder in (event, properties):
            for name in names:
                if holder.get(name) is not None:
                    return text_of(holder[name])
        return ""

    name = text("event")
    kind = _kind(name, properties)
    found = list(check(event))
    return DecodedHit(
        system="posthog",
        kind=kind,
        name=text("$screen_name") if kind == "screenview" else name,
        url=text("$current_url"),
        path=unquote(text("$pathname")),
        title=text("title"),
        referrer=text("$referrer"),
        client_id=text("$device_id") or text("distinct_id", "$distinct_id"),
        user_id=text("distinct_id") if _is_known(event, properties) else "",
        session_id=text("$session_id"),
        campaign=campaign_of(*map(text, ("utm_source", "utm_medium", "utm_campaign"))),
        user_agent=text("$raw_user_agent") or text("$user_agent"),
        language=text("$browser_language"),
        address=text("$ip"),
        time=time_from(text("timestamp")),
        parameters=list(_parameters(event, properties)),
        problems=[*found, trouble] if trouble else found,
    )


def _kind(name: str, properties: Mapping[str, Any]) -> str:
    if name in _KINDS:
        return _KINDS[name]
    if name.startswith(("Product: ", "Promotion: ")):
        return "product_action"
    if name.startswith("$") or not name:
        return "other"
    if {"network", "action", "target"} <= properties.keys():
        return "social"
    if {"category", "variable", "value"} <= properties.keys():
        return "timing"
    return "event"


def _is_known(event: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    device = properties.get("$device_id")
    return device is not None and device != event.get("distinct_id")


def _parameters(
    event: Mapping[str, Any], properties: Mapping[str, Any]
) -> Iterator[Parameter]:
    for name, value in event.items():
        if value is not properties:
            meaning = meaning_of(name, is_property=False)
            yield Parameter(name, text_of(value), meaning)
    for name, value in properties.items():
        yield Parameter(name, text_of(value), meaning_of(name, is_property=True))
