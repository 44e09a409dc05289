"""What every analytics system has to do: a contract to inherit in a test.

    class TestMine(SystemContract):
        def make_system(self):
            return MySystem.example()

Each method whose name begins with ``test`` is one behaviour. The contract needs
nothing but pytest's plain asserts.
"""

from __future__ import annotations

import json
import logging
import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec

from server_tracking.calls import Call, Outcome, Problem, Verdict
from server_tracking.hits import (
    Consent,
    Hit,
    PageView,
    Visitor,
    decode_hits,
    encode_hits,
)
from server_tracking.systems import System
from server_tracking.testing.samples import NOW, sample_context, sample_hits

__all__ = ["SystemContract"]

T = TypeVar("T")

_SECRET_MARKS = ("secret", "token", "password")
_LONG = "ä€😀x" * 20_000
_TEXTS = {
    "non-ASCII": "Bücher & 日本 100 %",
    "lone surrogate": "odd \ud800 text",
    "control characters": "a\r\nX-Evil: 1\x00\x7f",
    "empty": "",
    "markup": "<script>&amp;'\"</script>",
    "separators": "a=b&c=d;e|f,g\tline\u2028break",
    "huge": _LONG,
}


class SystemContract:
    """The behaviours of an analytics system.

    *make_system* gives the system; *secrets* the texts among its credentials that
    nobody may read in a `repr`, a log or (if *secret_in_url* is False) a URL.
    """

    secrets: Sequence[str] = ()
    secret_in_url: bool = False
    """True where the protocol has no other place, as GA4's ``api_secret``."""

    def make_system(self) -> System:
        """Make the system under test."""
        raise NotImplementedError

    # What it is

    def test_it_is_a_system(self) -> None:
        system = self.make_system()

        assert isinstance(system, System)
        assert system.name.isidentifier()
        assert system.scheme.isalnum()

    def test_it_is_a_value(self) -> None:
        assert self.make_system() == self.make_system()
        assert hash(self.make_system()) == hash(self.make_system())

    def test_it_survives_pickling(self) -> None:
        system = self.make_system()

        assert pickle.loads(pickle.dumps(system)) == system

    def test_its_limits_make_sense(self) -> None:
        limits = self.make_system().limits

        assert limits.hits >= 1
        assert limits.bytes >= 1024
        assert limits.max_age > 0
        assert limits.concurrency >= 1
        assert limits.linger >= 0

    # What it says

    def test_a_page_view_is_told(self) -> None:
        [hit] = sample_hits(PageView)

        calls = self._encode([hit])

        assert [hit.id] == [key for call in calls for key in call.hits]

    def test_every_kind_is_told_once_or_not_at_all(self) -> None:
        for hit in sample_hits():
            carried = [key for call in self._encode([hit]) for key in call.hits]

            assert set(carried) <= {hit.id}, type(hit).__name__

    def test_a_call_is_ready_to_make(self) -> None:
        for call in self._encode(sample_hits()):
            parts = urlsplit(call.url)
            assert call.url.isascii()
            assert parts.scheme in ("http", "https")
            assert parts.hostname
            assert call.method in ("GET", "POST")
            assert isinstance(call.body, bytes)
            for name, value in call.headers.items():
                assert name.isascii()
                assert not set(value) & set("\r\n\x00")
                value.encode("latin-1")

    def test_the_same_hits_give_the_same_calls(self) -> None:
        hits = sample_hits()

        assert self._encode(hits) == self._encode(hits)

    def test_hits_are_not_changed(self) -> None:
        hits = sample_hits()
        before = encode_hits(hits)

        self._encode(hits)

        assert encode_hits(hits) == before

    def test_hits_that_went_through_json_are_told_alike(self) -> None:
        hits = sample_hits()

        assert self._encode(decode_hits(encode_hits(hits))) == self._encode(hits)

    def test_hits_are_told_in_order(self) -> None:
        hits = [_at(hit, NOW - 60 + n) for n, hit in enumerate(_copies(30))]
        places = {hit.id: place for place, hit in enumerate(hits)}

        told = [key for call in self._encode(hits) for key in call.hits]

        assert [places[key] for key in told] == sorted(places.values())

    def test_no_hit_gives_no_call(self) -> None:
        assert self._encode([]) == []

    # Limits

    def test_a_call_keeps_within_the_limits(self) -> None:
        limits = self.make_system().limits

        for call in self._encode(_copies(3 * limits.hits + 1)):
            assert 1 <= len(call.hits) <= limits.hits
            assert len(call.body) <= limits.bytes

    def test_hits_that_fit_share_a_call(self) -> None:
        limits = self.make_system().limits

        calls = self._encode(_copies(limits.hits))

        assert len(calls) == 1

    def test_visitors_share_a_call_only_where_they_may(self) -> None:
        limits = self.make_system().limits
        hits = [_of_visitor(hit, n) for n, hit in enumerate(_copies(6))]

        calls = self._encode(hits)

        if not limits.mixed_visitors:
            assert len(calls) == len(hits)
        assert {key for call in calls for key in call.hits} == {h.id for h in hits}

    def test_no_text_breaks_a_limit(self) -> None:
        limits = self.make_system().limits
        for name, text in _TEXTS.items():
            for hit in sample_hits():
                for call in self._encode([_with_text(hit, text)]):
                    assert len(call.body) <= limits.bytes, name
                    assert len(call.url) <= 64 * 1024, name
                    assert all(len(v) < 8192 for v in call.headers.values()), name

    def test_what_is_cut_is_cut_between_characters(self) -> None:
        for hit in sample_hits():
            for call in self._encode([_with_text(hit, _LONG)]):
                assert "\ufffd" not in call.body.decode("utf-8")

    def test_whatever_a_site_puts_into_a_hit_it_never_raises(self) -> None:
        odd = {
            "nan": math.nan,
            "infinity": math.inf,
            "large": 10**40,
            "none": None,
            "": "empty key",
            "k" * 500: "long key",
            "ü\ud800": "odd key",
            "_reserved": True,
        }
        raw: dict[str, Any] = {
            "deep": {"a": [{"b": object()}]},
            "decimal": Decimal("1.5"),
            "bytes": b"\xff",
        }
        system = self.make_system()
        for hit in sample_hits():
            changed = msgspec.structs.replace(
                hit, params=odd, extra={system.name: raw, "somebody_else": {"x": 1}}
            )
            self._encode([changed])
            list(system.problems(changed))

    def test_a_bare_context_is_enough(self) -> None:
        for hit in sample_hits():
            bare = msgspec.structs.replace(
                hit,
                context=msgspec.structs.replace(
                    sample_context(),
                    page=type(hit.context.page)(),
                    device=type(hit.context.device)(),
                    address=None,
                ),
            )
            self._encode([bare])

    def test_old_and_future_times_are_not_too_odd(self) -> None:
        for moment in (0.0, 1.5, NOW - 365 * 86400, NOW + 10 * 365 * 86400):
            self._encode([_at(hit, moment) for hit in sample_hits()])

    # Raw parameters

    def test_raw_parameters_reach_the_wire(self) -> None:
        system = self.make_system()
        [hit] = sample_hits(PageView)
        extra = {system.name: {"zz9": "raw-mark"}}

        [call] = self._encode([msgspec.structs.replace(hit, extra=extra)])

        assert "raw-mark" in _readable(call)

    def test_raw_parameters_of_another_system_do_not(self) -> None:
        [hit] = sample_hits(PageView)
        extra = {"another_system": {"zz9": "raw-mark"}}

        [call] = self._encode([msgspec.structs.replace(hit, extra=extra)])

        assert "raw-mark" not in _readable(call)

    # Privacy

    def test_a_visitor_who_refused_is_not_told(self) -> None:
        refused = [
            msgspec.structs.replace(
                hit,
                context=msgspec.structs.replace(
                    hit.context, consent=Consent(analytics=False)
                ),
            )
            for hit in sample_hits()
        ]

        assert self._encode(refused) == []

    def test_no_secret_is_shown(self, caplog: Any) -> None:
        caplog.set_level(logging.DEBUG)
        system = self.make_system()
        calls = self._encode(sample_hits())
        shown = [repr(system), str(system), *map(repr, calls), caplog.text]
        if not self.secret_in_url:
            shown += [call.url for call in calls]

        for secret in self.secrets:
            assert not any(secret in text for text in shown)

    def test_a_problem_names_no_secret(self) -> None:
        system = self.make_system()
        for hit in sample_hits():
            for problem in system.problems(_with_text(hit, _LONG)):
                assert isinstance(problem, Problem)
                assert problem.field
                assert problem.message
                assert not any(s in problem.message for s in self.secrets)

    def test_a_well_behaved_hit_has_no_fatal_problem(self) -> None:
        system = self.make_system()
        for hit in sample_hits():
            if self._encode([hit]):
                fatal = [p for p in system.problems(hit) if p.fatal]
                assert fatal == [], type(hit).__name__

    # What its answers mean

    def test_any_answer_has_a_meaning(self) -> None:
        system = self.make_system()
        calls = self._encode(sample_hits())
        bodies = (b"", b"ok", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 2000, b'"\\u"')
        for status in (100, 200, 202, 204, 302, 400, 401, 413, 429, 500, 503, 599, 999):
            for body in bodies:
                outcome = system.outcome(calls[0], status, {}, body)
                assert isinstance(outcome, Outcome)

    def test_a_busy_collector_is_asked_again_later(self) -> None:
        [call] = self._encode(sample_hits(PageView))

        outcome = self.make_system().outcome(call, 429, {"retry-after": "7"}, b"")

        assert (outcome.verdict, outcome.after) == (Verdict.RETRY, 7.0)

    def test_a_server_error_is_never_counted_as_delivered(self) -> None:
        [call] = self._encode(sample_hits(PageView))

        for status in (500, 502, 503, 504):
            outcome = self.make_system().outcome(call, status, {}, b"")
            assert outcome.verdict in {Verdict.RETRY, Verdict.UNKNOWN, Verdict.REJECTED}

    def _encode(self, hits: Iterable[Hit]) -> list[Call]:
        return list(self.make_system().encode(list(hits), NOW))


