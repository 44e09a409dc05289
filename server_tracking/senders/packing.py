"""Hits into calls: what a system can say, and what it cannot."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

from server_tracking.calls import Call
from server_tracking.hits import Hit
from server_tracking.patterns import pattern_from
from server_tracking.reasons import Reason
from server_tracking.senders.hooks import FAILURES, NO_HOOKS, Hooks
from server_tracking.senders.lanes import Entry, Packed
from server_tracking.systems import System, may_be_told

__all__ = ["packed"]

# RFC 9110 sections 5.5 and 5.6.2: nothing that could end a header line early.
_TOKEN = pattern_from(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = pattern_from(r"(?![\t\x20])[\t\x20-\x7e\x80-\xff]*(?<![\t\x20])")
_URL = pattern_from(r"https?://[\x21-\x7e]+")

# A thread that comes back from a socket waits up to 5 ms for the interpreter while
# others are at work. With a pause after each half millisecond, p99 of a thread that
# serves 1600 requests/s beside this one went from 4.1 ms to 1.2 (PostHog), 3.2 to 2.3
# (Google Analytics 4), p50 and hits/s being the same.
HOLD = 0.0005  # seconds
# Where more have gathered, the process has no time to spare, and each pause would cost
# this thread 5 ms.
FEW = 250

T = TypeVar("T")


def packed(
    system: System, entries: list[Entry], now: float, hooks: Hooks = NO_HOOKS
) -> Packed:
    """Encode *entries* for *system*; *now* is in Unix seconds.

    Never raises: if encoding them together fails, each is tried by itself, and
    only those that fail alone are lost.
    """
    written, odd = _written(entries, hooks)
    screened, withheld = hooks.screened(written)
    screened, unasked = _permitted(system, screened)
    result = _packed(system, screened, now, hooks)
    if withheld:
        result.losses.append((Reason.HOOK, withheld))
    if unasked:
        result.losses.append((Reason.UNDECIDED, unasked))
    if odd:
        result.losses.append((Reason.INVALID, odd))
    return result


_Written = list[tuple[Hit, Entry]]


class _Hits(list[Hit]):
    """Hits whose reader pauses now and then."""

    def __iter__(self) -> Iterator[Hit]:
        return _unhurried(super().__iter__(), len(self))


def _unhurried(items: Iterable[T], number: int) -> Iterator[T]:
    """Yield *number* items, and let other threads have the interpreter in between."""
    if number > FEW:
        yield from items
        return
    clock = time.perf_counter
    until = clock() + HOLD
    for item in items:
        yield item
        if clock() > until:
            time.sleep(0)
            until = clock() + HOLD


def _written(entries: list[Entry], hooks: Hooks) -> tuple[_Written, list[Entry]]:
    """Write out what is still a draft; also returns those that cannot be."""
    written: _Written = []
    odd: list[Entry] = []
    for entry in _unhurried(entries, len(entries)):
        hit = entry[0]
        try:
            written.append((hit if isinstance(hit, Struct) else hit.hit(), entry))
        except FAILURES as error:
            hooks.failed(error)
            odd.append(entry)
    return written, odd


def _permitted(system: System, screened: _Written) -> tuple[_Written, list[Entry]]:
    """Keep back what *system* may not be told; also returns the entries of that."""
    permitted: _Written = []
    unasked: list[Entry] = []
    for hit, entry in screened:
        if may_be_told(system, hit.context.consent):
            permitted.append((hit, entry))
        else:
            unasked.append(entry)
    return permitted, unasked


def _packed(system: System, screened: _Written, now: float, hooks: Hooks) -> Packed:
    if not screened:
        return Packed([], [])
    try:
        calls = list(system.encode(_Hits(hit for hit, _ in screened), now))
        return _sorted_out(screened, calls)
    except FAILURES as error:
        if len(screened) == 1:
            hooks.failed(error)
            return Packed([], [(Reason.INVALID, [screened[0][1]])])
        singles = [_packed(system, [one], now, hooks) for one in screened]
        return Packed(
            [load for single in singles for load in single.loads],
            [loss for single in singles for loss in single.losses],
        )


def _sorted_out(screened: _Written, calls: list[Call]) -> Packed:
    """Give each entry to the last call that carries it, which decides its end."""
    by_id: dict[int, list[Entry]] = {}  # by numbers: UUIDs are hashed in Python
    for hit, entry in screened:
        by_id.setdefault(hit.id.int, []).append(entry)
    loads: list[tuple[Call, list[Entry]]] = []
    losses: list[tuple[Reason, list[Entry]]] = []
    for call in reversed(calls):
        own = [entry for key in call.hits for entry in by_id.pop(key.int, ())]
        if _is_sound(call):
            loads.append((call, own))
        else:
            losses.append((Reason.INVALID, own))
    loads.reverse()
    if by_id:
        unheard = [entry for group in by_id.values() for entry in group]
        losses.append((Reason.UNSUPPORTED, unheard))
    return Packed(loads, losses)


def _is_sound(call: Call) -> bool:
    """Tell whether *call* can be written to the wire as it is meant."""
    return bool(
        type(call.body) is bytes
        and _TOKEN.fullmatch(call.method)
        and _URL.fullmatch(call.url)
        and all(map(_is_field, call.headers.items()))
    )


def _is_field(field: tuple[str, str]) -> bool:
    name, value = field
    return bool(_is_name(name) and _VALUE.fullmatch(value))


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return bool(_TOKEN.fullmatch(name))
