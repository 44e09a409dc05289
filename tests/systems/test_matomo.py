"""Matomo: what it is told, and what its answers mean."""

import hashlib
import json
import math
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_tracking.calls import Verdict
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
from server_tracking.systems.matomo import Matomo
from server_tracking.systems.matomo.saying import visitor_id
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
URL = "https://matomo.example.org/"
TOKEN = "0123456789abcdef0123456789abcdef"
MATOMO = Matomo(URL, 3, token=TOKEN)
ALONE = Matomo(URL, 3)
VISITOR = Visitor("1234567890.1780000000")
VISITOR_ID = hashlib.sha256(b"1234567890.1780000000").hexdigest()[:16]
SESSION = Session(1_789_999_000)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CONTEXT = Context(
    visitor=Visitor(VISITOR.client_id, "u-1"),
    session=SESSION,
    page=Page(
        url="https://shop.example/fern?utm_source=news",
        host="shop.example",
        path="/fern",
        title="Büro & Fern",
        referrer="https://www.example.org/links",
    ),
    device=Device(AGENT, "de-AT", "1920x1080"),
    address="203.0.113.0",
)
BARE = Context(visitor=VISITOR, session=SESSION, device=Device(AGENT))
ALWAYS = {
    "idsite": "3",
    "rec": "1",
    "apiv": "1",
    "cid": VISITOR_ID,
    "ua": AGENT,
    "cdt": "2026-09-21 14:13:20",
}
FERN = Item(
    id="FERN-1",
    name="Boston fern",
    category="Plants/Indoor",
    price=Decimal("19.50"),
    quantity=2,
)
POT = Item(name="Clay pot", category="Pots", price=Decimal(4))


def hit(kind, number=0xABCDEF0123, context=BARE, **fields):
    number <<= 88
    return kind(**{"context": context, "id": UUID(int=number), "time": NOW, **fields})


def told(*hits, system=MATOMO, now=NOW):
    return [
        request
        for call in system.encode(hits, now)
        for request in json.loads(call.body)["requests"]
    ]


def form_of(call):
    parsed = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=True)
    return {name: value for name, [value] in parsed.items()}


PAGE = {
    "idsite": "3",
    "rec": "1",
    "apiv": "1",
    "url": "https://shop.example/fern?utm_source=news",
    "urlref": "https://www.example.org/links",
    "cid": VISITOR_ID,
    "uid": "u-1",
    "ua": AGENT,
    "lang": "de-AT",
    "res": "1920x1080",
    "cdt": "2026-09-21 14:13:20",
    "action_name": "Büro & Fern",
    "pv_id": "abcdef",
    "pf_srv": "43",
}


def test_hits_are_told_in_bulk_with_the_token_in_the_body():
    [call] = MATOMO.encode([hit(PageView, context=CONTEXT, server_ms=42.6)], NOW)

    assert (call.method, call.url) == ("POST", "https://matomo.example.org/matomo.php")
    assert call.headers == {"content-type": "application/json"}
    assert call.hits == (UUID(int=0xABCDEF0123 << 88),)
    assert json.loads(call.body) == {
        "requests": [{**PAGE, "cip": "203.0.113.0"}],
        "token_auth": TOKEN,
    }


def test_without_a_token_each_hit_is_told_alone_and_the_address_as_by_a_proxy():
    [call] = ALONE.encode([hit(PageView, context=CONTEXT, server_ms=42.6)], NOW)

    assert (call.method, call.url) == ("POST", "https://matomo.example.org/matomo.php")
    assert call.headers == {
        "content-type": "application/x-www-form-urlencoded",
        "x-forwarded-for": "203.0.113.0",
    }
    assert form_of(call) == {**PAGE, "send_image": "0"}
    assert not ALONE.limits.mixed_visitors


