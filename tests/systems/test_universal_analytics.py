"""Universal Analytics: what it is told, and what its answers mean."""

import json
import math
import pickle
from decimal import Decimal
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_tracking.calls import Outcome, Verdict
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
from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.universal_analytics import PROTOCOL
from server_tracking.systems import system_from_url
from server_tracking.systems.universal_analytics import UniversalAnalytics
from server_tracking.systems.universal_analytics.parameters import (
    EComItem,
    EComItemParameters,
    EComTransactionParameters,
)
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_790_000_000.0
GOOGLE = UniversalAnalytics("UA-1-1")
SNOWPLOW = "https://collector.example/com.google.analytics/v1"
VISITOR = Visitor("1234567890.1780000000")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BARE = Context(visitor=VISITOR, session=Session(1_789_999_000))
PAGE = Page(
    url="https://shop.example/fern?utm_source=news",
    host="shop.example",
    path="/fern",
    title="Fern",
    referrer="https://www.example.org/links?q=1",
    encoding="utf-8",
)
FULL = Context(
    visitor=Visitor(VISITOR.client_id, user_id="user-48213"),
    session=Session(1_789_999_000, is_new=True),
    page=PAGE,
    campaign=Campaign(
        source="news",
        medium="email",
        name="spring",
        term="running shoes",
        content="top banner",
        id="c-901",
        click_ids={"gclid": "TeSter-abc123", "dclid": "disp-77a1", "fbclid": "no"},
    ),
    device=Device(AGENT, "de-AT", "1920x1080", "1200x800", "24-bit"),
    address="203.0.113.0",
    consent=Consent(analytics=True, ad_personalization=True),
)
ALWAYS = {
    "v": "1",
    "tid": "UA-1-1",
    "aip": "1",
    "npa": "1",
    "cid": "1234567890.1780000000",
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
POT = Item(name="Clay pot", price=Decimal(4))


def hit(kind, number=7, context=BARE, **fields):
    return kind(**{"context": context, "id": UUID(int=number), "time": NOW, **fields})


def event(**fields):
    return hit(Event, **{"category": "Video", "action": "Play", **fields})


def told(call):
    """Read what a single call says, in order."""
    query = call.body.decode() or urlsplit(call.url).query
    return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


def one(hit, system=GOOGLE, now=NOW):
    [call] = system.encode([hit], now)
    return told(call)


def with_page(**page):
    return Context(visitor=VISITOR, session=BARE.session, page=Page(**page))


# Golden examples


def test_a_page_view_is_one_post_of_percent_encoded_pairs():
    context = with_page(url="https://shop.example/a b?ü=1", title="Fern & Pot")

    [call] = GOOGLE.encode([hit(PageView, context=context, time=NOW - 1.5)], NOW)

    assert call.method == "POST"
    assert call.url == "https://www.google-analytics.com/collect"
    assert call.headers == {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8"
    }
    assert call.hits == (UUID(int=7),)
    assert call.body == (
        b"v=1&tid=UA-1-1&t=pageview&aip=1&npa=1&cid=1234567890.1780000000"
        b"&dl=https%3A%2F%2Fshop.example%2Fa%20b%3F%C3%BC%3D1&dt=Fern%20%26%20Pot"
        b"&qt=1500"
    )


def test_a_page_view_says_all_that_is_known_of_visitor_page_and_device():
    assert one(hit(PageView, context=FULL)) == {
        "v": "1",
        "tid": "UA-1-1",
        "t": "pageview",
        "aip": "1",  # no npa: this visitor allows personalised ads
        "cid": "1234567890.1780000000",
        "uid": "user-48213",
        "uip": "203.0.113.0",
        "ua": AGENT,
        "ul": "de-at",
        "dl": "https://shop.example/fern?utm_source=news",
        "dt": "Fern",
        "dr": "https://www.example.org/links?q=1",
        "cn": "spring",
        "cs": "news",
        "cm": "email",
        "ck": "running shoes",
        "cc": "top banner",
        "ci": "c-901",
        "gclid": "TeSter-abc123",
        "dclid": "disp-77a1",
        "sr": "1920x1080",
        "vp": "1200x800",
        "sd": "24-bit",
        "de": "utf-8",
    }


KINDS = [
    (hit(ScreenView, name="Basket"), {"t": "screenview", "cd": "Basket"}),
    (
        event(label="Intro", value=42, non_interaction=True),
        {
            "t": "event",
            "ec": "Video",
            "ea": "Play",
            "el": "Intro",
            "ev": "42",
            "ni": "1",
        },
    ),
    # The protocol wants an action; the category is all that is known.
    (hit(Event, category="Signup"), {"t": "event", "ec": "Signup", "ea": "Signup"}),
    (
        hit(ExceptionHit, description="LookupError"),
        {"t": "exception", "exd": "LookupError", "exf": "1"},
    ),
    # Fatal is the default on the wire, so a handled error has to be said.
    (hit(ExceptionHit, fatal=False), {"t": "exception", "exf": "0"}),
    (
        hit(Timing, category="api", variable="login", value=183.0, label="eu"),
        {"t": "timing", "utc": "api", "utv": "login", "utt": "183", "utl": "eu"},
    ),
    (
        hit(Social, network="mastodon", action="share", target="/fern"),
        {"t": "social", "sn": "mastodon", "sa": "share", "st": "/fern"},
    ),
    (
        hit(
            Purchase,
            transaction_id="T-1001",
            items=(FERN, POT),
            revenue=Decimal("48.90"),
            tax=Decimal("7.81"),
            shipping=Decimal("4.90"),
            currency="EUR",
            coupon="SPRING",
            affiliation="Web shop",
        ),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Purchase",
            "pa": "purchase",
            "ti": "T-1001",
            "ta": "Web shop",
            "tr": "48.9",
            "tt": "7.81",
            "ts": "4.9",
            "tcc": "SPRING",
            "cu": "EUR",
            "pr1id": "FERN-1",
            "pr1nm": "Boston fern",
            "pr1br": "Greenery",
            "pr1ca": "Plants/Indoor",
            "pr1va": "12 cm",
            "pr1pr": "19.5",
            "pr1qt": "2",
            "pr1cc": "TWO",
            "pr1ps": "1",
            "pr2nm": "Clay pot",
            "pr2pr": "4",
            "pr2qt": "1",
        },
    ),
    # Without a revenue, the sum of the items.
    (
        hit(Purchase, transaction_id="T-2", items=(POT,)),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Purchase",
            "pa": "purchase",
            "ti": "T-2",
            "tr": "4",
            "pr1nm": "Clay pot",
            "pr1pr": "4",
            "pr1qt": "1",
        },
    ),
    # A full refund needs but the order; a refund is no doing of the visitor.
    (
        hit(Refund, transaction_id="T-1001"),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Refund",
            "ni": "1",
            "pa": "refund",
            "ti": "T-1001",
        },
    ),
    (
        hit(Refund, transaction_id="T-1", items=(Item(id="FERN-1", quantity=1),)),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Refund",
            "ni": "1",
            "pa": "refund",
            "ti": "T-1",
            "pr1id": "FERN-1",
            "pr1qt": "1",
        },
    ),
    (
        hit(ProductAction, action="add", items=(POT,), currency="EUR"),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Product: Add to basket",
            "pa": "add",
            "cu": "EUR",
            "pr1nm": "Clay pot",
            "pr1pr": "4",
            "pr1qt": "1",
        },
    ),
    (
        hit(ProductAction, action="remove", items=(Item(id="POT"),)),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Product: Remove from basket",
            "pa": "remove",
            "pr1id": "POT",
            "pr1qt": "1",
        },
    ),
    (
        hit(ProductAction, action="view", items=(Item(id="POT"),), list_name="Best"),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Product: View",
            "ni": "1",
            "pa": "detail",
            "pal": "Best",
            "pr1id": "POT",
            "pr1qt": "1",
        },
    ),
    (
        hit(ProductAction, action="click", items=(Item(id="POT"),), list_name="Best"),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Product: Click",
            "pa": "click",
            "pal": "Best",
            "pr1id": "POT",
            "pr1qt": "1",
        },
    ),
    (
        hit(
            ProductAction,
            action="checkout",
            items=(Item(id="POT"),),
            step=2,
            option="Invoice",
        ),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Checkout",
            "pa": "checkout",
            "cos": "2",
            "col": "Invoice",
            "pr1id": "POT",
            "pr1qt": "1",
        },
    ),
    (
        hit(ProductAction, action="impression", items=(FERN, POT), list_name="Best"),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Product: Impression",
            "ni": "1",
            "il1nm": "Best",
            "il1pi1id": "FERN-1",
            "il1pi1nm": "Boston fern",
            "il1pi1br": "Greenery",
            "il1pi1ca": "Plants/Indoor",
            "il1pi1va": "12 cm",
            "il1pi1ps": "1",
            "il1pi1pr": "19.5",
            "il1pi2nm": "Clay pot",
            "il1pi2pr": "4",
        },
    ),
    (
        hit(
            ProductAction,
            action="promotion_view",
            items=(Item(id="P-4", name="Sale", position=2), Item(id="P-5")),
        ),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Promotion: View",
            "ni": "1",
            "promoa": "view",
            "promo1id": "P-4",
            "promo1nm": "Sale",
            "promo1ps": "2",
            "promo2id": "P-5",
        },
    ),
    (
        hit(ProductAction, action="promotion_click", items=(Item(id="P-4"),)),
        {
            "t": "event",
            "ec": "Ecommerce",
            "ea": "Promotion: Click",
            "promoa": "click",
            "promo1id": "P-4",
        },
    ),
]


