"""The receiving side of Universal Analytics: Measurement Protocol v1.

It listens where Google did, and where Snowplow's adapter does. Google says yes to
whatever arrives; only the debug endpoint tells what is wrong with a hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    json_answer,
    path_of,
)
from server_tracking.parameters import query_from
from server_tracking.systems.universal_analytics.checking import check
from server_tracking.systems.universal_analytics.constants import POST_SIZE_LIMIT
from server_tracking.systems.universal_analytics.tables import row_of

__all__ = ["PROTOCOL"]

_BATCH, _DEBUG, _SNOWPLOW = "/batch", "/debug/collect", "/com.google.analytics/v1"
_REFERENCE = "Measurement Protocol v1, protocol reference"
_GUIDE = "Measurement Protocol v1, developer guide, batch limitations"
_ADAPTER = "Snowplow Enrich, adapter for Google Analytics"

_LONGEST_URL = 8000  # the last reference; an earlier one says 2000
_BATCH_HITS, _BATCH_BYTES = 20, 16 * 1024
_NOT_IN_URI = re.compile(rb"[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]")
_MONEY_OR_GOODS = re.compile(r"promoa|(?:pr|il|promo)[0-9].*")

_KINDS = {
    "transaction": "purchase",
    "item": "purchase",
    **dict.fromkeys(
        ("pageview", "screenview", "event", "exception", "timing", "social")
    ),
}
_NAMED_BY = {
    "event": ("ec", "ea"),
    "exception": ("exd",),
    "item": ("in",),
    "screenview": ("cd",),
    "social": ("sn", "sa"),
    "timing": ("utc", "utv"),
    "transaction": ("ti",),
}

_HEADERS = {
    "content-type": "image/gif",
    "cache-control": "no-cache, no-store, must-revalidate",
    "pragma": "no-cache",
    "access-control-allow-origin": "*",
}
_GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00"
    b"\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


class _UniversalAnalyticsProtocol:
    """Read and answer requests of Measurement Protocol v1."""

    system = "universal_analytics"
    paths = ("/collect", "/r/collect", "/j/collect", _BATCH, _DEBUG, _SNOWPLOW)

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the hits of a request: one, or one a line."""
        wrong = _wrong_request(received)
        if wrong is not None:
            return [DecodedHit(system=self.system, kind="other", problems=[wrong])]
        common = list(_request_problems(received))
        return [
            _decoded(received, line, [*common, *_line_problems(received, line, number)])
            for number, line in enumerate(_lines(received), 1)
        ]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer as Google does: a picture of one pixel, or what the validator found."""
        if received.path == _DEBUG:
            return json_answer(200, _validation(received, hits))
        if received.path == _SNOWPLOW:
            return Answer(200, {"content-type": "text/plain"}, b"ok")
        return Answer(200, _HEADERS, _GIF)


PROTOCOL = _UniversalAnalyticsProtocol()


def _wrong_request(received: Received) -> Problem | None:
    if received.path in (_SNOWPLOW, _BATCH) and received.method != "POST":
        source = _ADAPTER if received.path == _SNOWPLOW else _GUIDE
        return Problem("method", "is not POST: the hits are lost", source, fatal=True)
    if received.method not in ("GET", "POST"):
        return Problem("method", "is neither GET nor POST", _REFERENCE, fatal=True)
    if not _lines(received):
        return Problem("body", "has no hit", _REFERENCE, fatal=True)
    return None


def _lines(received: Received) -> list[bytes]:
    """Split a request into hits, each as it was encoded."""
    body = received.body if received.method == "POST" else b""
    lines = [line for line in re.split(rb"\r?\n", body) if line.strip()]
    query = received.query.encode("utf-8", "replace")
    if received.path in (_SNOWPLOW, _BATCH) or not query:
        return lines
    # What both the URL and the body say is one hit; clients put `tid` into the URL.
    return [query + b"&" + lines[0], *lines[1:]] if lines else [query]


def _request_problems(received: Received) -> Iterator[Problem]:
    length = len(received.path) + 1 + len(received.query)
    if received.method == "GET" and length > _LONGEST_URL:
        message = f"is longer than {_LONGEST_URL} bytes"
        yield Problem("url", message, _REFERENCE, fatal=True)
    if received.path == _BATCH and len(received.body) > _BATCH_BYTES:
        message = f"is more than {_BATCH_BYTES} bytes"
        yield Problem("body", message, _GUIDE, fatal=True)


def _line_problems(received: Received, line: bytes, number: int) -> Iterator[Problem]:
    if received.method == "POST" and len(line) > POST_SIZE_LIMIT:
        message = f"is more than {POST_SIZE_LIMIT} bytes"
        yield Problem("hit", message, _REFERENCE, fatal=True)
    if received.path == _BATCH and number > _BATCH_HITS:
        message = f"is number {number} of a call, which takes {_BATCH_HITS}"
        yield Problem("hit", message, _GUIDE, fatal=True)
    if received.path not in (_BATCH, _SNOWPLOW) and number > 1:
        message = "is on a line of its own, which only /batch takes"
        yield Problem("hit", message, _GUIDE, fatal=True)
    if received.path == _SNOWPLOW and _NOT_IN_URI.search(line):
        message = "has characters that are not percent-encoded"
        yield Problem("hit", message, _ADAPTER, fatal=True)


def _decoded(received: Received, line: bytes, wrong: Sequence[Problem]) -> DecodedHit:
    pairs = parse_qsl(line.decode("utf-8", "replace"), keep_blank_values=True)
    payload: dict[str, str] = {}
    for name, value in pairs:
        payload.pop(name, None)  # the last counts, also for the order
        payload[name] = value
    if not payload.keys() & {"v", "t", "tid"}:
        foreign = Problem("(all)", "is no hit of this protocol", _REFERENCE, fatal=True)
        wrong = [*wrong, foreign]
    else:
        wrong = [
            *wrong,
            *_repeated(pairs),
            *check(payload, snowplow=received.path == _SNOWPLOW),
        ]
    said = payload.get
    url, path = _place(payload)
    return DecodedHit(
        system=PROTOCOL.system,
        kind=_kind(payload),
        name=": ".join(
            payload[key] for key in _NAMED_BY.get(said("t", ""), ()) if payload.get(key)
        ),
        url=url,
        path=path,
        title=said("dt", ""),
        referrer=said("dr", ""),
        client_id=said("cid", ""),
        user_id=said("uid", ""),
        campaign=campaign_of(said("cs"), said("cm"), said("cn")),
        user_agent=said("ua") or received.headers.get("user-agent", ""),
        language=said("ul", ""),
        address=said("uip") or received.peer or "",
        time=received.time - _age(said("qt", "")),
        parameters=[_parameter(name, value) for name, value in pairs],
        problems=wrong,
    )


def _kind(payload: Mapping[str, str]) -> str:
    hit_type, action = payload.get("t", ""), payload.get("pa", "")
    if hit_type not in _KINDS:
        return "other"
    if action in ("purchase", "refund"):
        return action
    goods = action or any(map(_MONEY_OR_GOODS.fullmatch, payload))
    if hit_type == "event" and goods:
        return "product_action"
    return _KINDS[hit_type] or hit_type


def _place(payload: Mapping[str, str]) -> tuple[str, str]:
    """Return the URL and the path of the page; dh and dp stand over dl."""
    url, host, path = (payload.get(name, "") for name in ("dl", "dh", "dp"))
    if not url and host:
        url = f"http://{host}{path}"
    return url, unquote(path.partition("?")[0]) if path else path_of(url)


def _age(queue_time: str) -> float:
    if queue_time.isascii() and queue_time.isdigit():
        return int(queue_time[:15]) / 1000
    return 0.0


def _parameter(name: str, value: str) -> Parameter:
    row = row_of(name)
    return Parameter(name, value, row.parameter.meaning if row else "")


def _repeated(pairs: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, value in pairs:
        if seen.setdefault(name, value) != value:
            yield Problem(name, "is said twice: the last counts", _REFERENCE)


def _validation(received: Received, hits: Sequence[DecodedHit]) -> dict[str, object]:
    return {
        "hitParsingResult": [
            {
                "valid": not any(problem.fatal for problem in hit.problems),
                "parserMessage": [_message(problem) for problem in hit.problems],
                "hit": f"{received.path}?"
                + query_from({p.name: p.value for p in hit.parameters}),
            }
            for hit in hits
        ],
        "parserMessage": [
            {
                "messageType": "INFO",
                "description": f"Found {len(hits)} hit(s) in the request.",
            }
        ],
    }


def _message(problem: Problem) -> dict[str, str]:
    return {
        "messageType": "ERROR" if problem.fatal else "WARN",
        "description": f"{problem.field} {problem.message}.",
        "messageCode": "VALUE_INVALID",
        "parameter": problem.field,
    }
