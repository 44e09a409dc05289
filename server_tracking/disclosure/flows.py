"""Which data goes where, while a visitor has said what: for one configuration."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from server_tracking.disclosure.fields import ADDRESS, TAG_IDS, fields_told, sample
from server_tracking.exchange import Request
from server_tracking.extractor import Extractor
from server_tracking.hits import Consent
from server_tracking.settings import Settings
from server_tracking.systems import System, has_tag, may_be_told

__all__ = ["DataFlows", "Flow", "Situation", "flows_of"]


class Situation(msgspec.Struct, frozen=True):
    """What is told while a visitor has said *what*.

    *fields* is empty if nothing is told; *cookie* tells what is kept at the visitor's.
    """

    what: str
    fields: tuple[str, ...]
    cookie: str
    advertising: bool = False


class Flow(msgspec.Struct, frozen=True):
    """What goes to one system: who gets it, at which host, in which situation.

    *tag_cookies* are those of its own tag whose ids are read in the browser's requests.
    """

    system: str
    company: str
    host: str
    encrypted: bool
    own_ends: bool
    situations: tuple[Situation, ...]
    tag_cookies: tuple[str, ...] = ()


class DataFlows(msgspec.Struct, frozen=True):
    """All flows of a configuration, and what it does with addresses and texts."""

    consent_mode: str
    address: str
    url: str
    flows: tuple[Flow, ...]


_COMPANIES = {
    "google-analytics.com": "Google",
    "plausible.io": "Plausible Insights",
    "umami.is": "Umami Software",
    "posthog.com": "PostHog",
    "matomo.cloud": "InnoCraft (Matomo)",
    "goatcounter.com": "GoatCounter",
}
_ADDRESSES: Mapping[bool | str, str] = {
    True: "cut to its network (/24, /48)",
    "strict": "cut to a large network (/16, /32)",
    "omit": "not told",
    False: "whole",
}
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def flows_of(systems: Iterable[System], settings: Settings) -> DataFlows:
    """Find out what *systems* are told by *settings*; sends nothing."""
    said = [
        ("nothing yet", {}),
        ("no, by Sec-GPC", {"sec-gpc": "1"}),
        ("yes", {"cookie": _status(settings, settings.cookie_status_accepted)}),
        ("no", {"cookie": _status(settings, settings.cookie_status_refused)}),
    ]
    extractor = Extractor(settings)
    cases = [_case(extractor, what, headers) for what, headers in said]
    return DataFlows(
        settings.consent_mode,
        _ADDRESSES[settings.anonymize_ip],
        "the route in place of the path"
        if settings.page_path == "route"
        else "all query parameters, telling ones without value"
        if settings.keep_params == "all"
        else "path, and query parameters on a list",
        tuple(_flow(system, cases, settings) for system in systems),
    )


def _status(settings: Settings, value: str) -> str:
    return f"{settings.cookie_status}={value}"


class _Case(NamedTuple):
    """What follows from what the visitor said; without *consent* nothing is told."""

    what: str
    consent: Consent | None
    cookie: str
    adopts: bool = False
    has_address: bool = True


def _case(extractor: Extractor, what: str, headers: dict[str, str]) -> _Case:
    """Recognise a visitor as the middleware does."""
    settings = extractor.settings
    host = next(iter(settings.allowed_hosts), "example.com").removeprefix(".")
    request = Request(
        "GET", "/", host=host, headers={"user-agent": _BROWSER, **headers}
    )
    recognition = extractor.recognize(request, time.time())
    if recognition.refusal is not None:
        return _Case(what, None, "nothing new")
    kept = f"for {settings.cookie_max_age // 86400} days"
    if not recognition.decision.keep:
        kept = "until the browser is closed"
    stored = f"cookie {settings.cookie_name}, {kept}"
    if recognition.identity is None or not recognition.renew:
        stored = "nothing"
    return _Case(
        what,
        extractor.context(request, recognition).consent,
        stored,
        settings.adopt_browser_ids and recognition.decision.stored,
        settings.anonymize_ip != "omit",
    )


def _flow(system: System, cases: Iterable[_Case], settings: Settings) -> Flow:
    address = urlsplit(_address(system))
    host = address.hostname or ""
    adopts = settings.adopt_browser_ids
    return Flow(
        system.name,
        _company(host),
        host,
        address.scheme == "https",
        system.limits.reuses_data,
        tuple(
            Situation(
                case.what,
                _told(system, case),
                case.cookie,
                case.consent is not None and case.consent.ad_personalization,
            )
            for case in cases
        ),
        system.browser_cookies if adopts and has_tag(system) else (),
    )


def _told(system: System, case: _Case) -> tuple[str, ...]:
    if case.consent is None or not may_be_told(system, case.consent):
        return ()
    told = fields_told(system, case.consent)
    if not case.has_address:
        told = tuple(field for field in told if field != ADDRESS)
    if told and case.adopts and has_tag(system):
        return (*told, TAG_IDS)
    return told


def _address(system: System) -> str:
    hit = sample(Consent(True, True, True))
    return next((call.url for call in system.encode([hit], hit.time)), "")


def _company(host: str) -> str:
    for domain, company in _COMPANIES.items():
        if host == domain or host.endswith(f".{domain}"):
            return company
    return f"whoever runs {host}"
