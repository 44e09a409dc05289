"""The receiving side of Matomo's Tracking HTTP API: single hits and bulk."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import (
    HIDDEN,
    Answer,
    DecodedHit,
    Parameter,
    Received,
    campaign_of,
    json_answer,
    path_of,
    split_url,
    text_of,
)
from server_tracking.systems.matomo.checking import check, time_of
from server_tracking.systems.matomo.tables import meaning_of, top_level
from server_tracking.wire import json_object_from

__all__ = ["PROTOCOL"]

_PICTURE = base64.b64decode("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==")
_PAGE = b"This is the tracker of Matomo: it takes hits, there is nothing to see.\n"
_HTML = {"content-type": "text/html; charset=utf-8"}
_BULK = "Tracking HTTP API reference, bulk tracking"
# Fatal, yet answered like all others: the hit is only thrown away.
_SILENT = frozenset({"rec", "e_a", "e_c"})
_SKIPPED = "requests"  # field of an item that is not even counted
_SETS = re.compile(r"(?:mtm|pk|piwik|matomo|utm)_(source|medium|campaign)")
_OTHERS = (
    ("ma_id", "Media"),
    ("link", "Outlink"),
    ("download", "Download"),
    ("search", "Site search"),
    ("c_i", "Content interaction"),
    ("c_n", "Content impression"),
)
# Events that stand for what Matomo has no words for, by their category.
_EVENT_KINDS = {
    "Checkout": "product_action",
    "Exception": "exception",
    "Product": "product_action",
    "Promotion": "product_action",
    "Refund": "refund",
}


class _MatomoProtocol:
    """Understand what Matomo's tracker understands."""

    system = "matomo"
    paths = ("/matomo.php", "/piwik.php")

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read one hit from query and form, or many from a bulk body."""
        if _is_bulk(received):
            bulk = _bulk_from(received)
            if bulk is None:
                return [_unread("body", "is not the JSON of a bulk request")]
            items = [_item_from(item) for item in bulk["requests"]]
            beside = tuple(_shown_beside(bulk))
            return [
                _unread(_SKIPPED, "the text has no query part, so nothing is read")
                if item is None
                else _decoded(item, received, bulk, beside)
                for item in items
            ] or [_unread("requests", "there is no hit in it")]
        parameters = _single_from(received)
        if not parameters:
            return [_unread("request", "there is nothing to track")]
        return [_decoded(parameters, received, {}, ())]

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer as the tracker does: a picture, nothing, counts, or a refusal."""
        refused = [n for n, hit in enumerate(hits) if _is_refused(hit)]
        if _is_bulk(received):
            return _bulk_answer(received, hits, refused)
        parameters = _single_from(received)
        if not parameters:
            return Answer(200 if received.method == "GET" else 400, _HTML, _PAGE)
        headers = {"cache-control": "no-store"} if received.method == "GET" else {}
        if refused:
            return Answer(400, {**headers, "content-type": "image/gif"}, _PICTURE)
        if parameters.get("send_image") == "0":
            return Answer(204, headers)
        return Answer(200, {**headers, "content-type": "image/gif"}, _PICTURE)


PROTOCOL = _MatomoProtocol()


def _is_bulk(received: Received) -> bool:
    """Recognise a bulk body as Matomo does: by one word."""
    return b'"requests"' in received.body


def _bulk_from(received: Received) -> dict[str, Any] | None:
    bulk = json_object_from(received.body)
    return bulk if isinstance(bulk.get("requests"), list) else None


def _item_from(item: object) -> dict[str, str] | None:
    """Read an item of a bulk body: an object, or an address with its query."""
    if isinstance(item, dict):
        return {name: text_of(v) for name, v in item.items() if v is not None}
    if isinstance(item, str) and "?" in item:
        query = item.partition("?")[2].partition("#")[0]
        return dict(parse_qsl(query, keep_blank_values=True))
    return None


def _single_from(received: Received) -> dict[str, str]:
    """Read query and form; what is in both, the query decides."""
    form = received.body.decode("utf-8", "replace")
    is_form = not form.lstrip().startswith(("{", "["))
    pairs = [
        *(parse_qsl(form, keep_blank_values=True) if is_form else ()),
        *parse_qsl(received.query, keep_blank_values=True),
    ]
    return dict(pairs)


