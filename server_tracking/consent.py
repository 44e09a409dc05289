"""What the visitor allows, and what that permits in each mode: one table.

`PERMITS` is the table, `docs/consent.md` shows it, and a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Literal, NamedTuple, get_args

import msgspec

from server_tracking.hits import Consent

__all__ = [
    "ACTIONS",
    "CONSENT_MODES",
    "PERMITS",
    "ConsentMode",
    "ConsentState",
    "Decision",
    "Permit",
    "accepted_value",
    "consent_from",
    "decision",
    "without_reuse",
]

ConsentMode = Literal["session", "opt-in", "cookieless", "opt-out", "off"]
Source = Literal["nobody", "signal", "status", "action", "resolver"]
CONSENT_MODES: tuple[ConsentMode, ...] = get_args(ConsentMode)


class ConsentState(StrEnum):
    """What is known of the visitor's will."""

    UNKNOWN = "unknown"
    SIGNALLED = "signalled"
    GRANTED = "granted"
    DENIED = "denied"


class Permit(NamedTuple):
    """What a state permits in a mode.

    *told* is who gets hits: no system, those that do not use data for ends of their
    own (``own``), or all. *stored* is how the visitor is known again: not by anything
    stored, by a cookie that ends with the browser's session, or by one that is kept.
    """

    told: Literal["none", "own", "all"]
    stored: Literal["nothing", "session", "kept"]


_NOTHING = Permit("none", "nothing")
_ALL = Permit("all", "kept")

PERMITS: dict[ConsentState, dict[ConsentMode, Permit]] = {
    ConsentState.UNKNOWN: {
        "session": Permit("all", "session"),
        "opt-in": _NOTHING,
        "cookieless": Permit("own", "nothing"),
        "opt-out": _ALL,
        "off": _ALL,
    },
    ConsentState.SIGNALLED: {
        "session": _NOTHING,
        "opt-in": _NOTHING,
        "cookieless": _NOTHING,
        "opt-out": _NOTHING,
        "off": _ALL,
    },
    ConsentState.GRANTED: dict.fromkeys(CONSENT_MODES, _ALL),
    ConsentState.DENIED: dict.fromkeys(CONSENT_MODES, _NOTHING),
}
"""What each state permits in each mode. ``off`` looks at no signal of the browser."""

ACTIONS: dict[str, ConsentState] = {
    "accept": ConsentState.GRANTED,
    "refuse": ConsentState.DENIED,
    "withdraw": ConsentState.DENIED,
}
"""What a visitor may do, and the state that follows, whatever was before."""


class Decision(msgspec.Struct, frozen=True):
    """What follows for one request.

    *track* allows hits, *keep* allows an id cookie that outlives the browser's
    session. *changed* says that the visitor has just decided anew: the status cookie
    has to be written. *spent* says that the action cookie has to go. *stored* allows
    an id cookie at all, *reuse* allows hits to systems that use data for ends of their
    own. *source* names who said it.
    """

    state: ConsentState
    track: bool
    keep: bool
    changed: bool = False
    spent: bool = False
    stored: bool = True
    reuse: bool = True
    source: Source = "nobody"
    consent: Consent = Consent()


def _decision_of(
    state: ConsentState,
    mode: ConsentMode,
    changed: bool,
    spent: bool,
    source: Source,
) -> Decision:
    permit = PERMITS[state][mode]
    tracks = permit.told != "none"
    granted = state is ConsentState.GRANTED
    reuse = permit.told == "all"
    return Decision(
        state,
        tracks,
        permit.stored == "kept",
        changed,
        spent,
        permit.stored != "nothing",
        reuse,
        source,
        # False and "not asked" are not the same: systems tell them apart.
        Consent((True if granted else None) if tracks else False, reuse=reuse),
    )


_SPOKEN = {
    (mode, action, before): _decision_of(
        state, mode, state is not before, True, "action"
    )
    for mode in CONSENT_MODES
    for action, state in ACTIONS.items()
    for before in (None, *ConsentState)
}
_SOURCES: dict[ConsentState, Source] = {
    ConsentState.UNKNOWN: "nobody",
    ConsentState.SIGNALLED: "signal",
    ConsentState.GRANTED: "status",
    ConsentState.DENIED: "status",
}
_SILENT = {
    (mode, state, spent): _decision_of(state, mode, False, spent, source)
    for mode in CONSENT_MODES
    for state, source in _SOURCES.items()
    for spent in (False, True)
}
_RESOLVED = {
    (mode, state): _decision_of(state, mode, False, False, "resolver")
    for mode in CONSENT_MODES
    for state in (ConsentState.GRANTED, ConsentState.DENIED)
}


def consent_from(answer: object) -> Consent | None:
    """Read what a consent resolver answers; raises `TypeError` for what it may not.

    True stands for a grant of analytics alone, False for a refusal, None for a visitor
    of whom nothing is known.
    """
    if answer is None or isinstance(answer, Consent):
        return answer
    if isinstance(answer, bool):
        return Consent(analytics=answer)
    raise TypeError(
        "A consent resolver returns True, False, None or a Consent, not "
        f"{type(answer).__name__}."
    )


@cache
def without_reuse(decided: Decision) -> Decision:
    """Keep what was *decided* from systems that use data for ends of their own."""
    consent = msgspec.structs.replace(decided.consent, reuse=False)
    return msgspec.structs.replace(decided, reuse=False, consent=consent)


def decision(
    mode: ConsentMode,
    *,
    resolved: Consent | None = None,
    action: str | None = None,
    status: ConsentState | None = None,
    signal: bool = False,
) -> Decision:
    """Decide by who speaks first: *resolved*, *action*, *status*, then *signal*.

    *resolved* is what a consent platform says; its *analytics* decides, and with None
    it says nothing. *action* is the value of the action cookie: one of `ACTIONS`; of
    all others nothing follows but that the cookie has to go. *status* is what was
    decided before, *signal* a browser-wide objection.
    """
    if resolved is not None and resolved.analytics is not None:
        state = ConsentState.GRANTED if resolved.analytics else ConsentState.DENIED
        decided = _RESOLVED[mode, state]
        if resolved.analytics and resolved != decided.consent:
            return msgspec.structs.replace(
                decided, consent=resolved, reuse=resolved.reuse
            )
        return decided
    if action is not None and action in ACTIONS:
        return _SPOKEN[mode, action, status]
    if status is None:
        status = ConsentState.SIGNALLED if signal else ConsentState.UNKNOWN
    return _SILENT[mode, status, bool(action)]


def accepted_value(accepted: str, version: int) -> str:
    """Write what the status cookie says of a grant given under policy *version*.

    A grant counts for its version only: raise it, and visitors are asked anew. A
    refusal has no version, and stays one.
    """
    return accepted if version == 1 else f"{accepted}.{version}"
