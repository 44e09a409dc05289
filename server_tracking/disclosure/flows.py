"""Which data goes where, while a visitor has said what: for one configuration."""

from __future__ import annotations

import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from server_tracking.disclosure.fields import fields_told, sample
from server_tracking.exchange import Request
from server_tracking.extractor import Extractor
from server_tracking.hits import Consent
from server_tracking.settings import Settings
from server_tracking.systems import System

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
    """What goes to one system: who gets it, at which host, in which situation."""

    system: str
    company: str
    host: str
    encrypted: bool
    own_ends: bool
    situations: tuple[Situation, ...]


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
    situations = [(what, *_consent(extractor, headers)) for what, headers in said]
    return DataFlows(
        settings.consent_mode,
        "cut to its network (/24, /48)" if settings.anonymize_ip else "whole",
        "the route in place of the path"
        if settings.page_path == "route"
        else "all query parameters, telling ones without value"
        if settings.keep_params == "all"
        else "path, and query parameters on a list",
        tuple(_flow(system, situations) for system in systems),
    )


def _status(settings: Settings, value: str) -> str:
    return f"{settings.cookie_status}={value}"


def _consent(
    extractor: Extractor, headers: dict[str, str]
) -> tuple[Consent | None, str]:
    """Recognise a visitor as the middleware does; None if nothing may be told."""
    request = Request(
        "GET", "/", host="example.com", headers={"user-agent": _BROWSER, **headers}
    )
    recognition = extractor.recognize(request, time.time())
    if recognition.refusal is not None:
        return None, "nothing new"
    kept = f"for {extractor.settings.cookie_max_age // 86400} days"
    if not recognition.decision.keep:
        kept = "until the browser is closed"
    stored = f"cookie {extractor.settings.cookie_name}, {kept}"
    if recognition.identity is None or not recognition.renew:
        stored = "nothing"
    return extractor.context(request, recognition).consent, stored


def _flow(
    system: System, situations: Iterable[tuple[str, Consent | None, str]]
) -> Flow:
    address = urlsplit(_address(system))
    host = address.hostname or ""
    return Flow(
        system.name,
        _company(host),
        host,
        address.scheme == "https",
        system.limits.reuses_data,
        tuple(
            Situation(
                what,
                _told(system, consent),
                stored,
                consent is not None and consent.ad_personalization,
            )
            for what, consent, stored in situations
        ),
    )


def _told(system: System, consent: Consent | None) -> tuple[str, ...]:
    if consent is None:
        return ()
    if system.limits.reuses_data and not getattr(consent, "reuse", True):
        return ()
    return fields_told(system, consent)


def _address(system: System) -> str:
    hit = sample(Consent(True, True, True))
    return next((call.url for call in system.encode([hit], hit.time)), "")


def _company(host: str) -> str:
    for domain, company in _COMPANIES.items():
        if host == domain or host.endswith(f".{domain}"):
            return company
    return f"whoever runs {host}"