def _bulk_answer(
    received: Received, hits: Sequence[DecodedHit], refused: list[int]
) -> Answer:
    bulk = _bulk_from(received)
    if bulk is None or not bulk["requests"]:
        return Answer(400, _HTML, _PAGE)
    if str(bulk.get("send_image")) == "0":
        return Answer(204)
    skipped = sum(any(p.field == _SKIPPED for p in hit.problems) for hit in hits)
    counts: dict[str, Any] = {
        "status": "success",
        "tracked": len(hits) - len(refused) - skipped,
        "invalid": len(refused),
    }
    if bulk.get("token_auth"):
        counts["invalid_indices"] = refused
    return json_answer(200, counts)


def _is_refused(hit: DecodedHit) -> bool:
    return any(p.fatal and p.field not in {*_SILENT, _SKIPPED} for p in hit.problems)


def _unread(field: str, message: str) -> DecodedHit:
    problem = Problem(field, message, _BULK, fatal=True)
    return DecodedHit(system="matomo", kind="other", problems=(problem,))


def _decoded(
    parameters: Mapping[str, str],
    received: Received,
    bulk: Mapping[str, Any],
    beside: Sequence[Parameter],
) -> DecodedHit:
    get = parameters.get
    agent = received.headers.get("user-agent", "")
    kind, name = _kind_of(parameters)
    url = get("url", "")
    has_token = bool(bulk.get("token_auth") or get("token_auth"))
    moment = time_of(parameters, received.time)
    return DecodedHit(
        system="matomo",
        kind=kind,
        name=name,
        url=url,
        path=path_of(url),
        title=get("action_name", ""),
        referrer=get("urlref", ""),
        client_id=get("cid") or get("_id", ""),
        user_id=get("uid", ""),
        campaign=_campaign_of(url),
        user_agent=get("ua") or agent,
        language=get("lang") or received.headers.get("accept-language", ""),
        address=get("cip") or _forwarded(received),
        time=received.time if moment is None else min(moment, received.time),
        parameters=[*_shown(parameters), *beside],
        problems=list(
            check(parameters, has_token=has_token, now=received.time, agent=agent)
        ),
    )


def _kind_of(parameters: Mapping[str, str]) -> tuple[str, str]:
    """Tell which kind of hit it is, and name it."""
    get = parameters.get
    if get("ping") == "1":
        return "other", "Heartbeat"
    if "cra" in parameters:
        return "exception", parameters["cra"]
    if "idgoal" in parameters:
        if get("idgoal") != "0":
            return "other", f"Goal {get('idgoal')}"
        order = get("ec_id", "")
        return ("purchase", order) if order else ("other", "Cart")
    if "e_c" in parameters:
        category, action = parameters["e_c"], get("e_a", "")
        kind = _EVENT_KINDS.get(category, "event")
        return kind, f"{category}: {action}" if action else category
    for name, label in _OTHERS:
        if name in parameters:
            return "event", f"{label}: {parameters[name]}"
    return "pageview", ""


def _campaign_of(url: str) -> str:
    """Read the campaign of an address, whose keys Matomo knows by several names."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(split_url(url).query):
        if match := _SETS.fullmatch(name):
            found.setdefault(match[1], value)
    return campaign_of(*map(found.get, ("source", "medium", "campaign")))


def _forwarded(received: Received) -> str:
    """Return the last address that a proxy named, which Matomo 5 takes if told to."""
    return received.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()


def _shown(parameters: Mapping[str, str]) -> Iterator[Parameter]:
    for name, value in parameters.items():
        # A page that is shared to show a problem must not give the token away.
        text = HIDDEN if name == "token_auth" else value
        yield Parameter(name, text, meaning_of(name))


def _shown_beside(bulk: Mapping[str, Any]) -> Iterator[Parameter]:
    """Show what a bulk request says for all of its hits, and how many they are."""
    for name, value in bulk.items():
        text = HIDDEN if name == "token_auth" else text_of(value)
        if name == "requests":
            text = f"{len(value)} in this request"
        yield Parameter(top_level(name), text, meaning_of(top_level(name)))