def test_a_token_may_be_used_for_hits_told_alone():
    [call] = Matomo(URL, 3, token=TOKEN, bulk=False).encode(
        [hit(PageView, context=CONTEXT)], NOW
    )

    form = form_of(call)
    assert (form["token_auth"], form["cip"]) == (TOKEN, "203.0.113.0")
    assert "x-forwarded-for" not in call.headers


def test_bulk_without_a_token_tells_no_address():
    system = Matomo(URL, 3, bulk=True)

    [call] = system.encode([hit(PageView, context=CONTEXT)], NOW)

    body = json.loads(call.body)
    assert "token_auth" not in body
    assert "cip" not in body["requests"][0]
    assert "x-forwarded-for" not in call.headers
    assert system.limits.mixed_visitors


EVENT = {**ALWAYS, "ca": "1"}
KINDS = [
    (hit(PageView), {**ALWAYS, "pv_id": "abcdef"}),
    (hit(ScreenView, name="Basket"), {**ALWAYS, "action_name": "Basket"}),
    (
        hit(Event, category="Basket", action="Add", label="Fern", value=19.5),
        {**EVENT, "e_c": "Basket", "e_a": "Add", "e_n": "Fern", "e_v": "19.5"},
    ),
    (
        hit(Event, category="Signup", value=0),
        {**EVENT, "e_c": "Signup", "e_a": "(not set)", "e_v": "0"},
    ),
    (
        hit(ExceptionHit, description="LookupError"),
        {**EVENT, "e_c": "Exception", "e_a": "LookupError", "e_n": "fatal"},
    ),
    (
        hit(ExceptionHit, fatal=False),
        {**EVENT, "e_c": "Exception", "e_a": "(not set)", "e_n": "not fatal"},
    ),
    (
        hit(Timing, category="Search", variable="catalogue", value=81.25, label="q"),
        {**EVENT, "e_c": "Search", "e_a": "catalogue", "e_n": "q", "e_v": "81.25"},
    ),
    (
        hit(Social, network="mastodon", action="share", target="/fern"),
        {**EVENT, "e_c": "mastodon", "e_a": "share", "e_n": "/fern"},
    ),
    (
        hit(
            Purchase,
            transaction_id="T-1",
            items=(FERN, POT, Item(quantity=3)),
            revenue=Decimal("47.90"),
            tax=Decimal("7.65"),
            shipping=Decimal("4.90"),
        ),
        {
            **ALWAYS,
            "idgoal": "0",
            "ec_id": "T-1",
            "revenue": "47.9",
            "ec_items": '[["FERN-1","Boston fern",["Plants","Indoor"],19.5,2],'
            '["Clay pot","Clay pot","Pots",4.0,1]]',
            "ec_tx": "7.65",
            "ec_sh": "4.9",
        },
    ),
    (
        hit(
            Purchase,
            transaction_id="T-2",
            items=(FERN, POT),
            context=msgspec.structs.replace(
                BARE, campaign=Campaign(name="spring", term="ferns")
            ),
        ),
        {
            **ALWAYS,
            "idgoal": "0",
            "ec_id": "T-2",
            "revenue": "43",
            "ec_items": '[["FERN-1","Boston fern",["Plants","Indoor"],19.5,2],'
            '["Clay pot","Clay pot","Pots",4.0,1]]',
            "ec_st": "43",
            "_rcn": "spring",
            "_rck": "ferns",
        },
    ),
    (
        # Without an id Matomo would take it for a cart.
        hit(Purchase, transaction_id=" ", revenue=Decimal(5), currency="EUR"),
        {**EVENT, "e_c": "Purchase", "e_a": "(not set)", "e_n": "5 EUR"},
    ),
    (
        hit(Refund, transaction_id="T-1", revenue=Decimal("47.90")),
        {**EVENT, "e_c": "Refund", "e_a": "T-1", "e_n": "47.9"},
    ),
    (
        hit(Refund, transaction_id="T-1"),
        {**EVENT, "e_c": "Refund", "e_a": "T-1"},
    ),
    (
        hit(ProductAction, action="view", items=(FERN,)),
        {
            **EVENT,
            "e_c": "Product",
            "e_a": "View",
            "e_n": "Boston fern",
            "_pks": "FERN-1",
            "_pkn": "Boston fern",
            "_pkc": '["Plants","Indoor"]',
            "_pkp": "19.5",
        },
    ),
    (
        hit(ProductAction, action="add", items=(FERN, POT)),
        {
            **EVENT,
            "e_c": "Product",
            "e_a": "Add to basket",
            "e_n": "Boston fern, Clay pot",
        },
    ),
    (
        hit(ProductAction, action="checkout", step=2),
        {**EVENT, "e_c": "Checkout", "e_a": "2"},
    ),
    (
        hit(ProductAction, action="promotion_view", items=(Item(id="SPRING"),)),
        {**EVENT, "e_c": "Promotion", "e_a": "View", "e_n": "SPRING"},
    ),
]


