"""The Matomo system: its options and its calls."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self
from urllib.parse import SplitResult

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import (
    FLAG,
    NUMBER,
    TEXT,
    Reading,
    address_from,
    check_choice,
    check_flags,
    key_and_address_of,
    query_options,
    refusal,
    shown,
)
from server_tracking.hits import BrowserIds, Hit
from server_tracking.parameters import query_from
from server_tracking.systems import ParameterRow
from server_tracking.systems.matomo.answers import outcome_of
from server_tracking.systems.matomo.checking import DAY, check, is_refused
from server_tracking.systems.matomo.cookies import browser_ids_from, cookie_name
from server_tracking.systems.matomo.fitting import fit
from server_tracking.systems.matomo.saying import Settings, say
from server_tracking.systems.matomo.tables import ROWS
from server_tracking.wire import bodies, json_bytes, moment_of, raw_parameters

__all__ = ["Matomo"]

_MOST_HITS = 50  # as many as Matomo's own script packs
_LARGEST_BODY = 1024 * 1024
_OLDEST = 20 * 365 * DAY  # what is older, Matomo takes for something of today
_TOKEN = re.compile(r"[\x21-\x7e]{1,200}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}

Dimensions = Mapping[str, int] | Iterable[tuple[str, int]]


class Matomo(msgspec.Struct, frozen=True):
    """Tell a Matomo server of hits.

    *url* is the address of Matomo, or of its tracker if it ends with ``.php``.
    *token* is that of a user who may write to the site: Matomo takes visitors'
    addresses, and hits of more than a day ago, only with one. *dimensions* maps names
    of `params` to ids of custom dimensions. *bulk* sends many hits in one call; None
    does so if there is a token. *bots* ``"record"`` asks Matomo (5.7) to log AI
    assistants. *crashes* says that it has the plugin Crash Analytics. *currency* is
    that of the site in Matomo: purchases in another one are told as events.
    *session_starts* has Matomo begin a visit where ours begins, beside its own rules.
    """

    url: str
    site_id: int
    token: str | None = None
    dimensions: Dimensions | None = None
    bulk: bool | None = None
    bots: Literal["ignore", "record"] = "ignore"
    crashes: bool = False
    currency: str | None = None
    session_starts: bool = False

    name: ClassVar[str] = "matomo"
    scheme: ClassVar[str] = "matomo"

    def __post_init__(self) -> None:
        endpoint = _tracker_from(self.url)
        dimensions = _dimensions_from(self.dimensions)
        site: object = self.site_id
        if isinstance(site, bool) or not isinstance(site, int) or site < 1:
            raise refusal("site_id", shown(site), "a whole number from 1")
        if self.token is not None and not _is_like(_TOKEN, self.token):
            given = "nothing, or what is no token,"
            raise refusal("token", given, "None or the 32 characters of a token")
        if self.bulk is not None:
            check_flags(bulk=self.bulk)
        check_choice("bots", self.bots, ("ignore", "record"))
        check_flags(crashes=self.crashes, session_starts=self.session_starts)
        if self.currency is not None and not _is_like(_CURRENCY, self.currency):
            accepted = "None or a code such as 'EUR'"
            raise refusal("currency", shown(self.currency), accepted)
        msgspec.structs.force_setattr(self, "url", endpoint)
        msgspec.structs.force_setattr(self, "dimensions", dimensions)

    def __repr__(self) -> str:
        token = ", token='...'" if self.token else ""
        return f"Matomo({self.url!r}, {self.site_id}{token})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url), ("site_id", self.site_id)]

    @property
    def limits(self) -> Limits:
        """Say what one call may carry.

        One call at a time: two hits of a new visitor that arrive at once begin two
        visits (matomo-org/matomo#5966).
        """
        return Limits(
            hits=_MOST_HITS if self._is_bulk else 1,
            bytes=_LARGEST_BODY,
            max_age=7.0 * DAY if self.token else 23 * 3600.0,
            mixed_visitors=self._is_bulk,
            concurrency=1,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        """Make one call for up to 50 hits, or one for each.

        A hit that Matomo would refuse, or count at the wrong time, is in no call.
        """
        told = self._told(hits, now)
        if not self._is_bulk:
            for hit, parameters in told:
                yield self._single(hit, parameters)
            return
        tail = b"]}"
        if self.token:
            tail = b'],"token_auth":' + json_bytes(self.token) + b"}"
        for body, keys in bodies(
            ((hit.id, json_bytes(parameters)) for hit, parameters in told),
            most=_MOST_HITS,
            largest=_LARGEST_BODY,
            head=b'{"requests":[',
            tail=tail,
        ):
            yield Call("POST", self.url, _JSON, body, keys)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(call, status, headers, body, bulk=self._is_bulk)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what Matomo would refuse, cut or ignore in *hit*."""
        said = say(hit, hit.time, self._settings)
        yield from check(said, has_token=self._has_token(said))

    @property
    def browser_cookies(self) -> tuple[str, ...]:
        """Name the cookie in which Matomo's own script keeps its id."""
        return (f"{cookie_name(self.site_id)}*",)

    def browser_ids(self, cookies: Mapping[str, str], now: float) -> BrowserIds | None:
        """Read what Matomo's own script calls the visitor; None if nothing."""
        return browser_ids_from(cookies, self.site_id, now)

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system with a made-up token."""
        token = "0123456789abcdef0123456789abcdef"  # noqa: S105
        return cls("https://matomo.example.org/", 1, token=token)

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from ``matomo+https://TOKEN@host/?site_id=1``.

        The token may be left out. Options are ``bulk``, ``crashes`` and
        ``session_starts`` (1 or 0), ``bots``, ``currency``, and ``dimensions=plan:1,language:2``.
        """
        token, address = key_and_address_of(url)
        given: dict[str, Any] = {"site_id": None, **query_options(url, _OPTIONS)}
        return cls(address, token=token or None, **given)

    @property
    def _is_bulk(self) -> bool:
        return self.token is not None if self.bulk is None else self.bulk

    @property
    def _settings(self) -> Settings:
        return Settings(
            site_id=self.site_id,
            has_token=self.token is not None,
            dimensions=self.dimensions,  # type: ignore[arg-type]
            bots=self.bots,
            crashes=self.crashes,
            currency=self.currency,
            session_starts=self.session_starts,
        )

    def _has_token(self, parameters: Mapping[str, str]) -> bool:
        return self.token is not None or "token_auth" in parameters

    def _told(
        self, hits: Sequence[Hit], now: float
    ) -> Iterator[tuple[Hit, dict[str, str]]]:
        settings = self._settings
        for hit in hits:
            moment = moment_of(hit, now)
            if hit.context.consent.analytics is False or now - moment > _OLDEST:
                continue
            said = say(hit, moment, settings)
            told = fit(said, kept=raw_parameters(hit, self.name).keys())
            if not is_refused(told, has_token=self._has_token(told), now=now):
                yield hit, told

    def _single(self, hit: Hit, parameters: dict[str, str]) -> Call:
        form = {**parameters, "send_image": "0"}
        if self.token:
            form.setdefault("token_auth", self.token)
        headers = _FORM if self.token else {**_FORM, **_forwarded(hit)}
        return Call("POST", self.url, headers, query_from(form).encode(), (hit.id,))


def _forwarded(hit: Hit) -> dict[str, str]:
    """Say the visitor's address as a proxy would; Matomo reads it if told to."""
    try:
        address = ipaddress.ip_address(hit.context.address or "")
    except ValueError:
        return {}
    return {"x-forwarded-for": str(address)}


def _is_like(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _tracker_from(url: object) -> str:
    """Check the address of Matomo, and return that of its tracker."""
    address = address_from("url", url)
    if address.path.endswith(".php"):
        return address.geturl()
    return address.geturl().removesuffix("/") + "/matomo.php"


def _dimensions_from(given: Any) -> tuple[tuple[str, int], ...]:
    """Check *given*, and return it as pairs in order, which can be hashed."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    found: dict[int, str] = {}
    for pair in pairs if isinstance(pairs, Iterable) else [pairs]:
        match pair:
            case (str(name), int(index)) if 0 < index < 1000 and index not in found:
                found[index] = name
            case _:
                accepted = "names with ids from 1 to 999, each id once"
                raise refusal("dimensions", shown(pair), accepted)
    return tuple(sorted((name, index) for index, name in found.items()))


def _dimensions_read(text: str) -> list[tuple[str, int]]:
    pairs = (pair.rpartition(":") for pair in text.split(",") if pair)
    return [(name, int(index[:9])) for name, _, index in pairs]


_OPTIONS = {
    "site_id": NUMBER,
    "bulk": FLAG,
    "crashes": FLAG,
    "bots": TEXT,
    "currency": TEXT,
    "session_starts": FLAG,
    "dimensions": Reading(_dimensions_read, "names with ids: plan:1,language:2"),
}
