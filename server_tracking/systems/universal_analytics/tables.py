"""The table of all parameters, by the pattern of their names on the wire.

A pattern has ``<n>`` for each index: ``il<n>pi<n>nm``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from server_tracking.parameters import (
    EnumeratedUrlGenerator,
    UrlGenerator,
    UrlParameter,
)
from server_tracking.systems.universal_analytics import ecommerce, parameters
from server_tracking.systems.universal_analytics.constants import (
    HIT_TYPE_EVENT,
    HIT_TYPE_EXCEPTION,
    HIT_TYPE_SCREENVIEW,
    HIT_TYPE_SOCIAL,
    HIT_TYPE_TIMING,
    HIT_TYPE_TRANSACTION_ITEM,
)

__all__ = ["REQUIRED", "TABLE", "Row", "indexes_of", "row_of"]

REQUIRED = {
    HIT_TYPE_EVENT: ("ec", "ea"),
    HIT_TYPE_SCREENVIEW: ("cd",),
    "transaction": ("ti",),
    HIT_TYPE_TRANSACTION_ITEM: ("ti", "in"),
    HIT_TYPE_SOCIAL: ("sn", "sa", "st"),
    HIT_TYPE_TIMING: ("utc", "utv", "utt"),
}
"""What a hit type needs beside what all hits need."""

_GROUPS: tuple[tuple[type[UrlGenerator], str], ...] = (
    (parameters.GeneralParameters, ""),
    (parameters.HitParameters, ""),
    (parameters.SessionParameters, ""),
    (parameters.PageViewParameters, ""),
    (parameters.AppTrackingParameters, ""),
    (parameters.EventParameters, HIT_TYPE_EVENT),
    (parameters.SocialInteractionParameters, HIT_TYPE_SOCIAL),
    (parameters.TimingParameters, HIT_TYPE_TIMING),
    (parameters.ExceptionParameters, HIT_TYPE_EXCEPTION),
    (parameters.CustomDimensionUrlGenerator, ""),
    (parameters.CustomMetricUrlGenerator, ""),
    (parameters.ContentGroupUrlGenerator, ""),
    # Before the items: an order's own parameters ride on any hit type.
    (ecommerce.EnhancedEComGeneralParameters, ""),
    (ecommerce.EComTransactionParameters, ""),
    (ecommerce.EComItemParameters, HIT_TYPE_TRANSACTION_ITEM),
    (ecommerce.EnhancedEComProductParameters, ""),
    (ecommerce.EnhancedEComCustomDimensionProductParameters, ""),
    (ecommerce.EnhancedEComCustomMetricProductParameters, ""),
    (ecommerce.EnhancedEComPIListParameters, ""),
    (ecommerce.EnhancedEComPIProductParameters, ""),
    (ecommerce.EnhancedEComPICustomDimensionProductParameters, ""),
    (ecommerce.EnhancedEComPICustomMetricProductParameters, ""),
    (ecommerce.EnhancedEComPromotionParameters, ""),
)
_DIGITS = re.compile(r"[0-9]+")


class Row(msgspec.Struct, frozen=True):
    """One parameter: *hit_type* is the only one that takes it, "" if all do."""

    pattern: str
    parameter: UrlParameter
    hit_type: str = ""
    indexes: range | None = None


def _rows() -> Iterator[Row]:
    for generator, hit_type in _GROUPS:
        meta = generator.meta
        prefix = f"{meta.preset_prefix}<n>" if meta.preset_prefix else ""
        if issubclass(generator, EnumeratedUrlGenerator):
            prefix += f"{meta.item_prefix}<n>"
        if meta.custom_prefix:
            pattern = f"{prefix}{meta.custom_prefix}<n>"
            yield Row(pattern, meta.custom_parameter, hit_type, meta.indexes)
        for parameter in generator.parameters.values():
            only = HIT_TYPE_SCREENVIEW if parameter.wire_name == "cd" else hit_type
            yield Row(prefix + parameter.wire_name, parameter, only, meta.indexes)


def _table() -> dict[str, Row]:
    table: dict[str, Row] = {}
    for row in _rows():
        table.setdefault(row.pattern, row)
    return table


TABLE = _table()


@lru_cache(maxsize=1024)
def row_of(name: str) -> Row | None:
    """Find the row of a *name* on the wire; None if the protocol has none."""
    return TABLE.get(_DIGITS.sub("<n>", name))


def indexes_of(name: str) -> list[int]:
    """Read the indexes in a *name* on the wire, which are at least 1."""
    return [int(digits[:9]) for digits in _DIGITS.findall(name)]