@pytest.mark.parametrize(("one", "request_"), KINDS, ids=range(len(KINDS)))
def test_each_kind_has_its_parameters(one, request_):
    assert told(one) == [request_]
    assert list(MATOMO.problems(one)) == []


def test_an_order_in_another_currency_is_not_added_up_with_the_others():
    system = Matomo(URL, 3, token=TOKEN, currency="EUR")
    dollars = hit(Purchase, transaction_id="1", revenue=Decimal(5), currency="usd")
    euros = hit(Purchase, transaction_id="2", revenue=Decimal(5), currency="eur")

    first, second = told(dollars, euros, system=system)

    assert (first["e_c"], first["e_a"], first["e_n"]) == ("Purchase", "1", "5 usd")
    assert (second["ec_id"], second["revenue"]) == ("2", "5")
    assert "idgoal" not in first


def test_a_search_is_told_instead_of_the_page_that_shows_it():
    params = {"search": "fern", "search_category": "plants", "search_count": 0}

    [request] = told(hit(PageView, params=params, server_ms=5))

    assert request == {
        **ALWAYS,
        "search": "fern",
        "search_cat": "plants",
        "search_count": "0",
    }


def test_parameters_of_the_site_become_custom_dimensions():
    system = Matomo(URL, 3, token=TOKEN, dimensions={"plan": 2, "beta": 14, "none": 3})

    [request] = told(
        hit(PageView, params={"plan": "", "beta": True, "other": "x"}), system=system
    )

    assert request["dimension2"] == ""  # which clears it
    assert request["dimension14"] == "1"
    assert "dimension3" not in request
    assert "x" not in request.values()


def test_ai_assistants_are_recorded_if_asked_for():
    system = Matomo(URL, 3, token=TOKEN, bots="record")

    page, event = told(
        hit(PageView, params={"http_status": 304}),
        hit(Event, category="Signup"),
        system=system,
    )

    assert page["recMode"] == "2"
    assert page["http_status"] == "304"
    assert page["source"] == "server-tracking"
    assert "recMode" not in event


def test_errors_go_to_crash_analytics_if_there_is_one():
    system = Matomo(URL, 3, token=TOKEN, crashes=True)

    assert told(hit(ExceptionHit, description="LookupError"), system=system) == [
        {**ALWAYS, "cra": "LookupError", "ca": "1"}
    ]


def test_raw_parameters_are_told_last_and_as_they_are():
    extra = {
        "matomo": {
            "rand": 7,
            "cvar": {"1": ["a", "b"]},
            "ua": None,
            "pf_net": "x",
            "action_name": "ä" * 600,
        }
    }

    [request] = told(hit(PageView, extra=extra))

    assert request["rand"] == "7"
    assert json.loads(request["cvar"]) == {"1": ["a", "b"]}
    assert "ua" not in request
    assert request["pf_net"] == "x"
    assert request["action_name"] == "ä" * 600


