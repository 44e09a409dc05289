"""Plausible: one event for each call, the visitor in its headers."""

import json
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from server_tracking.calls import Verdict
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
from server_tracking.inspector.protocols.plausible import PROTOCOL
from server_tracking.systems import system_from_url
from server_tracking.systems.plausible import Plausible
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_790_000_100.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = "https://example.com/plants/fern?utm_source=newsletter"
CONTEXT = Context(
    visitor=Visitor("7.1780000000", user_id="u-1"),
    session=Session(id=1_790_000_000),
    page=Page(
        url=PAGE,
        host="example.com",
        path="/plants/fern",
        title="Boston fern",
        referrer="https://www.example.org/links",
    ),
    device=Device(user_agent=AGENT, language="en-GB"),
    address="203.0.113.0",
    consent=Consent(analytics=True),
)
FERN = Item(id="F1", name="Boston fern", price=Decimal("19.50"), quantity=2)
SITE = Plausible("example.com")


def made(kind, context=CONTEXT, **fields):
    return kind(context=context, id=UUID(int=1), time=NOW - 5, **fields)


def changed(**parts):
    return msgspec.structs.replace(CONTEXT, **parts)


def said(hit, system=SITE):
    """The body that tells *hit*, None if nothing does."""
    calls = list(system.encode([hit], NOW))
    return json.loads(calls[0].body) if calls else None


COMMON = {
    "domain": "example.com",
    "url": PAGE,
    "referrer": "https://www.example.org/links",
}
# Events API reference, request body parameters.
GOLDEN = [
    (made(PageView), {"name": "pageview", **COMMON}),
    (
        made(ScreenView, name="My basket"),
        {"name": "pageview", **COMMON, "url": "app://example.com/My%20basket"},
    ),
    (
        made(
            Event,
            category="Basket",
            action="Add",
            label="Fern",
            value=19.5,
            params={"gift": True},
        ),
        {
            "name": "Basket: Add",
            **COMMON,
            "props": {
                "category": "Basket",
                "action": "Add",
                "label": "Fern",
                "value": "19.5",
                "gift": "true",
            },
        },
    ),
    (
        made(Event, category="Banner", non_interaction=True),
        {
            "name": "Banner",
            **COMMON,
            "interactive": False,
            "props": {"category": "Banner"},
        },
    ),
    (
        made(ExceptionHit, description="LookupError", fatal=False),
        {
            "name": "Exception",
            **COMMON,
            "interactive": False,
            "props": {"description": "LookupError", "fatal": "false"},
        },
    ),
    (
        made(Timing, category="Search", variable="catalogue", value=81.0),
        {
            "name": "Search: catalogue",
            **COMMON,
            "interactive": False,
            "props": {"category": "Search", "variable": "catalogue", "value": "81"},
        },
    ),
    (
        made(Social, network="mastodon", action="share", target="/plants/fern"),
        {
            "name": "mastodon: share",
            **COMMON,
            "props": {
                "network": "mastodon",
                "action": "share",
                "target": "/plants/fern",
            },
        },
    ),
    (
        made(
            Purchase,
            transaction_id="T-1",
            items=(FERN,),
            revenue=Decimal("47.90"),
            currency="eur",
        ),
        {
            "name": "Purchase",
            **COMMON,
            "revenue": {"currency": "EUR", "amount": "47.9"},
            "props": {
                "transaction_id": "T-1",
                "revenue": "47.9",
                "currency": "eur",
                "items": "Boston fern",
                "quantity": "2",
            },
        },
    ),
    (
        made(Refund, transaction_id="T-1", revenue=Decimal(5), currency="EUR"),
        {
            "name": "Refund",
            **COMMON,
            "props": {"transaction_id": "T-1", "revenue": "5", "currency": "EUR"},
        },
    ),
    (
        made(ProductAction, action="impression", items=(FERN,), list_name="Home"),
        {
            "name": "Product: Impression",
            **COMMON,
            "interactive": False,
            "props": {"list": "Home", "items": "Boston fern", "quantity": "2"},
        },
    ),
    (
        made(ProductAction, action="add", items=(FERN,)),
        {
            "name": "Product: Add to basket",
            **COMMON,
            "props": {"items": "Boston fern", "quantity": "2"},
        },
    ),
]


