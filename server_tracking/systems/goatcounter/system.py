"""The GoatCounter system: its options and its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult
from uuid import UUID

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import (
    FLAG,
    check_flags,
    endpoint_from,
    key_and_address_of,
    query_options,
    refusal,
)
from server_tracking.hits import Hit
from server_tracking.patterns import pattern_from
from server_tracking.systems import ParameterRow
from server_tracking.systems.goatcounter.answers import outcome_of
from server_tracking.systems.goatcounter.checking import check, is_nobody
from server_tracking.systems.goatcounter.fitting import fit
from server_tracking.systems.goatcounter.saying import say
from server_tracking.systems.goatcounter.tables import FIELDS, ROWS
from server_tracking.wire import (
    bodies,
    hit_properties,
    json_bytes,
    moment_of,
    raw_parameters,
)

__all__ = ["GoatCounter"]

_PATH = "/api/v0/count"
_MOST_HITS = 250  # half of what is let through: one bad field spoils a whole call
_LARGEST_BODY = 512 * 1024
_TOKEN = pattern_from(r"[!-~]+")


class GoatCounter(msgspec.Struct, frozen=True):
    """Tell a site in GoatCounter of hits.

    *url* is the site's address; without a path ``/api/v0/count`` is added. *token* is
    an API token with the permission "count", and is secret. *language* tells the
    visitor's language too, for which versions up to 2.7 refuse the whole call.
    *ignore_list* set to False counts also addresses that the site's settings ignore.
    """

    url: str
    token: str
    language: bool = False
    ignore_list: bool = True

    name: ClassVar[str] = "goatcounter"
    scheme: ClassVar[str] = "goatcounter"

    def __post_init__(self) -> None:
        endpoint = endpoint_from("url", self.url, _PATH)
        token: object = self.token
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise refusal(
                "token",
                "nothing, or what no header can carry,",
                "an API token of your account with the permission 'count'",
            )
        check_flags(language=self.language, ignore_list=self.ignore_list)
        msgspec.structs.force_setattr(self, "url", endpoint)

    def __repr__(self) -> str:
        return f"GoatCounter({self.url!r}, token='...')"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url)]

    @property
    def limits(self) -> Limits:
        """Say what one call may carry.

        60 calls in two minutes are let through, of all processes of a machine
        together: hence few calls, and full ones. Any time of the past is taken; after
        a week nobody waits for it any more.
        """
        return Limits(
            hits=_MOST_HITS,
            bytes=_LARGEST_BODY,
            max_age=7 * 24 * 3600.0,
            mixed_visitors=True,
            concurrency=1,
            linger=10.0,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        """Make calls of up to 250 hits.

        Hits without a visitor need a call that allows for it, and raw parameters that
        GoatCounter does not know spoil a call: such hits travel among themselves.
        """
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.token}",
        }
        parts = self._parts(hits, now)
        for (nobody, _), group in groupby(parts, key=lambda part: part[0]):
            head = b'{"no_sessions":true,' if nobody else b"{"
            if not self.ignore_list:
                head += b'"filter":[],'
            for body, keys in bodies(
                ((key, data) for _, key, data in group),
                most=_MOST_HITS,
                largest=_LARGEST_BODY,
                head=head + b'"hits":[',
                tail=b"]}",
            ):
                yield Call("POST", self.url, headers, body, keys)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(call, status, headers, body)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what GoatCounter would refuse, cut or ignore in *hit*."""
        unheard = hit_properties(hit)
        if unheard:
            message = f"only names are counted, not {', '.join(unheard)[:200]}"
            yield Problem("event", message, "GoatCounter API reference, count")
        said = {
            **say(hit, hit.time, language=self.language),
            **raw_parameters(hit, self.name),
        }
        yield from check(said, hit.time, no_sessions=is_nobody(said))

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system with a made-up token."""
        return cls("https://example.goatcounter.com", "made-up-token")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from ``goatcounter+https://TOKEN@code.goatcounter.com``.

        The options are ``?language=1`` and ``?ignore_list=0``.
        """
        token, address = key_and_address_of(url)
        options = query_options(url, {"language": FLAG, "ignore_list": FLAG})
        return cls(address, token, **options)

    def _parts(
        self, hits: Sequence[Hit], now: float
    ) -> Iterator[tuple[tuple[bool, bool], UUID, bytes]]:
        for hit in hits:
            if hit.context.consent.analytics is False:
                continue
            told = fit(say(hit, moment_of(hit, now), language=self.language))
            if "path" not in told:
                continue
            raw = raw_parameters(hit, self.name)
            data = json_bytes({**told, **raw})
            if len(data) > _LARGEST_BODY - 64:
                data, raw = json_bytes(told), {}
            group = (is_nobody({**told, **raw}), bool(raw.keys() - FIELDS))
            yield group, hit.id, data
