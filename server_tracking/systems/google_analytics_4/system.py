"""Google Analytics 4: the Measurement Protocol for web streams.

Google answers 2xx to whatever arrives, so that all checking has to be done before:
`GoogleAnalytics4.problems` says what would be lost, and Google's validation server
(`GoogleAnalytics4.validation_call`) gives a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, quote
from uuid import UUID

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import check_flags, endpoint_from
from server_tracking.hits import BrowserIds, Context, Hit
from server_tracking.systems import ParameterRow
from server_tracking.systems.google_analytics_4.answers import (
    outcome_of,
    problems_of_answer,
    validation_endpoint,
)
from server_tracking.systems.google_analytics_4.checking import check_body, check_event
from server_tracking.systems.google_analytics_4.cookies import (
    browser_ids_from,
    cookie_names,
)
from server_tracking.systems.google_analytics_4.fitting import (
    fit_body,
    fit_parameters,
    slim_body,
    slim_parameters,
)
from server_tracking.systems.google_analytics_4.meanings import ROWS
from server_tracking.systems.google_analytics_4.options import (
    check_credentials,
    check_event_names,
    check_functions,
    check_user_properties,
    options_from,
)
from server_tracking.systems.google_analytics_4.saying import (
    Options,
    Place,
    Words,
    merged_body,
    merged_parameters,
    say,
)
from server_tracking.systems.google_analytics_4.tables import (
    LARGEST_BODY,
    LONGEST_VALUE,
    LONGEST_VALUE_360,
    MOST_EVENTS,
    MOST_PARAMETERS,
    OLDEST,
)
from server_tracking.wire import bodies, json_bytes

__all__ = ["GoogleAnalytics4"]

_HOST = "https://www.google-analytics.com"
_EU_HOST = "https://region1.google-analytics.com"
_PATH = "/mp/collect"
_HEADERS = {"Content-Type": "application/json"}
_LIMITS = Limits(
    hits=MOST_EVENTS,
    bytes=LARGEST_BODY,
    max_age=float(OLDEST),
    reuses_data=True,
    # Nearly every visitor needs a call of his own: 1,280 hits/s at 100 ms.
    concurrency=128,
)
_FRAME = len(b',"events":[]')


class _Credentials(msgspec.Struct, frozen=True):
    measurement_id: str
    api_secret: str


class GoogleAnalytics4(_Credentials, frozen=True, kw_only=True):
    """A web stream of Google Analytics 4, told through the Measurement Protocol.

    *eu* has the data collected in the EU; *endpoint* is another collector, such as
    the inspector. *debug* shows the events in DebugView. *event_names* maps what
    `wire.hit_name` calls a hit (``Basket: Add``; ``Checkout: 2`` for a later step)
    to the names of events. *user_properties* names the `params` of hits that
    describe the visitor. *user_location* says where visitors are, and *device* with
    what, as functions of the context that return Google's fields; without them
    Google derives both from the anonymous address and the user agent.
    *campaign_parameters* adds source, medium and so on to each event.
    *analytics_360* allows values of 500 characters in place of 100.

    Raises `ConfigurationError` for arguments of another form.
    """

    name: ClassVar[str] = "google_analytics_4"
    scheme: ClassVar[str] = "ga4"

    eu: bool = False
    endpoint: str | None = None
    debug: bool = False
    event_names: Mapping[str, str] | None = None
    user_properties: Sequence[str] = ()
    user_location: Place = None
    device: Callable[[Context], Mapping[str, str] | None] | None = None
    campaign_parameters: bool = False
    analytics_360: bool = False

    def __post_init__(self) -> None:
        check_credentials(self.measurement_id, self.api_secret)
        endpoint_from("endpoint", self._host, _PATH)
        check_flags(
            eu=self.eu,
            debug=self.debug,
            campaign_parameters=self.campaign_parameters,
            analytics_360=self.analytics_360,
        )
        check_event_names(self.event_names or {})
        check_user_properties(self.user_properties)
        check_functions(self.user_location, self.device)
        msgspec.structs.force_setattr(self, "event_names", dict(self.event_names or {}))
        msgspec.structs.force_setattr(
            self, "user_properties", tuple(self.user_properties)
        )

    def __repr__(self) -> str:
        endpoint = f", endpoint={self.endpoint!r}" if self.endpoint else ""
        return f"GoogleAnalytics4({self.measurement_id!r}, api_secret='...'{endpoint})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("measurement_id", self.measurement_id), ("endpoint", self.endpoint)]

    def __hash__(self) -> int:
        return hash((self.measurement_id, self.api_secret, self.endpoint))

    @property
    def limits(self) -> Limits:
        """Say what one call may carry: 25 events of one visitor, 72 hours old at most."""
        return _LIMITS

    def encode(self, hits: Sequence[Hit], now: float) -> Iterable[Call]:
        """Make the calls that tell *hits*: one for each visitor, device and consent.

        A hit of a visitor who has refused, or without a client id, is not told.
        """
        return list(self._calls(hits, now, self._collector))

    def validation_call(self, hit: Hit, now: float) -> Call | None:
        """Make the call that has Google's validation server check *hit*.

        Nothing of it reaches reports; read the answer with `problems_of_answer`. None
        if nothing may be told of the hit.
        """
        address = validation_endpoint(self._collector)
        behavior = {"validation_behavior": "ENFORCE_RECOMMENDATIONS"}
        return next(iter(self._calls([hit], now, address, behavior)), None)

    @staticmethod
    def problems_of_answer(body: bytes) -> tuple[Problem, ...]:
        """Read the answer to a `validation_call`; empty if all is well."""
        return problems_of_answer(body)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means."""
        return outcome_of(call, status, headers, body)

    @property
    def browser_cookies(self) -> tuple[str, ...]:
        """Name the cookies in which Google's own tag keeps its ids."""
        return cookie_names(self.measurement_id)

    def browser_ids(self, cookies: Mapping[str, str], now: float) -> BrowserIds | None:
        """Read what Google's own tag calls the visitor; None if nothing."""
        return browser_ids_from(cookies, self.measurement_id, now)

    def problems(self, hit: Hit) -> Iterable[Problem]:
        """Name what Google would refuse, cut or ignore in *hit*."""
        words = say(hit, self._options)
        found: list[Problem] = []
        if hit.context.consent.analytics is False:
            message = "The visitor has refused, so nothing is sent."
            found.append(Problem("consent", message, "this library", fatal=True))
        body = merged_body(words.body, words.raw_body)
        found += [finding.problem for finding in check_body(body)]
        for index, (name, parameters) in enumerate(words.events):
            event = {
                "name": name,
                "timestamp_micros": words.micros,
                "params": merged_parameters(parameters, words.raw_parameters),
            }
            findings = check_event(event, index, longest=self._longest)
            found += [finding.problem for finding in findings]
        return list(dict.fromkeys(found))

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol, and the events it recommends."""
        return ROWS

    @classmethod
    def example(cls) -> Self:
        """Make a system with made-up credentials, for tests and docs."""
        return cls("G-EXAMPLE123", "made-up-secret")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make it from ``ga4://API_SECRET@G-XXXX``, with options in the query."""
        return cls(**options_from(url))

    @property
    def _host(self) -> str:
        default = _EU_HOST if self.eu else _HOST
        return default if self.endpoint is None else self.endpoint

    @property
    def _collector(self) -> str:
        return endpoint_from("endpoint", self._host, _PATH)

    @property
    def _longest(self) -> int:
        return LONGEST_VALUE_360 if self.analytics_360 else LONGEST_VALUE

    @property
    def _options(self) -> Options:
        return Options(
            self.measurement_id,
            self.debug,
            self.event_names or {},
            tuple(self.user_properties),
            self.user_location,
            self.device,
            self.campaign_parameters,
        )

    def _calls(
        self,
        hits: Sequence[Hit],
        now: float,
        address: str,
        more: Mapping[str, str] = {},
    ) -> Iterator[Call]:
        url = (
            f"{address}?measurement_id={quote(self.measurement_id, safe='')}"
            f"&api_secret={quote(self.api_secret, safe='')}"
        )
        groups: dict[tuple[bytes, UUID | None], list[tuple[UUID, bytes]]] = {}
        options = self._options
        for hit in hits:
            if hit.context.consent.analytics is False:
                continue
            words = say(hit, options, now)
            if (envelope := _envelope(words, more)) is None:
                continue
            events = self._events(words, LARGEST_BODY - len(envelope) - _FRAME)
            if events:
                # Promotions give several events, which count against the limit of
                # a call, and a hit stays in one call.
                alone = hit.id if len(events) > 1 else None
                part = (hit.id, b",".join(events))
                groups.setdefault((envelope, alone), []).append(part)
        for (envelope, _), parts in groups.items():
            for body, keys in bodies(
                parts,
                most=MOST_EVENTS,
                largest=LARGEST_BODY,
                head=envelope[:-1] + b',"events":[',
                tail=b"]}",
            ):
                yield Call("POST", url, _HEADERS, body, keys)

    def _events(self, words: Words, room: int) -> list[bytes]:
        """Fit the events of a hit, each to its share of *room* bytes."""
        told = words.events[:MOST_EVENTS]
        most = max(0, MOST_PARAMETERS - len(words.raw_parameters))
        events = []
        for name, parameters in told:
            event = json_bytes({"name": name, "timestamp_micros": words.micros})
            fitted = fit_parameters(parameters, most=most, longest=self._longest)
            merged = merged_parameters(fitted, words.raw_parameters)
            share = room // len(told) - len(event) - len(b',"params":,')
            slim = slim_parameters(merged, share)
            if slim is not None:
                events.append(event[:-1] + b',"params":' + slim + b"}")
        return events


def _envelope(words: Words, more: Mapping[str, str]) -> bytes | None:
    """Write the request without its events; None without a client id."""
    body = slim_body(merged_body(fit_body(words.body), words.raw_body))
    if body is None or not body.get("client_id"):
        return None
    return json_bytes({**body, **more})
