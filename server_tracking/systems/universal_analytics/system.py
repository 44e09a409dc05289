"""Universal Analytics (Measurement Protocol v1), at Google and at those who took over.

A hit is said in wire names (`saying`), fitted to the table (`fitting`), and written
as one query string; orders and product actions ride on an event. `receivers` says who
takes such hits today, and how they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, urlsplit

import msgspec

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.endpoints import check_flags
from server_tracking.hits import BrowserIds, Hit
from server_tracking.parameters import query_from, wire_text
from server_tracking.systems import ParameterRow
from server_tracking.systems.universal_analytics.answers import (
    outcome_of,
    problems_of_answer,
)
from server_tracking.systems.universal_analytics.checking import check, lacks
from server_tracking.systems.universal_analytics.constants import (
    GET_SIZE_LIMIT,
    LONGEST_QUEUE_TIME,
    POST_SIZE_LIMIT,
)
from server_tracking.systems.universal_analytics.cookies import (
    COOKIE_NAME,
    browser_ids_from,
)
from server_tracking.systems.universal_analytics.fitting import evened, fit, packed
from server_tracking.systems.universal_analytics.options import (
    check_extra,
    check_method,
    check_tracking_id,
    indexes_from,
    options_from,
)
from server_tracking.systems.universal_analytics.receivers import (
    Receiver,
    receiver_from,
)
from server_tracking.systems.universal_analytics.saying import say
from server_tracking.systems.universal_analytics.tables import TABLE
from server_tracking.wire import begins_visit, bodies, json_bytes, raw_parameters

__all__ = ["UniversalAnalytics"]

_MOST_HITS, _LARGEST_BODY = 20, 16 * 1024  # developer guide, "batch limitations"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_LINES = "text/plain; charset=utf-8"


class _Property(msgspec.Struct, frozen=True):
    tracking_id: str


class UniversalAnalytics(_Property, frozen=True, kw_only=True):
    """Send hits as Measurement Protocol v1.

    *tracking_id* is what the receiver calls the property: ``UA-1-1`` at Google, a
    counter number at Yandex Metrica. *endpoint* is another collector's URL, with
    ``/collect`` added if it has no path. *dimensions* and *metrics* map names among
    the params of a hit to indexes from 1 to 200. *method* ``"GET"`` falls back to
    POST where the URL would be too long. *batch* sends up to 20 hits in a call.
    *debug* has hits validated and not recorded. *session_starts* has a session begin
    where ours begins, beside the receiver's own rules. *extra* are raw wire parameters
    of every hit, such as the token ``ms`` of Yandex Metrica.

    ``extra={"universal_analytics": ...}`` of a hit takes raw wire parameters too;
    None takes a parameter away.
    """

    name: ClassVar[str] = "universal_analytics"
    scheme: ClassVar[str] = "ua"

    endpoint: str | None = None
    dimensions: Mapping[str, int] | None = None
    metrics: Mapping[str, int] | None = None
    method: str = "POST"
    batch: bool = False
    debug: bool = False
    session_starts: bool = False
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_tracking_id(self.tracking_id)
        check_flags(
            batch=self.batch, debug=self.debug, session_starts=self.session_starts
        )
        receiver = receiver_from(self.endpoint, debug=self.debug)
        check_method(self.method, self.batch, receiver)
        check_extra(self.extra)
        force = msgspec.structs.force_setattr
        force(self, "endpoint", receiver.url)
        force(self, "dimensions", indexes_from("dimensions", self.dimensions))
        force(self, "metrics", indexes_from("metrics", self.metrics))
        force(self, "extra", dict(self.extra))

    def __hash__(self) -> int:
        return hash((self.tracking_id, self.endpoint, self.method, self.batch))

    def __repr__(self) -> str:
        return f"UniversalAnalytics({self.tracking_id!r}, endpoint={self._receiver.shown!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("tracking_id", self.tracking_id), ("endpoint", self._receiver.shown)]

    @property
    def limits(self) -> Limits:
        """Say what one call may carry."""
        return Limits(
            hits=_MOST_HITS if self.batch else 1,
            bytes=_LARGEST_BODY if self.batch else POST_SIZE_LIMIT,
            max_age=LONGEST_QUEUE_TIME / 1000,
            mixed_visitors=self.batch,
            concurrency=64 if self.batch else 128,
            reuses_data=self._receiver.reuses_data,
        )

    def encode(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        """Make the calls that tell *hits*, each with its age at *now*.

        A hit that lacks what its type needs, and that of a visitor who refused, is
        carried by no call.
        """
        if self.batch:
            yield from self._batches(hits, now)
            return
        for hit in hits:
            payload = self._payload(hit, now)
            if payload is not None:
                call = self._single(hit, payload)
                if call is not None:
                    yield call

    def validation_call(self, hit: Hit, now: float) -> Call | None:
        """Make the call that has the debug endpoint check *hit*, which it drops.

        Read the answer with `problems_of_answer`. None if nothing may be told of the
        hit, or if the receiver has no debug endpoint.
        """
        url = self._receiver.debug_url
        payload = self._payload(hit, now) if url else None
        return self._posted(hit, payload, url) if url and payload else None

    @staticmethod
    def problems_of_answer(body: bytes) -> tuple[Problem, ...]:
        """Read the answer to a `validation_call`; empty if all is well."""
        return problems_of_answer(body)

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means; delivered means received, never recorded."""
        return outcome_of(call, status, headers, body)

    @property
    def browser_cookies(self) -> tuple[str, ...]:
        """Name the cookie in which analytics.js keeps its id."""
        return (COOKIE_NAME,)

    def browser_ids(self, cookies: Mapping[str, str], now: float) -> BrowserIds | None:
        """Read what analytics.js calls the visitor; None if nothing."""
        return browser_ids_from(cookies, self.tracking_id, now)

    def problems(self, hit: Hit) -> Iterator[Problem]:
        """Name what the receiver would refuse, cut or ignore in *hit*."""
        told = self._merged(hit, self._said(hit))
        yield from self._check(hit, told)
        if len(query_from(self._fitted(hit))) > POST_SIZE_LIMIT:
            yield Problem(
                "(all)",
                f"is more than {POST_SIZE_LIMIT} bytes: the last parameters are left out",
                "Measurement Protocol v1, protocol reference",
            )
        for name in hit.params:
            if name not in self._dimensions and name not in self._metrics:
                message = (
                    "is mapped to no custom dimension or metric, so it is not sent"
                )
                yield Problem(wire_text(name) or "(no name)", message)

    @classmethod
    def parameter_table(cls) -> Sequence[ParameterRow]:
        """List the parameters of the protocol."""
        return [
            *(
                ParameterRow(pattern, row.parameter.meaning)
                for pattern, row in TABLE.items()
            ),
            ParameterRow("<name>", "What another receiver of the protocol knows."),
        ]

    @classmethod
    def example(cls) -> Self:
        """Make a system with made-up credentials."""
        return cls("UA-123456-1")

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Read ``ua://UA-1-1`` or ``ua+https://UA-1-1@collector.example.com/path``.

        Options: ``endpoint``, ``method``, ``batch=1``, ``debug=1``,
        ``session_starts=1``, and ``dimension<n>`` and ``metric<n>`` with the name of
        a param.
        """
        return cls(**options_from(url))

    @property
    def _receiver(self) -> Receiver:
        return _receiver_at(self.endpoint or "")

    @property
    def _dimensions(self) -> Mapping[str, int]:
        return self.dimensions or {}

    @property
    def _metrics(self) -> Mapping[str, int]:
        return self.metrics or {}

    def _said(self, hit: Hit) -> dict[str, str]:
        told = say(hit, self.tracking_id, self._dimensions, self._metrics)
        if self.session_starts and begins_visit(hit):
            told["sc"] = "start"
        return told

    def _raw(self, hit: Hit) -> Mapping[str, Any]:
        if not hit.extra:
            return self.extra
        return {**self.extra, **raw_parameters(hit, self.name, self.scheme)}

    def _merged(self, hit: Hit, told: dict[str, str]) -> dict[str, str]:
        for key, value in self._raw(hit).items():
            name = wire_text(key)
            if value is None:
                told.pop(name, None)
            elif name:
                told[name] = _raw_text(value)
        return told

    def _check(self, hit: Hit, told: Mapping[str, str]) -> Iterator[Problem]:
        if not self._receiver.is_snowplow:
            yield from check(told)
            return
        # What Snowplow would refuse whole is mostly made to fit before.
        left = {p.field for p in check(self._fitted(hit), snowplow=True) if p.fatal}
        for problem in check(told, snowplow=True):
            fatal = problem.fatal and problem.field in left
            yield msgspec.structs.replace(problem, fatal=fatal)

    def _fitted(self, hit: Hit) -> dict[str, str]:
        snowplow = self._receiver.is_snowplow
        told = fit(self._said(hit), snowplow=snowplow)
        return self._merged(hit, evened(told) if snowplow else told)

    def _payload(self, hit: Hit, now: float) -> dict[str, str] | None:
        if hit.context.consent.analytics is False:
            return None
        payload = self._fitted(hit)
        if age := _age(hit.time, now):
            payload.setdefault("qt", str(age))
        return None if any(lacks(payload)) else payload

    def _single(self, hit: Hit, payload: dict[str, str]) -> Call | None:
        endpoint = self.endpoint or ""
        if self.method == "GET":
            payload.setdefault("z", str(hit.id.int % 2**31))
            payload["z"] = payload.pop("z")  # last (parameter reference, ``z``)
            mark = "&" if "?" in endpoint else "?"
            url = f"{endpoint}{mark}{query_from(payload)}"
            if len(url) <= GET_SIZE_LIMIT:
                return Call("GET", url, {}, b"", (hit.id,))
            del payload["z"]
        return self._posted(hit, payload, endpoint)

    def _posted(self, hit: Hit, payload: dict[str, str], url: str) -> Call | None:
        query = packed(payload, POST_SIZE_LIMIT, first=self._raw(hit))
        if query is None:
            return None
        return Call("POST", url, {"content-type": _FORM}, query.encode(), (hit.id,))

    def _batches(self, hits: Sequence[Hit], now: float) -> Iterator[Call]:
        lines = (
            (hit.id, query.encode())
            for hit in hits
            if (payload := self._payload(hit, now)) is not None
            and (query := packed(payload, POST_SIZE_LIMIT, first=self._raw(hit)))
        )
        url = self._receiver.batch_url or ""
        headers = {"content-type": _LINES}
        for body, keys in bodies(
            lines, most=_MOST_HITS, largest=_LARGEST_BODY, joint=b"\n"
        ):
            yield Call("POST", url, headers, body, keys)


@lru_cache(maxsize=64)
def _receiver_at(endpoint: str) -> Receiver:
    return Receiver(urlsplit(endpoint))


def _age(time: float, now: float) -> int:
    """Return the age of a hit in milliseconds, within what the protocol takes."""
    age = (now - time) * 1000
    return int(min(age, LONGEST_QUEUE_TIME)) if age > 0 else 0


def _raw_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | list | tuple):
        return json_bytes(value).decode("utf-8")
    return wire_text(value)
