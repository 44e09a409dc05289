"""The Plausible system: its options and its calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import (
    FLAG,
    TEXT,
    address_of,
    check_flags,
    endpoint_from,
    query_options,
    refusal,
    shown,
)
from server_tracking.hits import Hit
from server_tracking.systems import ParameterRow
from server_tracking.systems.plausible.answers import outcome_of
from server_tracking.systems.plausible.checking import check, without_controls
from server_tracking.systems.plausible.fitting import fit, is_tellable
from server_tracking.systems.plausible.saying import say
from server_tracking.systems.plausible.tables import ROWS
from server_tracking.wire import json_bytes, raw_parameters

__all__ = ["Plausible"]

_PATH = "/api/event"
_LARGEST_BODY = 1_000_000  # bytes, the collector's own limit
_LONGEST_AGENT = 512  # characters
_DOMAIN = re.compile(r"(?!.*://)[^\s?#&@]+")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


class Plausible(msgspec.Struct, frozen=True):
    """Tell a site in Plausible of hits.

    *domain* is the site's name there; several, separated by commas, are all told.
    *url* is the server; without a path ``/api/event`` is added. Hits whose visitor's
    address is unknown are not sent, because Plausible would take the server's for
    it: *needs_address* set to False sends them all the same, which only a server of
    your own counts.
    """

    domain: str
    url: str = "https://plausible.io"
    needs_address: bool = True

    name: ClassVar[str] = "plausible"
    scheme: ClassVar[str] = "plausible"

    def __post_init__(self) -> None:
        domain: object = self.domain
        if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
            accepted = "the site's name as Plausible shows it, without https://"
            raise refusal("domain", shown(domain), accepted)
        endpoint = endpoint_from("url", self.url, _PATH)
        check_flags(needs_address=self.needs_address)
        msgspec.structs.force_setattr(self, "url", endpoint)

    @property
    def limits(self) -> Limits:
        """Say what one call may carry: one hit, which must not be old.

        Plausible counts a hit when it arrives, so that a late one shifts; beyond four
        hours it would tell more wrong than right.
        """
        return Limits(hits=1, bytes=_LARGEST_BODY, max_age=4 * 3600.0, concurrency=128)

    def encode(
        self,
        hits: Sequence[Hit],
        now: float,  # noqa: ARG002 - Plausible takes no time but its own
    ) -> Iterator[Call]:
        """Make one call for each hit."""
        for hit in hits:
            if hit.context.consent.analytics is False:
                continue
            told = say(hit, self.domain)
            if not is_tellable(told) or (self.needs_address and not _address_of(hit)):
                continue
            told = fit(told)
            body = json_bytes({**told, **raw_parameters(hit, self.name)})
            if len(body) > _LARGEST_BODY:
                body = json_bytes(told)
            yield Call("POST", self.url, _headers(hit), body, (hit.id,))

    def outcome(
        self,
        call: Call,  # noqa: ARG002 - each call has one hit
        status: int,
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002 - it says "ok" to every hit
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(status, headers, domains=self.domain.count(",") + 1)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what Plausible would refuse, cut or ignore in *hit*."""
        reference = "Events API reference, request headers"
        if self.needs_address and not _address_of(hit):
            message = "the visitor's address is unknown; the server's would be dropped"
            yield Problem("X-Forwarded-For", message, reference, fatal=True)
        if not hit.context.device.user_agent:
            message = "the visitor's user agent is unknown"
            yield Problem("User-Agent", message, reference)
        raw = raw_parameters(hit, self.name)
        yield from check({**say(hit, self.domain), **raw})

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system for a made-up site."""
        return cls("example.com")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from ``plausible+https://plausible.io/?domain=example.com``.

        The other option is ``?needs_address=0``.
        """
        options = query_options(url, {"domain": TEXT, "needs_address": FLAG})
        given: dict[str, Any] = {"domain": None, "url": address_of(url), **options}
        return cls(**given)


def _headers(hit: Hit) -> dict[str, str]:
    """Name the visitor.

    The user agent is said as it came, as far as a header can carry it, and as empty
    if unknown: the HTTP client would put its own name in, which is a bot's.
    """
    agent = without_controls((hit.context.device.user_agent or "")[:_LONGEST_AGENT])
    if not agent.isascii():
        agent = agent.encode("latin-1", "replace").decode("latin-1")
    headers = {"content-type": "application/json", "user-agent": agent.strip()}
    if address := _address_of(hit):
        headers["x-forwarded-for"] = address
    return headers


def _address_of(hit: Hit) -> str:
    """Return the one address of the visitor; only the first of a list would count."""
    address = hit.context.address or ""
    return address if _ADDRESS.fullmatch(address) else ""
