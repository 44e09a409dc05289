"""Hits and contexts: frozen, complete, and the same after JSON."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import Event, Item, PageView, Purchase
from server_tracking.hits import decode_hits, encode_hits, new_hit_id
from server_tracking.testing import sample_context, sample_hits

CONTEXT = sample_context()


def test_hits_go_to_json_and_back():
    hits = sample_hits()

    assert decode_hits(encode_hits(hits)) == hits


@given(
    st.builds(
        Event,
        context=st.just(CONTEXT),
        category=st.text(max_size=20),
        label=st.none() | st.text(max_size=20),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        params=st.dictionaries(
            st.text(max_size=5), st.none() | st.booleans() | st.integers(-9, 9)
        ),
    )
)
def test_any_event_survives_json(event):
    [back] = decode_hits(encode_hits([event]))

    assert back == event


def test_a_text_of_a_template_engine_survives_json_as_a_text():
    class Markup(str):  # as Django's
        __slots__ = ()

        def __str__(self):
            return self

    params = {"plant": Markup("Fern"), Markup("pot"): 1}
    event = Event(context=CONTEXT, category=Markup("Shop"), params=params)

    [back] = decode_hits(encode_hits([event]))

    assert back.category == "Shop"
    assert back.params == {"plant": "Fern", "pot": 1}
    assert type(back.params["plant"]) is str


def test_money_survives_json_to_the_last_digit():
    item = Item(id="a", price=Decimal("0.10"))
    hit = Purchase(context=CONTEXT, transaction_id="T", items=(item,))

    [back] = decode_hits(encode_hits([hit]))

    assert str(back.items[0].price) == "0.10"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[{}]", b'[{"hit":"unheard_of"}]', b"\xff", b"[1]"]
)
def test_what_is_no_hit_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec says it in many ways
        decode_hits(data)


def test_lone_surrogates_are_refused_rather_than_written_wrongly():
    with pytest.raises(ValueError, match="surrogates"):
        encode_hits([Event(context=CONTEXT, category="\ud800")])


def test_each_hit_has_an_id_and_a_time_of_its_own():
    first, second = PageView(context=CONTEXT), PageView(context=CONTEXT)

    assert first.id != second.id
    assert first.time <= second.time


def test_ids_are_random_uuids():
    ids = {new_hit_id() for _ in range(1000)}

    assert len(ids) == 1000
    for number in ids:
        assert (number.version, number.variant) == (4, "specified in RFC 4122")
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(number))


def test_a_hit_can_not_be_changed():
    with pytest.raises(AttributeError, match="immutable"):
        PageView(context=CONTEXT).time = 1.0
