"""Misbehave as collectors do, so that a site can rehearse it."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
from starlette.requests import Request

from server_tracking.inspector.protocols import Answer
from server_tracking.inspector.stored import NO_ANSWER

__all__ = ["CUT", "Faults", "cut_off"]

CUT = "server_tracking.cut"
"""The ASGI extension with which `LocalServer` lets an application cut a connection."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with calls to systems; none does unless said.

    *respond* is the status that they get instead of their system's own, *delay* the
    seconds that they wait for it, *drop* the share (0 to 1) whose connection is cut
    without an answer. The hits are shown all the same.
    """

    respond: int | None = None
    delay: float = 0.0
    drop: float = 0.0

    def applied(self, answer: Answer) -> Answer:
        """Return what is answered instead of *answer*; drops are left to chance."""
        if self.drop and random.random() < self.drop:  # noqa: S311 - no secret
            return Answer(NO_ANSWER)
        return answer if self.respond is None else Answer(self.respond)


async def cut_off(request: Request) -> None:
    """Cut the connection of *request*; only `LocalServer` can.

    Raises `LookupError` with another server, which then answers 500.
    """
    cut: Callable[[], None] = request.scope["extensions"][CUT]
    cut()
    while (await request.receive())["type"] != "http.disconnect":
        pass
