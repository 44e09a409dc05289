"""The estimate of a hit's size: near the truth where it matters."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.hits import (
    Context,
    Device,
    Event,
    Item,
    Page,
    PageView,
    Purchase,
    ScreenView,
    Session,
    Visitor,
    encode_hits,
)
from server_tracking.senders.sizes import ENOUGH, size_of

CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))
LONG = "x" * 5000

GROWING = [
    PageView(context=msgspec.structs.replace(CONTEXT, page=Page(url=LONG))),
    PageView(context=msgspec.structs.replace(CONTEXT, page=Page(title=LONG))),
    PageView(context=msgspec.structs.replace(CONTEXT, page=Page(referrer=LONG))),
    PageView(context=msgspec.structs.replace(CONTEXT, device=Device(user_agent=LONG))),
    PageView(context=CONTEXT, params={"a": LONG}),
    PageView(context=CONTEXT, params={LONG: 1}),
    PageView(context=CONTEXT, extra={"ga4": {"a": [{"b": LONG}]}}),
    PageView(context=CONTEXT, extra={"ga4": {"a": LONG.encode()}}),
    Event(context=CONTEXT, category=LONG),
    Event(context=CONTEXT, category="a", action=LONG),
    Event(context=CONTEXT, category="a", label=LONG),
    ScreenView(context=CONTEXT, name=LONG),
    Purchase(context=CONTEXT, transaction_id="1", items=(Item(name=LONG),)),
]


@pytest.mark.parametrize("hit", GROWING)
def test_every_text_that_can_be_long_is_counted(hit):
    assert size_of(hit) >= 5000


def test_many_items_are_counted():
    items = tuple(Item(id=str(n), price=Decimal(1)) for n in range(1000))

    assert size_of(Purchase(context=CONTEXT, transaction_id="1", items=items)) > 32_000


def test_a_structure_that_holds_itself_comes_to_an_end():
    own = {}
    own["own"] = own

    assert size_of(PageView(context=CONTEXT, extra={"ga4": own})) >= ENOUGH


def test_a_hit_without_texts_is_small():
    assert size_of(PageView(context=CONTEXT)) < 1024


@given(st.text(max_size=300), st.dictionaries(st.text(), st.text(), max_size=5))
def test_a_hit_is_never_taken_for_less_than_half_of_its_json(text, params):
    context = msgspec.structs.replace(CONTEXT, page=Page(url=text, title=text))
    hit = Event(context=context, category=text, params=params)
    try:
        written = len(encode_hits([hit]))
    except (ValueError, TypeError):
        return  # lone surrogates

    # A character is counted as one, and takes up to four bytes, or six escaped.
    assert size_of(hit) * 6 >= written
