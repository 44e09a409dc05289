"""What the inspector understands and answers in GoatCounter's place."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.goatcounter import PROTOCOL
from server_tracking.testing.strategies import json_values

NOW = 1_767_225_605.0  # 2026-01-01T00:00:05Z
HEADERS = {"content-type": "application/json", "authorization": "Bearer t0ken"}
GOOD = {
    "path": "/a%20b?x=1&utm_campaign=x",
    "title": "A",
    "ref": "https://o.example/",
    "query": "?utm_source=mail&utm_campaign=spring",
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    "created_at": "2026-01-01T00:00:00Z",
    "session": "me",
    "event": False,
    "language": "en-GB",
    "size": [1920, 1080, 1],
    "bot": 0,
    "location": "NL",
}


def call(*hits, **fields):
    return {"no_sessions": False, "filter": ["ip"], "hits": list(hits), **fields}


def request(body, method="POST", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(method, "/api/v0/count", "", {**HEADERS, **named}, raw, None, NOW)


def exchange(received):
    hits = PROTOCOL.decode(received)
    answer = PROTOCOL.answer(received, hits)
    return hits, answer.status, json.loads(answer.body)


def fatal(hit):
    return [problem.field for problem in hit.problems if problem.fatal]


def test_it_listens_where_goatcounter_does():
    assert (PROTOCOL.system, tuple(PROTOCOL.paths)) == (
        "goatcounter",
        ("/api/v0/count",),
    )


def test_a_page_view_is_understood():
    [hit], status, answer = exchange(request(call(GOOD)))

    assert (hit.system, hit.kind, hit.name) == ("goatcounter", "pageview", "")
    assert (hit.url, hit.path) == ("/a%20b?x=1&utm_campaign=x", "/a b")
    assert (hit.title, hit.referrer) == ("A", "https://o.example/")
    assert (hit.client_id, hit.campaign) == ("me", "mail / spring")
    assert (hit.address, hit.language) == ("203.0.113.7", "en-GB")
    assert (hit.user_agent, hit.time) == (GOOD["user_agent"], NOW - 5)
    assert hit.problems == []
    assert {p.name for p in hit.parameters} == GOOD.keys()
    assert all(parameter.meaning for parameter in hit.parameters)
    assert (status, answer) == (202, {"status": "ok"})


def test_an_event_has_a_name_instead_of_a_path():
    [hit], status, _ = exchange(request(call({**GOOD, "path": "Buy", "event": True})))

    assert (hit.kind, hit.name, hit.path, hit.campaign) == ("event", "Buy", "", "")
    assert status == 202


def test_the_example_of_the_help_is_taken():
    body = {"no_sessions": True, "hits": [{"path": "/one"}, {"path": "/two"}]}

    hits, status, _ = exchange(request(body))

    assert [hit.path for hit in hits] == ["/one", "/two"]
    assert [hit.problems for hit in hits] == [[], []]
    assert hits[0].time == NOW
    assert status == 202


def without(*fields):
    return {key: value for key, value in GOOD.items() if key not in fields}


REFUSED = [
    (without("path"), ["path"]),
    ({**GOOD, "path": " "}, ["path"]),
    ({**GOOD, "path": "/" + "a" * 2048}, ["path"]),
    ({**GOOD, "path": "/\x00"}, ["path"]),
    ({**GOOD, "title": "t" * 1025}, ["title"]),
    ({**GOOD, "title": 7}, ["title"]),
    ({**GOOD, "ref": "r" * 2049}, ["ref"]),
    ({**GOOD, "user_agent": "a" * 513}, ["user_agent"]),
    ({**GOOD, "created_at": "2026-01-01T00:00:11Z"}, ["created_at"]),
    ({**GOOD, "created_at": "yesterday"}, ["created_at"]),
    ({**GOOD, "created_at": "2026-13-01T00:00:00Z"}, ["created_at"]),
    (without("session", "ip"), ["session"]),
    (without("session", "user_agent"), ["session"]),
    (7, ["hits"]),
]


@pytest.mark.parametrize(("hit", "fields"), REFUSED)
def test_a_wrong_hit_is_refused_by_its_number(hit, fields):
    hits, status, answer = exchange(request(call(GOOD, hit)))

    assert [fatal(hit) for hit in hits] == [[], fields]
    assert (status, list(answer["errors"])) == (400, ["1"])


@pytest.mark.parametrize(
    "hit",
    [
        without("session"),
        without("ip", "user_agent"),
        {**GOOD, "created_at": "2026-01-01T00:00:10Z"},  # clocks differ
        {**GOOD, "created_at": "2026-01-01T01:00:00.25+01:00"},
    ],
)
def test_a_hit_that_only_looks_wrong_is_taken(hit):
    [decoded], status, _ = exchange(request(call(hit)))

    assert (decoded.problems, status) == ([], 202)


NOTHING_TAKEN = [
    (call(GOOD, GOOD, colour="red"), 400, "colour"),
    (call(), 400, "hits"),
    (call(*[GOOD] * 501), 400, "hits"),
    (call(hits="x"), 400, "hits"),
    (call(GOOD, filter=["bots"]), 200, "filter"),
    ([GOOD], 400, "body"),
    (b"{", 400, "body"),
    (b"[" * 5000, 400, "body"),
]


@pytest.mark.parametrize(("body", "expected", "field"), NOTHING_TAKEN)
def test_some_calls_are_refused_as_a_whole(body, expected, field):
    hits, status, answer = exchange(request(body))

    assert {tuple(fatal(hit)) for hit in hits} == {(field,)}
    assert status == expected
    assert list(answer) == ["error"]


def test_one_unknown_field_spoils_the_call():
    hits, status, answer = exchange(request(call(GOOD, {**GOOD, "colour": "red"})))

    assert [fatal(hit) for hit in hits] == [[], ["colour"]]
    assert (status, answer) == (400, {"error": 'unknown parameter: "colour"'})


def basic(text):
    return f"Basic {base64.b64encode(text).decode()}"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer t0ken", 202),
        (basic(b":t0ken"), 202),
        (basic(b"me:t0ken"), 401),
        (basic(b":"), 401),
        ("Basic ?", 401),
        ("Bearer ", 401),
        ("t0ken", 401),
        ("", 401),
    ],
)
def test_a_token_is_needed(authorization, expected):
    _, status, _ = exchange(request(call(GOOD), authorization=authorization))

    assert status == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json; charset=utf-8", 202),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_the_content_type_is_enforced(kind, expected):
    [_], status, _ = exchange(request(call(GOOD), content_type=kind))

    assert status == expected


def test_nothing_is_got():
    [hit], status, _ = exchange(request(b"", method="GET"))

    assert (hit.kind, fatal(hit), status) == ("other", ["method"], 405)


anything = json_values()
records = st.dictionaries(st.sampled_from([*GOOD]) | st.text(), anything, max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(records | anything, max_size=3), anything, anything)
def test_no_call_is_too_odd(hits, no_sessions, chosen):
    body = call(*hits, no_sessions=no_sessions, filter=chosen)

    exchange(request(json.dumps(body).encode()))


@settings(max_examples=40, deadline=None)
@given(anything)
def test_no_json_is_too_odd(body):
    exchange(request(json.dumps(body).encode()))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_body_is_too_odd(body, authorization):
    exchange(request(body, authorization=authorization))
