"""The pieces that wire formats share."""

import json
import math
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import Event, Item, PageView, ProductAction, Purchase, Refund
from server_tracking.testing import sample_context, sample_hits
from server_tracking.wire import (
    bodies,
    bundles,
    cut,
    cut_bytes,
    hit_name,
    hit_properties,
    is_address,
    json_bytes,
    json_from,
    json_object_from,
    moment_of,
    number_text,
    raw_parameters,
    time_from,
    total_of,
    utc_time,
    well_formed,
    whole_escapes,
)

any_text = st.text(st.characters(codec=None), max_size=60)
CONTEXT = sample_context()


@given(any_text)
def test_text_becomes_what_utf8_can_carry(text):
    assert well_formed(text).encode().decode() == well_formed(text)


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert well_formed("a\ud800b") == "a\ufffdb"
    assert well_formed("bücher 😀") == "bücher 😀"


@given(any_text, st.integers(0, 80))
def test_text_is_cut_by_characters(text, limit):
    assert len(cut(text, limit)) <= limit
    assert well_formed(text).startswith(cut(text, limit).rstrip("\ufffd"))


@given(any_text, st.integers(0, 80))
def test_text_is_cut_by_bytes_between_characters(text, limit):
    short = cut_bytes(text, limit)

    assert len(short.encode()) <= limit
    rest = well_formed(text)[len(short) :]
    if well_formed(text).startswith(short) and rest:
        assert len(short.encode()) + len(rest[0].encode()) > limit


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (0, "0"),
        (-2.50, "-2.5"),
        (0.1, "0.1"),
        (1e21, "1000000000000000000000"),
        (Decimal("19.90"), "19.9"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal(100), "100"),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (1e300, None),
        (Decimal("0E-9"), "0"),
        (Decimal("sNaN"), None),
        (Decimal("1E+999999"), None),
    ],
)
def test_numbers_are_written_in_plain_digits(number, text):
    assert number_text(number) == text


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=10,
)


@given(json_like)
def test_anything_can_be_written_as_json(value):
    json.loads(json_bytes(value))


def test_what_json_knows_is_written_as_it_is():
    value = {"a": [1, 2.5, None, True, "ü"]}

    assert json.loads(json_bytes(value)) == value


def test_what_json_does_not_know_becomes_text():
    written = json.loads(json_bytes({"when": Decimal("1.5"), "what": range(2)}))

    assert written == {"when": "1.5", "what": "range(0, 2)"}


def test_a_text_of_a_class_of_its_own_is_written_as_any_text():
    class Markup(str):  # as Django's templates make it
        __slots__ = ()

        def __str__(self):
            return self

    said = {"title": Markup("Fern & pot"), Markup("of"): (Markup("it"),)}

    assert json_bytes(said) == b'{"title":"Fern & pot","of":["it"]}'


def test_numbers_beyond_64_bits_become_text_and_endless_ones_nothing():
    assert json.loads(json_bytes([2**63 - 1, 2**63, 10**5000])) == [
        2**63 - 1,
        str(2**63),
        None,
    ]


def test_a_structure_that_holds_itself_comes_to_an_end():
    loop = []
    loop.append(loop)

    assert len(json_bytes(loop)) < 100


NOT_JSON = [b"", b"{", b"\xff", b"[" * 100_000, "\ud800"]


@pytest.mark.parametrize("data", NOT_JSON)
def test_what_is_no_json_is_read_as_whatever_is_wanted(data):
    assert json_from(data) is None
    assert json_from(data, otherwise="else") == "else"
    assert json_object_from(data) == {}


def test_json_is_read():
    assert json_from(b"[1]") == [1]
    assert json_from(b"null", otherwise="else") is None
    assert json_object_from('{"a": 1}') == {"a": 1}
    assert json_object_from(b"[1]") == {}


@given(
    st.lists(st.binary(max_size=30), max_size=40),
    st.integers(1, 7),
    st.integers(1, 60),
)
def test_bundles_keep_order_and_limits(bodies, most, largest):
    parts = list(enumerate(bodies))

    made = list(bundles(parts, most=most, largest=largest))

    assert [part for bundle in made for part in bundle] == parts
    for bundle in made:
        assert 1 <= len(bundle) <= most
        size = sum(len(body) for _, body in bundle) + len(bundle) - 1
        assert size <= largest or len(bundle) == 1


def test_parts_that_fit_together_stay_together():
    parts = [(n, b"12345") for n in range(4)]

    assert [len(b) for b in bundles(parts, most=10, largest=11)] == [2, 2]
    assert [len(b) for b in bundles(parts, most=3, largest=99)] == [3, 1]


def test_a_body_has_a_head_the_parts_and_a_tail():
    parts = [("a", b"1"), ("b", b"2"), ("c", b"3")]

    made = list(bodies(parts, most=2, largest=99, head=b"[", tail=b"]"))

    assert made == [(b"[1,2]", ("a", "b")), (b"[3]", ("c",))]


