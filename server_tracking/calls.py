"""One HTTP call to an analytics system, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

__all__ = ["Call", "Limits", "Outcome", "Problem", "Verdict"]


class Call(msgspec.Struct, frozen=True):
    """An HTTP call, ready to make. *hits* are the ids of the hits that it carries.

    Its `repr` shows neither query, headers nor body: each may hold secrets.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    hits: tuple[UUID, ...]

    def __repr__(self) -> str:
        method, url, size, hits = (value for _, value in self.__rich_repr__())
        return f"<Call {method} {url}, {size} bytes, {hits} hits>"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # Of msgspec's own making it would show all fields, as in a traceback of rich's.
        parts = urlsplit(self.url)
        return [
            ("method", self.method),
            ("url", f"{parts.scheme}://{parts.hostname}{parts.path}"),
            ("bytes", len(self.body)),
            ("hits", len(self.hits)),
        ]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a system takes, and how it wants to be called.

    *hits* and *bytes* (of the body) bound one call; *max_age* is the oldest that a
    hit may be when it is sent, in seconds. A call may carry several visitors' hits
    only if *mixed_visitors*. *idempotent* systems recognise a repeated hit, so
    that a call whose answer was lost may be made again. *reuses_data* marks a
    system whose operator uses what it gets for ends of its own. *concurrency* is
    the most calls that may be under way at once, where so many hits come: a sender
    begins with few. *linger* is how long a hit may wait for company, in seconds.
    """

    hits: int = 1
    bytes: int = 64 * 1024
    max_age: float = 4 * 3600.0
    mixed_visitors: bool = False
    idempotent: bool = False
    reuses_data: bool = False
    concurrency: int = 32
    linger: float = 0.2


class Problem(msgspec.Struct, frozen=True):
    """Something in a hit that its system will refuse, cut or ignore.

    *field* is the wire name, *source* the section of the protocol that says so.
    *fatal* problems lose the hit; others only lose or change the field.
    """

    field: str
    message: str
    source: str = ""
    fatal: bool = False


class Verdict(StrEnum):
    """What became of a hit that was sent."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Outcome(msgspec.Struct, frozen=True):
    """What became of a call.

    *reason* is a short word for counters and logs. For `Verdict.RETRY`: *after* is
    the least time to wait in seconds, *split* asks for smaller calls (a batch may
    fail for one bad hit), *misconfigured* says that nothing will get through until
    somebody acts (bad credentials, wrong address), so the sender pauses the system.
    *exceptions* are the hits of the call that fared otherwise, by id.
    """

    verdict: Verdict
    reason: str = ""
    after: float | None = None
    split: bool = False
    misconfigured: bool = False
    exceptions: Mapping[UUID, Outcome] = msgspec.field(default_factory=dict)

    @classmethod
    def of_status(cls, status: int, headers: Mapping[str, str]) -> Outcome:
        """Tell what an HTTP *status* means where a system says nothing special.

        *headers* have lower-case names. A call that may have been acted on (500,
        502, 504) is `Verdict.UNKNOWN`: repeating it could count a visit twice.
        """
        reason = f"http_{status}"
        if 200 <= status < 300:
            return cls(Verdict.DELIVERED)
        if status in {408, 421, 425, 429, 503, 521, 522, 523, 525, 526}:
            return cls(Verdict.RETRY, reason, after=_retry_after(headers))
        if status in {400, 413, 415, 422}:
            return cls(Verdict.REJECTED, reason, split=True)
        if status in {401, 403, 404, 405} or 300 <= status < 400:
            return cls(Verdict.RETRY, reason, misconfigured=True)
        if 400 <= status < 500 or status in {501, 505}:
            return cls(Verdict.REJECTED, reason)
        return cls(Verdict.UNKNOWN, reason)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds (RFC 9110 section 10.2.3).

    The form with a date counts from the answer's own Date: no two clocks agree.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    then, now = _moment(value), _moment(headers.get("date", ""))
    return None if then is None or now is None else max(0.0, then - now)


def _moment(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # 8 ms, for a rare header

    try:
        return parsedate_to_datetime(text[:60]).timestamp()
    except (ValueError, OverflowError):
        return None