@pytest.mark.parametrize(
    ("client_id", "expected"),
    [
        ("0123456789ABCDEF", "0123456789abcdef"),  # that of Matomo's own cookie
        ("1.2", hashlib.sha256(b"1.2").hexdigest()[:16]),
        ("", None),
    ],
)
def test_a_client_id_becomes_one_of_matomos(client_id, expected):
    assert visitor_id(client_id) == expected


TIMES = [
    (NOW - 3600.25, "2026-09-21 13:13:19"),
    (NOW + 3600, "2026-09-21 14:13:20"),  # the future is now
    (math.nan, "2026-09-21 14:13:20"),
    (NOW - 30 * 86400, "2026-08-22 14:13:20"),
]


@pytest.mark.parametrize(("time", "written"), TIMES)
def test_a_hit_keeps_its_time(time, written):
    [request] = told(hit(PageView, time=time))

    assert request["cdt"] == written


AGES = [
    (MATOMO, NOW - 19 * 365 * 86400, True),
    (MATOMO, NOW - 21 * 365 * 86400, False),  # Matomo would take it for today
    (MATOMO, -math.inf, False),
    (ALONE, NOW - 86_000, True),
    (ALONE, NOW - 87_000, False),  # a day ago: refused without a token
]


@pytest.mark.parametrize(("system", "time", "is_told"), AGES)
def test_what_matomo_would_count_wrongly_is_not_told(system, time, is_told):
    assert bool(list(system.encode([hit(PageView, time=time)], NOW))) is is_told


REFUSED = [
    hit(Event, category=" "),  # no event, and no page view either
    hit(PageView, extra={"matomo": {"cid": "7"}}),
    hit(PageView, extra={"matomo": {"pf_srv": -1}}),
    hit(PageView, extra={"matomo": {"idsite": "x"}}),
    hit(PageView, extra={"matomo": {"rec": 0}}),
    hit(PageView, extra={"matomo": {"cip": "somewhere"}}),
]


@pytest.mark.parametrize("bad", REFUSED)
def test_what_matomo_would_refuse_is_not_told(bad):
    [call] = MATOMO.encode([hit(PageView, 1), bad, hit(PageView, 2)], NOW)

    assert call.hits == (UUID(int=1 << 88), UUID(int=2 << 88))
    assert any(problem.fatal for problem in MATOMO.problems(bad))


def test_what_needs_a_token_is_not_told_without():
    extra = {"matomo": {"country": "at"}}

    assert told(hit(PageView, extra=extra))[0]["country"] == "at"
    assert list(ALONE.encode([hit(PageView, extra=extra)], NOW)) == []


def test_who_refused_is_not_told():
    refused = msgspec.structs.replace(BARE, consent=Consent(analytics=False))

    assert told(hit(PageView, context=refused)) == []