def test_head_and_tail_and_what_joins_the_parts_count_to_the_size_of_a_body():
    parts = [(n, b"12") for n in range(4)]

    made = bodies(parts, most=9, largest=10, head=b"<<", tail=b">", joint=b"\r\n")

    assert [body for body, _ in made] == [b"<<12\r\n12>"] * 2


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("/a%C3", "/a%C3"),
        ("/a%C", "/a"),
        ("/a%", "/a"),
        ("/a", "/a"),
        ("/%Cx", "/%Cx"),
    ],
)
def test_an_escape_that_was_cut_in_two_goes(url, whole):
    assert whole_escapes(url) == whole


@pytest.mark.parametrize(
    ("text", "told"),
    [("192.0.2.0", True), ("2001:db8::", True), ("192.0.2", False), ("", False)],
)
def test_an_address_is_told_from_other_texts(text, told):
    assert is_address(text) is told


@pytest.mark.parametrize(
    ("time", "moment"),
    [(90.5, 90.5), (101.0, 100.0), (math.inf, 100.0), (math.nan, 100.0)],
)
def test_no_hit_happened_in_the_future(time, moment):
    assert moment_of(PageView(context=CONTEXT, time=time), now=100.0) == moment


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (1_790_000_000.25, "2026-09-21T14:13:20.250000+00:00"),
        (-1.0, "1970-01-01T00:00:00+00:00"),
        (-math.inf, "1970-01-01T00:00:00+00:00"),
        (math.nan, "1970-01-01T00:00:00+00:00"),
        (math.inf, "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_moment_has_a_time_within_four_digits_of_years(moment, written):
    assert utc_time(moment).isoformat() == written


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-21T14:13:20Z", 1_790_000_000.0),
        ("2026-09-21T16:13:20+02:00", 1_790_000_000.0),
        ("2026-09-21 14:13:20", 1_790_000_000.0),
        ("yesterday", None),
        ("0000-01-01", None),
        ("", None),
    ],
)
def test_a_time_without_a_zone_is_utc(text, moment):
    assert time_from(text) == moment


NAMES = [
    ("PageView", ""),
    ("ScreenView", "Screen: Basket"),
    ("Event", "Basket: Add"),
    ("ExceptionHit", "Exception"),
    ("Timing", "Search: catalogue"),
    ("Social", "mastodon: share"),
    ("Purchase", "Purchase"),
    ("Refund", "Refund"),
    ("ProductAction", "Product: Add to basket"),
]


@pytest.mark.parametrize(("hit", "row"), list(zip(sample_hits(), NAMES, strict=True)))
def test_each_kind_has_a_name(hit, row):
    assert (type(hit).__name__, hit_name(hit)) == row


def test_an_event_without_action_is_named_by_its_category():
    assert hit_name(Event(context=CONTEXT, category="Signup")) == "Signup"


def test_every_action_with_products_has_a_name():
    actions = msgspec.json.schema(ProductAction)["$defs"]["ProductAction"]
    for action in actions["properties"]["action"]["enum"]:
        assert hit_name(ProductAction(context=CONTEXT, action=action))


def test_properties_list_what_a_hit_says():
    _, _, event, exception, *_, purchase, refund, _ = sample_hits()

    assert hit_properties(event) == {
        "category": "Basket",
        "action": "Add",
        "label": "Boston fern",
        "value": 19.5,
        "size": "12 cm",
    }
    assert hit_properties(exception) == {"description": "LookupError", "fatal": True}
    assert hit_properties(purchase) == {
        "transaction_id": "T-1001",
        "revenue": "47.9",
        "tax": "7.65",
        "shipping": "4.9",
        "currency": "EUR",
        "coupon": "SPRING",
        "affiliation": "Web shop",
        "items": "Boston fern, Clay pot",
        "quantity": 3,
    }
    assert hit_properties(refund) == {"transaction_id": "T-1001"}


def test_the_sites_own_params_win():
    hit = Event(context=CONTEXT, category="A", params={"category": "mine"})

    assert hit_properties(hit) == {"category": "mine"}


def test_an_order_comes_to_its_revenue_or_to_the_sum_of_its_items():
    items = (
        Item(name="a", price=Decimal("1.10"), quantity=3),
        Item(name="b", price=Decimal(2)),
        Item(name="c"),
    )

    def total(**fields):
        return total_of(Purchase(context=CONTEXT, transaction_id="T", **fields))

    assert total(items=items) == Decimal("5.30")
    assert total(items=items, revenue=Decimal(4)) == Decimal(4)
    assert total() is None
    assert total_of(Refund(context=CONTEXT, transaction_id="T")) is None


def test_raw_parameters_are_found_by_any_of_a_systems_names():
    hit = PageView(context=CONTEXT, id=UUID(int=1), extra={"ga4": {"a": 1}})

    assert raw_parameters(hit, "google_analytics_4", "ga4") == {"a": 1}
    assert raw_parameters(hit, "matomo") == {}


@given(st.lists(st.decimals(), max_size=4), st.integers(-5, 5))
def test_no_price_is_too_odd_to_be_added(prices, quantity):
    items = tuple(Item(name="a", price=price, quantity=quantity) for price in prices)
    total = total_of(Purchase(context=CONTEXT, transaction_id="T", items=items))

    if total is not None:
        number_text(total)
