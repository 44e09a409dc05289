"""What lanes hold, and by which rules."""

from __future__ import annotations

import msgspec

from server_tracking.calls import Call
from server_tracking.hits import Hit
from server_tracking.reasons import Reason
from server_tracking.senders import Draft

__all__ = ["Entry", "Packed", "Parcel", "Rules"]

Entry = tuple[Hit | Draft, int, float]
"""A hit, its size in bytes, and when it was made, on the monotonic clock."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and patience of a lane; all times in seconds.

    *max_hits* and *max_bytes* bound all that a lane holds, also what waits or is
    being sent; *max_hit_bytes* one hit. What comes when they are reached is
    refused; with *drop_oldest*, it takes the place of the oldest that is queued.

    A hit is tried *attempts* times (0: once, and nothing ever waits); the wait
    before the next try is random between 0 and *backoff*, which doubles up to
    *backoff_cap*. After *failures* in a row the lane pauses for about *pause*, which
    doubles up to *pause_cap*, and then tries with one hit.

    At most *concurrency* calls are under way at once (None: as the system says). A
    lane begins with *first_calls* of them; each success while more hits wait allows
    one more, which doubles them in each round trip; each failure half as many.
    """

    max_hits: int = 10_000
    max_bytes: int = 16 * 1024 * 1024
    max_hit_bytes: int = 32 * 1024
    drop_oldest: bool = False
    attempts: int = 6
    backoff: float = 1.0
    backoff_cap: float = 60.0
    failures: int = 5
    pause: float = 5.0
    pause_cap: float = 300.0
    misconfigured_pause: float = 300.0
    retry_after_cap: float = 3600.0
    concurrency: int | None = None
    first_calls: int = 4
    linger: float | None = None


class Parcel:
    """Hits that travel together. *first* is the place of the oldest in the lane."""

    __slots__ = ("attempts", "call", "entries", "first", "probe")

    call: Call  # once it was encoded

    def __init__(self, entries: list[Entry], first: int, attempts: int = 0) -> None:
        self.entries = entries
        self.first = first
        self.attempts = attempts
        self.probe = False


class Packed(msgspec.Struct, frozen=True):
    """What encoding made of hits: *loads* for the wire, *losses* with their reason."""

    loads: list[tuple[Call, list[Entry]]]
    losses: list[tuple[Reason, list[Entry]]]
