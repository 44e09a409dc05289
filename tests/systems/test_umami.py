"""Umami: events of many visitors in one call, each with its own address and time."""

import json
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_tracking.calls import Outcome, Verdict
from server_tracking.errors import ConfigurationError
from server_tracking.hits import (
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
from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.umami import PROTOCOL
from server_tracking.systems import system_from_url
from server_tracking.systems.umami import Umami
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_790_000_100.5
WEBSITE = "01234567-89ab-4cde-8f01-23456789abcd"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CONTEXT = Context(
    visitor=Visitor("7.1780000000", user_id="u-1"),
    session=Session(id=1_790_000_000),
    page=Page(
        url="https://example.com/plants/fern?utm_source=newsletter",
        host="example.com",
        path="/plants/fern",
        title="100 % fern",
        referrer="https://www.example.org/links?a=b",
    ),
    device=Device(user_agent=AGENT, language="en-GB", screen_resolution="1920x1080"),
    address="203.0.113.0",
    consent=Consent(analytics=True),
)
FERN = Item(id="F1", name="Boston fern", price=Decimal("19.50"), quantity=2)
SITE = Umami(WEBSITE, url="https://umami.example")


def made(kind, context=CONTEXT, number=1, **fields):
    return kind(context=context, id=UUID(int=number), time=NOW - 5, **fields)


def changed(**parts):
    return msgspec.structs.replace(CONTEXT, **parts)


def on(**page):
    return changed(page=Page(**page))


def said(hit, system=SITE):
    """The payload that tells *hit*, None if nothing does."""
    calls = list(system.encode([hit], NOW))
    return json.loads(calls[0].body)["payload"] if calls else None


COMMON = {
    "website": WEBSITE,
    "hostname": "example.com",
    "url": "/plants/fern?utm_source=newsletter",
    "title": "100 %25 fern",
    "referrer": "https://www.example.org/links?a=b",
    "language": "en-GB",
    "screen": "1920x1080",
    "ip": "203.0.113.0",
    "userAgent": AGENT,
    "timestamp": 1_790_000_095,
    "id": "7.1780000000",
}
# Umami documentation, Sending stats.
GOLDEN = [
    (made(PageView), COMMON),
    (made(PageView, params={"plan": "free"}), {**COMMON, "data": {"plan": "free"}}),
    (made(ScreenView, name="Basket"), {**COMMON, "name": "Screen: Basket"}),
    (
        made(Event, category="Basket", action="Add", value=19.5, params={"gift": True}),
        {
            **COMMON,
            "name": "Basket: Add",
            "data": {
                "category": "Basket",
                "action": "Add",
                "value": 19.5,
                "gift": True,
            },
        },
    ),
    (
        made(ExceptionHit, description="LookupError"),
        {
            **COMMON,
            "name": "Exception",
            "data": {"description": "LookupError", "fatal": True},
        },
    ),
    (
        made(Timing, category="Search", variable="catalogue", value=81.0),
        {
            **COMMON,
            "name": "Search: catalogue",
            "data": {"category": "Search", "variable": "catalogue", "value": 81.0},
        },
    ),
    (
        made(Social, network="mastodon", action="share", target="/plants"),
        {
            **COMMON,
            "name": "mastodon: share",
            "data": {"network": "mastodon", "action": "share", "target": "/plants"},
        },
    ),
    (
        made(
            Purchase,
            transaction_id="T-1",
            items=(FERN,),
            revenue=Decimal("47.90"),
            tax=Decimal("7.65"),
            currency="EUR",
        ),
        {
            **COMMON,
            "name": "Purchase",
            "data": {
                "transaction_id": "T-1",
                "revenue": 47.9,
                "tax": 7.65,
                "currency": "EUR",
                "items": "Boston fern",
                "quantity": 2,
            },
        },
    ),
    (
        # What is called revenue would be added to the site's.
        made(Refund, transaction_id="T-1", revenue=Decimal(5), currency="EUR"),
        {
            **COMMON,
            "name": "Refund",
            "data": {"transaction_id": "T-1", "refunded": 5.0, "currency": "EUR"},
        },
    ),
    (
        made(ProductAction, action="add", items=(FERN,)),
        {
            **COMMON,
            "name": "Product: Add to basket",
            "data": {"items": "Boston fern", "quantity": 2},
        },
    ),
]


@pytest.mark.parametrize(("hit", "payload"), GOLDEN)
def test_a_hit_is_told_as_umami_documents(hit, payload):
    [call] = SITE.encode([hit], NOW)

    assert (call.method, call.url) == ("POST", "https://umami.example/api/send")
    assert json.loads(call.body) == {"type": "event", "payload": payload}


def test_what_is_sent_has_no_problem_at_the_other_end():
    [call] = SITE.encode([hit for hit, _ in GOLDEN], NOW)
    parts = urlsplit(call.url)

    decoded = PROTOCOL.decode(
        Received("POST", parts.path, parts.query, call.headers, call.body)
    )

    assert [hit.problems for hit in decoded] == [[]] * len(GOLDEN)
    assert {hit.user_agent for hit in decoded} == {AGENT}


def test_many_hits_go_to_the_batch():
    hits = [made(PageView, number=n) for n in range(1, 121)]

    calls = list(SITE.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [50, 50, 20]
    assert {call.url for call in calls} == {"https://umami.example/api/batch"}
    assert [key for call in calls for key in call.hits] == [hit.id for hit in hits]
    body = json.loads(calls[0].body)
    assert body == [{"type": "event", "payload": COMMON}] * 50


def test_old_versions_see_a_browser_in_the_header():
    [single] = SITE.encode([made(PageView)], NOW)
    bare = changed(device=Device(user_agent="Føx\r\n"))
    [other] = SITE.encode([made(PageView, bare)], NOW)
    [batch] = SITE.encode([made(PageView), made(PageView, number=2)], NOW)

    assert single.headers == {"content-type": "application/json", "user-agent": AGENT}
    assert other.headers["user-agent"] == "F?x??"
    assert batch.headers["user-agent"].startswith("Mozilla/5.0 ")
    # It would make one session of all hits in a batch.
    assert "x-umami-cache" not in batch.headers


def test_old_versions_can_be_told_one_by_one():
    old = Umami(WEBSITE, batch=False)

    calls = list(old.encode([made(PageView), made(PageView, number=2)], NOW))

    assert [call.url for call in calls] == ["https://cloud.umami.is/api/send"] * 2
    assert (old.limits.hits, old.limits.mixed_visitors) == (1, False)


def test_what_is_unknown_is_not_taken_from_the_server():
    payload = said(made(PageView, changed(device=Device(), address=None)))

    assert payload["ip"] == "0.0.0.0"
    assert (payload["browser"], payload["os"], payload["device"]) == ("", "", "")
    assert "userAgent" not in payload


def test_a_user_id_can_take_the_place_of_the_client_id():
    system = Umami(WEBSITE, send_user_id=True)
    anonymous = changed(visitor=Visitor("7.1780000000"))

    assert said(made(PageView), system)["id"] == "u-1"
    assert said(made(PageView, anonymous), system)["id"] == "7.1780000000"


def test_a_tag_goes_with_every_hit():
    assert said(made(PageView), Umami(WEBSITE, tag="blue"))["tag"] == "blue"


TIMES = [
    (NOW + 3600, 1_790_000_100),
    (float("inf"), 1_790_000_100),
    (float("nan"), 1_790_000_100),
    (1_700_000_000.9, 1_700_000_000),
    (-5.0, 0),
]


@pytest.mark.parametrize(("moment", "stamp"), TIMES)
def test_a_time_is_in_whole_seconds_and_never_in_the_future(moment, stamp):
    hit = msgspec.structs.replace(made(PageView), time=moment)

    assert said(hit)["timestamp"] == stamp


def test_a_visitor_who_refused_is_not_told():
    hit = made(PageView, changed(consent=Consent(analytics=False)))

    assert said(hit) is None


UNTELLABLE = [
    made(PageView, on()),
    made(Event, category=""),  # would be a page view
    made(Event, category=" \x00"),
]


@pytest.mark.parametrize("hit", UNTELLABLE)
def test_what_cannot_be_told_truly_is_not_told(hit):
    assert said(hit) is None
    assert any(problem.fatal for problem in SITE.problems(hit))


def test_an_event_needs_no_page():
    payload = said(made(Event, on(), category="Cron"))

    assert payload["name"] == "Cron"
    assert "url" not in payload


PLACES = [
    # page -> hostname, url
    ({"url": "https://e.example:8000/a"}, "e.example:8000", "/a"),
    ({"url": "https://e.example"}, "e.example", "/"),
    ({"url": "https://e.example?a=b"}, "e.example", "/?a=b"),
    ({"url": "/a", "host": "e.example"}, "e.example", "/a"),
    ({"path": "/ä b", "host": "e.example"}, "e.example", "/%C3%A4%20b"),
    # What the URL Standard's parser would take for a host.
    ({"url": "https://e.example//evil.example/x"}, "e.example", "/.//evil.example/x"),
    ({"url": "https://e.example/\\evil.example"}, "e.example", "/%5Cevil.example"),
    ({"url": "https://e.example/\t/x"}, "e.example", "/%09/x"),
    # Hosts that make its parser fail.
    ({"url": "https://e.example/a", "host": "a b"}, None, "/a"),
    ({"url": "https://e.example/a", "host": "1.2.3.999"}, None, "/a"),
    ({"url": "https://e.example/a", "host": "e.example:99999"}, None, "/a"),
    ({"url": "https://e.example/a", "host": "a" * 101}, None, "/a"),
    ({"url": "https://e.example/a", "host": "127.0.0.1:80"}, "127.0.0.1:80", "/a"),
]


@pytest.mark.parametrize(("page", "hostname", "url"), PLACES)
def test_a_page_is_told_as_host_and_path(page, hostname, url):
    payload = said(made(PageView, on(**page)))

    assert (payload.get("hostname"), payload["url"]) == (hostname, url)


REFERRERS = [
    ("https://www.example.org/a", "https://www.example.org/a"),
    ("android-app://com.example/", "android-app://com.example/"),
    ("/elsewhere", "/elsewhere"),
    ("newsletter", None),
    ("https://a b/", None),
    ("https://1.2.3.4.5/", None),
    ("//host", None),
    ("https://e.example/" + "a" * 600, "https://e.example/" + "a" * 499),
]


@pytest.mark.parametrize(("referrer", "told"), REFERRERS)
def test_a_referrer_that_would_lose_the_hit_goes(referrer, told):
    payload = said(made(PageView, on(url="/a", referrer=referrer)))

    assert payload.get("referrer") == told


# Limits of the schema and of the database.

CUT = [
    (Event, {"category": "n" * 60}, "name", "n" * 50),
    (Event, {"category": "😀" * 60}, "name", "😀" * 25),  # two units each
    (Event, {"category": "a" + "😀" * 60}, "name", "a" + "😀" * 24),
]


@pytest.mark.parametrize(("kind", "fields", "name", "value"), CUT)
def test_a_name_is_cut_as_javascript_counts(kind, fields, name, value):
    assert said(made(kind, **fields))[name] == value


def test_a_title_is_cut_before_it_is_escaped():
    assert said(made(PageView, on(url="/", title="%" * 600)))["title"] == "%25" * 500


def test_half_a_language_or_screen_says_something_else():
    device = Device(AGENT, language="x" * 36, screen_resolution="19200x108000")

    payload = said(made(PageView, changed(device=device)))

    assert not {"language", "screen"} & payload.keys()


def test_a_visitors_id_is_cut_at_50():
    visitor = Visitor("i" * 60)

    assert said(made(PageView, changed(visitor=visitor)))["id"] == "i" * 50


LONG_URLS = [
    ("/" + "a" * 600, "/" + "a" * 499),
    # Counted once the escapes are undone, but for those that stay.
    ("/" + "日" * 600, "/" + "%E6%97%A5" * 499),
    ("/" + "%2F" * 300, "/" + "%2F" * 166),
    ("/a#" + "b" * 600, "/a#" + "b" * 497),
    ("/a?x=" + "y" * 499 + "&gclid=g&z=1", "/a?gclid=g&z=1"),
    ("/a?utm_term=" + "t" * 300, "/a?utm_term=" + "t" * 255),
    ("/a?utm_term=" + "+t" * 200, "/a?utm_term=" + "+t" * 127 + "+"),
    ("/a?utm_termx=" + "t" * 300, "/a?utm_termx=" + "t" * 300),
]


@pytest.mark.parametrize(("url", "short"), LONG_URLS)
def test_a_long_url_loses_its_campaign_last(url, short):
    assert said(made(PageView, on(url=url)))["url"] == short


def test_data_is_made_fit_for_the_database():
    params = {
        "text": "é" * 600,
        "nul": "a\x00b",
        "none": None,
        "nan": float("nan"),
        "large": 10**20,
        "small": -1.5,
        "k" * 600: "x",
        "": "no name",
        "yes": True,
    }

    assert said(made(PageView, params=params))["data"] == {
        "text": "é" * 500,
        "nul": "ab",
        "large": "100000000000000000000",
        "small": -1.5,
        "k" * 500: "x",
        "yes": True,
    }


def test_raw_parameters_win():
    extra = {"umami": {"id": "raw", "lcp": 12.5}, "matomo": {"id": "no"}}

    payload = said(made(PageView, extra=extra))

    assert (payload["id"], payload["lcp"]) == ("raw", 12.5)


def test_raw_parameters_that_are_too_large_are_left_out():
    extra = {"umami": {"data": {"a": "x" * 2**20}}}

    assert said(made(PageView, extra=extra)) == COMMON


# Answers

STORED = b'{"cache":"t","sessionId":"s","visitId":"v"}'
FORBIDDEN = {"error": {"message": "Forbidden", "code": "forbidden", "status": 403}}
NO_WEBSITE = {
    "error": {"message": "Website not found.", "code": "bad-request", "status": 400}
}
INVALID = {"error": {"message": "Bad request", "code": "bad-request", "status": 400}}
FAILED = {"error": {"message": "Server error", "code": "server-error", "status": 500}}
IGNORED = Outcome(Verdict.DROPPED, "ignored_address")
NOWHERE = Outcome(Verdict.RETRY, "website_not_found", misconfigured=True)

SINGLE = [
    (200, STORED, Outcome(Verdict.DELIVERED)),
    (200, b'"eyJhbGciOi"', Outcome(Verdict.DELIVERED)),  # a token, before 2.17
    (200, b"", Outcome(Verdict.DELIVERED)),
    (200, b'{"beep":"boop"}', Outcome(Verdict.DROPPED, "bot")),
    (400, json.dumps(NO_WEBSITE).encode(), NOWHERE),
    (
        400,
        json.dumps(INVALID).encode(),
        Outcome(Verdict.REJECTED, "http_400", split=True),
    ),
    (403, json.dumps(FORBIDDEN).encode(), IGNORED),
    (403, b"<html>", Outcome(Verdict.RETRY, "http_403", misconfigured=True)),
    (405, b"", Outcome(Verdict.RETRY, "http_405", misconfigured=True)),
    (500, json.dumps(FAILED).encode(), Outcome(Verdict.UNKNOWN, "http_500")),
    (429, b"", Outcome(Verdict.RETRY, "http_429")),
]


@pytest.mark.parametrize(("status", "body", "outcome"), SINGLE)
def test_an_answer_to_one_hit_is_understood(status, body, outcome):
    [call] = SITE.encode([made(PageView)], NOW)

    assert SITE.outcome(call, status, {}, body) == outcome


def answered(*details, **more):
    [call] = SITE.encode([made(PageView, number=n) for n in (1, 2, 3)], NOW)
    listed = [{"index": i, "response": response} for i, response in details]
    answer = {"size": 3, "processed": 3 - len(listed), "details": listed, **more}
    return SITE.outcome(call, 200, {}, json.dumps(answer).encode())


def test_a_batch_tells_its_hits_apart():
    outcome = answered((0, INVALID), (2, FAILED))

    assert outcome.verdict is Verdict.DELIVERED
    assert outcome.exceptions == {
        UUID(int=1): Outcome(Verdict.REJECTED, "invalid"),
        UUID(int=3): Outcome(Verdict.UNKNOWN, "failed"),
    }


def test_an_ignored_address_of_a_batch_is_no_error():
    assert answered((1, FORBIDDEN)).exceptions == {UUID(int=2): IGNORED}


@pytest.mark.parametrize("error", [NO_WEBSITE, {"error": "Website not found."}])
def test_a_batch_to_a_wrong_website_waits_for_somebody_to_act(error):
    assert answered(*[(n, error) for n in range(3)]) == NOWHERE


@pytest.mark.parametrize(
    "details", [None, 7, [None], [{}], [{"index": 9}], [{"index": "0"}]]
)
def test_details_that_name_no_hit_mean_nothing(details):
    assert answered(details=details) == Outcome(Verdict.DELIVERED)


# Options

URLS = [
    (
        f"umami+https://umami.example/?website_id={WEBSITE}",
        Umami(WEBSITE, url="https://umami.example"),
    ),
    (
        f"umami://u.example/stats?website_id={WEBSITE}&tag=a&batch=0&send_user_id=1",
        Umami(
            WEBSITE,
            url="https://u.example/stats",
            batch=False,
            send_user_id=True,
            tag="a",
        ),
    ),
    (
        f"umami+http://umami_app:3000?website_id={WEBSITE}",
        Umami(WEBSITE, url="http://umami_app:3000"),
    ),
]


@pytest.mark.parametrize(("url", "system"), URLS)
def test_a_system_is_made_from_its_url(url, system):
    assert system_from_url(url) == system


@pytest.mark.parametrize(
    "url",
    [
        "umami+https://umami.example/",
        "umami+https://umami.example/?website_id=7",
        f"umami+https://umami.example/?website_id={WEBSITE}&website_id={WEBSITE}",
        f"umami+https://umami.example/?website_id={WEBSITE}&secret=1",
        f"umami+https://umami.example/?website_id={WEBSITE}&batch=no",
        f"umami+https://me:secret@umami.example/?website_id={WEBSITE}",
        f"umami+https:///?website_id={WEBSITE}",
    ],
)
def test_a_wrong_url_is_refused(url):
    with pytest.raises(ConfigurationError):
        system_from_url(url)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://u.example", "https://u.example/api/send"),
        ("https://u.example/", "https://u.example/api/send"),
        ("https://u.example/stats/", "https://u.example/stats/api/send"),
        ("https://u.example/api/send", "https://u.example/api/send"),
        ("https://u.example/x/api/batch", "https://u.example/x/api/send"),
    ],
)
def test_umami_may_live_under_a_path(url, endpoint):
    [call] = Umami(WEBSITE, url=url).encode([made(PageView)], NOW)

    assert call.url == endpoint


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"website_id": "7"}, "website_id"),
        ({"website_id": None}, "website_id"),
        ({"website_id": WEBSITE, "url": "umami.example"}, "url"),
        ({"website_id": WEBSITE, "url": "https://me:secret@u.example"}, "url"),
        ({"website_id": WEBSITE, "batch": "no"}, "batch"),
        ({"website_id": WEBSITE, "send_user_id": None}, "send_user_id"),
        ({"website_id": WEBSITE, "tag": ""}, "tag"),
        ({"website_id": WEBSITE, "tag": "t" * 51}, "tag"),
    ],
)
def test_a_wrong_option_is_named(arguments, option):
    with pytest.raises(ConfigurationError, match=option) as caught:
        Umami(**arguments)

    assert caught.value.option == option
    assert "secret" not in str(caught.value)


def test_what_would_be_refused_is_named_before_it_is_sent():
    hit = made(
        Event,
        on(url="/" + "日" * 600, title="t" * 501),
        category="n" * 51,
        params={"text": "v" * 501, "large": 10**15},
    )

    problems = {problem.field: problem.fatal for problem in SITE.problems(hit)}

    assert problems == {
        "name": True,
        "url": False,
        "title": False,
        "data.text": True,
        "data.large": True,
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_hits("umami"), max_size=3))
def test_no_hit_is_too_odd(several):
    for hit in several:
        list(SITE.problems(hit))
    plain = [hit for hit in several if not hit.extra.get("umami")]
    for call in SITE.encode(several, NOW):
        assert len(call.body) <= SITE.limits.bytes
        json.loads(call.body)
    for call in SITE.encode(plain, NOW):
        path = urlsplit(call.url).path
        decoded = PROTOCOL.decode(Received("POST", path, "", {}, call.body))
        # What is left of any hit is taken: that is what fitting is for.
        for hit in decoded:
            fatal = [p for p in hit.problems if p.fatal and "isbot" not in p.source]
            assert fatal == []
