"""The receiving side of PostHog: requests as its clients make them."""

import base64
import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.posthog import PROTOCOL
from server_tracking.systems.posthog import PostHog
from server_tracking.testing.samples import NOW, sample_hits
from server_tracking.testing.strategies import json_values

EVENT = {
    "api_key": "phc_key",
    "event": "$pageview",
    "distinct_id": "u-1",
    "timestamp": "2026-09-21T14:13:20+00:00",
    "properties": {
        "$current_url": "https://shop.example/fern",
        "$pathname": "/fern",
        "$device_id": "d-1",
        "$session_id": "01a0f0d0-0000-7000-8000-000000000000",
        "$raw_user_agent": "Firefox",
        "$ip": "203.0.113.0",
        "title": "Fern",
        "utm_source": "news",
        "utm_campaign": "spring",
    },
}


def received(body, path="/batch/", method="POST", query="", kind="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Received(method, path, query, {"content-type": kind}, data)


def taken(request):
    hits = PROTOCOL.decode(request)
    return hits, PROTOCOL.answer(request, hits)


def test_a_batch_is_read():
    body = {
        "api_key": "phc_key",
        "batch": [EVENT, {"event": "Signup", "distinct_id": 5, "properties": {}}],
        "sent_at": "2026-09-21T14:13:21Z",
    }

    [page, event], answer = taken(received(body))

    assert (page.kind, page.path, page.title) == ("pageview", "/fern", "Fern")
    assert page.url == "https://shop.example/fern"
    assert (page.client_id, page.user_id) == ("d-1", "u-1")
    assert page.session_id == "01a0f0d0-0000-7000-8000-000000000000"
    assert page.campaign == "news / spring"
    assert (page.user_agent, page.address) == ("Firefox", "203.0.113.0")
    assert page.time == 1_790_000_000.0
    assert page.problems == []
    assert (event.kind, event.name, event.client_id) == ("event", "Signup", "5")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "Ok"})


def test_parameters_are_shown_with_their_meaning():
    [hit], _ = taken(received(EVENT, "/capture/"))
    shown = {parameter.name: parameter for parameter in hit.parameters}

    assert "properties" not in shown
    assert shown["$current_url"].value == "https://shop.example/fern"
    assert all(
        shown[name].meaning for name in EVENT["properties"].keys() | {"distinct_id"}
    )


@pytest.mark.parametrize(
    "path",
    ["/capture/", "/capture", "/i/v0/e/", "/i/v0/e", "/e/", "/track/", "/engage/"],
)
def test_single_events_and_lists_are_read_on_the_old_paths(path):
    assert path in PROTOCOL.paths
    assert [hit.kind for hit in taken(received(EVENT, path))[0]] == ["pageview"]
    assert len(taken(received([EVENT, EVENT], path))[0]) == 2


def test_batch_without_a_slash_belongs_to_another_system():
    assert "/batch" not in PROTOCOL.paths


PACKED = base64.b64encode(json.dumps(EVENT).encode()).decode()
FORMS = [
    f"data={quote(PACKED, safe='')}",
    f"data={quote(PACKED, safe='')}&compression=base64",
    f"ip=1&data={PACKED}",  # plus signs that nobody escaped
    f"data={quote(PACKED.rstrip('='), safe='')}",
    f"data={base64.urlsafe_b64encode(json.dumps(EVENT).encode()).decode()}",
    "data=" + quote(base64.b64encode(gzip.compress(json.dumps(EVENT).encode()))),
]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_old_clients_are_read(form):
    kind = "application/x-www-form-urlencoded"
    [posted], _ = taken(received(form.encode(), "/e/", kind=kind))
    [got], _ = taken(received(b"", "/e/", "GET", form))

    assert posted == got
    assert posted.path == "/fern"
    assert posted.problems == []


KINDS = [
    ("$pageview", {}, "pageview"),
    ("$screen", {"$screen_name": "Basket"}, "screenview"),
    ("$exception", {}, "exception"),
    ("$identify", {}, "other"),
    ("Purchase", {}, "purchase"),
    ("Refund", {}, "refund"),
    ("Product: View", {}, "product_action"),
    ("Search: x", {"category": "Search", "variable": "x", "value": 1}, "timing"),
    ("x: like", {"network": "x", "action": "like", "target": "/"}, "social"),
    ("Basket: Add", {"category": "Basket", "action": "Add"}, "event"),
]


