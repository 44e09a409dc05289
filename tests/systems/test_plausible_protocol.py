"""What the inspector understands and answers in Plausible's place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.plausible import PROTOCOL
from server_tracking.testing.strategies import json_values

NOW = 1_790_000_000.0
HEADERS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    "x-forwarded-for": "203.0.113.7",
    "content-type": "application/json",
}
GOOD = {"name": "pageview", "url": "http://dummy.site", "domain": "dummy.site"}


def request(body, method="POST", path="/api/event", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(
        method, path, "", {**HEADERS, **named}, raw, peer="198.51.100.1", time=NOW
    )


def exchange(received):
    hits = PROTOCOL.decode(received)
    return hits, PROTOCOL.answer(received, hits)


def fatal(hit):
    return [problem.field for problem in hit.problems if problem.fatal]


def mild(hit):
    return [problem.field for problem in hit.problems if not problem.fatal]


def test_it_listens_where_plausible_does():
    assert (PROTOCOL.system, tuple(PROTOCOL.paths)) == (
        "plausible",
        ("/api/event", "/api/health"),
    )


def test_the_example_of_the_reference_is_a_page_view():
    [hit], answer = exchange(request(GOOD))

    assert (hit.system, hit.kind, hit.name) == ("plausible", "pageview", "")
    assert (hit.url, hit.path) == ("http://dummy.site", "/")
    assert (hit.address, hit.time) == ("203.0.113.7", NOW)
    assert hit.user_agent == HEADERS["user-agent"]
    assert hit.problems == []
    assert (answer.status, answer.body) == (202, b"ok")
    assert [p.name for p in hit.parameters] == [
        "name",
        "url",
        "domain",
        "user-agent",
        "x-forwarded-for",
    ]
    assert all(parameter.meaning for parameter in hit.parameters)


def test_a_purchase_brings_revenue():
    body = {
        "name": "Purchase",
        "url": "http://dummy.site",
        "domain": "dummy.site",
        "revenue": {"currency": "USD", "amount": "1322.22"},
    }

    [hit], _ = exchange(request(body))

    assert (hit.kind, hit.name, hit.problems) == ("purchase", "Purchase", [])
    assert [(p.name, p.value) for p in hit.parameters[3:5]] == [
        ("revenue.currency", "USD"),
        ("revenue.amount", "1322.22"),
    ]


def test_plausibles_own_script_speaks_in_letters():
    body = {
        "n": "Signup",
        "v": 26,
        "u": "https://e.example/a?utm_source=mail&utm_campaign=spring#x",
        "d": "e.example",
        "r": None,
        "p": {"plan": "free", "seats": 3},
        "i": False,
    }

    [hit], answer = exchange(request(body, content_type="text/plain"))

    assert (hit.kind, hit.name, hit.path) == ("event", "Signup", "/a")
    assert hit.campaign == "mail / spring"
    assert hit.problems == []
    assert answer.status == 202
    told = {parameter.name: parameter.value for parameter in hit.parameters}
    assert (told["p.plan"], told["p.seats"], told["i"]) == ("free", "3", "false")
    assert all(parameter.meaning for parameter in hit.parameters)


def test_properties_may_come_as_text():
    [hit], _ = exchange(request({**GOOD, "props": '{"a": [1]}'}))

    assert mild(hit) == ["props.a"]


def test_an_application_shows_screens():
    [hit], _ = exchange(request({**GOOD, "url": "app://localhost/login"}))

    assert (hit.kind, hit.name) == ("screenview", "/login")


def test_a_name_may_be_a_number():
    [hit], answer = exchange(request({**GOOD, "name": 404}))

    assert (hit.name, answer.status) == ("404", 202)


REFUSED = [
    ({"url": "http://a.example", "domain": "a.example"}, ["name"]),
    ({**GOOD, "name": ""}, ["name"]),
    ({**GOOD, "name": "n" * 121}, ["name"]),
    ({"name": "pageview", "domain": "a.example"}, ["url"]),
    ({**GOOD, "url": 7}, ["url"]),
    ({**GOOD, "url": "data:text/html,x"}, ["url"]),
    ({**GOOD, "url": "http://a.example/" + "a" * 2000}, ["url"]),
    ({"name": "pageview", "url": "/a"}, ["domain"]),
    ({**GOOD, "domain": " "}, ["domain"]),
    ({**GOOD, "props": {"k" * 301: "v"}}, ["props." + "k" * 60]),
    ({**GOOD, "props": {"k": "é" * 1001}}, ["props.k"]),
    ([], ["body"]),
    (b"{", ["body"]),
    (b"\xff", ["body"]),
    (b"[" * 5000, ["body"]),
]


@pytest.mark.parametrize(("body", "fields"), REFUSED)
def test_a_wrong_event_is_refused(body, fields):
    [hit], answer = exchange(request(body))

    assert fatal(hit) == fields
    assert answer.status == 400
    assert list(json.loads(answer.body)["errors"]) == fields


IGNORED = [
    ({"referrer": "https://e.example/" + "a" * 2000}, ["referrer"]),
    ({"interactive": "no"}, ["interactive"]),
    ({"revenue": {"amount": 5}}, ["revenue"]),
    ({"revenue": {"currency": "EUR", "amount": "5,00"}}, ["revenue"]),
    ({"revenue": "5 EUR"}, ["revenue"]),
    ({"props": {"a": "", "b": None, "c": {}, "d": "x"}}, ["props.a", "props.b", "props.c"]),
    ({"props": [1]}, ["props"]),
    ({"props": {str(n): n for n in range(31)}}, ["props"]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "problems"), IGNORED)
def test_what_is_cut_or_ignored_is_no_reason_to_refuse(fields, problems):
    [hit], answer = exchange(request({**GOOD, **fields}))

    assert (mild(hit), fatal(hit)) == (problems, [])
    assert answer.status == 202


@pytest.mark.parametrize(
    ("headers", "problems"),
    [
        ({"user_agent": ""}, ["User-Agent"]),
        ({"x_forwarded_for": "203.0.113.7, 10.0.0.1"}, ["X-Forwarded-For"]),
        ({"content_type": "application/x-www-form-urlencoded"}, ["Content-Type"]),
    ],
)
def test_headers_are_judged(headers, problems):
    [hit], _ = exchange(request(GOOD, **headers))

    assert mild(hit) == problems
    assert hit.address == "203.0.113.7"


def test_a_request_to_debug_is_answered_with_the_address():
    _, answer = exchange(request(GOOD, x_debug_request="true"))

    assert (answer.status, answer.body) == (200, b"203.0.113.7")


def test_the_domain_may_be_that_of_the_url():
    [hit], _ = exchange(request({"name": "pageview", "url": "http://a.example/"}))

    assert hit.problems == []


def test_health_is_told():
    hits, answer = exchange(request(b"", method="GET", path="/api/health"))

    assert (hits, answer.status) == ([], 200)
    assert set(json.loads(answer.body).values()) == {"ok"}


def test_nothing_is_got_from_where_events_go():
    [hit], answer = exchange(request(b"", method="GET"))

    assert (hit.kind, fatal(hit), answer.status) == ("other", ["method"], 404)


anything = json_values()
keys = st.sampled_from([*"nudrpih$", "name", "url", "domain", "props", "revenue"])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(keys | st.text(), anything, max_size=6) | anything)
def test_no_event_is_too_odd(body):
    exchange(request(json.dumps(body).encode()))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["GET", "POST", "HEAD"]))
def test_no_body_is_too_odd(body, method):
    exchange(request(body, method=method))
