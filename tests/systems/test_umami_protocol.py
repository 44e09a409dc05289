"""What the inspector understands and answers in Umami's place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.umami import PROTOCOL
from server_tracking.testing.strategies import json_values

NOW = 1_790_000_000.0
WEBSITE = "01234567-89ab-4cde-8f01-23456789abcd"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOD = {
    "website": WEBSITE,
    "hostname": "e.example",
    "url": "/p%C3%A4?q=1&utm_source=mail&utm_medium=post",
    "title": "100 %25",
    "referrer": "https://o.example/",
    "language": "en-GB",
    "ip": "203.0.113.7",
    "userAgent": AGENT,
    "timestamp": 1_767_225_600,
    "id": "me",
}


def event(kind="event", **fields):
    payload = {**GOOD, **fields}
    return {"type": kind, "payload": {k: v for k, v in payload.items() if v != ""}}


def request(body, method="POST", path="/api/send", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(
        method, path, "", {"user-agent": AGENT, **named}, raw, "198.51.100.1", NOW
    )


def exchange(received):
    hits = PROTOCOL.decode(received)
    answer = PROTOCOL.answer(received, hits)
    return hits, answer.status, json.loads(answer.body or b"null")


def fatal(hit):
    return [problem.field for problem in hit.problems if problem.fatal]


def mild(hit):
    return [problem.field for problem in hit.problems if not problem.fatal]


def test_it_listens_where_umami_does():
    assert (PROTOCOL.system, tuple(PROTOCOL.paths)) == (
        "umami",
        ("/api/send", "/api/batch"),
    )


def test_a_page_view_is_understood():
    [hit], status, answer = exchange(request(event()))

    assert (hit.system, hit.kind, hit.name) == ("umami", "pageview", "")
    assert hit.url == "https://e.example/p%C3%A4?q=1&utm_source=mail&utm_medium=post"
    assert (hit.path, hit.title, hit.campaign) == ("/pä", "100 %", "mail / post")
    assert (hit.referrer, hit.client_id) == ("https://o.example/", "me")
    assert (hit.user_agent, hit.language) == (AGENT, "en-GB")
    assert (hit.address, hit.time) == ("203.0.113.7", 1_767_225_600.0)
    assert hit.problems == []
    assert all(parameter.meaning for parameter in hit.parameters)
    assert status == 200
    assert answer.keys() == {"cache", "sessionId", "visitId"}


def test_what_an_event_leaves_open_comes_from_the_headers():
    bare = {"type": "event", "payload": {"website": WEBSITE, "url": "/"}}

    [hit], _, _ = exchange(request(bare))

    assert (hit.user_agent, hit.address, hit.time) == (AGENT, "198.51.100.1", NOW)


KINDS = [
    (event(name="signup"), "event", "signup"),
    (event(name="Sale", data={"revenue": 5, "currency": "EUR"}), "purchase", "Sale"),
    (event(name="Sale", data={"revenue": "5.5", "currency": "EUR"}), "purchase", "Sale"),
    (event(name="Sale", data={"revenue": 0, "currency": "EUR"}), "event", "Sale"),
    (event(name="Sale", data={"revenue": 5}), "event", "Sale"),
    (event("identify", data={"plan": "free"}), "other", ""),
    (event("performance", ttfb=120.5), "other", ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "name"), KINDS)
def test_kinds_are_told_apart(body, kind, name):
    [hit], status, _ = exchange(request(body))

    assert (hit.kind, hit.name, hit.problems, status) == (kind, name, [], 200)


def test_what_is_nested_is_named_with_dots():
    [hit], _, _ = exchange(request(event(data={"a": {"b": {"c": 1}}, "d": [2]})))

    told = {parameter.name: parameter.value for parameter in hit.parameters}
    assert (told["data.a.b.c"], told["data.d"]) == ("1", "[2]")


REFUSED = [
    (event("pageview"), ["type"]),
    (event(website="7"), ["website"]),
    (event(website=""), ["website"]),
    (event(pixel=WEBSITE), ["website"]),
    (event(hostname="h" * 101), ["hostname"]),
    (event(name="n" * 51), ["name"]),
    (event(name="😀" * 26), ["name"]),  # JavaScript counts two for each
    (event(tag="t" * 51), ["tag"]),
    (event(language="l" * 36), ["language"]),
    (event(screen="1920x1080x24"), ["screen"]),
    (event(title=None), ["title"]),
    (event(title="a\x00"), ["title"]),
    (event(url=7), ["url"]),
    (event(url="https://a b/"), ["url"]),
    (event(referrer="https://<x>/"), ["referrer"]),
    (event(timestamp="soon"), ["timestamp"]),
    (event(timestamp=1.5), ["timestamp"]),
    (event(data=[1]), ["data"]),
    (event(lcp=-1), ["lcp"]),
    (event(cls=101), ["cls"]),
    # These the schema takes, and the database does not.
    (event(id="i" * 51), ["id"]),
    (event(browser="b" * 21), ["browser"]),
    (event(url="/?utm_term=" + "t" * 256), ["utm_term"]),
    (event(data={"a": "v" * 501}), ["data.a"]),
    (event(data={"k" * 501: 1}), ["data." + "k" * 60]),
    (event(data={"a": 10**15}), ["data.a"]),
    ({"type": "event"}, ["payload"]),
    ({"type": "event", "payload": []}, ["payload"]),
    ([], ["body"]),
    (b"{", ["body"]),
    (b"[" * 5000, ["body"]),
]


@pytest.mark.parametrize(("body", "fields"), REFUSED)
def test_a_wrong_event_is_refused(body, fields):
    [hit], status, answer = exchange(request(body))

    assert fatal(hit) == fields
    assert (status, answer["error"]["code"]) == (400, "bad-request")


IGNORED = [
    (event(url="/" + "a" * 500), ["url"]),
    (event(url="/?" + "a" * 501), ["url"]),
    (event(referrer="https://o.example/" + "a" * 500), ["referrer"]),
    (event(title="t" * 501), ["title"]),
]


@pytest.mark.parametrize(("body", "fields"), IGNORED)
def test_what_is_cut_is_no_reason_to_refuse(body, fields):
    [hit], status, _ = exchange(request(body))

    assert (mild(hit), fatal(hit), status) == (fields, [], 200)


@pytest.mark.parametrize(
    "agent", ["python-requests/2.32.3", "curl/8.5.0", "Googlebot/2.1", "node"]
)
def test_a_bot_is_not_stored(agent):
    [hit], status, answer = exchange(request(event(userAgent=agent)))

    assert fatal(hit) == ["userAgent"]
    assert (status, answer) == (200, {"beep": "boop"})


def test_a_phone_with_bot_in_its_name_is_none():
    [hit], _, _ = exchange(request(event(userAgent="Mozilla/5.0 (CUBOT NOTE 20)")))

    assert hit.problems == []


def test_a_batch_is_answered_by_number():
    body = [event(), event(name="n" * 51), event(userAgent="curl/8"), event(id="you")]

    hits, status, answer = exchange(request(body, path="/api/batch"))

    assert [bool(fatal(hit)) for hit in hits] == [False, True, True, False]
    assert status == 200
    assert (answer["size"], answer["processed"], answer["errors"]) == (4, 3, 1)
    assert [detail["index"] for detail in answer["details"]] == [1]
    assert answer["details"][0]["response"]["error"]["status"] == 400
    assert answer["cache"]


def test_a_batch_is_a_list():
    [hit], status, _ = exchange(request(event(), path="/api/batch"))

    assert (hit.kind, fatal(hit), status) == ("other", ["body"], 400)


def test_an_empty_batch_is_fine():
    hits, status, answer = exchange(request([], path="/api/batch"))

    assert (list(hits), status, answer["size"]) == ([], 200, 0)


def test_a_token_makes_one_session_of_a_batch():
    [hit], _, _ = exchange(request([event()], path="/api/batch", x_umami_cache="t"))
    [single], _, _ = exchange(request(event(), x_umami_cache="t"))

    assert (mild(hit), mild(single)) == (["x-umami-cache"], [])


def test_nothing_is_got():
    [hit], status, _ = exchange(request(b"", method="GET"))

    assert (hit.kind, fatal(hit), status) == ("other", ["method"], 405)


anything = json_values()
payloads = st.dictionaries(
    st.sampled_from([*GOOD, "data", "name", "lcp"]) | st.text(), anything, max_size=6
)
bodies = st.fixed_dictionaries({"type": anything, "payload": payloads}) | anything


@settings(max_examples=40, deadline=None)
@given(st.lists(bodies, max_size=3) | bodies, st.sampled_from(PROTOCOL.paths))
def test_no_event_is_too_odd(body, path):
    exchange(request(json.dumps(body).encode(), path=path))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["GET", "POST"]))
def test_no_body_is_too_odd(body, method):
    exchange(request(body, method=method))
