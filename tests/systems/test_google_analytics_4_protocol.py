"""The receiving side of Google Analytics 4: decode, check, answer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.inspector.protocols import (
    Parameter,
    Received,
    discovered_protocols,
)
from server_tracking.inspector.protocols.google_analytics_4 import PROTOCOL
from server_tracking.testing.strategies import json_values

NOW = 1_790_000_000.0
MICROS = 1_790_000_000_000_000
QUERY = "measurement_id=G-ABC&api_secret=s3cret"


def post(body, *, path="/mp/collect", query=QUERY, method="POST"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    return Received(method, path, query, headers, data, "127.0.0.1", NOW)


def event(name="login", **params):
    return {
        "name": name,
        "params": {"session_id": "123", "engagement_time_msec": 100, **params},
    }


def request(*events, **body):
    return {"client_id": "7.1780000000", "events": list(events or [event()]), **body}


def found(body, **options):
    """The problems of all hits: field and whether the hit is lost."""
    return {
        (problem.field, problem.fatal)
        for hit in PROTOCOL.decode(post(body, **options))
        for problem in hit.problems
    }


def test_the_protocol_is_found_by_its_paths():
    protocols = discovered_protocols()

    assert protocols["/mp/collect"] is PROTOCOL
    assert protocols["/debug/mp/collect"] is PROTOCOL
    assert PROTOCOL.system == "google_analytics_4"


def test_a_page_view_is_decoded():
    body = request(
        {
            **event(
                "page_view",
                page_location="https://example.org/a?utm_source=news&utm_medium=mail",
                page_title="A",
                page_referrer="https://example.com/",
            ),
            "timestamp_micros": MICROS - 5_000_000,
        },
        user_id="u-1",
        ip_override="192.0.2.0",
        user_agent="Mozilla/5.0",
        consent={"ad_user_data": "DENIED", "ad_personalization": "GRANTED"},
        user_properties={"plan": {"value": "gold"}},
    )

    [hit] = PROTOCOL.decode(post(body))

    assert hit.problems == []
    assert (hit.system, hit.kind, hit.name) == (
        "google_analytics_4",
        "pageview",
        "page_view",
    )
    assert hit.url == "https://example.org/a?utm_source=news&utm_medium=mail"
    assert (hit.path, hit.title, hit.referrer) == ("/a", "A", "https://example.com/")
    assert (hit.client_id, hit.user_id, hit.session_id) == (
        "7.1780000000",
        "u-1",
        "123",
    )
    assert hit.campaign == "news / mail"
    assert (hit.user_agent, hit.address) == ("Mozilla/5.0", "192.0.2.0")
    assert hit.time == NOW - 5
    told = {parameter.name: parameter for parameter in hit.parameters}
    assert told["page_title"] == Parameter("page_title", "A", "Title of the page.")
    assert told["consent.ad_user_data"].value == "DENIED"
    assert told["user_properties.plan.value"].value == "gold"
    assert all(p.meaning for p in hit.parameters if p.name != "custom")


def test_the_secret_is_not_shown():
    [hit] = PROTOCOL.decode(post(request()))

    assert "s3cret" not in repr(hit)


def test_items_are_shown_one_by_one():
    body = request(
        event("add_to_cart", items=[{"item_id": "P", "price": 1.5}], currency="EUR")
    )

    [hit] = PROTOCOL.decode(post(body))

    assert hit.problems == []
    assert Parameter("items[0].price", "1.5", "Price of one piece.") in hit.parameters


KINDS = [
    ("page_view", "pageview"),
    ("screen_view", "screenview"),
    ("view_screen", "screenview"),
    ("login", "event"),
    ("exception", "exception"),
    ("timing_complete", "timing"),
    ("share", "social"),
    ("purchase", "purchase"),
    ("refund", "refund"),
    ("view_item_list", "product_action"),
    ("select_promotion", "product_action"),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_events_have_a_neutral_kind(name, kind):
    [hit] = PROTOCOL.decode(post(request(event(name))))

    assert (hit.kind, hit.name) == (kind, name)


def test_every_event_of_a_request_is_a_hit():
    hits = PROTOCOL.decode(
        post(request(event("login"), event("search", search_term="x")))
    )

    assert [hit.name for hit in hits] == ["login", "search"]
    assert [hit.client_id for hit in hits] == ["7.1780000000"] * 2


def test_the_innermost_time_counts():
    [hit] = PROTOCOL.decode(post(request(timestamp_micros=MICROS - 9_000_000)))
    [other] = PROTOCOL.decode(
        post(request(event(timestamp_micros=MICROS - 1_000_000), timestamp_micros=1))
    )

    assert (hit.time, other.time) == (NOW - 9, NOW - 1)


GOOD = {
    "the smallest": request(),
    "a session in the form of the cookie": request(
        event(session_id="GS2.1.s1748246127$o6$g1$t1748248990$j22$l0$h263126385" * 3)
    ),
    "the whole cookie of the client": request(client_id="GA1.1.7.1780000000"),
    "numbers as texts": request(event(engagement_time_msec="100", value="1.5")),
    "camelCase": {
        "clientId": "1.2",
        "events": [event()],
        "validationBehavior": "RELAXED",
    },
    "user properties alone": {
        "client_id": "1.2",
        "user_properties": {"plan": {"value": 1}},
    },
    "user data alone": {
        "client_id": "1.2",
        "user_data": {"sha256_email_address": "0" * 64},
    },
    "27 custom parameters of an item": request(
        event(
            "view_cart",
            items=[{"item_id": "1", **{f"c{n}": n for n in range(27)}}],
        )
    ),
    "long page addresses": request(
        event(
            page_location="https://example.org/" + "a" * 980,
            page_title="t" * 300,
            page_referrer="https://example.org/" + "r" * 400,
        )
    ),
    "share with content_id": request(event("share", content_id="1")),
    "names reserved in the web interface only": request(
        event("click"), event("scroll")
    ),
    "debug_mode": request(event(debug_mode=True), event(debug_mode=1)),
    "a device": request(device={"category": "smart TV", "language": "de"}),
    "a place": request(
        user_location={
            "city": "Mountain View",
            "region_id": "US-CA",
            "country_id": "US",
            "subcontinent_id": "021",
            "continent_id": "019",
        }
    ),
    "a place in hashed data": request(
        user_data={
            "sha256_phone_number": ["0" * 64] * 3,
            "address": [{"sha256_first_name": "f" * 64, "city": "berlin"}] * 2,
        },
        consent={"ad_user_data": "GRANTED"},
    ),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_nothing_is_complained_of_without_reason(body):
    assert found(body) == set()


def without(name):
    told = event()
    del told["params"][name]
    return told


BAD = {
    "no client": ({"events": [event()]}, ("client_id", True)),
    "an order's id for a client": (request(client_id="18"), ("client_id", False)),
    "a client that is no text": (request(client_id=1.5), ("client_id", False)),
    "no events": ({"client_id": "1.2"}, ("events", True)),
    "26 events": (request(*[event()] * 26), ("events", True)),
    "an event that is none": (request(["login"]), ("events", True)),
    "no name": (request({"params": {}}), ("name", True)),
    "a name with a space": (request(event("log in")), ("name", True)),
    "a name of 41": (request(event("x" * 41)), ("name", True)),
    "a reserved name": (request(event("session_start")), ("name", True)),
    "a reserved prefix": (request(event("ga_login")), ("name", True)),
    "an app's event": (request(event("screen_view")), ("name", True)),
    "a stranger": (request(session_id="1"), ("session_id", True)),
    "a stranger in an event": (request({**event(), "id": 1}), ("id", True)),
    "parameters that are none": (
        request({"name": "a", "params": 1}),
        ("params", False),
    ),
    "26 parameters": (
        request(event(**{f"p{n}": n for n in range(24)})),
        ("params", False),
    ),
    "a reserved parameter": (
        request(event(firebase_conversion=1)),
        ("firebase_conversion", False),
    ),
    "a parameter's prefix": (request(event(_p=1)), ("_p", False)),
    "a parameter's name": (request(event(**{"a b": 1})), ("a b", False)),
    "a long value": (request(event(p="x" * 101)), ("p", False)),
    "a long title": (request(event(page_title="x" * 301)), ("page_title", False)),
    "null": (request(event(p=None)), ("p", False)),
    "a nested value": (request(event(p={"a": 1})), ("p", False)),
    "a boolean": (request(event(p=True)), ("p", False)),
    "a flag that is none": (request(event("exception", fatal="no")), ("fatal", False)),
    "a word for a number": (request(event(value="much")), ("value", False)),
    "an address that is none": (
        request(event(page_location="/a")),
        ("page_location", False),
    ),
    "no session": (request(without("session_id")), ("session_id", False)),
    "a session in letters": (request(event(session_id="s17")), ("session_id", False)),
    "no attention": (
        request(without("engagement_time_msec")),
        ("engagement_time_msec", False),
    ),
    "attention of zero": (
        request(event(engagement_time_msec=0)),
        ("engagement_time_msec", False),
    ),
    "a value without currency": (
        request(event("generate_lead", value=5)),
        ("currency", False),
    ),
    "a currency in small letters": (
        request(event("generate_lead", value=5, currency="eur")),
        ("currency", False),
    ),
    "an empty number of an order": (
        request(event("refund", transaction_id="")),
        ("transaction_id", False),
    ),
    "no items": (request(event("view_cart")), ("items", False)),
    "items that are none": (request(event("view_cart", items="x")), ("items", False)),
    "201 items": (
        request(event("view_cart", items=[{"item_id": "1"}] * 201)),
        ("items", False),
    ),
    "an item without a name": (
        request(event("view_cart", items=[{"price": 1}])),
        ("items[0]", False),
    ),
    "an item that is none": (
        request(event("view_cart", items=[1])),
        ("items[0]", False),
    ),
    "a word for a price": (
        request(event("view_cart", items=[{"item_id": "1", "price": "much"}])),
        ("items[0].price", False),
    ),
    "28 parameters of an item": (
        request(
            event(
                "view_cart", items=[{"item_id": "1", **{f"c{n}": n for n in range(28)}}]
            )
        ),
        ("items[0]", False),
    ),
    "an old time": (
        request({**event(), "timestamp_micros": MICROS - 73 * 3600 * 1_000_000}),
        ("timestamp_micros", False),
    ),
    "a future time": (
        request(timestamp_micros=MICROS + 3600 * 1_000_000),
        ("timestamp_micros", False),
    ),
    "a time in words": (request(timestamp_micros="now"), ("timestamp_micros", False)),
    "consent in small letters": (
        request(consent={"ad_user_data": "granted"}),
        ("consent.ad_user_data", False),
    ),
    "consent of another kind": (
        request(consent={"analytics_storage": "GRANTED"}),
        ("consent.analytics_storage", False),
    ),
    "consent that is none": (request(consent="GRANTED"), ("consent", False)),
    "a long user id": (request(user_id="u" * 257), ("user_id", False)),
    "an empty user id": (request(user_id=""), ("user_id", False)),
    "an address in words": (request(ip_override="here"), ("ip_override", False)),
    "an address beside a place": (
        request(ip_override="192.0.2.1", user_location={"country_id": "DE"}),
        ("ip_override", False),
    ),
    "a country in words": (
        request(user_location={"country_id": "Germany"}),
        ("user_location.country_id", False),
    ),
    "a user agent beside a device": (
        request(user_agent="x", device={"category": "mobile"}),
        ("user_agent", False),
    ),
    "a partial device": (request(device={"browser": "x"}), ("device.category", False)),
    "an unknown device": (
        request(device={"category": "watch"}),
        ("device.category", False),
    ),
    "a bare user property": (
        request(user_properties={"plan": "gold"}),
        ("user_properties.plan", False),
    ),
    "a reserved user property": (
        request(user_properties={"user_id": {"value": "x"}}),
        ("user_properties.user_id", False),
    ),
    "a long user property": (
        request(user_properties={"plan": {"value": "x" * 37}}),
        ("user_properties.plan", False),
    ),
    "a user property's name": (
        request(user_properties={"p" * 25: {"value": "x"}}),
        ("user_properties." + "p" * 25, False),
    ),
    "26 user properties": (
        request(user_properties={f"p{n}": {"value": n} for n in range(26)}),
        ("user_properties", False),
    ),
    "user properties that are none": (
        request(user_properties=[1]),
        ("user_properties", False),
    ),
    "mail in plain text": (
        request(user_data={"sha256_email_address": "a@b.org"}),
        ("user_data.sha256_email_address", False),
    ),
    "four mails": (
        request(user_data={"sha256_email_address": ["0" * 64] * 4}),
        ("user_data.sha256_email_address", False),
    ),
    "a name in plain text": (
        request(user_data={"address": {"sha256_first_name": "Jane"}}),
        ("user_data.address.sha256_first_name", False),
    ),
    "hashed data against the visitor's word": (
        request(
            user_data={"sha256_email_address": "0" * 64},
            consent={"ad_user_data": "DENIED"},
        ),
        ("user_data", False),
    ),
    "an unknown behaviour": (
        request(validation_behavior="STRICT"),
        ("validation_behavior", False),
    ),
}


@pytest.mark.parametrize(("body", "problem"), BAD.values(), ids=BAD)
def test_what_google_would_refuse_or_ignore_is_named(body, problem):
    assert problem in found(body)


def test_only_the_events_beyond_25_are_lost():
    hits = PROTOCOL.decode(post(request(*[event()] * 27)))

    assert [bool(hit.problems) for hit in hits] == [False] * 25 + [True] * 2


REQUESTS = [
    ({"query": "measurement_id=G-1"}, ("api_secret", True)),
    ({"query": "api_secret=x"}, ("measurement_id", True)),
    ({"query": "&".join(["a=b"] * 200)}, ("api_secret", True)),
    ({"method": "GET"}, ("", True)),
]


@pytest.mark.parametrize(("options", "problem"), REQUESTS)
def test_a_request_without_its_credentials_is_lost(options, problem):
    assert problem in found(request(), **options)


def test_a_body_of_130_kb_is_too_large():
    assert ("", True) in found(request(event(p="x" * 130_000)))


def test_an_app_has_an_instance_and_its_own_events():
    query = "firebase_app_id=1:2:android:3&api_secret=s"
    body = {"app_instance_id": "0123456789abcdef" * 2, "events": [event("screen_view")]}

    assert found(body, query=query) == set()
    assert ("app_instance_id", True) in found(request(), query=query)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 5000, b"{"])
def test_what_is_no_json_object_is_another_kind(data):
    [hit] = PROTOCOL.decode(post(data))

    assert hit.kind == "other"
    assert any(problem.fatal for problem in hit.problems)


JSON = json_values()
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "client_id",
            "user_id",
            "timestamp_micros",
            "user_properties",
            "user_data",
            "consent",
            "user_location",
            "ip_override",
            "device",
            "user_agent",
            "events",
        ]
    )
    | st.text(),
    JSON
    | st.lists(
        st.dictionaries(
            st.sampled_from(["name", "params", "timestamp_micros"]),
            JSON
            | st.dictionaries(
                st.sampled_from(["items", "page_location", "session_id", "value"]), JSON
            ),
        )
    ),
)


@settings(max_examples=25, deadline=None)
@given(FIELDS | JSON | st.binary(), st.sampled_from(PROTOCOL.paths), st.text())
def test_whatever_arrives_is_decoded_and_answered(body, path, query):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    received = post(data, path=path, query=query)

    hits = PROTOCOL.decode(received)

    assert hits
    assert PROTOCOL.answer(received, hits).status in (200, 204)


def test_deep_and_large_values_are_no_danger():
    deep = b'{"client_id": "1.2", "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    large = (
        b'{"client_id": 1'
        + b"0" * 4000
        + b', "timestamp_micros": 9'
        + b"9" * 400
        + b"}"
    )

    for data in (deep, large):
        assert PROTOCOL.decode(post(data))
        PROTOCOL.answer(post(data, path="/debug/mp/collect"), [])


# Answers


def answer(body, **options):
    received = post(body, **options)
    return PROTOCOL.answer(received, PROTOCOL.decode(received))


@pytest.mark.parametrize("body", [request(), b"nonsense", request(event("error"))])
def test_the_collector_says_204_to_everything(body):
    told = answer(body)

    assert (told.status, told.body) == (204, b"")


def test_a_get_is_not_allowed():
    assert answer(b"", method="GET").status == 405


def messages(body, **options):
    told = answer(body, path="/debug/mp/collect", **options)
    assert told.status == 200
    assert told.headers["content-type"].startswith("application/json")
    return json.loads(told.body)["validationMessages"]


def test_the_validation_server_has_nothing_to_say_of_a_good_request():
    assert messages(request(validation_behavior="ENFORCE_RECOMMENDATIONS")) == []


def test_the_validation_server_looks_neither_at_secret_nor_at_stream():
    assert messages(request(), query="") == []


VALIDATED = [
    (b"nonsense", None, "VALUE_INVALID"),
    ({"events": [event()]}, "client_id", "VALUE_REQUIRED"),
    (request(unknown=1), None, "VALUE_INVALID"),
    (request(event("user_engagement")), "events", "NAME_RESERVED"),
]
ENFORCED = [
    (request(client_id="18"), "client_id", "VALUE_INVALID"),
    (request(event("log in")), "events", "NAME_INVALID"),
    (request(event(p="x" * 101)), "events", "VALUE_OUT_OF_BOUNDS"),
    (
        request(event(**{f"p{n}": n for n in range(24)})),
        "events",
        "EXCEEDED_MAX_ENTITIES",
    ),
]


@pytest.mark.parametrize(("body", "path", "code"), VALIDATED)
def test_the_validation_server_names_what_is_malformed(body, path, code):
    [message] = messages(body)

    assert (message.get("fieldPath"), message["validationCode"]) == (path, code)
    assert message["description"]


@pytest.mark.parametrize(("body", "path", "code"), ENFORCED)
def test_recommendations_are_enforced_only_on_request(body, path, code):
    assert messages(body) == []

    [message] = messages({**body, "validation_behavior": "ENFORCE_RECOMMENDATIONS"})

    assert (message["fieldPath"], message["validationCode"]) == (path, code)