@pytest.mark.parametrize(("hit", "expected"), KINDS)
def test_each_kind_has_its_own_words(hit, expected):
    assert one(hit) == {**ALWAYS, **expected}


# Page and campaign


def test_without_a_url_host_and_path_stand_for_it():
    context = with_page(host="shop.example", path="/fern", title="Fern")

    assert one(hit(PageView, context=context)) == {
        **ALWAYS,
        "t": "pageview",
        "dh": "shop.example",
        "dp": "/fern",
        "dt": "Fern",
    }


def test_a_campaign_is_told_only_with_a_source():
    campaign = Campaign(medium="email", name="spring", click_ids={"gclid": "x"})
    context = Context(visitor=VISITOR, session=BARE.session, campaign=campaign)

    assert one(event(context=context)).keys() - ALWAYS.keys() == {
        *("t", "ec", "ea", "gclid")
    }


def test_a_session_is_started_only_when_told():
    assert "sc" not in one(event(context=FULL))
    assert one(event(extra={"ua": {"sc": "start"}}))["sc"] == "start"


# Dimensions and metrics


def test_params_become_the_dimensions_and_metrics_they_are_mapped_to():
    system = UniversalAnalytics(
        "UA-1-1", dimensions={"plan": 3, "member": 200}, metrics={"pages": 1}
    )
    params = {"plan": "gold", "member": True, "pages": 12.5, "other": "x"}

    said = one(event(params=params), system)

    assert {name: said[name] for name in said if name[:2] in ("cd", "cm")} == {
        "cd3": "gold",
        "cd200": "1",
        "cm1": "12.5",
    }
    problems = list(system.problems(event(params=params)))
    assert [(p.field, p.fatal) for p in problems] == [("other", False)]


