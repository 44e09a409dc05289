"""Who the visitor is, and which visit this is: what our cookie remembers."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, tzinfo

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Session

__all__ = [
    "Identity",
    "SessionRules",
    "identity_from",
    "new_client_id",
    "session_at",
    "zone_from",
]

_COOKIE = re.compile(
    r"1\.([1-9][0-9]{0,9}\.[0-9]{9,10})\.([0-9]{9,10})\.([0-9]{1,6})\.([0-9]{9,10})"
    r"\.(0|[0-9]{9,10})(?:\.([0-9a-f]{6}))?"
)


class Identity(msgspec.Struct, frozen=True):
    """What the id cookie says.

    Times are in Unix seconds: *session_start*, *last_seen* (when the cookie was last
    written), *granted* (when the visitor agreed to a permanent cookie, 0 if not).
    *session_number* counts the visits from 1. *campaign* is a mark of what brought the
    visitor, 0 if nothing did or no rule asks.
    """

    client_id: str
    session_start: int
    session_number: int
    last_seen: int
    granted: int = 0
    campaign: int = 0

    @property
    def cookie(self) -> str:
        """Write the value of the cookie, before it is signed: 70 characters at most."""
        value = (
            f"1.{self.client_id}.{self.session_start}.{self.session_number}"
            f".{self.last_seen}.{self.granted}"
        )
        return f"{value}.{self.campaign:06x}" if self.campaign else value

    def is_current(self, now: float, max_age: int) -> bool:
        """Tell whether it is neither of the future nor too old.

        A browser may keep a cookie beyond its Max-Age, so the server checks *max_age*
        (seconds) as well.
        """
        if self.last_seen > now + 300:
            return False
        return not self.granted or now - self.granted <= max_age


class SessionRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a visit ends, in seconds.

    After *idle* without a page view, or *longest* after its start. *refresh* is how
    old the time in the cookie may grow before the cookie is written again; *pause*
    is the most that one gap between two page views counts as engagement. With
    *midnight*, a visit ends at midnight of that time zone as well; with *campaign*, by
    another campaign, or one where there was none.

    The defaults are the widest of all systems, Google Analytics 4's, which knows no
    longest visit. A system with narrower rules cuts what it is told.
    """

    idle: int = 30 * 60
    longest: int = 400 * 24 * 3600
    refresh: int = 30
    pause: int = 60
    midnight: tzinfo | None = None
    campaign: bool = False


def new_client_id(now: float) -> str:
    """Make a random id of Google's shape: ``<1 to 2**31-1>.<unix seconds>``."""
    return f"{secrets.randbits(31) or 1}.{int(now)}"


def identity_from(cookie: str) -> Identity | None:
    """Read what a verified *cookie* says; None for a foreign form."""
    match = _COOKIE.fullmatch(cookie)
    if match is None:
        return None
    client_id, *numbers, campaign = match.groups()
    start, number, seen, granted = map(int, numbers)
    mark = int(campaign or "0", 16)
    identity = Identity(client_id, start, number, seen, granted, mark)
    return identity if identity.session_start <= identity.last_seen else None


def zone_from(name: str | None) -> tzinfo | None:
    """Return the time zone called *name*; raises `ConfigurationError` for no zone."""
    if name is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"Option 'session_midnight': {name!r:.80} was given; accepted is a time "
            "zone such as 'Europe/Berlin'.",
            option="session_midnight",
        ) from None


def _is_over(identity: Identity, second: int, zone: tzinfo) -> bool:
    """Tell whether it is a later day than when the visit was last seen."""
    last = datetime.fromtimestamp(identity.last_seen, zone).date()
    return datetime.fromtimestamp(second, zone).date() > last


def session_at(
    identity: Identity | None, now: float, rules: SessionRules, campaign: int = 0
) -> tuple[Identity, Session, bool]:
    """Go on with the visit of *identity*, or begin one.

    *campaign* is the mark of what has brought the visitor just now. Returns the
    identity as it is now, its session, and whether the cookie has to be written:
    always for a new visit, else once the time in it is older than ``rules.refresh``
    seconds. Only then is engagement reported, so that nothing is counted twice.
    """
    second = int(now)
    if identity is None:
        begun = Identity(new_client_id(now), second, 1, second, campaign=campaign)
        return begun, Session(id=second, is_new=True), True
    gap = second - identity.last_seen
    if (
        gap > rules.idle + rules.refresh
        or second - identity.session_start > rules.longest
        or (rules.midnight is not None and _is_over(identity, second, rules.midnight))
        or (campaign and campaign != identity.campaign)
    ):
        number = identity.session_number + 1
        begun = Identity(
            identity.client_id, second, number, second, identity.granted, campaign
        )
        return begun, Session(id=second, number=number, is_new=True), True
    if gap < rules.refresh:
        session = Session(id=identity.session_start, number=identity.session_number)
        return identity, session, False
    seen = msgspec.structs.replace(identity, last_seen=second)
    session = Session(
        id=identity.session_start,
        number=identity.session_number,
        engagement_ms=max(1, min(gap, rules.pause) * 1000),
    )
    return seen, session, True
