"""What the senders with a thread of their own are told, and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from server_tracking.errors import ConfigurationError
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.lanes import Rules
from server_tracking.senders.transports import TransportName
from server_tracking.systems import System

__all__ = ["Options", "bound_once", "check_numbers"]


class Options(NamedTuple):
    """How lanes are driven.

    *timeout* is the deadline of one call, *exit_timeout* that of the flush at the
    end of the process, *patience* how long a caller waits for room, in seconds.
    """

    timeout: float
    exit_timeout: float
    transport: TransportName
    rules: Rules
    hooks: Hooks
    patience: float = 0.0


def check_numbers(*numbers: tuple[str, float, float]) -> None:
    """Raise `ConfigurationError` unless each (option, value, least) is finite and in."""
    for option, value, least in numbers:
        if not least <= value < float("inf"):
            raise ConfigurationError(
                f"Option {option!r}: {value!r} was given; accepted is a number from "
                f"{least}.",
                option=option,
            )


def bound_once(
    known: Sequence[System] | None, systems: Sequence[System]
) -> tuple[System, ...]:
    """Return *systems* for a sender that has *known* none; raises the second time."""
    if known is not None:
        raise ConfigurationError(
            "A sender belongs to one tracker; make one for each.", option="sender"
        )
    return tuple(systems)
