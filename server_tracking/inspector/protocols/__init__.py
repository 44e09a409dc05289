"""The receiving side of each analytics system: decode, check, answer.

One module for each system, found by `discovered_protocols`. All is pure: the
inspector's web application does the I/O.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from server_tracking.calls import Problem
from server_tracking.wire import json_bytes

__all__ = [
    "HIDDEN",
    "Answer",
    "DecodedHit",
    "Parameter",
    "Received",
    "ReceivingProtocol",
    "campaign_of",
    "discovered_protocols",
    "json_answer",
    "path_of",
    "split_url",
    "text_of",
]


HIDDEN = "…"
"""The value that is shown of a parameter that is secret."""


class Received(msgspec.Struct, frozen=True):
    """A request as it arrived, its body already decompressed.

    *headers* have lower-case names; *query* is raw, without the question mark;
    *peer* is the address of the sender, *time* the arrival in Unix seconds.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str | None = None
    time: float = 0.0


class Parameter(msgspec.Struct, frozen=True):
    """One wire parameter: its name, its value as sent, and what it means."""

    name: str
    value: str
    meaning: str = ""


class DecodedHit(msgspec.Struct, frozen=True, kw_only=True):
    """One hit as a system would have understood it.

    *kind* is the neutral kind (pageview, screenview, event, exception, timing,
    social, purchase, refund, product_action, or "other"); *name* the event's name
    or the neutral label of it. *path* is as people read it, without escapes and
    query. *campaign* is ``source / medium / name`` as far as sent (`campaign_of`).
    *problems* are what the system would refuse, cut or ignore.
    """

    system: str
    kind: str
    name: str = ""
    url: str = ""
    path: str = ""
    title: str = ""
    referrer: str = ""
    client_id: str = ""
    user_id: str = ""
    session_id: str = ""
    campaign: str = ""
    user_agent: str = ""
    language: str = ""
    address: str = ""
    time: float | None = None
    parameters: Sequence[Parameter] = ()
    problems: Sequence[Problem] = ()


class Answer(msgspec.Struct, frozen=True):
    """What the real system would have answered."""

    status: int
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class ReceivingProtocol(Protocol):
    """The receiving side of one system. A module's `PROTOCOL` is one."""

    @property
    def system(self) -> str:
        """Name the system, as `System.name`."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """List the paths that the system listens on."""
        ...

    def decode(self, received: Received) -> Sequence[DecodedHit]:
        """Read the hits of a request; never raises, whatever arrived.

        A request that is not of the protocol gives one hit of kind "other" with a
        fatal problem.
        """
        ...

    def answer(self, received: Received, hits: Sequence[DecodedHit]) -> Answer:
        """Answer as the real system does, to good and to bad requests."""
        ...


def text_of(value: object) -> str:
    """Show a value as it was sent: text as it is, nothing for null, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json_bytes(value).decode()


def split_url(url: str) -> SplitResult:
    """Split *url* into its parts, which are empty if it cannot be read."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def path_of(url: str) -> str:
    """Return the path of *url*, or of a path with a query, without escapes."""
    return unquote(split_url(url).path)


def campaign_of(*parts: str | None) -> str:
    """Join source, medium and name of a campaign, as far as they are known."""
    return " / ".join(part for part in parts if part)


def json_answer(status: int, content: object) -> Answer:
    """Answer with *content* as JSON."""
    return Answer(status, {"content-type": "application/json"}, json_bytes(content))


def discovered_protocols() -> dict[str, ReceivingProtocol]:
    """Find the receiving side of every system, by path."""
    found: dict[str, ReceivingProtocol] = {}
    for module_info in pkgutil.iter_modules(__path__, f"{__name__}."):
        protocol: ReceivingProtocol = importlib.import_module(module_info.name).PROTOCOL
        for path in protocol.paths:
            found[path] = protocol
    return found