def test_a_metric_that_is_no_number_is_left_out():
    system = UniversalAnalytics("UA-1-1", metrics={"pages": 1})

    assert "cm1" not in one(event(params={"pages": "many"}), system)


# Time


@pytest.mark.parametrize(
    ("age", "queue_time"),
    [
        (0, None),
        (-60, None),  # from the future: now
        (0.25, "250"),
        (3600, "3600000"),
        (4 * 3600, "14400000"),
        (5 * 3600, "14400000"),  # Google may drop what is older
    ],
)
def test_the_queue_time_is_the_age_when_the_call_is_made(age, queue_time):
    assert one(event(time=NOW - age)).get("qt") == queue_time


def test_each_hit_of_a_batch_has_an_age_of_its_own():
    system = UniversalAnalytics("UA-1-1", batch=True)

    [call] = system.encode([event(time=NOW - 2), event(time=NOW - 1)], NOW)

    assert [line.rpartition(b"&")[2] for line in call.body.split(b"\n")] == [
        *(b"qt=2000", b"qt=1000")
    ]


# GET and batches


def test_with_get_a_hit_is_a_url_with_a_cache_buster_last():
    system = UniversalAnalytics("UA-1-1", method="GET")

    [call] = system.encode([event(time=NOW - 1)], NOW)
    [again] = system.encode([event(time=NOW - 1)], NOW)
    [other] = system.encode([event(number=8, time=NOW - 1)], NOW)

    assert (call.method, call.body) == ("GET", b"")
    assert call.url.startswith(
        "https://www.google-analytics.com/collect?v=1&tid=UA-1-1"
    )
    assert list(told(call))[-1] == "z"
    assert call == again
    assert told(other)["z"] != told(call)["z"]
    assert len(call.url) <= 2000


