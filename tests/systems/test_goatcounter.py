"""GoatCounter: few and full calls, a token in a header, and errors by number."""

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
from server_tracking.inspector.protocols.goatcounter import PROTOCOL
from server_tracking.systems import system_from_url
from server_tracking.systems.goatcounter import GoatCounter
from server_tracking.testing.strategies import hits as odd_hits

NOW = 1_767_225_605.5  # 2026-01-01T00:00:05.5Z
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CONTEXT = Context(
    visitor=Visitor("7.1760000000", user_id="u-1"),
    session=Session(id=1_767_225_600),
    page=Page(
        url="https://example.com/plants/fern?utm_source=newsletter",
        host="example.com",
        path="/plants/fern",
        title="Boston fern",
        referrer="https://www.example.org/links",
    ),
    device=Device(user_agent=AGENT, language="en-GB", screen_resolution="1920x1080"),
    address="203.0.113.0",
    consent=Consent(analytics=True),
)
FERN = Item(id="F1", name="Boston fern", price=Decimal("19.50"))
TOKEN = "s3cret-t0ken"
SITE = GoatCounter("https://code.goatcounter.com", TOKEN)


def made(kind, context=CONTEXT, number=1, **fields):
    return kind(context=context, id=UUID(int=number), time=NOW - 5.5, **fields)


def changed(**parts):
    return msgspec.structs.replace(CONTEXT, **parts)


def bodies(hits, system=SITE):
    return [json.loads(call.body) for call in system.encode(hits, NOW)]


def said(hit, system=SITE):
    """What tells *hit*, None if nothing does."""
    calls = bodies([hit], system)
    return calls[0]["hits"][0] if calls else None


VISITOR = {
    "ref": "https://www.example.org/links",
    "size": [1920],
    "user_agent": AGENT,
    "ip": "203.0.113.0",
    "created_at": "2026-01-01T00:00:00Z",
    "session": "7.1760000000",
}
PAGE = {
    "path": "/plants/fern?utm_source=newsletter",
    "title": "Boston fern",
    "query": "utm_source=newsletter",
    **VISITOR,
}
# GoatCounter API reference, count.
GOLDEN = [
    (made(PageView), PAGE),
    (made(ScreenView, name="Basket"), "Screen: Basket"),
    (made(Event, category="Basket", action="Add", label="Fern"), "Basket: Add"),
    (made(ExceptionHit, description="LookupError"), "Exception"),
    (made(Timing, category="Search", variable="all", value=81.0), "Search: all"),
    (made(Social, network="mastodon", action="share", target="/"), "mastodon: share"),
    (made(Purchase, transaction_id="T-1", revenue=Decimal(5)), "Purchase"),
    (made(Refund, transaction_id="T-1"), "Refund"),
    (made(ProductAction, action="view", items=(FERN,)), "Product: View"),
]


@pytest.mark.parametrize(("hit", "told"), GOLDEN)
def test_a_hit_is_told_as_the_reference_says(hit, told):
    record = PAGE if told is PAGE else {"path": told, "event": True, **VISITOR}

    assert bodies([hit]) == [{"hits": [record]}]


def test_the_token_goes_into_a_header_and_nowhere_else():
    [call] = SITE.encode([made(PageView)], NOW)

    assert (call.method, call.url) == (
        "POST",
        "https://code.goatcounter.com/api/v0/count",
    )
    assert call.headers == {
        "content-type": "application/json",
        "authorization": f"Bearer {TOKEN}",
    }
    assert TOKEN not in f"{call.url}{call.body!r}{call!r}{SITE!r}{SITE.__rich_repr__()}"


def test_what_is_sent_has_no_problem_at_the_other_end():
    [call] = SITE.encode([hit for hit, _ in GOLDEN], NOW)
    path = urlsplit(call.url).path

    decoded = PROTOCOL.decode(
        Received("POST", path, "", call.headers, call.body, time=NOW)
    )

    assert [hit.problems for hit in decoded] == [[]] * len(GOLDEN)
    assert [hit.kind for hit in decoded] == ["pageview"] + ["event"] * 8


def test_calls_are_few_and_full():
    hits = [made(PageView, number=n) for n in range(1, 601)]

    calls = list(SITE.encode(hits, NOW))

    assert [len(call.hits) for call in calls] == [250, 250, 100]
    assert [key for call in calls for key in call.hits] == [hit.id for hit in hits]
    assert (SITE.limits.concurrency, SITE.limits.mixed_visitors) == (1, True)


def test_a_language_is_told_on_request():
    system = GoatCounter(SITE.url, TOKEN, language=True)

    assert said(made(PageView), system)["language"] == "en-GB"


def test_ignored_addresses_count_on_request():
    system = GoatCounter(SITE.url, TOKEN, ignore_list=False)

    assert bodies([made(PageView)], system) == [{"filter": [], "hits": [PAGE]}]


NOBODY = changed(visitor=Visitor(""), address=None)
TWINS = changed(visitor=Visitor(""))


