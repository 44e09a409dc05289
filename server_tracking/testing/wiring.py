"""What a system is told, as a text that is the same in each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from server_tracking.calls import Call
from server_tracking.hits import Hit
from server_tracking.inspector.protocols import (
    HIDDEN,
    Received,
    ReceivingProtocol,
    discovered_protocols,
)
from server_tracking.systems import System
from server_tracking.testing.matching import line_of
from server_tracking.testing.samples import NOW

__all__ = ["numbered", "wire_text"]


def wire_text(hits: Sequence[Hit], system: System) -> str:
    """Write each parameter that *system* is told of *hits*, a line for each.

    A system without a decoder in the inspector is shown by its calls.
    """
    protocols = {p.system: p for p in discovered_protocols().values()}
    protocol = protocols.get(system.name)
    lines: list[str] = []
    for hit in numbered(hits):
        # One by one, for which hits share a call depends on when they came.
        calls = list(system.encode([hit], NOW))
        if not calls:
            lines.append(f"not told: {line_of(hit)}")
        for call in calls:
            lines += _raw(call) if protocol is None else _decoded(call, protocol)
    return "\n".join([f"# {system.name}", *lines, ""])


def numbered(hits: Sequence[Hit]) -> list[Hit]:
    """Give *hits*, their visitors and sessions numbers for what differs each time."""
    visitors: dict[str, str] = {}
    made = []
    for number, hit in enumerate(hits, 1):
        context = hit.context
        known = context.visitor.client_id
        client_id = visitors.setdefault(known, f"{len(visitors) + 1}.{int(NOW)}")
        replace = msgspec.structs.replace
        context = replace(
            context,
            visitor=replace(context.visitor, client_id=client_id),
            session=replace(context.session, id=int(NOW), engagement_ms=1),
        )
        hit = replace(hit, id=UUID(int=number), time=NOW, context=context)  # noqa: PLW2901
        if getattr(hit, "server_ms", None) is not None:
            hit = replace(hit, server_ms=1.0)  # noqa: PLW2901
        made.append(hit)
    return made


def _decoded(call: Call, protocol: ReceivingProtocol) -> Iterator[str]:
    parts = urlsplit(call.url)
    headers = {name.lower(): value for name, value in call.headers.items()}
    received = Received(
        call.method, parts.path, parts.query, headers, call.body, time=NOW
    )
    for hit in protocol.decode(received):
        yield f"{call.method} {parts.path} {hit.kind} {hit.name}".rstrip()
        for parameter in sorted(hit.parameters, key=lambda one: one.name):
            yield f"  {parameter.name} = {parameter.value}"


def _raw(call: Call) -> Iterator[str]:
    parts = urlsplit(call.url)
    yield f"{call.method} {parts.path}{'?' + HIDDEN if parts.query else ''}"
    yield f"  {call.body.decode('utf-8', 'backslashreplace')}"