def test_the_cache_buster_stays_last_after_raw_parameters():
    system = UniversalAnalytics("UA-1-1", method="GET")

    [call] = system.encode([event(extra={"ua": {"z": "7", "gtm": "x"}})], NOW)

    assert list(told(call).items())[-2:] == [("gtm", "x"), ("z", "7")]


def test_a_url_beyond_2000_bytes_becomes_a_post_without_a_cache_buster():
    system = UniversalAnalytics("UA-1-1", method="GET")
    context = with_page(url="https://shop.example/" + "x" * 1900)

    [call] = system.encode([hit(PageView, context=context)], NOW)

    assert call.method == "POST"
    assert call.url == "https://www.google-analytics.com/collect"
    assert "z" not in told(call)
    assert told(call)["dl"] == context.page.url


def test_post_needs_no_cache_buster():
    assert "z" not in one(event())


def test_a_batch_has_a_hit_on_each_line():
    system = UniversalAnalytics("UA-1-1", batch=True)
    hits = [event(number=n, label=f"line\n{n}") for n in range(1, 46)]

    calls = list(system.encode(hits, NOW))

    assert {call.url for call in calls} == {"https://www.google-analytics.com/batch"}
    assert {call.method for call in calls} == {"POST"}
    assert [len(call.hits) for call in calls] == [20, 20, 5]
    assert [key for call in calls for key in call.hits] == [h.id for h in hits]
    assert [call.body.count(b"\n") + 1 for call in calls] == [20, 20, 5]
    assert b"el=line%0A1" in calls[0].body


def test_a_batch_is_split_at_16_kib():
    system = UniversalAnalytics("UA-1-1", batch=True)
    url = "https://shop.example/" + "ü" * 600  # 3.6 kB on the wire
    hits = [hit(PageView, n, with_page(url=url)) for n in range(1, 10)]

    calls = list(system.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [4, 4, 1]
    assert all(len(call.body) <= 16 * 1024 for call in calls)


def test_limits_follow_the_way_of_sending():
    single, batch = GOOGLE.limits, UniversalAnalytics("UA-1-1", batch=True).limits

    assert (single.hits, single.bytes, single.max_age) == (1, 8192, 4 * 3600)
    assert (batch.hits, batch.bytes, batch.mixed_visitors) == (20, 16 * 1024, True)
    assert not single.idempotent


@pytest.mark.parametrize(
    ("endpoint", "reuses"),
    [
        (None, True),
        ("https://ssl.google-analytics.com/collect", True),
        ("https://mc.yandex.ru/collect", True),
        (SNOWPLOW, False),
        ("https://google-analytics.com.example/collect", False),
    ],
)
def test_only_some_operators_use_the_data_for_their_own_ends(endpoint, reuses):
    system = UniversalAnalytics("UA-1-1", endpoint=endpoint)

    assert system.limits.reuses_data is reuses


# Limits of fields


@pytest.mark.parametrize(
    ("field", "wire_name", "limit"),
    [("category", "ec", 150), ("action", "ea", 500), ("label", "el", 500)],
)
def test_texts_are_cut_at_their_bytes_between_characters(field, wire_name, limit):
    long = event(**{field: "€" * 1000})

    assert one(long)[wire_name] == "€" * (limit // 3)
    assert f"is longer than {limit} bytes" in {p.message for p in GOOGLE.problems(long)}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (0, "0"),
        (19.4, "19"),
        (19.5, "20"),
        (-1, None),
        (2**63, None),
        (math.nan, None),
        (math.inf, None),
        (1e300, None),
    ],
)
def test_a_value_is_a_whole_number_of_at_least_0(value, sent):
    assert one(event(value=value)).get("ev") == sent


@pytest.mark.parametrize(
    ("price", "sent"),
    [
        ("19.50", "19.5"),
        ("0.1234567", "0.123457"),
        ("1E+3", "1000"),
        ("-5", "-5"),
        ("NaN", None),
        ("sNaN", None),
        ("Infinity", None),
        ("1E+999999", None),
        ("9" * 50, None),
    ],
)
def test_money_is_written_in_plain_digits_with_six_decimals(price, sent):
    action = hit(
        ProductAction, action="add", items=(Item(id="A", price=Decimal(price)),)
    )

    assert one(action).get("pr1pr") == sent


