"""PostHog: what it is told, and what its answers mean."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_tracking.calls import Call, Verdict
from server_tracking.errors import ConfigurationError
from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Event,
    ExceptionHit,
    Item,
    Page,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    ScreenView,
    Session,
    Social,
    Timing,
    Visitor,
)
from server_tracking.systems.posthog import PostHog
from server_tracking.systems.posthog.saying import session_uuid
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z
KEY = "phc_0123456789abcdefghijABCDEFGHIJ0123456789abc"
POSTHOG = PostHog(KEY)
VISITOR = Visitor("1234567890.1780000000")
SESSION = Session(1_789_999_000)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CONTEXT = Context(
    visitor=VISITOR,
    session=SESSION,
    page=Page(
        url="https://shop.example/fern?utm_source=news",
        host="shop.example",
        path="/fern",
        title="Fern",
        referrer="https://www.example.org/links?q=1",
    ),
    campaign=Campaign(
        source="news", medium="email", name="spring", click_ids={"gclid": "abc"}
    ),
    device=Device(AGENT, "de-AT", "1920x1080", "1200x800"),
    address="203.0.113.0",
)
BARE = Context(visitor=VISITOR, session=SESSION)
SESSION_ID = str(session_uuid(VISITOR.client_id, SESSION.id))
ALWAYS = {
    "$lib": "server-tracking",
    "$session_id": SESSION_ID,
    "$geoip_disable": True,
    "$process_person_profile": False,
}
FERN = Item(
    id="FERN-1",
    name="Boston fern",
    brand="Greenery",
    category="Plants/Indoor",
    variant="12 cm",
    price=Decimal("19.50"),
    quantity=2,
    coupon="TWO",
    position=1,
)
FERN_SAID = {
    "product_id": "FERN-1",
    "name": "Boston fern",
    "brand": "Greenery",
    "category": "Plants/Indoor",
    "variant": "12 cm",
    "price": 19.5,
    "quantity": 2,
    "coupon": "TWO",
    "position": 1,
}


def hit(kind, number=7, context=BARE, **fields):
    return kind(**{"context": context, "id": UUID(int=number), "time": NOW, **fields})


def batch(*hits, system=POSTHOG, now=NOW):
    return [
        event
        for call in system.encode(hits, now)
        for event in json.loads(call.body)["batch"]
    ]


def test_a_page_view_is_told_with_all_that_is_known():
    [call] = POSTHOG.encode([hit(PageView, context=CONTEXT, params={"tier": 2})], NOW)

    assert (call.method, call.url) == ("POST", "https://eu.i.posthog.com/batch/")
    assert call.headers == {"content-type": "application/json"}
    assert call.hits == (UUID(int=7),)
    assert json.loads(call.body) == {
        "api_key": KEY,
        "batch": [
            {
                "event": "$pageview",
                "distinct_id": "1234567890.1780000000",
                "uuid": "00000000-0000-0000-0000-000000000007",
                "timestamp": "2026-09-21T14:13:20.000Z",
                "properties": {
                    "$lib": "server-tracking",
                    "$current_url": "https://shop.example/fern?utm_source=news",
                    "$host": "shop.example",
                    "$pathname": "/fern",
                    "title": "Fern",
                    "$referrer": "https://www.example.org/links?q=1",
                    "$referring_domain": "www.example.org",
                    "utm_source": "news",
                    "utm_medium": "email",
                    "utm_campaign": "spring",
                    "gclid": "abc",
                    "$raw_user_agent": AGENT,
                    "$browser_language": "de-AT",
                    "$screen_width": 1920,
                    "$screen_height": 1080,
                    "$viewport_width": 1200,
                    "$viewport_height": 800,
                    "$session_id": SESSION_ID,
                    "$ip": "203.0.113.0",
                    "$process_person_profile": False,
                    "tier": 2,
                },
            }
        ],
    }


KINDS = [
    (hit(PageView), "$pageview", {}),
    (hit(ScreenView, name="Basket"), "$screen", {"$screen_name": "Basket"}),
    (
        hit(Event, category="Basket", action="Add", label="Fern", value=19.5),
        "Basket: Add",
        {"category": "Basket", "action": "Add", "label": "Fern", "value": 19.5},
    ),
    (hit(Event, category="Signup"), "Signup", {"category": "Signup"}),
    (
        hit(Timing, category="Search", variable="catalogue", value=81.0),
        "Search: catalogue",
        {"category": "Search", "variable": "catalogue", "value": 81.0},
    ),
    (
        hit(Social, network="mastodon", action="share", target="/fern"),
        "mastodon: share",
        {"network": "mastodon", "action": "share", "target": "/fern"},
    ),
    (
        hit(
            Purchase,
            transaction_id="T-1",
            items=(FERN,),
            revenue=Decimal("46.40"),
            tax=Decimal("6.40"),
            shipping=Decimal(1),
            currency="EUR",
            coupon="SPRING",
            affiliation="Web",
        ),
        "Purchase",
        {
            "transaction_id": "T-1",
            "revenue": 46.4,
            "tax": 6.4,
            "shipping": 1.0,
            "currency": "EUR",
            "coupon": "SPRING",
            "affiliation": "Web",
            "items": "Boston fern",
            "quantity": 2,
            "products": [FERN_SAID],
        },
    ),
    (
        hit(Refund, transaction_id="T-1", revenue=Decimal("46.40")),
        "Refund",
        {"transaction_id": "T-1", "revenue": 46.4},
    ),
    (
        hit(ProductAction, action="add", items=(FERN,), currency="EUR"),
        "Product: Add to basket",
        {
            "currency": "EUR",
            "items": "Boston fern",
            "quantity": 2,
            "products": [FERN_SAID],
        },
    ),
    (
        hit(ProductAction, action="checkout", step=2, option="card"),
        "Checkout",
        {"step": 2, "option": "card"},
    ),
]


@pytest.mark.parametrize(("told", "name", "properties"), KINDS)
def test_each_kind_is_an_event_with_its_properties(told, name, properties):
    [event] = batch(told)

    assert event == {
        "event": name,
        "distinct_id": "1234567890.1780000000",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "timestamp": "2026-09-21T14:13:20.000Z",
        "properties": {**ALWAYS, **properties},
    }
    assert list(POSTHOG.problems(told)) == []


ERRORS = [
    ("LookupError", True, "LookupError", "LookupError"),
    ("LookupError: no such fern", True, "LookupError", "no such fern"),
    ("django.db.OperationalError", True, *["django.db.OperationalError"] * 2),
    ("HTTP 404", False, "Error", "HTTP 404"),
    (None, True, "Error", ""),
]


@pytest.mark.parametrize(("description", "fatal", "kind", "value"), ERRORS)
def test_an_exception_goes_to_error_tracking(description, fatal, kind, value):
    [event] = batch(hit(ExceptionHit, description=description, fatal=fatal))

    assert event["event"] == "$exception"
    assert event["properties"]["$exception_list"] == [
        {
            "type": kind,
            "value": value,
            "mechanism": {"handled": not fatal, "synthetic": False},
        }
    ]
    assert event["properties"]["$exception_level"] == ("fatal" if fatal else "error")


def known(user_id):
    return Context(visitor=Visitor(VISITOR.client_id, user_id), session=SESSION)


def test_a_known_user_gets_a_profile_and_keeps_the_id_of_the_browser():
    [event] = batch(hit(PageView, context=known("u-1")))

    assert event["distinct_id"] == "u-1"
    assert event["properties"]["$device_id"] == VISITOR.client_id
    assert "$process_person_profile" not in event["properties"]


@pytest.mark.parametrize("user_id", ["anonymous", "NULL", "0", "undefined"])
def test_a_user_id_that_names_nobody_makes_no_user_of_all(user_id):
    told = hit(PageView, context=known(user_id))

    [event] = batch(told)

    assert event["distinct_id"] == VISITOR.client_id
    assert event["properties"]["$process_person_profile"] is False
    assert [p.field for p in POSTHOG.problems(told)] == ["distinct_id"]


PROFILES = [
    ("identified_only", None, False),
    ("identified_only", "u-1", True),
    ("always", None, True),
    ("never", "u-1", False),
]


@pytest.mark.parametrize(("profiles", "user_id", "kept"), PROFILES)
def test_profiles_are_kept_for_whom_the_site_says(profiles, user_id, kept):
    system = PostHog(KEY, person_profiles=profiles)

    [event] = batch(hit(PageView, context=known(user_id)), system=system)

    assert ("$process_person_profile" not in event["properties"]) is kept


def test_a_visit_has_one_id_that_begins_with_its_start():
    made = session_uuid("1.2", 1_790_000_000)

    assert made == session_uuid("1.2", 1_790_000_000)
    assert made != session_uuid("1.3", 1_790_000_000)
    assert made != session_uuid("1.2", 1_790_000_001)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == 1_790_000_000_000


@given(st.text(), st.integers())
def test_any_visit_has_an_id(client_id, session):
    assert session_uuid(client_id, session).version == 7


def test_there_is_no_time_of_sending_that_would_shift_the_key():
    [call] = POSTHOG.encode([hit(PageView)], NOW)
    [later] = POSTHOG.encode([hit(PageView)], NOW + 3600)

    assert "sent_at" not in json.loads(call.body)
    assert call == later


TIMES = [
    (NOW - 3600.25, "2026-09-21T13:13:19.750Z"),
    (NOW + 3600, "2026-09-21T14:13:20.000Z"),  # the future is now
    (math.inf, "2026-09-21T14:13:20.000Z"),
    (math.nan, "2026-09-21T14:13:20.000Z"),
    (-math.inf, "1970-01-01T00:00:00.000Z"),
]


@pytest.mark.parametrize(("time", "written"), TIMES)
def test_a_hit_keeps_its_time_unless_it_is_yet_to_come(time, written):
    [event] = batch(hit(PageView, time=time))

    assert event["timestamp"] == written


def test_own_properties_win_over_what_is_found():
    [event] = batch(
        hit(PageView, context=CONTEXT, params={"title": "Mine", "$geoip_disable": True})
    )

    assert event["properties"]["title"] == "Mine"
    assert event["properties"]["$geoip_disable"] is True


def test_raw_parameters_reach_the_event_and_its_properties():
    extra = {"posthog": {"$set": {"plan": "pro"}, "properties": {"$groups": {"a": 1}}}}

    [event] = batch(hit(PageView, extra=extra))

    assert event["$set"] == {"plan": "pro"}
    assert event["properties"] == {**ALWAYS, "$groups": {"a": 1}}


REFUSED = [
    hit(Event, category=""),  # an event needs a name
    hit(PageView, context=Context(visitor=Visitor(""), session=SESSION)),
    hit(PageView, extra={"posthog": {"uuid": "not one"}}),
    hit(PageView, extra={"posthog": {"timestamp": 5}}),
    hit(PageView, extra={"posthog": {"$set": "pro"}}),
    hit(PageView, extra={"posthog": {"event": ["$pageview"]}}),
]


@pytest.mark.parametrize("bad", REFUSED)
def test_an_event_that_would_lose_its_whole_call_stays_at_home(bad):
    [call] = POSTHOG.encode([hit(PageView, 1), bad, hit(PageView, 2)], NOW)

    assert call.hits == (UUID(int=1), UUID(int=2))
    assert any(problem.fatal for problem in POSTHOG.problems(bad))


def test_who_refused_is_not_told():
    refused = Context(
        visitor=VISITOR, session=SESSION, consent=Consent(analytics=False)
    )

    assert batch(hit(PageView, context=refused)) == []


def test_hits_of_many_visitors_share_calls_of_a_hundred():
    hits = [
        hit(PageView, n, Context(visitor=Visitor(f"{n}.1780000000"), session=SESSION))
        for n in range(1, 251)
    ]

    calls = list(POSTHOG.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [100, 100, 50]
    assert [key.int for call in calls for key in call.hits] == list(range(1, 251))


def test_a_call_stays_below_five_megabytes():
    hits = [hit(PageView, n, params={"text": "x" * 600_000}) for n in range(1, 21)]

    calls = list(POSTHOG.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [8, 8, 4]
    assert all(len(call.body) <= 5 * 1024 * 1024 for call in calls)


def test_names_are_cut_to_two_hundred_characters():
    user = "ü" * 201
    [event] = batch(hit(Event, context=known(user), category="ä" * 201))

    assert event["event"] == "ä" * 200
    assert event["distinct_id"] == "ü" * 200


def test_the_longest_text_is_cut_until_the_event_fits():
    [call] = POSTHOG.encode(
        [hit(PageView, params={"long": "😀" * 300_000, "short": "kept"})], NOW
    )
    [event] = json.loads(call.body)["batch"]

    size = len(call.body) - len(f'{{"api_key":"{KEY}","batch":[]}}')
    assert 900 * 1024 - 4 < size <= 900 * 1024
    assert set(event["properties"]["long"]) == {"😀"}
    assert event["properties"]["short"] == "kept"


def test_what_cannot_be_cut_is_left_out():
    extra = {"posthog": {"properties": {"list": list(range(300_000)), "kept": 1}}}

    [event] = batch(hit(PageView, extra=extra))

    assert event["properties"] == {**ALWAYS, "kept": 1}


def answered(status, body=b'{"status":"Ok"}', headers=None, hits=None):
    hits = hits or [hit(PageView, 1), hit(ExceptionHit, 2), hit(PageView, 3)]
    [call] = POSTHOG.encode(hits, NOW)
    return POSTHOG.outcome(call, status, headers or {}, body)


ANSWERS = [
    (200, Verdict.DELIVERED, False, False),
    (400, Verdict.REJECTED, True, False),
    (401, Verdict.RETRY, False, True),
    (404, Verdict.RETRY, False, True),
    (408, Verdict.RETRY, False, False),
    (413, Verdict.REJECTED, True, False),
    (429, Verdict.RETRY, False, False),
    (500, Verdict.RETRY, False, False),
    (502, Verdict.RETRY, False, False),
    (503, Verdict.RETRY, False, False),
    (504, Verdict.RETRY, False, False),
]


@pytest.mark.parametrize(("status", "verdict", "split", "misconfigured"), ANSWERS)
def test_a_status_has_its_meaning(status, verdict, split, misconfigured):
    outcome = answered(status)

    assert outcome.verdict is verdict
    assert outcome.split is split
    assert outcome.misconfigured is misconfigured


def test_a_wait_that_is_asked_for_is_kept():
    assert answered(429, headers={"retry-after": "30"}).after == 30


QUOTAS = [
    # The hits are a page view, an exception and a page view.
    (b'{"status":"Ok"}', ["delivered", "delivered", "delivered"]),
    (b'{"status":"Ok","quota_limited":null}', ["delivered"] * 3),
    (b'{"status":"Ok","quota_limited":["recordings"]}', ["delivered"] * 3),
    (b'{"status":"Ok","quota_limited":["events","exceptions"]}', ["dropped"] * 3),
    (b'{"quota_limited":["events"]}', ["dropped", "delivered", "dropped"]),
    (b'{"quota_limited":["exceptions"]}', ["delivered", "dropped", "delivered"]),
    (b'{"quota_limited":[{"a":1},["events"]]}', ["delivered"] * 3),
    (b"[]", ["delivered"] * 3),
    (b"<html>", ["delivered"] * 3),
]


@pytest.mark.parametrize(("body", "verdicts"), QUOTAS)
def test_a_used_up_quota_drops_what_it_names(body, verdicts):
    outcome = answered(200, body)

    assert [
        outcome.exceptions.get(UUID(int=n), outcome).verdict.value for n in (1, 2, 3)
    ] == verdicts


@given(st.integers(100, 599), st.binary(max_size=60))
def test_no_answer_is_too_odd(status, body):
    answered(status, body)


URLS = [
    ("posthog+https://phc_a@eu.i.posthog.com", PostHog("phc_a")),
    ("posthog://phc_a@eu.i.posthog.com/", PostHog("phc_a")),
    ("posthog+http://phc_a@[::1]:8000", PostHog("phc_a", "http://[::1]:8000")),
    (
        "posthog+https://phc_a@example.com/ingest",
        PostHog("phc_a", host="https://example.com/ingest"),
    ),
    (
        "posthog+https://phc_a@eu.i.posthog.com?person_profiles=never",
        PostHog("phc_a", person_profiles="never"),
    ),
]


@pytest.mark.parametrize(("url", "system"), URLS)
def test_a_url_makes_a_system(url, system):
    assert PostHog.from_url(urlsplit(url)) == system


BAD_URLS = [
    "posthog+https://eu.i.posthog.com",
    "posthog+https://phc_a@",
    "posthog+https://phx_secret@eu.i.posthog.com",
    "posthog+ftp://phc_a@eu.i.posthog.com",
    "posthog+https://phc_a@eu.i.posthog.com:99999",
    "posthog+https://phc_a@eu.i.posthog.com?debug=1",
    "posthog+https://phc_a@eu.i.posthog.com?person_profiles=some",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_wrong_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="accepted") as caught:
        PostHog.from_url(urlsplit(url))

    assert "secret" not in str(caught.value)


HOSTS = [
    ("https://eu.i.posthog.com/", "https://eu.i.posthog.com/batch/"),
    ("https://eu.posthog.com", "https://eu.i.posthog.com/batch/"),
    ("https://app.posthog.com", "https://us.i.posthog.com/batch/"),
    ("https://example.com/ingest/", "https://example.com/ingest/batch/"),
    ("http://127.0.0.1:8000/batch/", "http://127.0.0.1:8000/batch/"),
]


@pytest.mark.parametrize(("host", "url"), HOSTS)
def test_events_go_to_the_batch_path_of_the_host(host, url):
    [call] = PostHog(KEY, host=host).encode([hit(PageView)], NOW)

    assert call.url == url


WRONG = [
    ({"api_key": ""}, "api_key"),
    ({"api_key": None}, "api_key"),
    ({"api_key": "phc a"}, "api_key"),
    ({"api_key": "phx_secret"}, "api_key"),
    ({"host": "eu.i.posthog.com"}, "host"),
    ({"host": "https://"}, "host"),
    ({"host": "https://user@example.com"}, "host"),
    ({"host": "https://example.com/?a=b"}, "host"),
    ({"host": "https://[::1"}, "host"),
    ({"host": 5}, "host"),
    ({"person_profiles": "some"}, "person_profiles"),
]


@pytest.mark.parametrize(("options", "named"), WRONG)
def test_wrong_options_are_named(options, named):
    with pytest.raises(ConfigurationError, match="accepted") as caught:
        PostHog(**{"api_key": KEY, **options})

    assert caught.value.option == named
    assert "secret" not in str(caught.value)


def test_the_key_is_not_shown():
    assert repr(POSTHOG) == "PostHog('phc_...', host='https://eu.i.posthog.com')"


RAW = ["event", "uuid", "properties", "$set", "timestamp", "distinct_id"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_hits("posthog", extra=RAW), max_size=3))
def test_no_hit_is_too_odd(hits):
    calls = list(POSTHOG.encode(hits, NOW))

    assert calls == list(POSTHOG.encode(hits, NOW))
    for call in calls:
        assert isinstance(call, Call)
        assert len(call.body) <= POSTHOG.limits.bytes
        events = json.loads(call.body)["batch"]
        assert len(events) == len(call.hits) <= POSTHOG.limits.hits
        for event in events:
            assert 0 < len(event["event"]) <= 200
            if isinstance(event["timestamp"], str) and event["timestamp"].endswith("Z"):
                moment = datetime.fromisoformat(event["timestamp"])
                assert moment <= datetime.fromtimestamp(NOW, UTC)
    for one in hits:
        list(POSTHOG.problems(one))