@pytest.mark.parametrize(("hit", "body"), GOLDEN)
def test_a_hit_is_told_as_the_reference_says(hit, body):
    assert said(hit) == body


@pytest.mark.parametrize("hit", [hit for hit, _ in GOLDEN])
def test_what_is_sent_has_no_problem_at_the_other_end(hit):
    [call] = SITE.encode([hit], NOW)
    parts = urlsplit(call.url)

    [decoded] = PROTOCOL.decode(
        Received("POST", parts.path, parts.query, call.headers, call.body)
    )

    assert decoded.problems == []
    assert (decoded.user_agent, decoded.address) == (AGENT, "203.0.113.0")


def test_the_visitor_is_in_the_headers():
    [call] = SITE.encode([made(PageView)], NOW)

    assert (call.method, call.url) == ("POST", "https://plausible.io/api/event")
    assert call.headers == {
        "content-type": "application/json",
        "user-agent": AGENT,
        "x-forwarded-for": "203.0.113.0",
    }
    assert call.hits == (UUID(int=1),)


def test_each_hit_has_a_call_of_its_own():
    hits = [made(PageView), made(PageView), made(Refund, transaction_id="T")]

    assert len(list(SITE.encode(hits, NOW))) == 3


AGENTS = [
    (None, ""),
    ("", ""),
    ("Fox\r\nX-Evil: 1\x00", "FoxX-Evil: 1"),
    ("Fox\x7f/1", "Fox/1"),
    ("Føx", "Føx"),  # Latin-1, as headers are read
    ("Fox 日本", "Fox ??"),
    ("x" * 9000, "x" * 512),
]


@pytest.mark.parametrize(("agent", "header"), AGENTS)
def test_a_user_agent_is_made_fit_for_a_header(agent, header):
    [call] = SITE.encode([made(PageView, changed(device=Device(agent)))], NOW)

    assert call.headers["user-agent"] == header


@pytest.mark.parametrize("address", [None, "", "1.2.3.4, 5.6.7.8", "a\r\nb"])
def test_a_hit_without_one_address_is_not_sent(address):
    hit = made(PageView, changed(address=address))

    assert said(hit) is None
    assert [p.field for p in SITE.problems(hit) if p.fatal] == ["X-Forwarded-For"]


def test_a_server_of_your_own_may_hear_of_hits_without_an_address():
    own = Plausible("example.com", url="https://own.example", needs_address=False)
    hit = made(PageView, changed(address=None))

    [call] = own.encode([hit], NOW)

    assert "x-forwarded-for" not in call.headers
    assert [p for p in own.problems(hit) if p.fatal] == []


def test_a_visitor_who_refused_is_not_told():
    hit = made(PageView, changed(consent=Consent(analytics=False)))

    assert said(hit) is None


UNTELLABLE = [
    made(PageView, changed(page=Page())),
    made(PageView, changed(page=Page(url="data:text/html,x"))),
    made(Event, category=""),
    made(Event, category=" \x00\n"),
]


@pytest.mark.parametrize("hit", UNTELLABLE)
def test_what_cannot_be_told_truly_is_not_told(hit):
    assert said(hit) is None
    assert any(problem.fatal for problem in SITE.problems(hit))


@pytest.mark.parametrize(
    ("domain", "page", "url"),
    [
        ("example.com", Page(), "app://example.com/"),
        ("example.com/blog,all.example", Page(), "app://example.com/"),
        ("example.com", Page(host="shop.example.com"), "app://shop.example.com/"),
    ],
)
def test_an_event_without_a_page_gets_an_address_on_the_sites_own_host(
    domain, page, url
):
    event = said(made(Event, changed(page=page), category="Cron"), Plausible(domain))

    assert event["url"] == url


@pytest.mark.parametrize("name", ["pageview", "engagement"])
def test_no_event_passes_for_one_of_plausibles_own(name):
    assert said(made(Event, category=name))["name"] == f"Event: {name}"


