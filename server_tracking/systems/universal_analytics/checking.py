"""What is wrong with a hit on the wire.

The same for hits that we are to send and hits that the inspector received. Where
Google's sources disagree, what either takes is not complained of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from server_tracking.calls import Problem
from server_tracking.patterns import pattern_from
from server_tracking.systems.universal_analytics.constants import (
    EECOM_ACTION_PURCHASE,
    EECOM_ACTION_REFUND,
    HIT_TYPE_PAGEVIEW,
    HIT_TYPES,
    LONGEST_QUEUE_TIME,
)
from server_tracking.systems.universal_analytics.tables import (
    REQUIRED,
    Row,
    indexes_of,
    row_of,
)

__all__ = ["check", "lacks", "needed"]

_PARAMETERS = "Measurement Protocol v1, parameter reference"
_REFERENCE = "Measurement Protocol v1, protocol reference"
_ECOMMERCE = "Measurement Protocol v1, developer guide, enhanced e-commerce"
_SNOWPLOW = "Snowplow Enrich, adapter for Google Analytics"

# What Google's own clients send without a word in the reference, and what Yandex
# Metrica adds (Measurement Protocol of Yandex Metrica, upload): nobody's mistake.
_UNDOCUMENTED = frozenset(
    {
        *("a", "et", "exp", "gjid", "gtm", "il<n>ls", "il<n>pi<n>cc", "il<n>pi<n>qt"),
        *("jid", "ms", "params", "pls", "sg"),
    }
)
_SNOWPLOW_NAME = pattern_from(r"(pr|promo|il|cd|cm|cg)[0-9]+([a-z]+[0-9]+)*([a-z]+)?")
_PRODUCT = pattern_from(r"(pr|il[0-9]+pi|promo)([0-9]+)([a-z]+[0-9]*)")
_DIGITS = pattern_from(r"[0-9]+")
_SNOWPLOW_LARGEST = 2**31 - 1


def needed(payload: Mapping[str, str]) -> tuple[str, ...]:
    """Name what *payload* needs, given its type and what else it says."""
    hit_type = payload.get("t", "")
    who = "cid" if payload.get("cid") or not payload.get("uid") else "uid"
    names = ("v", "tid", "t", who, *REQUIRED.get(hit_type, ()))
    if hit_type == HIT_TYPE_PAGEVIEW:
        # dp alone is undocumented, yet in Google's own examples, and gets through.
        names += ("dl",) if payload.get("dl") or not payload.get("dp") else ("dp",)
    if payload.get("pa") in (EECOM_ACTION_PURCHASE, EECOM_ACTION_REFUND):
        names += ("pa", "ti")
    return names


def lacks(payload: Mapping[str, str]) -> Iterator[Problem]:
    """Name what loses the hit: what is missing, and what says what it is."""
    for name in needed(payload):
        if not payload.get(name):
            yield Problem(name, "is required", _PARAMETERS, fatal=True)
    if payload.get("v") not in (None, "", "1"):
        yield Problem("v", "is not 1", _PARAMETERS, fatal=True)
    if payload.get("t") and payload["t"] not in HIT_TYPES:
        message = f"is none of {', '.join(HIT_TYPES)}"
        yield Problem("t", message, _PARAMETERS, fatal=True)
    if payload.get("tid", "").upper().startswith("G-"):
        message = "is an id of Google Analytics 4"
        yield Problem("tid", message, _PARAMETERS, fatal=True)


def check(payload: Mapping[str, str], *, snowplow: bool = False) -> Iterator[Problem]:
    """Name what a receiver would refuse, cut or ignore in *payload*.

    *snowplow* asks for the stricter rules of Snowplow's adapter, which refuses the
    whole call for one wrong value.
    """
    yield from lacks(payload)
    for name, value in payload.items():
        row = row_of(name)
        if row is None:
            yield from _foreign(name, snowplow)
        else:
            yield from _field(name, value, row, payload.get("t", ""), snowplow)
    yield from _combinations(payload)
    if snowplow:
        yield from _uneven(payload)


def _foreign(name: str, snowplow: bool) -> Iterator[Problem]:
    if snowplow and _DIGITS.search(name) and not _SNOWPLOW_NAME.fullmatch(name):
        message = "has a digit in its name, which fails the whole call"
        yield Problem(name, message, _SNOWPLOW, fatal=True)
    elif not name.startswith("_") and _DIGITS.sub("<n>", name) not in _UNDOCUMENTED:
        yield Problem(name or "(no name)", "is not a parameter", _PARAMETERS)


def _field(
    name: str, value: str, row: Row, hit_type: str, snowplow: bool
) -> Iterator[Problem]:
    if row.indexes and any(index not in row.indexes for index in indexes_of(name)):
        message = f"has an index that is not from 1 to {row.indexes[-1]}"
        yield Problem(name, message, _PARAMETERS)
    strict = snowplow and row.parameter.type != "text"
    wrong = row.parameter.problem(value)
    # Google takes aip however it is written; the prose says promo_click for click.
    lenient = name == "aip" or (name, value) == ("promoa", "promo_click")
    if name not in ("v", "t") and wrong and (snowplow or not lenient):
        source = _SNOWPLOW if strict else _PARAMETERS
        yield Problem(name, wrong, source, fatal=strict)
    elif row.parameter.type == "integer" and not wrong:
        yield from _whole_number(name, value, snowplow)
    # Old clients may name the screen in any hit.
    if row.hit_type not in ("", hit_type) and name != "cd":
        message = f"belongs to hits of type {row.hit_type}"
        yield Problem(name, message, _PARAMETERS)


def _whole_number(name: str, value: str, snowplow: bool) -> Iterator[Problem]:
    number = Decimal(value)
    if name == "qt" and number > LONGEST_QUEUE_TIME:
        yield Problem(name, "is more than 4 hours", _PARAMETERS)
    if snowplow and abs(number) > _SNOWPLOW_LARGEST:
        yield Problem(name, "is beyond 32 bits", _SNOWPLOW, fatal=True)


def _combinations(payload: Mapping[str, str]) -> Iterator[Problem]:
    if "z" in payload and list(payload)[-1] != "z":
        yield Problem("z", "is not the last parameter", _PARAMETERS)
    if not payload.get("an") and any(n in payload for n in ("aid", "av", "aiid")):
        yield Problem("an", "is required with other app parameters", _PARAMETERS)
    named: dict[str, bool] = {}
    for name in payload:
        if match := _PRODUCT.fullmatch(name):
            product = match[1] + match[2]
            known = named.get(product, False)
            named[product] = known or match[3] in ("id", "nm")
    for product, known in named.items():
        if not known:
            yield Problem(f"{product}id", "is required, or a name", _ECOMMERCE)
        if product.startswith("pr") and product[2].isdigit() and "pa" not in payload:
            message = "is missing: without it products are ignored"
            yield Problem("pa", message, _ECOMMERCE)
            break
    lists = {product.partition("pi")[0] for product in named if "pi" in product}
    for shown in sorted(lists):
        if f"{shown}nm" not in payload:
            yield Problem(f"{shown}nm", "is missing: name the list", _ECOMMERCE)


def _uneven(payload: Mapping[str, str]) -> Iterator[Problem]:
    """Find fields that some products lack: Snowplow pairs them by position."""
    having: dict[str, dict[str, set[str]]] = {}
    for name in payload:
        if match := _PRODUCT.fullmatch(name):
            family = having.setdefault(match[1], {})
            family.setdefault(match[2], set()).add(match[3])
    for family_name, products in having.items():
        everywhere = set.intersection(*products.values())
        for field in sorted(set().union(*products.values()) - everywhere):
            message = "is missing on some, so that others would get its values"
            yield Problem(f"{family_name}<n>{field}", message, _SNOWPLOW)
