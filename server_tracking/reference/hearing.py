"""What a system is told of a hit, as the inspector's decoder for it reads the calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from urllib.parse import urlsplit

from server_tracking.calls import Call
from server_tracking.hits import Hit
from server_tracking.inspector.protocols import (
    Parameter,
    Received,
    ReceivingProtocol,
    discovered_protocols,
)
from server_tracking.reference.variants import MARK
from server_tracking.systems import System
from server_tracking.testing.samples import NOW

__all__ = ["Ear", "Heard", "told"]

Heard = Mapping[str, tuple[str, ...]]
"""The values that were sent, by the parameter."""

_Said = tuple[tuple[object, ...], ...]
_INDEX = re.compile(r"\[[0-9]+\]")


class Ear:
    """Hear one protocol, in which *known* parameters are named by their patterns.

    Patterns have ``<n>`` for an index and ``<name>`` for a name of the site's own.
    *meanings* are those that the decoder gave to what was heard until now.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.meanings: dict[str, str] = {}
        self._patterns: dict[str, str] = {}
        self._known = tuple((_pattern(name), name) for name in known)
        # Most changes of a hit change nothing on the wire, and decoding takes longest.
        self._heard: dict[_Said, Heard] = {}

    def hear(self, system: System, hits: Sequence[Hit]) -> Heard:
        """Return what *system* is told of *hits*; empty if nothing."""
        calls = tuple(system.encode(hits, NOW))
        said = tuple(map(_said_by, calls))
        if said not in self._heard:
            self._heard[said] = self._decoded(system, calls)
        return self._heard[said]

    def _decoded(self, system: System, calls: Iterable[Call]) -> Heard:
        found: dict[str, list[str]] = {}
        for call in calls:
            for parameter in _parameters(system.name, call):
                name = self._pattern_of(parameter.name)
                self.meanings.setdefault(name, parameter.meaning)
                found.setdefault(name, []).append(parameter.value)
        return {name: tuple(values) for name, values in found.items()}

    def _pattern_of(self, name: str) -> str:
        if name not in self._patterns:
            plain = _INDEX.sub("[<n>]", name).replace(MARK, "<name>")
            matches = (known for form, known in self._known if form.fullmatch(plain))
            # Without a placeholder first: ``v`` is no ``<name>``.
            best = min(matches, key=lambda known: known.count("<"), default=plain)
            self._patterns[name] = best
        return self._patterns[name]


def told(system: System, hits: Sequence[Hit]) -> list[tuple[str, bytes]]:
    """Return what *system* is told of *hits*, with what no decoder shows."""
    return [(urlsplit(call.url).query, call.body) for call in system.encode(hits, NOW)]


def _said_by(call: Call) -> tuple[object, ...]:
    return (call.method, call.url, call.body, *call.headers.items())


def _pattern(name: str) -> re.Pattern[str]:
    form = re.escape(name).replace("<n>", r"(?:[0-9]+|<n>)")
    return re.compile(form)


def _parameters(system: str, call: Call) -> list[Parameter]:
    parts = urlsplit(call.url)
    protocol = _protocols().get(parts.path)
    if protocol is None or protocol.system != system:
        return []
    received = Received(
        method=call.method,
        path=parts.path,
        query=parts.query,
        headers={name.lower(): value for name, value in call.headers.items()},
        body=call.body,
        time=NOW,
    )
    return [
        parameter for hit in protocol.decode(received) for parameter in hit.parameters
    ]


@cache
def _protocols() -> dict[str, ReceivingProtocol]:
    return discovered_protocols()
