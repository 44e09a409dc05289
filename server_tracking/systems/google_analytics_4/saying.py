"""Say a hit in the words of Google Analytics 4, uncut.

What belongs to the request (who, where, consent) and what belongs to an event are
kept apart: events of one visitor share a request. Names of events and parameters
are those of the Measurement Protocol's event reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from server_tracking.hits import (
    BrowserIds,
    Campaign,
    Context,
    Hit,
    PageView,
    ScreenView,
)
from server_tracking.systems.google_analytics_4.cookies import client_id_from
from server_tracking.systems.google_analytics_4.events import Named, events_of
from server_tracking.systems.google_analytics_4.tables import BODY, OLDEST
from server_tracking.systems.google_analytics_4.wording import (
    parameter_name_from,
    plain,
    scalar,
    tidied,
)
from server_tracking.wire import raw_parameters

__all__ = ["Options", "Place", "Words", "merged_body", "merged_parameters", "say"]

_FAR = 1e11  # Unix seconds; nothing happens there

Place = Mapping[str, str] | Callable[[Context], Mapping[str, str] | None] | None


class Options(msgspec.Struct, frozen=True):
    """What a site has decided about the words; see `GoogleAnalytics4`."""

    measurement_id: str
    debug: bool
    event_names: Mapping[str, str]
    user_properties: tuple[str, ...]
    user_location: Place
    device: Callable[[Context], Mapping[str, str] | None] | None
    campaign_parameters: bool


class Words(NamedTuple):
    """What Google is told of a hit: *body* of the request, *events* by name.

    *raw_body* and *raw_parameters* are the site's own, to be merged last.
    """

    body: dict[str, Any]
    events: list[Named]
    micros: int
    raw_body: dict[str, Any]
    raw_parameters: dict[str, Any]


def say(hit: Hit, options: Options, now: float | None = None) -> Words:
    """Say *hit*; with *now* (Unix seconds) its time is kept within 72 hours."""
    raw: Any = raw_parameters(hit, "google_analytics_4", "ga4")
    raw = plain(raw) if raw and isinstance(raw, Mapping) else {}
    session, page = _session(hit, options), _page(hit, options)
    return Words(
        _body(hit, options),
        # In this order: of more than 25 parameters the last are cut. A site's own
        # come last, and win where it names them as the protocol does.
        [
            (name, tidied({**session, **own, **page}))
            for name, own in events_of(hit, options.event_names)
        ],
        _micros(hit.time, now),
        {key: raw[key] for key in raw if key in BODY and key != "events"},
        {key: raw[key] for key in raw if key not in BODY},
    )


def merged_body(body: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the site's *raw* fields into *body*; None takes a field out.

    Client id and consent cannot be taken out. Google ignores user_agent beside a
    device, and ip_override beside a user_location, so they are not sent with one.
    """
    merged = dict(body)
    for name, value in raw.items():
        if value is None:
            if name not in ("client_id", "consent"):
                merged.pop(name, None)
        elif name == "user_properties" and isinstance(value, Mapping):
            own = {
                key: prop if isinstance(prop, Mapping) else {"value": prop}
                for key, prop in value.items()
            }
            merged[name] = {**merged.get(name, {}), **own}
        elif name == "consent":
            merged[name] = {
                **merged[name],
                **(value if isinstance(value, Mapping) else {}),
            }
        else:
            merged[name] = value
    if raw.get("device") is not None and "user_agent" not in raw:
        merged.pop("user_agent", None)
    if raw.get("user_location") is not None and "ip_override" not in raw:
        merged.pop("ip_override", None)
    return merged


def merged_parameters(
    parameters: Mapping[str, Any], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge the site's *raw* parameters into those of an event; None takes one out."""
    merged = {**parameters, **raw}
    return {name: value for name, value in merged.items() if value is not None}


def _body(hit: Hit, options: Options) -> dict[str, Any]:
    context = hit.context
    visitor, device, consent = context.visitor, context.device, context.consent
    known = _known(context, options)
    client_id = visitor.client_id if known is None else known.visitor
    body: dict[str, Any] = {
        "client_id": client_id_from(client_id) or client_id,
        "user_id": None if visitor.user_id is None else str(visitor.user_id),
        "consent": {
            "ad_user_data": _granted(consent.ad_user_data),
            "ad_personalization": _granted(consent.ad_personalization),
        },
        "user_properties": {
            name: {"value": value}
            for name in options.user_properties
            if (value := scalar(hit.params.get(name))) not in (None, "")
        },
        "user_location": _place(options.user_location, context),
        "ip_override": context.address,
        "device": _device(options, context),
        "user_agent": device.user_agent,
    }
    if body["user_location"]:
        del body["ip_override"]
    if body["device"]:
        del body["user_agent"]
    return {name: value for name, value in body.items() if value}


def _place(place: Place, context: Context) -> dict[str, str]:
    return dict((place(context) if callable(place) else place) or {})


def _device(options: Options, context: Context) -> dict[str, str]:
    """Ask the site for the device; without a category it would be worse than none."""
    device = options.device(context) if options.device else None
    if not device or not device.get("category"):
        return {}
    known = {
        "language": context.device.language,
        "screen_resolution": context.device.screen_resolution,
    }
    return {**{name: value for name, value in known.items() if value}, **device}


def _known(context: Context, options: Options) -> BrowserIds | None:
    return context.visitor.known_to("google_analytics_4", options.measurement_id)


def _granted(allowed: bool) -> str:
    return "GRANTED" if allowed else "DENIED"


def _session(hit: Hit, options: Options) -> dict[str, Any]:
    """Say which visit, and how much attention.

    Attention is counted on views alone: the events of a request share its session,
    and Google adds the times up.
    """
    session = hit.context.session
    is_view = isinstance(hit, PageView | ScreenView)
    number, session_id = session.number, session.id
    known = _known(hit.context, options)
    if known is not None and isinstance(known.session, int):
        number, session_id = known.session_number, known.session
    words = {
        "session_id": session_id,
        "session_number": number,
        "engagement_time_msec": max(1, session.engagement_ms) if is_view else 1,
    }
    return {**words, "debug_mode": 1} if options.debug else words


def _page(hit: Hit, options: Options) -> dict[str, Any]:
    page = hit.context.page
    words: dict[str, Any] = {
        "page_location": page.url,
        "page_title": page.title,
        "page_referrer": page.referrer,
    }
    if options.campaign_parameters:
        words |= _campaign(hit.context.campaign)
    for name, value in hit.params.items():
        if name not in options.user_properties and value is not None:
            words[parameter_name_from(str(name))] = value
    return words


def _campaign(campaign: Campaign) -> dict[str, Any]:
    """Say where the visitor came from, unless Google's own click id says it."""
    if not {"gclid", "gbraid", "wbraid", "dclid"}.isdisjoint(campaign.click_ids):
        return {}
    return {
        "campaign_id": campaign.id,
        "campaign": campaign.name,
        "source": campaign.source,
        "medium": campaign.medium,
        "term": campaign.term,
        "content": campaign.content,
    }


def _micros(time: float, now: float | None) -> int:
    """Write a time in microseconds, not in the future and not before 72 hours."""
    if now is None:
        return round(time * 1_000_000) if abs(time) < _FAR else 0
    time = min(max(time, now - OLDEST), now) if math.isfinite(time) else now
    return round(time * 1_000_000)