def test_hits_of_nobody_travel_among_themselves():
    contexts = [CONTEXT, TWINS, NOBODY, NOBODY, CONTEXT]
    hits = [made(PageView, c, n) for n, c in enumerate(contexts)]

    calls = bodies(hits)

    assert [len(call["hits"]) for call in calls] == [2, 2, 1]
    assert [call.get("no_sessions") for call in calls] == [None, True, None]


TIMES = [
    (NOW + 3600, "2026-01-01T00:00:05Z"),
    (float("inf"), "2026-01-01T00:00:05Z"),
    (float("nan"), "2026-01-01T00:00:05Z"),
    (951_782_400.0, "2000-02-29T00:00:00Z"),
    (-5.0, "1970-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("moment", "stamp"), TIMES)
def test_no_time_is_in_the_future(moment, stamp):
    hit = msgspec.structs.replace(made(PageView), time=moment)

    assert said(hit)["created_at"] == stamp


def test_a_visitor_who_refused_is_not_told():
    assert said(made(PageView, changed(consent=Consent(analytics=False)))) is None


@pytest.mark.parametrize(
    "hit",
    [
        made(PageView, changed(page=Page(title="nowhere"))),
        made(Event, category=""),
        made(Event, category=" \x00"),
    ],
)
def test_what_has_no_path_is_not_told(hit):
    assert said(hit) is None
    assert any(problem.fatal for problem in SITE.problems(hit))


PLACES = [
    (Page(url="https://e.example"), "/", None),
    (Page(url="https://e.example?a=b"), "/?a=b", "a=b"),
    (Page(url="https://e.example/ä b?ü#x"), "/%C3%A4%20b?%C3%BC", "%C3%BC"),
    (Page(path="/plain"), "/plain", None),
    (Page(url="/" + "a" * 3000), "/" + "a" * 2047, None),
    (Page(url="/" + "%E6" * 700), "/" + "%E6" * 682, None),
]


@pytest.mark.parametrize(("page", "path", "query"), PLACES)
def test_a_page_is_told_as_its_path(page, path, query):
    record = said(made(PageView, changed(page=page)))

    assert (record["path"], record.get("query")) == (path, query)


def test_texts_are_cut_at_their_limits():
    page = Page(url="/", title="ü\x00" * 1100, referrer="r" * 2100)
    context = changed(page=page, device=Device("a" * 600))

    record = said(made(PageView, context))

    assert record["title"] == "ü" * 1024
    assert record["ref"] == "r" * 2048
    assert record["user_agent"] == "a" * 512
    assert said(made(Event, category="e" * 2100))["path"] == "e" * 2048


@pytest.mark.parametrize("size", [None, "", "wide", "1920", "x1080"])
def test_a_screen_without_a_width_is_not_told(size):
    device = Device(AGENT, screen_resolution=size)

    assert "size" not in said(made(PageView, changed(device=device)))


def test_raw_parameters_win():
    extra = {"goatcounter": {"location": "NL", "title": "raw"}}

    record = said(made(PageView, extra=extra))

    assert (record["location"], record["title"]) == ("NL", "raw")


def test_parameters_that_spoil_a_call_spoil_only_their_own():
    odd = made(PageView, number=2, extra={"goatcounter": {"colour": "red"}})

    calls = list(SITE.encode([made(PageView), odd, made(PageView, number=3)], NOW))

    assert [[key.int for key in call.hits] for call in calls] == [[1], [2], [3]]
    assert [p.field for p in SITE.problems(odd) if p.fatal] == ["colour"]


def test_raw_parameters_that_are_too_large_are_left_out():
    extra = {"goatcounter": {"title": "x" * 2**19}}

    assert said(made(PageView, extra=extra)) == PAGE


def test_what_is_not_counted_is_named():
    [problem] = SITE.problems(made(Purchase, transaction_id="T", revenue=Decimal(5)))

    assert not problem.fatal
    assert "transaction_id, revenue" in problem.message


# Answers

INVALID = Outcome(Verdict.REJECTED, "invalid")
IGNORED = Outcome(Verdict.DROPPED, "ignored_address")


def answered(status, headers=None, body=b""):
    [call] = SITE.encode([made(PageView, number=n) for n in (1, 2, 3)], NOW)
    return SITE.outcome(call, status, headers or {}, body)


OUTCOMES = [
    (202, {}, b'{"status":"ok"}', Outcome(Verdict.DELIVERED)),
    (202, {}, b"", Outcome(Verdict.DELIVERED)),
    (
        202,
        {"x-goatcounter-filter": "0, 2"},
        b'{"status":"ok"}',
        Outcome(
            Verdict.DELIVERED, exceptions={UUID(int=1): IGNORED, UUID(int=3): IGNORED}
        ),
    ),
    (
        202,
        {"x-goatcounter-filter": "7, x, -1, 99999999999"},
        b"",
        Outcome(Verdict.DELIVERED),
    ),
    (
        400,
        {},
        b'{"errors":{"1":"created_at: in the future"}}',
        Outcome(Verdict.DELIVERED, exceptions={UUID(int=2): INVALID}),
    ),
    (
        400,
        {"x-goatcounter-filter": "0"},
        b'{"errors":{"1":["path: required"]}}',
        Outcome(
            Verdict.DELIVERED, exceptions={UUID(int=1): IGNORED, UUID(int=2): INVALID}
        ),
    ),
    # Nothing of such a call is stored.
    (
        400,
        {},
        b'{"error":"unknown parameter: \\"colour\\""}',
        Outcome(Verdict.REJECTED, "http_400", split=True),
    ),
    (
        400,
        {},
        b'{"errors":{"hits":["required"]}}',
        Outcome(Verdict.REJECTED, "http_400", split=True),
    ),
    (
        200,
        {},
        b'{"error":"unknown value in Filter: [x]"}',
        Outcome(Verdict.REJECTED, "refused", split=True),
    ),
    (401, {}, b"", Outcome(Verdict.RETRY, "http_401", misconfigured=True)),
    (403, {}, b"", Outcome(Verdict.RETRY, "http_403", misconfigured=True)),
    (429, {"retry-after": "30"}, b"", Outcome(Verdict.RETRY, "http_429", after=30.0)),
    (
        429,
        {"x-rate-limit-reset": "12"},
        b"",
        Outcome(Verdict.RETRY, "http_429", after=12.0),
    ),
    (429, {"x-rate-limit-reset": "soon"}, b"", Outcome(Verdict.RETRY, "http_429")),
    (500, {}, b'{"errors":{"1":"x"}}', Outcome(Verdict.UNKNOWN, "http_500")),
]


@pytest.mark.parametrize(("status", "headers", "body", "outcome"), OUTCOMES)
def test_an_answer_is_understood(status, headers, body, outcome):
    assert answered(status, headers, body) == outcome


# Options

URLS = [
    ("goatcounter+https://s3cret-t0ken@code.goatcounter.com", SITE),
    (
        "goatcounter+http://a%2Fb@localhost:8081/x?language=1&ignore_list=0",
        GoatCounter("http://localhost:8081/x", "a/b", language=True, ignore_list=False),
    ),
]


@pytest.mark.parametrize(("url", "system"), URLS)
def test_a_system_is_made_from_its_url(url, system):
    assert system_from_url(url) == system


@pytest.mark.parametrize(
    "url",
    [
        "goatcounter+https://code.goatcounter.com",
        "goatcounter+https://@code.goatcounter.com",
        "goatcounter+https://s3cret:x@code.goatcounter.com",
        "goatcounter+https://s3cret@",
        "goatcounter+https://s3cret%20x@code.goatcounter.com",
        "goatcounter+https://s3cret@code.goatcounter.com?language=de",
        "goatcounter+https://s3cret@code.goatcounter.com?language=1&language=1",
        "goatcounter+https://s3cret@code.goatcounter.com?batch=1",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError) as caught:
        system_from_url(url)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://g.example/", "https://g.example/api/v0/count"),
        ("https://g.example/goat/api/v0/count", "https://g.example/goat/api/v0/count"),
    ],
)
def test_a_url_without_a_path_gets_goatcounters_own(url, endpoint):
    [call] = GoatCounter(url, TOKEN).encode([made(PageView)], NOW)

    assert call.url == endpoint


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"url": "code.goatcounter.com", "token": TOKEN}, "url"),
        ({"url": f"https://{TOKEN}@g.example", "token": TOKEN}, "url"),
        ({"url": "https://g.example", "token": ""}, "token"),
        ({"url": "https://g.example", "token": None}, "token"),
        ({"url": "https://g.example", "token": f"{TOKEN}\r\nx"}, "token"),
        ({"url": "https://g.example", "token": TOKEN, "language": "de"}, "language"),
        (
            {"url": "https://g.example", "token": TOKEN, "ignore_list": ""},
            "ignore_list",
        ),
    ],
)
def test_a_wrong_option_is_named_and_no_token_shown(arguments, option):
    with pytest.raises(ConfigurationError, match=option) as caught:
        GoatCounter(**arguments)

    assert caught.value.option == option
    assert TOKEN not in str(caught.value)


def test_what_would_be_refused_is_named_before_it_is_sent():
    page = Page(url="/", title="t" * 1025, referrer="r" * 2049)

    problems = {
        p.field: p.fatal for p in SITE.problems(made(PageView, changed(page=page)))
    }

    assert problems == {"ref": True, "title": True}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_hits("goatcounter"), max_size=3))
def test_no_hit_is_too_odd(several):
    for hit in several:
        list(SITE.problems(hit))
    for call in SITE.encode(several, NOW):
        assert len(call.body) <= SITE.limits.bytes
        json.loads(call.body)
    plain = [hit for hit in several if not hit.extra.get("goatcounter")]
    for call in SITE.encode(plain, NOW):
        path = urlsplit(call.url).path
        decoded = PROTOCOL.decode(
            Received("POST", path, "", call.headers, call.body, time=NOW)
        )
        # What is left of any hit is taken: that is what fitting is for.
        assert [hit.problems for hit in decoded] == [[]] * len(call.hits)
