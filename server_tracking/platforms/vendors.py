"""The cookies in which consent platforms keep what a visitor said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from server_tracking.cookies import cookie_value
from server_tracking.exchange import Request
from server_tracking.hits import Consent

__all__ = [
    "cookiebot",
    "django_cookie_consent",
    "google_consent",
    "klaro",
    "onetrust",
]

Resolver = Callable[[Request], Consent | None]

_LONGEST = 4096
_GCS = re.compile(r"G1([01])([01-])")
_COOKIEBOT = re.compile(r"\b(statistics|marketing)\s*:\s*(true|false)\b")


def onetrust(
    *,
    analytics: str = "C0002",
    advertising: str = "C0004",
    cookie: str = "OptanonConsent",
    decided: str = "OptanonAlertBoxClosed",
) -> Resolver:
    """Make a resolver of OneTrust's cookie: ``groups=C0001:1,C0002:0``.

    *analytics* and *advertising* are groups of cookies. Before the visitor has closed
    the banner (cookie *decided*), the groups are only what the site has preset.
    """

    def resolve(request: Request) -> Consent | None:
        if not _text(request, decided):
            return None
        try:
            told = dict(parse_qsl(_raw(request, cookie), max_num_fields=64))
        except ValueError:  # more fields than that
            return None
        if told.get("AwaitingReconsent") == "true":
            return None
        parts = (part.partition(":") for part in told.get("groups", "").split(","))
        groups = {group: value for group, _, value in parts}
        if analytics not in groups:
            return None
        return _consent(groups[analytics] == "1", groups.get(advertising) == "1")

    return resolve


def cookiebot(*, cookie: str = "CookieConsent") -> Resolver:
    """Make a resolver of Cookiebot's cookie: ``statistics`` and ``marketing``.

    Its value is -1 where Cookiebot need not ask; then nothing was said.
    """

    def resolve(request: Request) -> Consent | None:
        told = dict(_COOKIEBOT.findall(_text(request, cookie)))
        if "statistics" not in told:
            return None
        return _consent(told["statistics"] == "true", told.get("marketing") == "true")

    return resolve


def klaro(
    service: str, *, advertising: str | None = None, cookie: str = "klaro"
) -> Resolver:
    """Make a resolver of Klaro's cookie: JSON of services, by the names you gave them.

    It is kept in a cookie by default; with ``storageMethod: 'localStorage'`` no
    server sees it.
    """

    def resolve(request: Request) -> Consent | None:
        told = _json(request, cookie)
        if not isinstance(told.get(service), bool):
            return None
        ads = advertising is not None and told.get(advertising) is True
        return _consent(told[service], ads)

    return resolve


def django_cookie_consent(
    group: str = "analytics",
    *,
    advertising: str | None = None,
    version: str | None = None,
    cookie: str = "cookie_consent",
) -> Resolver:
    """Make a resolver of django-cookie-consent's cookie: ``group=time|group=-1``.

    *version* is the time (ISO 8601) of the group's newest cookie, if a grant of before
    that shall not count, as the package itself has it.
    """
    newest = datetime.fromisoformat(version) if version else None

    def resolve(request: Request) -> Consent | None:
        pairs = (part.partition("=") for part in _text(request, cookie).split("|"))
        told = {name: value for name, _, value in pairs}
        analytics = _group(told.get(group), newest)
        if analytics is None:
            return None
        ads = advertising is not None and _group(told.get(advertising), None) is True
        return _consent(analytics, ads)

    return resolve


def google_consent(*, cookie: str = "consentMode") -> Resolver:
    """Make a resolver of Google's consent state, where a page keeps it in *cookie*.

    Google's tag keeps it in the page alone; many banners write it down, as JSON
    (``{"analytics_storage": "granted", ...}``) or as the tag's ``gcs`` (``G111``). Of
    the latter, only analytics is taken: it says nothing of user data.
    """

    def resolve(request: Request) -> Consent | None:
        match = _GCS.fullmatch(_text(request, cookie))
        if match:
            return None if match[2] == "-" else _consent(match[2] == "1", False)
        told = _json(request, cookie)
        if told.get("analytics_storage") not in _STATES:
            return None
        return Consent(
            told["analytics_storage"] == "granted",
            told.get("ad_user_data") == "granted",
            told.get("ad_personalization") == "granted",
        )

    return resolve


_STATES = ("granted", "denied")


def _consent(analytics: bool, advertising: bool) -> Consent:
    return Consent(analytics, advertising, advertising)


def _raw(request: Request, cookie: str) -> str:
    value = cookie_value(request.headers.get("cookie"), cookie)
    return value.strip('"') if value and len(value) <= _LONGEST else ""


def _text(request: Request, cookie: str) -> str:
    return unquote(_raw(request, cookie))


def _json(request: Request, cookie: str) -> dict[str, Any]:
    try:
        told = json.loads(_text(request, cookie))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _group(value: str | None, newest: datetime | None) -> bool | None:
    """Read one group: accepted at a time, declined, or asked anew."""
    if value is None:
        return None
    if value == "-1":
        return False
    try:
        accepted = datetime.fromisoformat(value)
        is_old = newest is not None and accepted < newest
    except (ValueError, TypeError):  # TypeError: one of the two has no time zone
        return None
    return None if is_old else True