def test_indexes_end_at_200():
    items = tuple(Item(id=f"{n}", quantity=1) for n in range(1, 203))

    said = one(hit(ProductAction, action="add", items=items))

    assert ("pr200id" in said, "pr201id" in said) == (True, False)


def test_what_does_not_fit_into_8192_bytes_is_left_out_products_as_a_whole():
    items = tuple(Item(id=f"SKU-{n}", name="ü" * 100) for n in range(1, 40))
    order = hit(
        Purchase, context=FULL, transaction_id="T", items=items, revenue=Decimal(9)
    )

    [call] = GOOGLE.encode([order], NOW)
    said = told(call)

    assert 7500 < len(call.body) <= 8192
    assert (said["ti"], said["tr"], said["ua"]) == ("T", "9", AGENT)
    ids = {name[:-2] for name in said if name.endswith("id") and name.startswith("pr")}
    names = {name[:-2] for name in said if name.endswith("nm")}
    assert ids == names
    assert len(ids) > 5
    assert "(all)" in {problem.field for problem in GOOGLE.problems(order)}


def test_a_long_referrer_gives_way_to_what_the_hit_needs():
    url = "https://shop.example/" + "ü" * 1000
    context = with_page(url=url, referrer="https://example.org/" + "ü" * 1000)

    said = one(hit(PageView, context=context))

    assert said["dl"] == url
    assert "dr" not in said


# Hits that are not sent


@pytest.mark.parametrize(
    ("lost", "field"),
    [
        (hit(PageView), "dl"),  # no page is known
        (hit(PageView, context=with_page(host="shop.example")), "dl"),
        (event(category="", action=""), "ec"),
        (hit(ScreenView, name=""), "cd"),
        (hit(Timing, category="a", variable="b", value=math.nan), None),
        (hit(Social, network="", action="share", target="x"), "sn"),
        (hit(Purchase, transaction_id=""), "ti"),
        (hit(Refund, transaction_id=""), "ti"),
    ],
)
def test_a_hit_that_lacks_what_its_type_needs_is_not_sent(lost, field):
    assert list(GOOGLE.encode([lost], NOW)) == []
    if field:
        assert field in {p.field for p in GOOGLE.problems(lost) if p.fatal}


def test_nothing_is_sent_of_a_visitor_who_refused():
    refused = Context(
        visitor=VISITOR, session=BARE.session, consent=Consent(analytics=False)
    )

    for system in (GOOGLE, UniversalAnalytics("UA-1-1", batch=True)):
        assert list(system.encode([event(context=refused)], NOW)) == []


def test_an_identity_that_fills_the_call_is_not_cut():
    context = Context(visitor=Visitor("x" * 9000), session=BARE.session)

    assert list(GOOGLE.encode([event(context=context)], NOW)) == []


# Raw parameters


def test_raw_parameters_are_merged_last_and_as_they_are():
    raw = {
        "ec": "x" * 200,
        "el": None,
        "cg1": "guides/setup",
        "list": ["a", Decimal(1)],
        "flag": True,
        "bytes": b"\xff",
    }

    said = one(event(label="gone", extra={"universal_analytics": raw}))

    assert said == {
        **ALWAYS,
        "t": "event",
        "ec": "x" * 200,
        "ea": "Play",
        "cg1": "guides/setup",
        "list": '["a","1"]',
        "flag": "1",
        "bytes": "\ufffd",
    }


def test_a_system_may_have_raw_parameters_of_its_own():
    system = UniversalAnalytics("UA-1-1", extra={"ds": "backend", "geoid": "DE"})

    said = one(event(extra={"ua": {"geoid": "AT"}}), system)

    assert (said["ds"], said["geoid"]) == ("backend", "AT")


def test_raw_parameters_that_do_not_fit_are_left_out():
    said = one(event(extra={"ua": {"big": "x" * 9000, "small": "y"}}))

    assert ("big" in said, said["small"]) == (False, "y")