@pytest.mark.parametrize(("name", "properties", "kind"), KINDS)
def test_kinds_are_told_apart(name, properties, kind):
    [hit], _ = taken(received({**EVENT, "event": name, "properties": properties}))

    assert hit.kind == kind
    assert hit.name == ("Basket" if kind == "screenview" else name)


def changed(**changes):
    event = {**EVENT, **changes}
    return {name: value for name, value in event.items() if value is not ...}


BAD = [
    (b"", "body", 400),
    (b"not JSON", "body", 400),
    (b"[" * 5000, "body", 400),
    ([], "body", 400),
    ({"api_key": "phc_key", "batch": []}, "body", 400),
    ({"api_key": "phc_key", "batch": "x"}, "body", 400),
    ([EVENT, 5], "event", 400),
    (changed(event=""), "event", 400),
    (changed(event=...), "event", 400),
    (changed(event=5), "event", 400),
    (changed(distinct_id=...), "distinct_id", 400),
    (changed(uuid="x"), "uuid", 400),
    (changed(properties=[]), "properties", 400),
    (changed(timestamp=5), "timestamp", 400),
    (changed(api_key=...), "api_key", 401),
    (changed(api_key="phx_personal"), "api_key", 401),
    ({"batch": [EVENT]}, "api_key", 401),
    ([EVENT, changed(api_key="phc_other")], "api_key", 401),
    (b"x" * (20 * 1024 * 1024 + 1), "body", 413),
]


@pytest.mark.parametrize(("body", "field", "status"), BAD, ids=range(len(BAD)))
def test_what_the_collector_refuses_is_named(body, field, status):
    hits, answer = taken(received(body))

    assert field in {p.field for hit in hits for p in hit.problems if p.fatal}
    assert answer.status == status


MILD = [
    (changed(event="x" * 201), "event"),
    (changed(distinct_id="x" * 201), "distinct_id"),
    (changed(distinct_id="anonymous"), "distinct_id"),
    (changed(timestamp="yesterday"), "timestamp"),
    (changed(properties={"$ip": "203.0.113.1, 10.0.0.1"}), "$ip"),
    (changed(properties={"x": "x" * 950_000}), "properties"),
]


@pytest.mark.parametrize(("body", "field"), MILD, ids=range(len(MILD)))
def test_what_the_collector_cuts_or_ignores_is_named(body, field):
    [hit], answer = taken(received(body))

    assert [(p.field, p.fatal) for p in hit.problems] == [(field, False)]
    assert answer.status == 200


def test_an_id_in_the_properties_is_enough():
    [hit], _ = taken(received(changed(distinct_id=..., properties={"distinct_id": 7})))

    assert (hit.client_id, hit.problems) == ("7", [])


def test_old_paths_take_two_megabytes():
    _, answer = taken(received(b"x" * (2 * 1024 * 1024 + 1), "/e/"))

    assert answer.status == 413


@pytest.mark.parametrize("path", ["/flags/", "/flags", "/decide/", "/decide"])
def test_who_asks_for_feature_flags_gets_none(path):
    hits, answer = taken(received({"api_key": "phc_key", "distinct_id": "1"}, path))

    assert path in PROTOCOL.paths
    assert list(hits) == []
    assert answer.status == 200
    assert json.loads(answer.body)["flags"] == {}


def test_our_own_hits_are_read_without_a_complaint():
    hits = sample_hits()
    kinds = [type(hit).__struct_config__.tag for hit in hits]

    [call] = PostHog.example().encode(hits, NOW)
    decoded, answer = taken(received(call.body))

    assert [hit.kind for hit in decoded] == kinds
    assert [problem for hit in decoded for problem in hit.problems] == []
    assert all(p.meaning for hit in decoded[:1] for p in hit.parameters)
    assert answer.status == 200


JSON = json_values("batch", "event", "properties", "distinct_id", "api_key")


@given(st.one_of(JSON, st.binary(max_size=50)), st.text(max_size=30), st.booleans())
def test_no_request_is_too_odd(body, query, is_form):
    kind = "application/x-www-form-urlencoded" if is_form else ""
    for path in ("/batch/", "/e/"):
        request = received(body, path, query=query, kind=kind)
        hits, answer = taken(request)

        assert hits
        assert answer.status in {200, 400, 401}
