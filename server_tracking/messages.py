"""What the site's own scripts report: the size of the screen, and consent.

Frameworks' views hand the request in and the answer's head out. Such messages change
what is kept of a visitor, so that they have to come from the site itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from server_tracking.contexts import get_default_parameters
from server_tracking.errors import ConfigurationError
from server_tracking.exchange import Headers, Request, Response, public_host
from server_tracking.observation import guarded
from server_tracking.tracker import Tracker
from server_tracking.withdrawals import tell_withdrawal

__all__ = ["CONSENT_ACTIONS", "Ping", "consent_cookies", "is_same_origin", "track_ping"]

CONSENT_ACTIONS = ("accept", "refuse", "withdraw")

_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_COLORS = re.compile(r"([1-9][0-9]?)(?:-bits?)?")


class Ping(msgspec.Struct, frozen=True):
    """The event that tells of a screen; named by `SERVER_SIDE_TRACKING_GA`."""

    ping_category: str = "Non-interaction"
    ping_action: str = "Ping"
    ping_label: str | None = None

    @classmethod
    def from_mapping(cls, google: Mapping[str, object]) -> Ping:
        """Take what *google* says of pings; raises `ConfigurationError`."""
        given = {k: v for k, v in google.items() if k in cls.__struct_fields__}
        try:
            return msgspec.convert(given, cls)
        except msgspec.ValidationError as error:
            option = next((n for n in given if f"$.{n}" in str(error)), None)
            raise ConfigurationError(
                f"SERVER_SIDE_TRACKING_GA: {error}.", option=option
            ) from None


def is_same_origin(request: Request) -> bool:
    """Tell whether the site itself, or no browser at all, made *request*.

    By Sec-Fetch-Site; where a browser sends none, by Origin, which each sends with a
    POST (Fetch standard, section 3.2). As Go's CrossOriginProtection does it.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or _host_of(origin) == request.host


def track_ping(
    tracker: Tracker,
    ping: Ping,
    request: Request,
    response: Response,
    told: Mapping[str, str],
) -> bool:
    """Track what a browser tells of its screen, as an event on the page it shows.

    *told* has ``r`` (screen) and ``v`` (viewport), such as ``1920x1080``, and ``c``
    (bits of a colour); what is of another form is left out. False if nothing is left,
    or if the Referer names no page of the site. Cookies go on *response*.
    """
    device = _device_from(told)
    page = _page_of(request)
    if not device or page is None:
        return False
    context = get_default_parameters(page, response, tracker=tracker)
    context = msgspec.structs.replace(
        context, device=msgspec.structs.replace(context.device, **device)
    )
    tracker.event(
        ping.ping_category,
        ping.ping_action,
        ping.ping_label,
        non_interaction=True,
        context=context,
    )
    return True


def consent_cookies(
    tracker: Tracker,
    request: Request,
    action: Literal["accept", "refuse", "withdraw"],
) -> list[str]:
    """Write the Set-Cookie values that follow from what the visitor has decided."""
    now = time.time()
    recognition = tracker.extractor.recognize(request, now, action=action)
    guarded(tracker, None, tell_withdrawal, tracker.extractor, request, recognition)
    return tracker.extractor.cookies(request, recognition, now)


def _device_from(told: Mapping[str, str]) -> dict[str, str]:
    found = {
        "screen_resolution": _SIZE.fullmatch(told.get("r", "")),
        "viewport_size": _SIZE.fullmatch(told.get("v", "")),
        "screen_colors": _COLORS.fullmatch(told.get("c", "")),
    }
    return {
        name: f"{match[1]}-bit" if name == "screen_colors" else match[0]
        for name, match in found.items()
        if match
    }


def _page_of(request: Request) -> Request | None:
    """Make a request for the page that sent *request*, if it is one of the site."""
    try:
        page = urlsplit(request.headers.get("referer") or "")
    except ValueError:
        return None
    if not page.netloc or _host_of(page.geturl()) != request.host:
        return None
    return Request(
        "GET",
        unquote(page.path),
        scheme=request.scheme,
        host=request.host,
        query=page.query,
        headers=_WithoutReferrer(request.headers),
        address=request.address,
    )


def _host_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return public_host(parts.netloc, parts.scheme)


class _WithoutReferrer:
    """The headers of a ping say Referer where they mean the page itself."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def get(self, name: str, /) -> str | None:
        return None if name == "referer" else self._headers.get(name)