def test_a_plain_order_is_told_with_the_parameter_classes():
    # None takes away what an event would say.
    no_event = {"ec": None, "ea": None}
    order = EComTransactionParameters(transaction_id="T", revenue=Decimal("48.90"))
    item = EComItemParameters.from_item(EComItem("Lamp", 22, 2), "T", "EUR")
    hits = [
        event(extra={"ua": {"t": "transaction", **no_event, **order.url()}}),
        event(extra={"ua": {"t": "item", **no_event, **item.url()}}),
    ]

    assert [told(call) for call in GOOGLE.encode(hits, NOW)] == [
        {**ALWAYS, "t": "transaction", "ti": "T", "tr": "48.9"},
        {**ALWAYS, "t": "item", "ti": "T", "cu": "EUR", "in": "Lamp", "ip": "22"}
        | {"iq": "2"},
    ]


# Other receivers


def test_snowplow_takes_a_hit_on_each_line_at_its_own_path():
    system = UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW, batch=True)

    [call] = system.encode([event(number=1), event(number=2)], NOW)

    assert (call.method, call.url) == ("POST", SNOWPLOW)
    assert call.body.count(b"\n") == 1


def test_snowplow_gets_the_same_fields_of_all_products():
    system = UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW)
    order = hit(
        Purchase,
        transaction_id="T",
        items=(Item(id="A", brand="Acme", position=1), Item(id="B", price=Decimal(1))),
    )

    said = one(order, system)

    assert {n: said[n] for n in said if n.startswith("pr")} == {
        "pr1id": "A",
        "pr1br": "Acme",
        "pr1qt": "1",
        "pr2id": "B",
        "pr2br": "",
        "pr2qt": "1",
    }
    assert "pr<n>ps" in {problem.field for problem in system.problems(order)}


def test_snowplow_reads_32_bits():
    system = UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW)

    assert one(event(value=2**31 - 1), system)["ev"] == "2147483647"
    assert "ev" not in one(event(value=2**31), system)
    assert one(event(value=2**31))["ev"] == "2147483648"


def test_what_is_made_to_fit_is_no_fatal_problem_and_raw_parameters_are():
    system = UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW)
    raw = {"ua": {"foo1": "x", "ni": "yes"}}

    def fatal(hit):
        return {problem.field for problem in system.problems(hit) if problem.fatal}

    assert fatal(event(value=19.5)) == set()
    assert fatal(event(value=19.5, extra=raw)) == {"foo1", "ni"}


def test_yandex_metrica_takes_a_counter_number_and_a_token():
    system = UniversalAnalytics(
        "12345678", endpoint="https://mc.yandex.ru/collect", extra={"ms": "made-up"}
    )

    [call] = system.encode([event()], NOW)

    assert call.url == "https://mc.yandex.ru/collect"
    assert (told(call)["tid"], told(call)["ms"]) == ("12345678", "made-up")
    assert "made-up" not in repr(system) + repr(call)
    assert not list(system.problems(event()))


# Answers


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (400, Verdict.REJECTED),
        (403, Verdict.RETRY),
        (429, Verdict.RETRY),
        (500, Verdict.UNKNOWN),
        (503, Verdict.RETRY),
    ],
)
def test_a_status_means_what_it_says(status, verdict):
    [call] = GOOGLE.encode([event()], NOW)

    assert GOOGLE.outcome(call, status, {}, b"GIF89a").verdict is verdict


DEBUG = UniversalAnalytics("UA-1-1", debug=True)
INVALID = {
    "hitParsingResult": [
        {
            "valid": False,
            "parserMessage": [
                {"messageType": "INFO", "description": "Read."},
                {
                    "messageType": "ERROR",
                    "description": "The value is not valid.",
                    "messageCode": "VALUE_INVALID",
                    "parameter": "tid",
                },
            ],
            "hit": "/debug/collect?tid=UA-1-1",
        }
    ],
    "parserMessage": [{"messageType": "INFO", "description": "Found 1 hit."}],
}


def test_the_debug_endpoint_tells_that_a_hit_is_valid():
    [call] = DEBUG.encode([event()], NOW)
    answer = {"hitParsingResult": [{"valid": True, "parserMessage": [], "hit": "/"}]}

    assert call.url == "https://www.google-analytics.com/debug/collect"
    assert DEBUG.outcome(call, 200, {}, json.dumps(answer).encode()) == Outcome(
        Verdict.DELIVERED, "validated"
    )


def test_the_debug_endpoint_tells_why_a_hit_is_not():
    [call] = DEBUG.encode([event()], NOW)

    assert DEBUG.outcome(call, 200, {}, json.dumps(INVALID).encode()) == Outcome(
        Verdict.REJECTED, "value_invalid tid"
    )