@pytest.mark.parametrize("currency", [None, "", "€", "EURO", "e1r"])
def test_revenue_needs_a_currency(currency):
    hit = made(Purchase, transaction_id="T", revenue=Decimal(5), currency=currency)

    assert "revenue" not in said(hit)


def test_revenue_is_the_sum_of_the_items_if_nothing_else_is_said():
    hit = made(Purchase, transaction_id="T", items=(FERN, FERN), currency="EUR")

    assert said(hit)["revenue"] == {"currency": "EUR", "amount": "78"}


# Limits of the collector's source: 120 characters, 2000 bytes, 30 properties with
# names of 300 and values of 2000 bytes.


def test_a_name_is_cut_at_120_characters():
    assert said(made(Event, category="ü" * 130))["name"] == "ü" * 120


def test_a_property_is_cut_between_characters():
    props = said(made(PageView, params={"é" * 200: "é" * 1500}))["props"]

    assert props == {"é" * 150: "é" * 1000}


def test_thirty_properties_are_told():
    params = {f"p{n}": n for n in range(40)}

    props = said(made(PageView, params=params))["props"]

    assert props == {f"p{n}": str(n) for n in range(30)}


def test_what_plausible_leaves_out_takes_no_room():
    params = {"": 1, "none": None, "blank": " ", "nan": float("nan"), "yes": 1}

    assert said(made(PageView, params=params))["props"] == {"yes": "1"}


LONG_URLS = [
    ("https://e.example/" + "a" * 3000, "https://e.example/" + "a" * 1982),
    # Each é takes six bytes as an escape: it goes whole.
    ("https://e.example/" + "%C3%A9" * 400, "https://e.example/" + "%C3%A9" * 330),
    (
        "https://e.example/a?x=" + "y" * 3000 + "&utm_source=mail#end",
        "https://e.example/a?utm_source=mail",
    ),
    ("https://e.example/a b\n", "https://e.example/a%20b%0A"),
]


@pytest.mark.parametrize(("url", "short"), LONG_URLS)
def test_a_long_url_loses_its_campaign_last(url, short):
    assert said(made(PageView, changed(page=Page(url=url))))["url"] == short


def test_a_referrer_is_cut_at_2000_characters():
    page = Page(url=PAGE, referrer="https://example.org/" + "a" * 3000)

    assert len(said(made(PageView, changed(page=page)))["referrer"]) == 2000


def test_raw_parameters_win():
    extra = {"plausible": {"name": "raw", "hashMode": 1}, "umami": {"name": "no"}}

    event = said(made(PageView, extra=extra))

    assert (event["name"], event["hashMode"]) == ("raw", 1)


def test_raw_parameters_that_are_too_large_are_left_out():
    extra = {"plausible": {"props": {"a": "x" * 1_000_001}}}

    assert said(made(PageView, extra=extra)) == {"name": "pageview", **COMMON}


OUTCOMES = [
    # status, headers -> verdict, reason
    (202, {}, Verdict.DELIVERED, ""),
    (200, {}, Verdict.DELIVERED, ""),
    (202, {"x-plausible-dropped": "1"}, Verdict.DROPPED, "dropped"),
    (202, {"x-plausible-dropped": "2"}, Verdict.DROPPED, "dropped"),
    (202, {"x-plausible-dropped": "0"}, Verdict.DELIVERED, ""),
    (202, {"x-plausible-dropped": "9" * 5000}, Verdict.DROPPED, "dropped"),
    (202, {"x-plausible-dropped": "yes"}, Verdict.DROPPED, "dropped"),
    (400, {}, Verdict.REJECTED, "http_400"),
    (429, {}, Verdict.RETRY, "http_429"),
    (500, {}, Verdict.UNKNOWN, "http_500"),
    (502, {}, Verdict.UNKNOWN, "http_502"),
    (503, {}, Verdict.RETRY, "http_503"),
]


