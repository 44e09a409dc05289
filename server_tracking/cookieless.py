"""Know a visitor for a day by nothing that is stored on their side.

The id is a keyed hash of the browser's name, the (anonymous) address and the site. All
people of one network with the same browser are one: the price of cut addresses.
"""

from __future__ import annotations

import hmac
import struct
from collections import OrderedDict

from server_tracking.hits import Session
from server_tracking.salts import SaltStore
from server_tracking.visitors import Identity, SessionRules

__all__ = ["DailyIds", "daily_id"]

_DAY = 24 * 3600
_HOUR = 3600
_MOST = 10_000
_AGENT_LIMIT = 512


def daily_id(salt: bytes, site: str, user_agent: str, address: str | None) -> str:
    """Make an id of Google's shape: two numbers of 32 bits.

    Each field goes in with its length, so that no two sets of fields read the same.
    """
    message = b"st1"
    for field in (site, user_agent[:_AGENT_LIMIT], address or ""):
        data = field.encode("utf-8", "surrogatepass")
        message += struct.pack(">I", len(data)) + data
    first, second = struct.unpack(">II", hmac.digest(salt, message, "sha256")[:8])
    return f"{first or 1}.{second}"


class DailyIds:
    """The daily ids of one *site*, and which visits they make.

    A visit is named after the hour in which it began, so that workers agree on it
    without asking each other; each remembers the last visits that it served, to let
    them go on across the hour, and across midnight.
    """

    def __init__(self, store: SaltStore, site: str, most: int = _MOST) -> None:
        self._store = store
        self._site = site
        self._most = most
        self._visits: OrderedDict[str, Identity] = OrderedDict()

    def visit(
        self, user_agent: str, address: str | None, now: float, rules: SessionRules
    ) -> tuple[Identity, Session]:
        """Go on with the visit of whoever this is, or begin one."""
        day, second = int(now) // _DAY, int(now)
        today = daily_id(self._store.salt(day), self._site, user_agent, address)
        before = self._visits.get(today)
        if before is None:
            # Only to go on with a visit, never to join one day to the next.
            salt = self._store.known(day - 1)
            if salt is not None:
                yesterday = daily_id(salt, self._site, user_agent, address)
                before = self._visits.get(yesterday)
                if before is not None and not _goes_on(before, second, rules):
                    before = None
        if before is None:
            return self._begin(today, second, 1)
        if not _goes_on(before, second, rules):
            return self._begin(today, second, before.session_number + 1)
        gap = max(0, second - before.last_seen)
        seen = Identity(
            before.client_id,
            before.session_start,
            before.session_number,
            max(second, before.last_seen),
        )
        self._remember(seen)
        return seen, Session(
            id=seen.session_start,
            number=seen.session_number,
            engagement_ms=max(1, min(gap, rules.pause) * 1000),
        )

    def _begin(
        self, client_id: str, second: int, number: int
    ) -> tuple[Identity, Session]:
        start = second // _HOUR * _HOUR
        identity = Identity(client_id, start, number, second)
        self._remember(identity)
        return identity, Session(id=start, number=number, is_new=True)

    def _remember(self, identity: Identity) -> None:
        # Each step is atomic; a lock could be left held by a fork.
        self._visits.pop(identity.client_id, None)
        self._visits[identity.client_id] = identity
        if len(self._visits) > self._most:
            self._visits.popitem(last=False)


def _goes_on(identity: Identity, second: int, rules: SessionRules) -> bool:
    return (
        second - identity.last_seen <= rules.idle
        # An id for a day is told for a day, however long a visit may be.
        and second - identity.session_start <= min(rules.longest, _DAY)
    )