def _copies(number: int) -> list[Hit]:
    [hit] = sample_hits(PageView)
    return [msgspec.structs.replace(hit, id=UUID(int=n + 1)) for n in range(number)]


def _at(hit: Hit, moment: float) -> Hit:
    return msgspec.structs.replace(hit, time=moment)


def _of_visitor(hit: Hit, number: int) -> Hit:
    visitor = Visitor(f"{number + 1}.1790000000")
    context = msgspec.structs.replace(
        hit.context, visitor=visitor, address=f"198.51.{number}.0"
    )
    return msgspec.structs.replace(hit, context=context)


def _with_text(hit: Hit, text: str) -> Hit:
    """Put *text* into every field of *hit* and its context that takes any text."""
    kept = {"id", "time", "context", "extra", "action"}
    changes: dict[str, Any] = {
        name: text
        for name in hit.__struct_fields__
        if name not in kept and isinstance(getattr(hit, name), str)
    }
    changes["params"] = {"text": text}
    context = msgspec.structs.replace(
        hit.context,
        page=_texts(hit.context.page, text, keep={"url", "host"}),
        campaign=_texts(hit.context.campaign, text),
        device=_texts(hit.context.device, text),
    )
    url = f"https://example.com/{text[:100_000]}"
    context = msgspec.structs.replace(
        context, page=msgspec.structs.replace(context.page, url=url)
    )
    return msgspec.structs.replace(hit, context=context, **changes)


def _texts(value: T, text: str, keep: frozenset[str] | set[str] = frozenset()) -> T:
    fields: Mapping[str, Any] = {
        field.name: text
        for field in msgspec.structs.fields(value)  # type: ignore[arg-type]
        if field.name not in keep
        and str in get_args(field.type)
        and not isinstance(getattr(value, field.name), Mapping)
    }
    replace: Callable[..., T] = msgspec.structs.replace
    return replace(value, **fields)


def _readable(call: Call) -> str:
    """Return all that a call says, whatever its form."""
    body = call.body.decode("utf-8")
    try:
        body = json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        body = f"{body} {parse_qsl(body)}"
    return f"{call.url} {parse_qsl(urlsplit(call.url).query)} {body}"