@pytest.mark.parametrize(("status", "headers", "verdict", "reason"), OUTCOMES)
def test_an_answer_is_understood(status, headers, verdict, reason):
    [call] = SITE.encode([made(PageView)], NOW)

    outcome = SITE.outcome(call, status, headers, b"ok")

    assert (outcome.verdict, outcome.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("count", "verdict"), [("1", Verdict.DELIVERED), ("2", Verdict.DROPPED)]
)
def test_of_two_domains_one_may_drop_the_hit(count, verdict):
    both = Plausible("example.com,all.example")
    [call] = both.encode([made(PageView)], NOW)

    answer = both.outcome(call, 202, {"x-plausible-dropped": count}, b"ok")

    assert answer.verdict is verdict


URLS = [
    (
        "plausible+https://plausible.io/?domain=example.com",
        Plausible("example.com"),
    ),
    (
        "plausible://stats.example?domain=a.example,b.example",
        Plausible("a.example,b.example", url="https://stats.example"),
    ),
    (
        "plausible+http://localhost:8000/x/event?domain=example.com&needs_address=0",
        Plausible("example.com", "http://localhost:8000/x/event", needs_address=False),
    ),
]


@pytest.mark.parametrize(("url", "system"), URLS)
def test_a_system_is_made_from_its_url(url, system):
    assert system_from_url(url) == system


@pytest.mark.parametrize(
    "url",
    [
        "plausible+https://plausible.io/",
        "plausible+https://plausible.io/?domain=",
        "plausible+https://plausible.io/?domain=a&domain=b",
        "plausible+https://plausible.io/?domain=a&token=b",
        "plausible+https://plausible.io/?domain=a&needs_address=no",
        "plausible+https://secret@plausible.io/?domain=a",
        "plausible+ftp://plausible.io/?domain=a",
        "plausible+https:///?domain=a",
        "plausible+https://a b/?domain=a",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError) as caught:
        system_from_url(url)

    assert "secret" not in str(caught.value)


ENDPOINTS = [
    ("https://plausible.io", "https://plausible.io/api/event"),
    ("https://plausible.io/", "https://plausible.io/api/event"),
    ("https://example.com/stats/event", "https://example.com/stats/event"),
    ("http://[::1]:8000", "http://[::1]:8000/api/event"),
]


@pytest.mark.parametrize(("url", "endpoint"), ENDPOINTS)
def test_a_url_without_a_path_gets_plausibles_own(url, endpoint):
    [call] = Plausible("example.com", url=url).encode([made(PageView)], NOW)

    assert call.url == endpoint


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"domain": ""}, "domain"),
        ({"domain": None}, "domain"),
        ({"domain": "https://example.com"}, "domain"),
        ({"domain": "two words"}, "domain"),
        ({"domain": "a.example", "url": "plausible.io"}, "url"),
        ({"domain": "a.example", "url": None}, "url"),
        ({"domain": "a.example", "url": "https://a.example/?x=1"}, "url"),
        ({"domain": "a.example", "url": "https://me:secret@a.example"}, "url"),
        ({"domain": "a.example", "needs_address": "no"}, "needs_address"),
    ],
)
def test_a_wrong_option_is_named(arguments, option):
    with pytest.raises(ConfigurationError, match=option) as caught:
        Plausible(**arguments)

    assert caught.value.option == option
    assert "secret" not in str(caught.value)


def test_what_would_be_refused_is_named_before_it_is_sent():
    hit = made(
        Event,
        category="n" * 121,
        params={"k" * 301: "v", "value": "v" * 2001, "none": None},
    )

    problems = {problem.field: problem.fatal for problem in SITE.problems(hit)}

    assert problems == {
        "name": True,
        "props." + "k" * 60: True,
        "props.value": True,
        "props.none": False,
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd_hits("plausible"))
def test_no_hit_is_too_odd(hit):
    list(SITE.problems(hit))
    for call in SITE.encode([hit], NOW):
        assert len(call.body) <= SITE.limits.bytes
        call.headers["user-agent"].encode("latin-1")
        event = json.loads(call.body)
        if hit.extra.get("plausible"):
            continue
        assert 1 <= len(event["name"]) <= 120
        assert len(event["url"].encode()) <= 2000
        assert len(event.get("referrer", "")) <= 2000
        props = event.get("props", {})
        assert len(props) <= 30
        assert all(len(key.encode()) <= 300 for key in props)
        assert all(len(value.encode()) <= 2000 for value in props.values())
