"""The options of the system, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult

from server_tracking.endpoints import (
    FLAG,
    TEXT,
    check_choice,
    key_and_address_of,
    query_options,
    refusal,
    shown,
)
from server_tracking.systems.universal_analytics.constants import INDEXES
from server_tracking.systems.universal_analytics.receivers import Receiver

__all__ = [
    "check_extra",
    "check_method",
    "check_tracking_id",
    "indexes_from",
    "options_from",
]

_TRACKING_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ELSEWHERE = ("G-", "GTM-", "AW-", "DC-")  # ids of other products of Google
_INDEXED = re.compile(r"(dimension|metric)([0-9]+)")
_INDEXES = "names of params with indexes from 1 to 200, each index once"
_OPTIONS = {
    "endpoint": TEXT,
    "method": TEXT,
    "batch": FLAG,
    "debug": FLAG,
    "session_starts": FLAG,
    "dimension<n>": TEXT,
    "metric<n>": TEXT,
}


def check_tracking_id(tracking_id: object) -> None:
    """Refuse what is no id of a property."""
    accepted = "an id such as UA-123456-1, or a receiver's own"
    if not isinstance(tracking_id, str) or not _TRACKING_ID.fullmatch(tracking_id):
        raise refusal("tracking_id", shown(tracking_id), accepted)
    if tracking_id.upper().startswith(_ELSEWHERE):
        accepted += "; an id that begins with G- is for GoogleAnalytics4"
        raise refusal("tracking_id", shown(tracking_id), accepted)


def check_method(method: object, batch: bool, receiver: Receiver) -> None:
    """Refuse a way of sending that *receiver* does not take."""
    check_choice("method", method, ("GET", "POST"))
    if method == "GET" and receiver.is_snowplow:
        raise refusal("method", "'GET'", "'POST' alone by Snowplow")
    if batch and method == "GET":
        raise refusal("batch", "True with the method 'GET'", "'POST' for batches")
    if batch and receiver.batch_url is None:
        accepted = "one that ends with /collect and has a /batch, or Snowplow's"
        raise refusal("batch", f"True for {receiver.shown}", accepted)


def check_extra(extra: object) -> None:
    """Refuse what are no raw parameters."""
    if not isinstance(extra, Mapping):
        given = f"a {type(extra).__name__}"
        raise refusal("extra", given, "a mapping of wire names to values")


def indexes_from(option: str, given: object) -> dict[str, int]:
    """Read a mapping of the names of params to indexes."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise refusal(option, f"a {type(given).__name__}", f"a mapping: {_INDEXES}")
    for name, index in given.items():
        if not isinstance(name, str) or type(index) is not int or index not in INDEXES:
            raise refusal(option, f"{shown(name)} with {shown(index)}", _INDEXES)
    if len(set(given.values())) != len(given):
        raise refusal(option, "one index for two names", _INDEXES)
    return dict(given)


def options_from(url: SplitResult) -> dict[str, Any]:
    """Read the arguments of a system from its URL."""
    options: dict[str, Any] = {}
    for name, value in query_options(url, _OPTIONS).items():
        if match := _INDEXED.fullmatch(name):
            options.setdefault(f"{match[1]}s", {})[value] = int(match[2])
        else:
            options[name] = value
    if "+" not in url.scheme:
        return {"tracking_id": url.netloc, **options}
    tracking_id, endpoint = key_and_address_of(url)
    return {"tracking_id": tracking_id, "endpoint": endpoint, **options}
