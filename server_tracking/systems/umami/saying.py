"""What Umami is told of a hit: one event, whole and uncut."""

from __future__ import annotations

from typing import Any

from server_tracking.hits import Context, Hit, Purchase, Refund
from server_tracking.patterns import pattern_from
from server_tracking.systems.umami.urls import ORIGIN, escaped
from server_tracking.wire import hit_name, hit_properties

__all__ = ["say"]

_AMOUNT = pattern_from(r"-?[0-9]{1,15}(?:\.[0-9]+)?")


def say(
    hit: Hit, seconds: int, *, website: str, tag: str | None, send_user_id: bool
) -> dict[str, Any]:
    """Say *hit*, which happened at *seconds* (Unix time, whole).

    What is not known of the visitor is said to be unknown, because Umami would take
    it from the headers of the call, which are the server's own.
    """
    context = hit.context
    device, page, visitor = context.device, context.page, context.visitor
    known = visitor.user_id if send_user_id else None
    payload = {
        "website": website,
        **_place(context),
        "title": page.title and page.title.replace("%", "%25"),
        "referrer": page.referrer and escaped(page.referrer),
        "language": device.language,
        "screen": device.screen_resolution,
        "ip": context.address or "0.0.0.0",  # noqa: S104 - nobody listens here
        "userAgent": device.user_agent,
        "timestamp": seconds,
        "id": known or visitor.client_id,
        "name": hit_name(hit),
        "data": _data(hit),
        "tag": tag,
    }
    told = {key: value for key, value in payload.items() if value not in (None, "", {})}
    if not device.user_agent:
        told.update(browser="", os="", device="")
    return {"type": "event", "payload": told}


def _place(context: Context) -> dict[str, str | None]:
    """Return where it happened: the host, and path and query as a visitor's script.

    Two slashes in front would make the path a host: a dot keeps them apart (URL
    Standard, URL serializing).
    """
    page = context.page
    origin = ORIGIN.match(page.url or "")
    host = page.host or (origin and origin[0].partition("://")[2]) or None
    url = page.url[origin.end() :] if page.url and origin else page.url or page.path
    if url is None:
        return {"hostname": host, "url": None}
    url = escaped(url)
    if url[:1] != "/":
        url = f"/{url}"
    return {"hostname": host, "url": f"/.{url}" if url[1:2] == "/" else url}


def _data(hit: Hit) -> dict[str, Any]:
    """List the properties; money as a number.

    Umami adds up what an event calls its revenue, of whatever name the event is: a
    refund's goes by another name.
    """
    data: dict[str, Any] = hit_properties(hit)
    if not isinstance(hit, Purchase | Refund):
        return data
    for key in data.keys() & {"revenue", "tax", "shipping"}:
        if isinstance(data[key], str) and _AMOUNT.fullmatch(data[key]):
            data[key] = float(data[key])
    if isinstance(hit, Refund) and "revenue" in data:
        data["refunded"] = data.pop("revenue")
    return data