def test_of_several_hits_the_invalid_are_told_apart():
    first, second = UUID(int=1), UUID(int=2)
    [call] = DEBUG.encode([event()], NOW)
    call = type(call)(call.method, call.url, {}, call.body, (first, second))
    answer = {"hitParsingResult": [{"valid": True}, {"valid": False}]}

    outcome = DEBUG.outcome(call, 200, {}, json.dumps(answer).encode())

    assert outcome.verdict is Verdict.DELIVERED
    assert outcome.exceptions == {second: Outcome(Verdict.REJECTED, "invalid")}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"GIF89a",
        b"[]",
        b'{"hitParsingResult": []}',
        b'{"hitParsingResult": [{}]}',
        b"\xff",
        b"{" * 5000,
        b'{"hitParsingResult":' + b"[" * 5000,
    ],
)
def test_an_answer_that_cannot_be_read_is_not_taken_for_a_yes(body):
    [call] = DEBUG.encode([event()], NOW)

    assert DEBUG.outcome(call, 200, {}, body).verdict is Verdict.UNKNOWN


# Configuration


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://www.google-analytics.com/collect"),
        ("https://ga.example", "https://ga.example/collect"),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8001/collect"),
        ("https://ga.example/own?tid=UA-1-1", "https://ga.example/own?tid=UA-1-1"),
        (SNOWPLOW, SNOWPLOW),
    ],
)
def test_an_endpoint_without_a_path_gets_the_protocols(endpoint, url):
    system = UniversalAnalytics("UA-1-1", endpoint=endpoint)

    assert [call.url for call in system.encode([event()], NOW)] == [url]
    assert system == UniversalAnalytics("UA-1-1", endpoint=url)


def test_a_query_of_the_endpoint_is_kept_in_a_get():
    system = UniversalAnalytics(
        "UA-1-1", endpoint="https://ga.example/own?key=k", method="GET"
    )

    [call] = system.encode([event()], NOW)

    assert call.url.startswith("https://ga.example/own?key=k&v=1&")


WRONG = [
    ({"tracking_id": ""}, "tracking_id"),
    ({"tracking_id": None}, "tracking_id"),
    ({"tracking_id": "UA 1"}, "tracking_id"),
    ({"tracking_id": "G-ABCDEF"}, "GoogleAnalytics4"),
    ({"endpoint": "ga.example/collect"}, "endpoint"),
    ({"endpoint": "ftp://ga.example"}, "endpoint"),
    ({"endpoint": "https://"}, "endpoint"),
    ({"endpoint": "https://[::1"}, "endpoint"),
    ({"endpoint": "https://ga.example/ü"}, "endpoint"),
    ({"endpoint": "https://ga.example:x/"}, "endpoint"),
    ({"endpoint": 7}, "endpoint"),
    ({"dimensions": ["plan"]}, "dimensions"),
    ({"dimensions": {"plan": 0}}, "dimensions"),
    ({"dimensions": {"plan": 201}}, "dimensions"),
    ({"dimensions": {"plan": "1"}}, "dimensions"),
    ({"dimensions": {"plan": True}}, "dimensions"),
    ({"dimensions": {"plan": 1, "tier": 1}}, "dimensions"),
    ({"metrics": {1: 1}}, "metrics"),
    ({"method": "PUT"}, "method"),
    ({"method": "GET", "batch": True}, "batch"),
    ({"method": "GET", "endpoint": SNOWPLOW}, "Snowplow"),
    ({"batch": True, "endpoint": "https://mc.yandex.ru/collect"}, "batch"),
    ({"batch": True, "endpoint": "https://ga.example/own"}, "batch"),
    ({"batch": True, "debug": True}, "batch"),
    ({"debug": True, "endpoint": SNOWPLOW}, "debug"),
    ({"extra": "ms=1"}, "extra"),
]


@pytest.mark.parametrize(("options", "named"), WRONG)
def test_wrong_options_are_refused_by_name(options, named):
    with pytest.raises(ConfigurationError, match=named):
        UniversalAnalytics(**{"tracking_id": "UA-1-1", **options})


