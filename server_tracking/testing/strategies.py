"""Hypothesis strategies for hits of all kinds, with whatever a site may put into them.

    @given(st.lists(hits("mine"), max_size=3))
    def test_no_hit_is_too_odd(several): ...

Import this module by its name: it needs Hypothesis, which `server_tracking.testing`
does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Event,
    ExceptionHit,
    Hit,
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

__all__ = [
    "amounts",
    "contexts",
    "hits",
    "items",
    "json_values",
    "numbers",
    "texts",
    "values",
]

_ODD_TEXTS = (
    "",
    "\ud800",  # cannot be written as UTF-8
    "a\x00b\r\nX-Evil: 1\x7f",
    "%C3",
    "é" * 3000,
    "😀" * 900,
    "x" * 9000,
    "https://example.com/a b?utm_source=x#c",
    "http://[",
    "//x/y",
    "1920x1080",
    "pageview",
)
_ODD_NUMBERS = (
    float("nan"),
    float("inf"),
    float("-inf"),
    2**63,
    10**40,
    10**5000,  # more digits than str() writes
)
_ODD_AMOUNTS = tuple(
    map(Decimal, ("sNaN", "NaN", "Infinity", "-Infinity", "1E+999999", "-0", "1E-40"))
)


def texts() -> SearchStrategy[str]:
    """Make texts: short ones of any characters, and odd, huge and empty ones."""
    plain = st.text(st.characters(exclude_categories=()), max_size=40)
    return plain | st.sampled_from(_ODD_TEXTS)


def numbers() -> SearchStrategy[float]:
    """Make whole and other numbers of any size, the endless ones among them."""
    return st.floats() | st.integers() | st.sampled_from(_ODD_NUMBERS)


def amounts() -> SearchStrategy[Decimal]:
    """Make amounts of money, and what Decimal has beside them."""
    plain = st.decimals(-(10**6), 10**6, places=2)
    return plain | st.sampled_from(_ODD_AMOUNTS)


def values() -> SearchStrategy[Any]:
    """Make what a site may put into ``params``: anything."""
    return st.one_of(
        texts(), numbers(), amounts(), st.booleans(), st.none(), st.builds(object)
    )


def contexts() -> SearchStrategy[Context]:
    """Make contexts, with and without consent, of visitors known and unknown."""
    clicks = st.dictionaries(st.sampled_from(["gclid", "fbclid"]), texts(), max_size=1)
    addresses = texts() | st.sampled_from(["203.0.113.0", "2001:db8::"])
    return st.builds(
        Context,
        visitor=st.builds(Visitor, texts() | st.just("7.1780000000"), _maybe(texts())),
        session=st.builds(Session, st.integers(), st.integers(), st.integers()),
        page=st.builds(Page, **_texts_of(Page)),
        campaign=st.builds(Campaign, **_texts_of(Campaign), click_ids=clicks),
        device=st.builds(Device, **_texts_of(Device)),
        address=_maybe(addresses),
        consent=st.builds(Consent, st.sampled_from([None, True, True, False])),
    )


def items() -> SearchStrategy[tuple[Item, ...]]:
    """Make up to three items."""
    item = st.builds(
        Item,
        id=_maybe(texts()),
        name=_maybe(texts()),
        category=_maybe(texts() | st.just("a/b/c/d/e/f")),
        price=_maybe(amounts()),
        quantity=st.integers() | st.just(10**5000),
        position=_maybe(st.integers()),
    )
    return st.lists(item, max_size=3).map(tuple)


def hits(
    *names: str, params: Sequence[str] = (), extra: Sequence[str] = ()
) -> SearchStrategy[Hit]:
    """Make hits of all kinds.

    Some have raw parameters for a system with one of *names*, and for another one.
    *params* and *extra* are keys that mean something to the system: they come beside
    keys of any kind.
    """
    raw = st.dictionaries(_keys(extra), values() | _nested(), max_size=2)
    systems = st.sampled_from([*names, "somebody_else"])
    common: dict[str, SearchStrategy[Any]] = {
        "context": contexts(),
        "time": st.floats() | st.floats(1.7e9, 1.9e9),
        "params": st.dictionaries(_keys(params), values(), max_size=3),
        "extra": st.dictionaries(systems, raw, max_size=2),
    }
    return st.one_of([st.builds(kind, **common, **own) for kind, own in _own_fields()])


def json_values(*keys: str) -> SearchStrategy[Any]:
    """Make what a JSON body may hold; *keys* come beside keys of any kind."""
    return st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(_keys(keys), inner, max_size=4)
        ),
        max_leaves=8,
    )


def _own_fields() -> list[tuple[type[Hit], dict[str, SearchStrategy[Any]]]]:
    """Say how the fields are made that a kind of hit has for itself."""
    text, number = texts(), numbers()
    order = {
        "transaction_id": text,
        "items": items(),
        "revenue": _maybe(amounts()),
        "tax": _maybe(amounts()),
        "currency": _maybe(text | st.just("EUR")),
    }
    fields = msgspec.structs.fields(ProductAction)
    [actions] = [get_args(field.type) for field in fields if field.name == "action"]
    return [
        (PageView, {"server_ms": _maybe(number)}),
        (ScreenView, {"name": text}),
        (
            Event,
            {
                "category": text,
                "action": _maybe(text),
                "label": _maybe(text),
                "value": _maybe(number),
            },
        ),
        (ExceptionHit, {"description": _maybe(text), "fatal": st.booleans()}),
        (Timing, {"category": text, "variable": text, "value": number}),
        (
            Social,
            {"network": text, "action": text | st.just("share"), "target": text},
        ),
        (Purchase, order),
        (Refund, order),
        (
            ProductAction,
            {
                "action": st.sampled_from(actions),
                "items": items(),
                "list_name": _maybe(text),
                "step": _maybe(st.integers()),
            },
        ),
    ]


def _nested() -> SearchStrategy[Any]:
    return st.one_of(
        st.lists(values(), max_size=2),
        st.dictionaries(texts(), values(), max_size=2),
        st.just({"a": [{"b": object()}]}),
        st.binary(max_size=4),
    )


def _keys(known: Sequence[str]) -> SearchStrategy[str]:
    return st.sampled_from(list(known)) | texts() if known else texts()


def _maybe(strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | strategy


def _texts_of(kind: type[Page | Campaign | Device]) -> dict[str, SearchStrategy[Any]]:
    """Fill the fields of *kind* that are texts, or nothing."""
    fields = msgspec.structs.fields(kind)
    return {f.name: _maybe(texts()) for f in fields if f.default is None}
