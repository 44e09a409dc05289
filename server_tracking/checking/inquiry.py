"""Check an installation, as far as somebody wants to go."""

from __future__ import annotations

import msgspec

from server_tracking.checking.asking import asked, sent, validated
from server_tracking.checking.findings import Fact, Report, SystemFinding, without
from server_tracking.checking.installation import Installation, facts_of
from server_tracking.checking.reaching import resolved, ways_of
from server_tracking.senders.client import Client
from server_tracking.systems import System

__all__ = ["Inquiry", "report_of"]


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """How far to go: *online* asks validators, *send* sends an event from *page*.

    With either, the names of hosts are looked up. *timeout* is in seconds, for one
    call.
    """

    online: bool = False
    send: bool = False
    page: str = "https://example.com/"
    timeout: float = 10.0


def report_of(
    installation: Installation,
    inquiry: Inquiry,
    now: float,
    server: tuple[Fact, ...] = (),
) -> Report:
    """Check *installation* at *now* (Unix seconds); its secrets are in no text.

    *server* is what is known of its server. Blocks on the network, as far as *inquiry*
    asks for that.
    """
    settings = installation.settings
    facts = () if settings is None else tuple(facts_of(settings))
    found = (_found(system, inquiry, now) for system in installation.systems)
    report = Report(facts, tuple(found), server)
    cleaned: Report = without(installation.secrets, report)
    return cleaned


def _found(system: System, inquiry: Inquiry, now: float) -> SystemFinding:
    ways = tuple(ways_of(system, now))
    found = msgspec.structs.replace(asked(system, now), ways=ways)
    if not (inquiry.online or inquiry.send):
        return found
    ways = tuple(map(resolved, ways))
    found = msgspec.structs.replace(found, ways=ways)
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
