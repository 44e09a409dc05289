"""What is known of who made a request."""

from __future__ import annotations

from zlib import crc32

import msgspec

from server_tracking.agents import Agent
from server_tracking.consent import Decision, decision
from server_tracking.hits import BrowserIds, Session, Visitor
from server_tracking.reasons import Reason
from server_tracking.visitors import Identity, new_client_id

__all__ = ["UNRECOGNIZED", "Recognition", "nobody"]

_DAY = 24 * 3600


class Recognition(msgspec.Struct, frozen=True):
    """Who made a request, as far as the visitor allows to know.

    *refusal* says why nothing may be sent, or is None. *identity* is what the id
    cookie shall say, *renew* whether it has to be written for that. *agent* is the
    AI agent that made the request, if it is told. *browser_ids* are what systems' own
    tags call the visitor, if the site adopts that.
    """

    decision: Decision
    refusal: Reason | None = None
    identity: Identity | None = None
    session: Session | None = None
    renew: bool = False
    agent: Agent | None = None
    browser_ids: tuple[BrowserIds, ...] = ()


UNRECOGNIZED = Recognition(decision("opt-in"), Reason.UNRESOLVED)
"""What is known of a request whose recognition failed: nothing may be sent."""


def nobody(now: float, agent: Agent | None) -> tuple[Visitor, Session]:
    """Make the visitor of whom nothing is known, or that of an AI *agent*."""
    if agent is not None:
        # It keeps no cookie: one visitor for each agent and day.
        day = int(now) // _DAY * _DAY
        return Visitor(f"{crc32(agent.name.encode())}.{day}"), Session(id=day)
    return Visitor(new_client_id(now), is_new=True), Session(id=int(now), is_new=True)
