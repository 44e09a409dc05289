"""The receiving side of Universal Analytics: requests as real clients make them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.universal_analytics import PROTOCOL

NOW = 1_790_000_000.0
EVENT = "v=1&tid=UA-123456-1&cid=555.1&t=event&ec=video&ea=play"
VIEW = "v=1&tid=UA-123456-1&cid=555.1&t=pageview&dp=%2Fcart"


def request(body="", path="/collect", *, method="POST", query="", headers=None, **more):
    data = body if isinstance(body, bytes) else body.encode()
    return Received(method, path, query, headers or {}, data, time=NOW, **more)


def decode(*args, **more):
    return PROTOCOL.decode(request(*args, **more))


def one(*args, **more):
    [hit] = decode(*args, **more)
    return hit


def complaints(hit):
    return {(problem.field, problem.fatal) for problem in hit.problems}


def test_it_listens_where_google_and_snowplow_did():
    assert set(PROTOCOL.paths) == {
        "/collect",
        "/r/collect",
        "/j/collect",
        "/batch",
        "/debug/collect",
        "/com.google.analytics/v1",
    }
    assert PROTOCOL.system == "universal_analytics"


def test_a_hit_is_shown_with_all_that_it_says():
    hit = one(
        "v=1&_v=j101&a=1&t=pageview&_s=1&dl=https%3A%2F%2Fshop.example%2Fcart%3Fs%3D1"
        "&dr=https%3A%2F%2Fnews.example%2F&ul=de-de&de=UTF-8&dt=Your%20cart&sd=24-bit"
        "&sr=1920x1080&vp=1280x720&je=0&_u=IEBAAEABAAAAACAAI~&jid=1&gjid=2"
        "&cid=1234567890.1780000000&uid=user-48213&tid=UA-123456-1&_gid=3.4&gtm=45He"
        "&cs=news&cm=email&cn=spring&uip=203.0.113.0&qt=1500&z=884412973",
        headers={"user-agent": "Firefox"},
    )

    assert (hit.kind, hit.name, hit.title) == ("pageview", "", "Your cart")
    assert (hit.url, hit.path) == ("https://shop.example/cart?s=1", "/cart")
    assert hit.referrer == "https://news.example/"
    assert (hit.client_id, hit.user_id) == ("1234567890.1780000000", "user-48213")
    assert hit.campaign == "news / email / spring"
    assert (hit.user_agent, hit.language) == ("Firefox", "de-de")
    assert hit.address == "203.0.113.0"
    assert hit.time == NOW - 1.5
    assert hit.problems == []
    shown = {p.name: (p.value, p.meaning) for p in hit.parameters}
    assert shown["dt"] == ("Your cart", "Title of the page.")
    assert shown["gtm"] == ("45He", "")
    assert len(shown) == 28


@pytest.mark.parametrize("path", ["/collect", "/r/collect", "/j/collect"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hit_may_be_in_the_query(path, method):
    hit = one(path=path, method=method, query=EVENT)

    assert (hit.kind, hit.name, hit.problems) == ("event", "video: play", [])


def test_the_query_and_the_body_may_share_a_hit():
    hit = one(EVENT, query="tid=UA-123456-1")

    assert (hit.kind, hit.problems) == ("event", [])


KINDS = [
    ("t=screenview&cd=Checkout&an=Notes", "screenview", "Checkout"),
    ("t=event&ec=a&ea=b&el=c&ev=1", "event", "a: b"),
    ("t=exception&exd=IOError&exf=0", "exception", "IOError"),
    ("t=timing&utc=api&utv=login&utt=183", "timing", "api: login"),
    ("t=social&sn=mastodon&sa=share&st=%2Fa", "social", "mastodon: share"),
    ("t=transaction&ti=T-1&tr=48.90", "purchase", "T-1"),
    ("t=item&ti=T-1&in=Lamp&ip=22.00&iq=2", "purchase", "Lamp"),
    ("t=event&ec=a&ea=b&pa=add&pr1id=1", "product_action", "a: b"),
    ("t=event&ec=a&ea=b&promoa=click&promo1id=1", "product_action", "a: b"),
    ("t=event&ec=a&ea=b&il1nm=L&il1pi1id=1", "product_action", "a: b"),
    ("t=pageview&dp=%2F&pa=purchase&ti=T-1&pr1nm=Lamp", "purchase", ""),
    ("t=event&ec=a&ea=b&pa=refund&ti=T-1", "refund", "a: b"),
    ("t=pageview&dp=%2F&pa=detail&pr1id=1", "pageview", ""),
]


@pytest.mark.parametrize(("said", "kind", "name"), KINDS)
def test_the_kind_of_a_hit_is_known(said, kind, name):
    hit = one(f"v=1&tid=UA-1-1&cid=1&{said}")

    assert (hit.kind, hit.name, hit.problems) == (kind, name, [])


def test_each_line_of_a_batch_is_a_hit():
    hits = decode(f"{EVENT}\n{VIEW}\r\n{EVENT}&qt=500\n", path="/batch")

    assert [hit.kind for hit in hits] == ["event", "pageview", "event"]
    assert [hit.time for hit in hits] == [NOW, NOW, NOW - 0.5]
    assert all(hit.problems == [] for hit in hits)


def test_host_and_path_stand_over_the_url():
    hit = one("v=1&tid=UA-1-1&cid=1&t=pageview&dh=shop.example&dp=%2Fcart%3Fs%3D1")

    assert (hit.url, hit.path) == ("http://shop.example/cart?s=1", "/cart")


# What is wrong with a hit, written from the parameter reference

WRONG = [
    ("tid=UA-1-1&cid=1&t=event&ec=a&ea=b", ("v", True)),
    ("v=2&tid=UA-1-1&cid=1&t=event&ec=a&ea=b", ("v", True)),
    ("v=1&cid=1&t=event&ec=a&ea=b", ("tid", True)),
    ("v=1&tid=G-ABCDEF&cid=1&t=event&ec=a&ea=b", ("tid", True)),
    ("v=1&tid=UA-1-1&t=event&ec=a&ea=b", ("cid", True)),
    ("v=1&tid=UA-1-1&cid=1", ("t", True)),
    ("v=1&tid=UA-1-1&cid=1&t=click", ("t", True)),
    ("v=1&tid=UA-1-1&cid=1&t=event&ea=b", ("ec", True)),
    ("v=1&tid=UA-1-1&cid=1&t=event&ec=a&ea=", ("ea", True)),
    ("v=1&tid=UA-1-1&cid=1&t=pageview", ("dl", True)),
    ("v=1&tid=UA-1-1&cid=1&t=pageview&dh=shop.example", ("dl", True)),
    ("v=1&tid=UA-1-1&cid=1&t=screenview", ("cd", True)),
    ("v=1&tid=UA-1-1&cid=1&t=transaction", ("ti", True)),
    ("v=1&tid=UA-1-1&cid=1&t=item&ti=T", ("in", True)),
    ("v=1&tid=UA-1-1&cid=1&t=social&sn=a&sa=b", ("st", True)),
    ("v=1&tid=UA-1-1&cid=1&t=timing&utc=a&utv=b", ("utt", True)),
    (f"{EVENT}&pa=purchase", ("ti", True)),
    (f"{EVENT}&el={'x' * 501}", ("el", False)),
    (f"{EVENT}&ev=-1", ("ev", False)),
    (f"{EVENT}&ev=1.5", ("ev", False)),
    (f"{EVENT}&ni=yes", ("ni", False)),
    (f"{EVENT}&sc=begin", ("sc", False)),
    (f"{EVENT}&qt=14400001", ("qt", False)),
    (f"{EVENT}&qt=-5", ("qt", False)),
    (f"{EVENT}&tr=much", ("tr", False)),
    (f"{EVENT}&cd0=x", ("cd0", False)),
    (f"{EVENT}&cd201=x", ("cd201", False)),
    (f"{EVENT}&cg6=x", ("cg6", False)),
    (f"{EVENT}&pr1nm=Lamp", ("pa", False)),
    (f"{EVENT}&pa=add&pr1br=Lumo", ("pr1id", False)),
    (f"{EVENT}&il1pi1id=A", ("il1nm", False)),
    (f"{EVENT}&pa=promo_click", ("pa", False)),
    (f"{EVENT}&av=1.0", ("an", False)),
    (f"{EVENT}&exd=IOError", ("exd", False)),
    (f"{EVENT}&z=1&el=x", ("z", False)),
    (f"{EVENT}&el=1&el=2", ("el", False)),
    (f"{EVENT}&lable=x", ("lable", False)),
    (f"{EVENT}&dt={'%C3%BC' * 2000}", ("hit", True)),
]


@pytest.mark.parametrize(("said", "complaint"), WRONG)
def test_what_is_wrong_with_a_hit_is_named(said, complaint):
    hit = one(said)

    assert complaint in complaints(hit)
    assert all(problem.source for problem in hit.problems)


# Where the sources disagree, or real clients do otherwise, there is no complaint.
FINE = [
    "v=1&tid=UA-1-1&uid=user&t=event&ec=a&ea=b",
    "v=1&tid=12345678&cid=1&t=event&ec=a&ea=b&ms=token&et=1790000000&params=x",
    "v=1&tid=UA-1-1&cid=35009a79-1a05-49d7-b876-2b884d0f825b&t=pageview&dp=%2F",
    f"{EVENT}&aip=",
    f"{EVENT}&aip=0",
    f"{EVENT}&promoa=promo_click&promo1id=1",
    f"{EVENT}&cd=Screen",
    f"{EVENT}&cm1=12.5&cm200=3&cd1=x&cg5=y",
    f"{EVENT}&pa=add&pr1id=1&pr1cm1=12.5&pr1cd200=x",
    f"{EVENT}&ti=T&ta=Shop&tr=%E2%82%AC48.90&cu=EUR",
    f"{EVENT}&_gid=1&_utma=2&exp=id.1",
]


@pytest.mark.parametrize("said", FINE)
def test_what_either_source_allows_is_not_complained_of(said):
    assert one(said).problems == []


def test_of_a_value_said_twice_the_last_counts():
    assert one(f"{VIEW}&dt=One&dt=Two").title == "Two"


def test_several_hits_belong_into_a_batch():
    first, second = decode(f"{EVENT}\n{EVENT}")

    assert first.problems == []
    assert ("hit", True) in complaints(second)


def test_a_batch_takes_20_hits_and_16_kib():
    hits = decode("\n".join([EVENT] * 21), path="/batch")
    large = decode("\n".join([f"{EVENT}&dl={'x' * 2000}"] * 9), path="/batch")

    assert [hit.problems == [] for hit in hits] == [True] * 20 + [False]
    assert all(("body", True) in complaints(hit) for hit in large)


def test_a_url_ends_at_8000_bytes():
    long = f"{EVENT}&dl={'x' * 2000}&dr={'x' * 2000}&dp={'x' * 2000}&cd={'x' * 2000}"

    assert complaints(one(method="GET", query=long)) == {("url", True)}


# Snowplow

SNOWPLOW = "/com.google.analytics/v1"


def test_snowplow_takes_the_same_hits():
    hits = decode(f"{EVENT}\n{VIEW}", path=SNOWPLOW)

    assert [(hit.kind, hit.problems) for hit in hits] == [
        ("event", []),
        ("pageview", []),
    ]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (f"{EVENT}&aip=", "aip"),
        (f"{EVENT}&ni=yes", "ni"),
        (f"{EVENT}&ev=1.5", "ev"),
        (f"{EVENT}&ev=2147483648", "ev"),
        (f"{EVENT}&tr=much", "tr"),
        (f"{EVENT}&foo1=x", "foo1"),
        (f"{EVENT}&el=a b", "hit"),
        (f"{EVENT}&el=a|b", "hit"),
        (f"{EVENT}&el={{", "hit"),
        (EVENT.replace("t=event", "t=click"), "t"),
    ],
)
def test_snowplow_is_stricter(said, field):
    assert (field, True) in complaints(one(said, path=SNOWPLOW))


def test_snowplow_pairs_products_by_their_position():
    hit = one(f"{EVENT}&pa=add&pr1id=A&pr1br=x&pr2id=B", path=SNOWPLOW)

    assert ("pr<n>br", False) in complaints(hit)


# What is no hit


@pytest.mark.parametrize(
    "received",
    [
        request(""),
        request("\n\n", "/batch"),
        request(method="GET"),
        request(EVENT, method="PUT"),
        request(method="GET", path=SNOWPLOW, query=EVENT),
        request(method="GET", path="/batch", query=EVENT),
        request('{"events": []}'),
        request(b"\xff\xfe\x00"),
        request("a=1&b=2"),
    ],
)
def test_what_is_no_hit_is_one_of_another_kind(received):
    [hit] = PROTOCOL.decode(received)

    assert hit.kind == "other"
    assert any(problem.fatal for problem in hit.problems)


@given(st.binary(max_size=200), st.text(max_size=50), st.sampled_from(PROTOCOL.paths))
def test_no_request_is_too_odd(body, query, path):
    for method in ("GET", "POST"):
        received = Received(method, path, query, {}, body)
        hits = PROTOCOL.decode(received)

        assert hits
        assert PROTOCOL.answer(received, hits).status == 200


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["v", "t", "qt", "ev", "tr", "pr1ps", "cd1", "dl", "x1"]),
            st.text(max_size=10),
        ),
        max_size=6,
    )
)
def test_no_value_is_too_odd(pairs):
    body = "&".join(f"{name}={value}" for name, value in pairs)

    decode(body.encode("utf-8", "replace"), path=SNOWPLOW)


# Answers


@pytest.mark.parametrize("path", ["/collect", "/r/collect", "/j/collect", "/batch"])
@pytest.mark.parametrize("body", [EVENT, "nonsense", ""])
def test_whatever_arrives_is_answered_with_a_picture(path, body):
    received = request(body, path)

    answer = PROTOCOL.answer(received, PROTOCOL.decode(received))

    assert answer.status == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.body.startswith(b"GIF89a\x01\x00\x01\x00")
    assert "no-store" in answer.headers["cache-control"]


def test_snowplow_says_ok():
    received = request(EVENT, SNOWPLOW)

    answer = PROTOCOL.answer(received, PROTOCOL.decode(received))

    assert (answer.status, answer.body) == (200, b"ok")


def validation(body):
    received = request(body, "/debug/collect")
    answer = PROTOCOL.answer(received, PROTOCOL.decode(received))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return json.loads(answer.body)


def test_the_validator_says_that_a_hit_is_valid():
    assert validation(EVENT) == {
        "hitParsingResult": [
            {"valid": True, "parserMessage": [], "hit": f"/debug/collect?{EVENT}"}
        ],
        "parserMessage": [
            {"messageType": "INFO", "description": "Found 1 hit(s) in the request."}
        ],
    }


def test_the_validator_says_what_is_wrong():
    [result] = validation(f"{EVENT.replace('UA', 'G')}&ev=x")["hitParsingResult"]

    assert result["valid"] is False
    assert {
        (message["messageType"], message["messageCode"], message["parameter"])
        for message in result["parserMessage"]
    } == {("ERROR", "VALUE_INVALID", "tid"), ("WARN", "VALUE_INVALID", "ev")}
