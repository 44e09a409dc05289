"""What PostHog is told of a hit: an event with its properties, whole and uncut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from server_tracking.hits import (
    BrowserIds,
    Context,
    ExceptionHit,
    Hit,
    Item,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    ScreenView,
)
from server_tracking.wire import (
    hit_name,
    hit_properties,
    json_bytes,
    number_text,
    raw_parameters,
    total_of,
    utc_time,
)

__all__ = ["NOBODY", "PersonProfiles", "say", "session_uuid", "visit_start"]

PersonProfiles = Literal["identified_only", "always", "never"]

NOBODY = frozenset(
    {
        "",
        "0",
        "00000000-0000-0000-0000-000000000000",
        "anonymous",
        "backend",
        "guest",
        "null",
        "undefined",
    }
)
"""Ids in lower case that PostHog's newer route refuses, as they name no one person."""

_ERROR = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?", re.DOTALL)
_LONGEST_VISIT = 24 * 3600  # seconds (posthog-js, sessionid.ts)
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})", re.ASCII)
_LONGEST_SIZE = len("123456x123456")
_LONGEST_KNOWN = 200  # characters of a referrer that is remembered


def say(
    hit: Hit, moment: float, profiles: PersonProfiles, ids: BrowserIds | None = None
) -> dict[str, Any]:
    """Say *hit* as an event at *moment* (Unix seconds).

    *ids* are those that the project's own script has given the visitor. A user id that names nobody counts as none. ``extra=`` reaches the event itself;
    its ``properties`` are merged into the event's.
    """
    visitor = hit.context.visitor
    user = visitor.user_id or ""
    known = user.lower() not in NOBODY
    client_id = visitor.client_id if ids is None else ids.visitor
    properties = {
        **_context_said(hit.context, client_id, ids, moment),
        **hit_properties(hit),
        **_kind_said(hit),
        **hit.params,
    }
    if known:
        properties.setdefault("$device_id", client_id)
    if profiles == "never" or (profiles == "identified_only" and not known):
        properties.setdefault("$process_person_profile", False)
    event = {
        "event": _event_name(hit),
        "distinct_id": user if known else client_id,
        "uuid": str(hit.id),
        "timestamp": _timestamp(moment),
        "properties": properties,
    }
    if extra := raw_parameters(hit, "posthog"):
        raw = msgspec.json.decode(json_bytes(extra))
        if isinstance(raw.get("properties"), dict):
            raw["properties"] = {**properties, **raw["properties"]}
        event.update(raw)
    return event


def session_uuid(client_id: str, session: int) -> UUID:
    """Make the id of a visit: a UUIDv7 (RFC 9562 section 5.7) of its start.

    PostHog wants one that belongs to one visitor alone and whose time is not after
    the first event of the visit (posthog-js, ``bootstrap.sessionID``). *session* is
    the start in Unix seconds.
    """
    start = min(max(session, 0) * 1000, 2**48 - 1)
    source = f"{client_id}\0{session}".encode("utf-8", "replace")
    chance = int.from_bytes(hashlib.blake2b(source, digest_size=10).digest(), "big")
    number = start << 80 | chance
    number = number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return UUID(int=number)


def visit_start(session: int, moment: float) -> int:
    """Cut the visit that began at *session* by PostHog's rule, a day at most.

    Returns when the part of it began to which *moment* belongs: the one that may be
    told to PostHog, where our own visit goes on. Both are in Unix seconds.
    """
    passed = int(utc_time(moment).timestamp()) - session
    return session + max(0, passed - 1) // _LONGEST_VISIT * _LONGEST_VISIT