@pytest.mark.parametrize(
    ("url", "system"),
    [
        ("ua://UA-1-1", GOOGLE),
        ("ua://UA-1-1/", GOOGLE),
        (
            f"ua://UA-1-1?endpoint={quote(SNOWPLOW, safe='')}&batch=1",
            UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW, batch=True),
        ),
        (
            "ua+https://7@collector.example/com.google.analytics/v1",
            UniversalAnalytics("7", endpoint=SNOWPLOW),
        ),
        (
            "ua+http://UA-1-1@127.0.0.1:8001?debug=1",
            UniversalAnalytics("UA-1-1", endpoint="http://127.0.0.1:8001", debug=True),
        ),
        (
            "ua://UA-1-1?method=GET&dimension3=plan&metric1=pages%20read&batch=0",
            UniversalAnalytics(
                "UA-1-1",
                method="GET",
                dimensions={"plan": 3},
                metrics={"pages read": 1},
            ),
        ),
    ],
)
def test_a_url_makes_a_system(url, system):
    assert system_from_url(url) == system


@pytest.mark.parametrize(
    "url",
    [
        "ua://",
        "ua://G-ABCDEF",
        "ua://UA-1-1?endpont=x",
        "ua://UA-1-1?batch=maybe",
        "ua://UA-1-1?dimension0=plan",
        "ua+https://collector.example/x",
    ],
)
def test_a_wrong_url_is_refused(url):
    with pytest.raises(ConfigurationError):
        system_from_url(url)


def test_a_system_is_a_value():
    one = UniversalAnalytics("UA-1-1", dimensions={"plan": 3}, extra={"ds": "x"})
    other = UniversalAnalytics("UA-1-1", dimensions={"plan": 3}, extra={"ds": "x"})

    assert one == other
    assert hash(one) == hash(other)
    assert one != GOOGLE
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.tracking_id = "UA-2-1"


def test_a_representation_shows_where_but_no_secret():
    system = UniversalAnalytics(
        "UA-1-1", endpoint="https://me:pass@ga.example/own?key=s3", extra={"ms": "t0k"}
    )

    assert (
        repr(system)
        == "UniversalAnalytics('UA-1-1', endpoint='https://ga.example/own')"
    )


# Whatever a site says

MAPPED = {"dimensions": {"plan": 1}, "metrics": {"pages": 2}}
SYSTEMS = [
    UniversalAnalytics("UA-1-1", **MAPPED),
    UniversalAnalytics("UA-1-1", method="GET", **MAPPED),
    UniversalAnalytics("UA-1-1", batch=True, **MAPPED),
    UniversalAnalytics("UA-1-1", endpoint=SNOWPLOW, batch=True, **MAPPED),
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_hits("ua", params=["plan", "pages"]), min_size=1, max_size=3))
def test_whatever_a_hit_holds_no_call_raises_or_exceeds_a_limit(hits):
    for system in SYSTEMS:
        for call in system.encode(hits, NOW):
            assert call.url.isascii()
            assert len(call.url) <= 2000
            lines = call.body.split(b"\n")
            assert len(call.body) <= system.limits.bytes
            assert len(call.hits) <= system.limits.hits
            assert all(len(line) <= 8192 for line in lines)
            assert len(lines) == len(call.hits)
    for hit in hits:
        list(SYSTEMS[0].problems(hit))
        list(SYSTEMS[3].problems(hit))


def received(call, time):
    parts = urlsplit(call.url)
    headers = {name.lower(): value for name, value in call.headers.items()}
    return Received(call.method, parts.path, parts.query, headers, call.body, time=time)


WELL_BEHAVED = [hit(PageView, context=FULL), *(known for known, _ in KINDS)]
NEUTRAL = {
    PageView: "pageview",
    ScreenView: "screenview",
    Event: "event",
    ExceptionHit: "exception",
    Timing: "timing",
    Social: "social",
    Purchase: "purchase",
    Refund: "refund",
    ProductAction: "product_action",
}


@pytest.mark.parametrize("system", [GOOGLE, SYSTEMS[1], SYSTEMS[2], SYSTEMS[3]])
def test_the_inspector_finds_no_fault_with_what_we_send(system):
    for known in WELL_BEHAVED:
        [call] = system.encode([known], NOW + 3)
        [decoded] = PROTOCOL.decode(received(call, NOW + 3))

        assert decoded.problems == [], known
        assert decoded.kind == NEUTRAL[type(known)]
        assert decoded.time == NOW
        assert decoded.client_id == VISITOR.client_id
