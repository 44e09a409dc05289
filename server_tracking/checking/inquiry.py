"""Check an installation, as far as somebody wants to go."""

from __future__ import annotations

import msgspec

from server_tracking.checking.asking import asked, sent, validated
from server_tracking.checking.findings import Report, SystemFinding, without
from server_tracking.checking.installation import Installation, facts_of
from server_tracking.senders.client import Client
from server_tracking.systems import System

__all__ = ["Inquiry", "report_of"]


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """How far to go: *online* asks validators, *send* sends an event from *page*.

    *timeout* is in seconds, for one call.
    """

    online: bool = False
    send: bool = False
    page: str = "https://example.com/"
    timeout: float = 10.0


def report_of(installation: Installation, inquiry: Inquiry, now: float) -> Report:
    """Check *installation* at *now* (Unix seconds); its secrets are in no text.

    Blocks on the network, as far as *inquiry* asks for that.
    """
    settings = installation.settings
    facts = () if settings is None else tuple(facts_of(settings))
    found = (_found(system, inquiry, now) for system in installation.systems)
    report = Report(facts, tuple(found))
    cleaned: Report = without(installation.secrets, report)
    return cleaned


def _found(system: System, inquiry: Inquiry, now: float) -> SystemFinding:
    found = asked(system, now)
    if not (inquiry.online or inquiry.send):
        return found
    client = Client(inquiry.timeout, connections=1)
    try:
        if inquiry.online:
            validations = validated(system, now, client)
            found = msgspec.structs.replace(found, validations=validations)
        if inquiry.send:
            delivery = sent(system, now, client, inquiry.page)
            found = msgspec.structs.replace(found, delivery=delivery)
    finally:
        client.close()
    return found
