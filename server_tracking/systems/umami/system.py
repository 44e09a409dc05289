"""The Umami system: its options and its calls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import (
    FLAG,
    TEXT,
    address_from,
    address_of,
    check_flags,
    query_options,
    refusal,
    shown,
)
from server_tracking.hits import Hit
from server_tracking.patterns import pattern_from
from server_tracking.systems import ParameterRow
from server_tracking.systems.umami.answers import outcome_of
from server_tracking.systems.umami.checking import check
from server_tracking.systems.umami.fitting import fit, is_tellable
from server_tracking.systems.umami.saying import say
from server_tracking.systems.umami.tables import ROWS
from server_tracking.systems.umami.urls import units
from server_tracking.wire import bundles, json_bytes, moment_of, raw_parameters

__all__ = ["Umami"]

_MOST_HITS = 50  # Umami stores them one after another, each with several queries
_LARGEST_BODY = 1024 * 1024
_UUID = pattern_from(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Before version 2.17 the header was judged, not the event: a library's name is a bot.
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_OPTIONS = {"website_id": TEXT, "batch": FLAG, "send_user_id": FLAG, "tag": TEXT}


class Umami(msgspec.Struct, frozen=True):
    """Tell a website in Umami of hits.

    *website_id* is the UUID that its settings show. *url* is the server, with the path
    under which Umami runs if it has one. *batch* set to False sends each hit alone, as
    versions before 2.17 need. *tag* goes with every hit. Sessions are known by the
    client id; *send_user_id* takes the user id for those who have one, which begins
    another session at the login.
    """

    website_id: str
    url: str = "https://cloud.umami.is"
    batch: bool = True
    send_user_id: bool = False
    tag: str | None = None

    name: ClassVar[str] = "umami"
    scheme: ClassVar[str] = "umami"

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(str(self.website_id)):
            accepted = "a UUID, which the website's settings show"
            raise refusal("website_id", shown(self.website_id), accepted)
        address = address_from("url", self.url).geturl().rstrip("/")
        base = address.removesuffix("/api/send").removesuffix("/api/batch")
        check_flags(batch=self.batch, send_user_id=self.send_user_id)
        if not _is_tag(self.tag):
            raise refusal("tag", shown(self.tag), "None or 1 to 50 characters")
        msgspec.structs.force_setattr(self, "url", base)

    @property
    def limits(self) -> Limits:
        """Say what one call may carry.

        Umami takes any time of the past; after a week nobody waits for it any more.
        """
        return Limits(
            hits=_MOST_HITS if self.batch else 1,
            bytes=_LARGEST_BODY,
            max_age=7 * 24 * 3600.0,
            mixed_visitors=self.batch,
            concurrency=32 if self.batch else 128,
            linger=1.0 if self.batch else 0.2,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        """Make calls of up to 50 events; one alone goes to ``/api/send``."""
        parts = self._parts(hits, now)
        most = self.limits.hits
        for bundle in bundles(parts, most=most, largest=_LARGEST_BODY - 2):
            keys = tuple(hit.id for hit, _ in bundle)
            headers = {"content-type": "application/json", "user-agent": _BROWSER}
            if len(bundle) > 1:
                body = b"[" + b",".join(part for _, part in bundle) + b"]"
                yield Call("POST", f"{self.url}/api/batch", headers, body, keys)
                continue
            [(hit, body)] = bundle
            headers["user-agent"] = _agent_of(hit) or _BROWSER
            yield Call("POST", f"{self.url}/api/send", headers, body, keys)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(call, status, headers, body)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what Umami would refuse, cut or ignore in *hit*."""
        event = self._said(hit, hit.time)
        if not is_tellable(hit, event):
            message = "a hit without a name and without a URL cannot be told"
            yield Problem("url", message, "Umami source, api/send", fatal=True)
        yield from check(_with_raw(event, hit))

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system for a made-up website."""
        return cls("01234567-89ab-4cde-8f01-23456789abcd")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from ``umami+https://host/?website_id=UUID``.

        The path of an Umami that does not run at the root follows the host. Other
        options are ``?batch=0``, ``?send_user_id=1`` and ``?tag=``.
        """
        options = query_options(url, _OPTIONS)
        given: dict[str, Any] = {"website_id": None, "url": address_of(url), **options}
        return cls(**given)

    def _said(self, hit: Hit, moment: float) -> dict[str, Any]:
        return say(
            hit,
            int(moment) if math.isfinite(moment) else 0,
            website=self.website_id,
            tag=self.tag,
            send_user_id=self.send_user_id,
        )

    def _parts(self, hits: Sequence[Hit], now: float) -> Iterator[tuple[Hit, bytes]]:
        for hit in hits:
            if hit.context.consent.analytics is False:
                continue
            event = self._said(hit, max(0.0, moment_of(hit, now)))
            if not is_tellable(hit, event):
                continue
            event = fit(event)
            data = json_bytes(_with_raw(event, hit))
            if len(data) > _LARGEST_BODY - 2:
                data = json_bytes(event)
            yield hit, data


def _with_raw(event: dict[str, Any], hit: Hit) -> dict[str, Any]:
    raw = raw_parameters(hit, Umami.name)
    return {**event, "payload": {**event["payload"], **raw}} if raw else event


def _agent_of(hit: Hit) -> str:
    """Return the visitor's user agent as a header can carry it, for old versions."""
    agent = (hit.context.device.user_agent or "")[:512]
    return "".join(c if " " <= c <= "~" else "?" for c in agent).strip()


def _is_tag(tag: object) -> bool:
    return tag is None or (isinstance(tag, str) and 1 <= units(tag) <= 50)