def test_a_bulk_call_holds_fifty_hits():
    hits = [hit(PageView, n) for n in range(1, 121)]

    calls = list(MATOMO.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [50, 50, 20]
    assert [key for call in calls for key in call.hits] == [one.id for one in hits]


CUTS = [
    # characters that are kept, or bytes
    (
        {"url": "https://x.example/" + "ä" * 600},
        "url",
        "https://x.example/" + "ä" * 503,
    ),
    (
        {"url": "https://x.example/" + "%C3%A4" * 200},
        "url",
        "https://x.example/" + "%C3%A4" * 167 + "%C3",
    ),
    ({"title": "ä" * 513}, "action_name", "ä" * 512),
    ({"referrer": "ä" * 1501}, "urlref", "ä" * 1500),
    ({"language": "l" * 21}, "lang", "l" * 20),
    ({"resolution": "10000x10000"}, "res", "10000x100"),
    ({"user_id": "ü" * 201}, "uid", "ü" * 200),
]


def page_with(url=None, title=None, referrer=None, user_id=None, **device):
    return Context(
        visitor=Visitor("1.2", user_id),
        session=SESSION,
        page=Page(url=url, title=title, referrer=referrer),
        device=Device(
            AGENT, device.get("language"), screen_resolution=device.get("resolution")
        ),
    )


@pytest.mark.parametrize(("fields", "name", "kept"), CUTS, ids=range(len(CUTS)))
def test_what_is_too_long_is_cut(fields, name, kept):
    one = hit(PageView, context=page_with(**fields))

    assert told(one)[0][name] == kept
    assert [p.field for p in MATOMO.problems(one)] == [name]


def test_dimensions_and_names_are_cut_to_what_the_tables_hold():
    system = Matomo(URL, 3, token=TOKEN, dimensions={"plan": 1})
    one = hit(Event, category="ä" * 5000, action="x", params={"plan": "😀" * 251})

    [request] = told(one, system=system)

    assert request["e_c"] == "ä" * 4096
    assert request["dimension1"] == "😀" * 250


USELESS = [
    (hit(PageView, server_ms=16_777_216), "pf_srv"),
    (hit(PageView, server_ms=-5), "pf_srv"),
    (hit(Event, category="a", action="b", value=math.nan), "e_v"),
    (hit(PageView, params={"search": "a", "search_count": "many"}), "search_count"),
    (hit(PageView, context=msgspec.structs.replace(BARE, address="here")), "cip"),
]


@pytest.mark.parametrize(("one", "name"), USELESS)
def test_what_matomo_would_not_read_is_left_out(one, name):
    [request] = told(one)

    assert name not in request
    assert name in {problem.field for problem in MATOMO.problems(one)}


def test_a_hit_without_a_user_agent_is_warned_of():
    one = hit(PageView, context=Context(visitor=VISITOR, session=SESSION))

    assert [p.field for p in MATOMO.problems(one)] == ["ua"]


def test_a_huge_hit_loses_what_is_longest():
    extra = {"matomo": {"data": ["x" * 100_000], "cvar": {"1": ["a", "y" * 90_000]}}}

    [request] = told(hit(Event, category="a", action="b", extra=extra))

    assert "data" not in request
    assert "cvar" in request
    assert (request["e_c"], request["e_a"]) == ("a", "b")


def bulk_answer(tracked, invalid, hits=4, system=MATOMO, **more):
    [call] = system.encode([hit(PageView, n) for n in range(1, hits + 1)], NOW)
    body = {"status": "success", "tracked": tracked, "invalid": invalid, **more}
    return call, system.outcome(call, 200, {}, json.dumps(body).encode())


def verdicts(call, outcome):
    return [outcome.exceptions.get(k, outcome).verdict.value for k in call.hits]


D, R, U = "delivered", "rejected", "unknown"
BULK_ANSWERS = [
    ((4, 0), {}, [D, D, D, D]),
    ((3, 1), {"invalid_indices": [1]}, [D, R, D, D]),
    ((2, 2), {"invalid_indices": [3, 0]}, [R, D, D, R]),
    # Nobody says which they are, but not one is sent again: that would double some.
    ((3, 1), {}, [D, D, D, R]),
    ((3, 1), {"invalid_indices": ["x", 9]}, [D, D, D, R]),
    ((2, 1), {"invalid_indices": [0]}, [R, D, D, U]),  # one was skipped
    ((3, 0), {}, [D, D, D, U]),
    ((9, 0), {}, [D, D, D, D]),
    ((1, 9), {"invalid_indices": 5}, None),
]


@pytest.mark.parametrize(("counts", "more", "expected"), BULK_ANSWERS)
def test_counts_tell_what_became_of_each_hit(counts, more, expected):
    call, outcome = bulk_answer(*counts, **more)

    if expected is None:
        assert outcome.misconfigured
    else:
        assert verdicts(call, outcome) == expected
        assert not outcome.split


def test_all_invalid_means_a_wrong_token_or_site():
    _, outcome = bulk_answer(0, 4)

    assert (outcome.verdict, outcome.misconfigured) == (Verdict.RETRY, True)


def test_one_invalid_hit_alone_is_rejected():
    _, outcome = bulk_answer(0, 1, hits=1)

    assert outcome.verdict is Verdict.REJECTED
    assert outcome.exceptions == {}


def test_what_was_skipped_wholly_may_be_sent_again():
    _, outcome = bulk_answer(0, 0)

    assert (outcome.verdict, outcome.misconfigured) == (Verdict.RETRY, False)


STATUSES = [
    # status, in bulk, alone, misconfigured
    (204, Verdict.DELIVERED, Verdict.DELIVERED, False),
    (302, Verdict.RETRY, Verdict.RETRY, True),
    (400, Verdict.REJECTED, Verdict.REJECTED, False),
    (401, Verdict.RETRY, Verdict.RETRY, True),
    (404, Verdict.RETRY, Verdict.RETRY, True),
    (500, Verdict.RETRY, Verdict.UNKNOWN, False),  # bulk is one transaction
    (502, Verdict.UNKNOWN, Verdict.UNKNOWN, False),
    (503, Verdict.RETRY, Verdict.RETRY, False),  # tracking is switched off
]


@pytest.mark.parametrize(("status", "in_bulk", "alone", "misconfigured"), STATUSES)
def test_a_status_has_its_meaning(status, in_bulk, alone, misconfigured):
    for system, verdict in ((MATOMO, in_bulk), (ALONE, alone)):
        [call] = system.encode([hit(PageView)], NOW)
        outcome = system.outcome(call, status, {}, b"")

        assert outcome.verdict is verdict
        assert outcome.misconfigured is misconfigured


PICTURES = [
    ({}, b"", Verdict.DELIVERED),
    ({"content-type": "image/gif"}, b"GIF89a", Verdict.DELIVERED),
    ({"content-type": "text/html"}, b"", Verdict.DELIVERED),
    ({"content-type": "text/html; charset=utf-8"}, b"<p>Hello", Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("headers", "body", "verdict"), PICTURES)
def test_a_picture_is_a_yes_and_a_page_is_none(headers, body, verdict):
    [call] = ALONE.encode([hit(PageView)], NOW)

    assert ALONE.outcome(call, 200, headers, body).verdict is verdict


STRANGE = [
    (b"<html>", True),
    (b"", True),
    (b"[]", True),
    (b"{" * 3000, True),
    (b'Debug enabled\n{"status":"success","tracked":1,"invalid":0}\nend', False),
]


@pytest.mark.parametrize(("body", "misconfigured"), STRANGE)
def test_an_answer_that_is_not_matomos_tells_of_a_wrong_address(body, misconfigured):
    [call] = MATOMO.encode([hit(PageView)], NOW)
    outcome = MATOMO.outcome(call, 200, {}, body)

    assert outcome.misconfigured is misconfigured
    assert (outcome.verdict is Verdict.DELIVERED) is not misconfigured


@given(
    st.integers(100, 599), st.one_of(st.binary(max_size=40), st.just(b'{"tracked":'))
)
def test_no_answer_is_too_odd(status, body):
    for system in (MATOMO, ALONE):
        [call] = system.encode([hit(PageView)], NOW)
        system.outcome(call, status, {"content-type": "text/html"}, body)


URLS = [
    (f"matomo+https://{TOKEN}@matomo.example.org/?site_id=3", MATOMO),
    ("matomo://matomo.example.org?site_id=3", ALONE),
    (
        "matomo+http://127.0.0.1:8080/piwik.php?site_id=12&bulk=1",
        Matomo("http://127.0.0.1:8080/piwik.php", 12, bulk=True),
    ),
    (
        "matomo+https://a%40b@h.example/stats/?site_id=1&bulk=0&crashes=1&bots=record&currency=EUR&dimensions=plan:1,user:name:2",
        Matomo(
            "https://h.example/stats",
            1,
            token="a@b",
            bulk=False,
            crashes=True,
            bots="record",
            currency="EUR",
            dimensions={"plan": 1, "user:name": 2},
        ),
    ),
]


@pytest.mark.parametrize(("url", "system"), URLS)
def test_a_url_makes_a_system(url, system):
    assert Matomo.from_url(urlsplit(url)) == system


BAD_URLS = [
    "matomo+https://secret@matomo.example.org/",
    "matomo+https://secret@matomo.example.org/?site_id=x",
    "matomo+https://secret@matomo.example.org/?site_id=0",
    "matomo+https://secret@matomo.example.org/?site_id=1&debug=1",
    "matomo+https://secret@matomo.example.org/?site_id=1&bulk=yes",
    "matomo+https://secret@matomo.example.org/?site_id=1&bots=all",
    "matomo+https://secret@matomo.example.org/?site_id=1&dimensions=plan",
    "matomo+https://secret@matomo.example.org:0/?site_id=1",
    "matomo+https://secret@/?site_id=1",
    "matomo+ftp://secret@matomo.example.org/?site_id=1",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_wrong_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="accepted") as caught:
        Matomo.from_url(urlsplit(url))

    assert "secret" not in str(caught.value)


ADDRESSES = [
    ("https://matomo.example.org", "https://matomo.example.org/matomo.php"),
    ("https://example.org/stats/", "https://example.org/stats/matomo.php"),
    ("https://example.org/piwik.php", "https://example.org/piwik.php"),
]


@pytest.mark.parametrize(("url", "tracker"), ADDRESSES)
def test_the_tracker_is_found_below_the_address(url, tracker):
    [call] = Matomo(url, 1).encode([hit(PageView)], NOW)

    assert call.url == tracker


WRONG = [
    {"url": "matomo.example.org"},
    {"url": "https://secret@matomo.example.org/"},
    {"url": "https://matomo.example.org/?a=b"},
    {"url": None},
    {"site_id": 0},
    {"site_id": "1"},
    {"site_id": True},
    {"token": "a secret"},
    {"token": ""},
    {"dimensions": {"plan": 0}},
    {"dimensions": {"plan": "1"}},
    {"dimensions": {"plan": 1, "tier": 1}},
    {"dimensions": 5},
    {"bulk": "yes"},
    {"bots": "all"},
    {"crashes": "no"},
    {"currency": "euro"},
]


@pytest.mark.parametrize("options", WRONG)
def test_wrong_options_are_named(options):
    [named] = options
    with pytest.raises(ConfigurationError, match="accepted") as caught:
        Matomo(**{"url": URL, "site_id": 1, **options})

    assert caught.value.option == named
    assert "secret" not in str(caught.value)


def test_the_token_is_not_shown():
    assert repr(MATOMO) == (
        "Matomo('https://matomo.example.org/matomo.php', 3, token='...')"
    )


def test_a_system_with_dimensions_is_a_value():
    first = Matomo(URL, 1, dimensions={"a": 1, "b": 2})
    second = Matomo(URL, 1, dimensions=[("b", 2), ("a", 1)])

    assert first == second
    assert hash(first) == hash(second)


DIMENSIONED = Matomo(URL, 3, token=TOKEN, dimensions={"plan": 1})
PARAMS = ["plan", "search", "search_count"]
RAW = ["cid", "idsite", "cdt", "cip", "pf_srv"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_hits("matomo", params=PARAMS, extra=RAW), max_size=3))
def test_no_hit_is_too_odd(hits):
    for system in (DIMENSIONED, ALONE):
        calls = list(system.encode(hits, NOW))

        assert calls == list(system.encode(hits, NOW))
        for call in calls:
            assert len(call.body) <= system.limits.bytes
            assert 1 <= len(call.hits) <= system.limits.hits
        for one in hits:
            list(system.problems(one))
    for request in told(*hits, system=DIMENSIONED):
        assert all(isinstance(value, str) for value in request.values())
        assert request["rec"] == "1"
