"""Make one hit of words, and send it to each system."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, get_args
from urllib.parse import unquote, urlsplit

import msgspec

from server_tracking.addresses import anonymized
from server_tracking.calls import Call, Problem, Verdict
from server_tracking.errors import ConfigurationError, TransportError
from server_tracking.hits import Consent, Context, Device, Hit, Page, Session, Visitor
from server_tracking.scrubbing import DEFAULT_KEEP, scrubbed_hit, scrubbed_url
from server_tracking.senders.hooks import NO_HOOKS
from server_tracking.senders.judging import judged
from server_tracking.senders.transports import Answer
from server_tracking.systems import System
from server_tracking.visitors import new_client_id

__all__ = ["KINDS", "Carrier", "Result", "context_of", "hit_of", "told"]

KINDS: Mapping[str, type[Hit]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Hit)
}
_OURS = frozenset({"context", "id", "time", "params", "extra", "items"})


class Carrier(Protocol):
    """What makes calls: a `Client`."""

    def answer(self, call: Call) -> Answer | TransportError:
        """Make *call*; never raises."""
        ...


class Result(msgspec.Struct, frozen=True):
    """What became of a hit in one system; *verdict* is None if nothing was sent."""

    system: str
    verdict: Verdict | None
    reason: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def fine(self) -> bool:
        """Tell whether the system has the hit, or (unsent) would take it."""
        if self.verdict is None:
            return not self.reason and not any(p.fatal for p in self.problems)
        return self.verdict is Verdict.DELIVERED


def context_of(
    *,
    url: str | None,
    title: str | None,
    client_id: str | None,
    user_id: str | None,
    user_agent: str | None,
    address: str | None,
) -> Context:
    """Make the context of a hit that somebody tells by hand.

    Of *address* only the anonymous form is kept.
    """
    now = time.time()
    return Context(
        Visitor(client_id or new_client_id(now), user_id),
        Session(id=int(now)),
        page=_page(url, title),
        device=Device(user_agent=user_agent),
        address=anonymized(address),
        consent=Consent(analytics=True),
    )


def _page(url: str | None, title: str | None) -> Page:
    if url is None:
        return Page(title=title)
    parts = urlsplit(url)
    path = unquote(parts.path) or "/"
    clean = scrubbed_url(
        parts.scheme, parts.netloc, path, parts.query, keep=DEFAULT_KEEP
    )
    return Page(clean, parts.netloc, urlsplit(clean).path, title)


def hit_of(
    kind: str, fields: Mapping[str, str], params: Mapping[str, str], context: Context
) -> Hit:
    """Make a hit of *kind*; raises `ConfigurationError` for what does not fit it."""
    wanted = KINDS[kind]
    known = [name for name in wanted.__struct_fields__ if name not in _OURS]
    for name in fields:
        if name not in known:
            accepted = ", ".join(known) or "none"
            message = f"A {kind} has no field {name!r}; it has: {accepted}."
            raise ConfigurationError(message, option=name)
    try:
        hit: Hit = msgspec.convert(
            {
                **fields,
                "hit": kind,
                "context": msgspec.to_builtins(context),
                "params": dict(params),
            },
            wanted,
            strict=False,
        )
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{kind}: {error}.", option=kind) from None
    return scrubbed_hit(hit)


def told(hit: Hit, systems: Sequence[System], client: Carrier | None) -> list[Result]:
    """Send *hit* to each system; without a *client*, only ask what they make of it."""
    now = time.time()
    return [_result(hit, system, client, now) for system in systems]


def _result(hit: Hit, system: System, client: Carrier | None, now: float) -> Result:
    problems = tuple(system.problems(hit))
    calls = [call for call in _calls(system, hit, now) if hit.id in call.hits]
    if not calls:
        verdict = None if client is None else Verdict.REJECTED
        return Result(system.name, verdict, "unsupported", problems)
    if client is None:
        return Result(system.name, None, "", problems)
    [call] = calls[:1]
    whole = judged(system, call, client.answer(call), NO_HOOKS)
    outcome = whole.exceptions.get(hit.id, whole)
    return Result(system.name, outcome.verdict, outcome.reason, problems)


def _calls(system: System, hit: Hit, now: float) -> Iterable[Call]:
    return system.encode([hit], now)
