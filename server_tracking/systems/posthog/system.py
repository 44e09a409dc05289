"""The PostHog system: its options and its calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, get_args
from urllib.parse import SplitResult
from uuid import UUID

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import (
    TEXT,
    address_from,
    check_choice,
    key_and_address_of,
    query_options,
    refusal,
)
from server_tracking.hits import BrowserIds, Hit
from server_tracking.systems import ParameterRow
from server_tracking.systems.posthog.answers import outcome_of
from server_tracking.systems.posthog.checking import check
from server_tracking.systems.posthog.cookies import (
    account_of,
    browser_ids_from,
    cookie_names,
)
from server_tracking.systems.posthog.fitting import fit
from server_tracking.systems.posthog.saying import NOBODY, PersonProfiles, say
from server_tracking.systems.posthog.tables import ROWS
from server_tracking.wire import bodies, json_bytes, moment_of

__all__ = ["PostHog"]

_MOST_HITS = 100  # with 5 MiB what PostHog's own Python client sends at once
_LARGEST_BODY = 5 * 1024 * 1024
_KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")
# The application's address in a browser is not the one that takes events.
_CAPTURE_HOSTS = {
    "https://app.posthog.com": "https://us.i.posthog.com",
    "https://us.posthog.com": "https://us.i.posthog.com",
    "https://eu.posthog.com": "https://eu.i.posthog.com",
}


class PostHog(msgspec.Struct, frozen=True):
    """Tell a PostHog project of hits.

    *api_key* is the project's public key (``phc_...``), never a personal one. *host*
    is where events are taken: one of the cloud's two regions, a server of your own,
    or a reverse proxy with its path. *person_profiles* says for whom PostHog keeps a
    profile: visitors with a user id, everybody, or nobody.
    """

    api_key: str
    host: str = "https://eu.i.posthog.com"
    person_profiles: PersonProfiles = "identified_only"

    name: ClassVar[str] = "posthog"
    scheme: ClassVar[str] = "posthog"

    def __post_init__(self) -> None:
        _check_key(self.api_key)
        check_choice("person_profiles", self.person_profiles, get_args(PersonProfiles))
        msgspec.structs.force_setattr(self, "host", _host_from(self.host))

    def __repr__(self) -> str:
        return f"PostHog('{self.api_key[:4]}...', host={self.host!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("host", self.host)]

    @property
    def limits(self) -> Limits:
        """Say what one call may carry; events have keys, so that repeating is safe."""
        return Limits(
            hits=_MOST_HITS,
            bytes=_LARGEST_BODY,
            max_age=48 * 3600.0,
            mixed_visitors=True,
            idempotent=True,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        """Make calls of up to 100 events.

        Neither these nor their times change with the attempt: PostHog knows an event
        again by its uuid, name, time and distinct id together. That is why there is
        no ``sent_at``, by which it would correct the time for the sender's clock.
        """
        headers = {"content-type": "application/json"}
        for body, keys in bodies(
            self._parts(hits, now),
            most=_MOST_HITS,
            largest=_LARGEST_BODY,
            head=b'{"api_key":' + json_bytes(self.api_key) + b',"batch":[',
            tail=b"]}",
        ):
            yield Call("POST", f"{self.host}/batch/", headers, body, keys)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(call, status, headers, body)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what PostHog would refuse, cut or ignore in *hit*."""
        user = hit.context.visitor.user_id
        if user and user.lower() in NOBODY:
            message = f"the user id {user!r} names nobody; the client id is sent"
            yield Problem("distinct_id", message, "PostHog capture API")
        yield from check(self._said(hit, hit.time))

    @property
    def browser_cookies(self) -> tuple[str, ...]:
        """Name the cookies in which PostHog's own script, or Segment's, keeps ids."""
        return cookie_names(self.api_key)

    def browser_ids(self, cookies: Mapping[str, str], now: float) -> BrowserIds | None:
        """Read what PostHog's own script calls the visitor; None if nothing."""
        return browser_ids_from(cookies, self.api_key, now)

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system with a made-up project key."""
        return cls("phc_0123456789abcdefghijABCDEFGHIJ0123456789abc")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from ``posthog+https://phc_KEY@eu.i.posthog.com``.

        A reverse proxy's path may follow the host. The option is
        ``?person_profiles=``.
        """
        key, address = key_and_address_of(url)
        options = query_options(url, {"person_profiles": TEXT})
        return cls(key, host=address, **options)

    def _parts(self, hits: Sequence[Hit], now: float) -> Iterator[tuple[UUID, bytes]]:
        for hit in hits:
            if hit.context.consent.analytics is False:
                continue
            data = fit(self._said(hit, moment_of(hit, now)))
            if data is not None:
                yield hit.id, data

    def _said(self, hit: Hit, moment: float) -> dict[str, Any]:
        known = None
        if hit.context.visitor.browser_ids:
            visitor = hit.context.visitor
            known = visitor.known_to(self.name, account_of(self.api_key))
        return say(hit, moment, self.person_profiles, known)


def _check_key(key: object) -> None:
    accepted = "the project's key (phc_...), which its settings show"
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        given = "nothing, or more than letters, digits, _ and -,"
        raise refusal("api_key", given, accepted)
    if key.startswith("phx_"):
        raise refusal("api_key", "a personal key (phx_...)", accepted)


def _host_from(host: object) -> str:
    """Check *host*, and return it as events want it."""
    address = address_from("host", host).geturl()
    address = address.removesuffix("/").removesuffix("/batch")
    return _CAPTURE_HOSTS.get(address, address)