def _context_said(
    context: Context, client_id: str, ids: BrowserIds | None, moment: float
) -> dict[str, Any]:
    visit = None if ids is None else ids.session
    start = visit_start(context.session.id, moment)
    page, campaign, device = context.page, context.campaign, context.device
    found: dict[str, Any] = {
        "$lib": "server-tracking",
        "$current_url": page.url,
        "$host": page.host,
        "$pathname": page.path,
        "title": page.title,
        "$referrer": page.referrer,
        "$referring_domain": _domain(page.referrer),
        "utm_source": campaign.source,
        "utm_medium": campaign.medium,
        "utm_campaign": campaign.name,
        "utm_term": campaign.term,
        "utm_content": campaign.content,
        "utm_id": campaign.id,
        **campaign.click_ids,
        "$raw_user_agent": device.user_agent,
        "$browser_language": device.language,
        **_size_said("$screen", device.screen_resolution),
        **_size_said("$viewport", device.viewport_size),
        "$session_id": str(visit or session_uuid(client_id, start)),
        "$ip": context.address,
        # Without an address PostHog would place the visitor where this server is.
        "$geoip_disable": None if context.address else True,
    }
    return {name: value for name, value in found.items() if value is not None}


def _kind_said(hit: Hit) -> dict[str, Any]:
    """Say what PostHog has words of its own for."""
    match hit:
        case ScreenView(name=name):
            return {"$screen_name": name}
        case ExceptionHit():
            return {
                "$exception_list": [_exception_said(hit)],
                "$exception_level": "fatal" if hit.fatal else "error",
            }
        case Purchase() | Refund():
            amounts = {
                "revenue": _number(total_of(hit)),
                "tax": _number(hit.tax),
                "shipping": _number(hit.shipping),
            }
            numbers = {name: n for name, n in amounts.items() if n is not None}
            return {**numbers, **_products(hit.items)}
        case ProductAction(items=items):
            return _products(items)
    return {}


def _exception_said(hit: ExceptionHit) -> dict[str, Any]:
    """Say an error so that PostHog's error tracking groups it with its like."""
    description = hit.description or ""
    match = _ERROR.fullmatch(description)
    kind, message = match.groups() if match else (None, None)
    return {
        "type": kind or "Error",
        "value": message or description,
        "mechanism": {"handled": not hit.fatal, "synthetic": False},
    }


def _products(items: Sequence[Item]) -> dict[str, Any]:
    """List *items* in the words of the e-commerce events that PostHog's docs name."""
    products = [
        {
            name: value
            for name, value in (
                ("product_id", item.id),
                ("name", item.name),
                ("brand", item.brand),
                ("category", item.category),
                ("variant", item.variant),
                ("price", _number(item.price)),
                ("quantity", item.quantity),
                ("coupon", item.coupon),
                ("position", item.position),
            )
            if value is not None
        }
        for item in items
    ]
    return {"products": products} if products else {}


def _number(amount: Decimal | None) -> float | None:
    """Return *amount* as the JSON number that PostHog can add up."""
    text = None if amount is None else number_text(amount)
    return None if text is None else float(text)


def _event_name(hit: Hit) -> str:
    if isinstance(hit, PageView):
        return "$pageview"
    if isinstance(hit, ScreenView):
        return "$screen"
    return "$exception" if isinstance(hit, ExceptionHit) else hit_name(hit)


def _timestamp(moment: float) -> str:
    """Write *moment* in UTC to the millisecond (ISO 8601)."""
    written = utc_time(moment).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


def _domain(referrer: str | None) -> str | None:
    if not referrer:
        return None
    short = len(referrer) <= _LONGEST_KNOWN
    return (_host_of if short else _host_of.__wrapped__)(referrer)


# Most visitors come from the same few pages, with screens of the same few sizes.
@lru_cache(maxsize=1024)
def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _size_said(name: str, size: str | None) -> Mapping[str, int]:
    if not size or len(size) > _LONGEST_SIZE:
        return {}
    return _size_in_parts(name, size)


@lru_cache(maxsize=256)
def _size_in_parts(name: str, size: str) -> Mapping[str, int]:
    match = _SIZE.fullmatch(size)
    if match is None:
        return {}
    return {f"{name}_width": int(match[1]), f"{name}_height": int(match[2])}
