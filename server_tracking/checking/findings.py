"""What a check has found, as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from server_tracking.calls import Problem, Verdict

__all__ = [
    "Delivery",
    "Fact",
    "KindFinding",
    "Report",
    "SystemFinding",
    "Validation",
    "Way",
    "secrets_of",
    "without",
]

_OUR_WORDS = frozenset({"kind", "system", "verdict"})
_SHORTEST = 4  # characters; what is shorter guards nothing, and is part of many words


class Fact(msgspec.Struct, frozen=True):
    """What a setting means for the site; a *warning* asks for somebody's decision."""

    option: str
    text: str
    warning: bool = False


class KindFinding(msgspec.Struct, frozen=True):
    """What the system makes of one kind of hit: *told* at all, and with what problems."""

    kind: str
    told: bool
    problems: tuple[Problem, ...] = ()


class Validation(msgspec.Struct, frozen=True):
    """What the system's own validator says of one kind of hit.

    *failure* says why it could not be asked.
    """

    kind: str
    problems: tuple[Problem, ...] = ()
    failure: str = ""


class Delivery(msgspec.Struct, frozen=True):
    """What became of the test event *event*, and where it can be *seen*.

    *caveat* is what the answer of this system can never tell.
    """

    event: str
    verdict: Verdict
    reason: str = ""
    seen: str = ""
    caveat: str = ""


class Way(msgspec.Struct, frozen=True):
    """The way to *host* (with its port), through *proxy* if the environment has one.

    *addresses* is how many its name has, or the proxy's, found in *ms* milliseconds;
    None if nobody asked. *failure* says why there is none.
    """

    host: str
    proxy: str = ""
    addresses: int | None = None
    ms: float = 0.0
    failure: str = ""


class SystemFinding(msgspec.Struct, frozen=True):
    """All that was found of one system.

    *validations* is None if its validator was not asked, or has none;
    *has_validator* tells which. *delivery* is None if nothing was sent.
    """

    system: str
    kinds: tuple[KindFinding, ...]
    has_validator: bool = False
    validations: tuple[Validation, ...] | None = None
    delivery: Delivery | None = None
    ways: tuple[Way, ...] = ()

    @property
    def failed(self) -> bool:
        """Tell whether a hit is lost, or nobody knows."""
        if any(way.failure for way in self.ways):
            return True
        problems = [p for kind in self.kinds for p in kind.problems]
        for validation in self.validations or ():
            if validation.failure:
                return True
            problems += validation.problems
        lost = self.delivery and self.delivery.verdict is not Verdict.DELIVERED
        return bool(lost) or any(problem.fatal for problem in problems)


class Report(msgspec.Struct, frozen=True):
    """All that was found; *server* is what its server was told, if anybody said."""

    facts: tuple[Fact, ...]
    systems: tuple[SystemFinding, ...]
    server: tuple[Fact, ...] = ()

    @property
    def fine(self) -> bool:
        """Tell whether no system loses a hit."""
        return not any(system.failed for system in self.systems)


def secrets_of(urls: Iterable[str]) -> tuple[str, ...]:
    """Collect what may be secret in the URLs of systems, as written and as meant."""
    found: list[str] = []
    for url in urls:
        try:
            parts = urlsplit(url)
        except ValueError:
            found.append(url)
            continue
        user = parts.netloc.rpartition("@")[0]
        found += [user, *user.split(":", 1)]
        found += [
            value for name, value in parse_qsl(parts.query) if _is_secret_name(name)
        ]
    return tuple(dict.fromkeys(t for s in found for t in (s, unquote(s)) if t))


def without(secrets: Sequence[str], value: Any) -> Any:
    """Return *value*, a struct or a text, with each of *secrets* blotted out.

    The last line of defence: systems hide their own secrets, but a collector's answer
    may repeat one.
    """
    if not isinstance(value, str):
        plain = msgspec.to_builtins(value)
        return msgspec.convert(_blotted(secrets, plain), type(value))
    return _blotted(secrets, value)


def _is_secret_name(name: str) -> bool:
    words = ("auth", "key", "pass", "secret", "token")
    return any(word in name.lower() for word in words)


def _blotted(secrets: Sequence[str], value: Any) -> Any:
    match value:
        case str():
            for secret in sorted(secrets, key=len, reverse=True):
                if len(secret) >= _SHORTEST:
                    value = value.replace(secret, "...")
            return value
        case dict():
            return {
                key: inner if key in _OUR_WORDS else _blotted(secrets, inner)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [_blotted(secrets, inner) for inner in value]
    return value
