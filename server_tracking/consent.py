"""What the visitor allows, and what that permits: one table.

| state     | said by                           | `opt-in` | `session`          | `opt-out` |
|-----------|-----------------------------------|----------|--------------------|-----------|
| unknown   | nobody                            | nothing  | sent, session id   | sent, kept|
| signalled | Sec-GPC: 1 or DNT: 1, no decision | nothing  | nothing            | nothing   |
| granted   | the visitor accepted              | sent, id kept for 395 days in every mode |
| denied    | the visitor refused or withdrew   | nothing sent, nothing stored but that    |
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = ["ConsentMode", "ConsentState", "Decision", "decision"]

ConsentMode = Literal["session", "opt-in", "opt-out"]


class ConsentState(StrEnum):
    """What is known of the visitor's will."""

    UNKNOWN = "unknown"
    SIGNALLED = "signalled"
    GRANTED = "granted"
    DENIED = "denied"


class Decision(msgspec.Struct, frozen=True):
    """What follows for one request.

    *track* allows hits, *keep* allows an id cookie that outlives the browser's
    session. *changed* says that the visitor has just decided: the status cookie has
    to be written and the action cookie to go.
    """

    state: ConsentState
    track: bool
    keep: bool
    changed: bool = False


_PERMITS: dict[tuple[ConsentState, ConsentMode], tuple[bool, bool]] = {
    (ConsentState.UNKNOWN, "session"): (True, False),
    (ConsentState.UNKNOWN, "opt-in"): (False, False),
    (ConsentState.UNKNOWN, "opt-out"): (True, True),
    (ConsentState.SIGNALLED, "session"): (False, False),
    (ConsentState.SIGNALLED, "opt-in"): (False, False),
    (ConsentState.SIGNALLED, "opt-out"): (False, False),
    (ConsentState.GRANTED, "session"): (True, True),
    (ConsentState.GRANTED, "opt-in"): (True, True),
    (ConsentState.GRANTED, "opt-out"): (True, True),
    (ConsentState.DENIED, "session"): (False, False),
    (ConsentState.DENIED, "opt-in"): (False, False),
    (ConsentState.DENIED, "opt-out"): (False, False),
}
_DECISIONS = {
    (state, mode, changed): Decision(state, track, keep, changed)
    for (state, mode), (track, keep) in _PERMITS.items()
    for changed in (False, True)
}
_ACTIONS = {
    "accept": ConsentState.GRANTED,
    "refuse": ConsentState.DENIED,
    "withdraw": ConsentState.DENIED,
}


def decision(
    mode: ConsentMode,
    *,
    action: str | None = None,
    status: ConsentState | None = None,
    signal: bool = False,
) -> Decision:
    """Decide by what speaks first: *action*, then *status*, then *signal*.

    *action* is the value of the action cookie: ``accept``, ``refuse`` or
    ``withdraw``, all else is ignored. *status* is what was decided before, *signal*
    a browser-wide objection.
    """
    wish = _ACTIONS.get(action) if action else None
    if wish is not None:
        return _DECISIONS[wish, mode, True]
    if status is not None:
        return _DECISIONS[status, mode, False]
    state = ConsentState.SIGNALLED if signal else ConsentState.UNKNOWN
    return _DECISIONS[state, mode, False]
