"""What goes wrong, by name.

Only wrong use raises, and only at start-up; while a site is served nothing of
this library reaches a visitor.

    TrackingError
    ├── ConfigurationError      an option is unknown, missing or wrong
    ├── InvalidParametersError  parameters of a hand-made hit do not fit the protocol
    └── TransportError          a call did not get an answer
"""

from __future__ import annotations

from collections.abc import Iterable
from traceback import walk_tb

__all__ = [
    "ConfigurationError",
    "InvalidParametersError",
    "TrackingError",
    "TransportError",
    "unknown_option",
    "whereabouts",
]


class TrackingError(Exception):
    """Root of all errors that this library raises."""


class ConfigurationError(TrackingError, ValueError):
    """An option is unknown, missing or wrong.

    The message names the option, what was given and what is accepted; *option*
    keeps the name for tools such as framework checks.
    """

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class InvalidParametersError(TrackingError, ValueError):
    """Parameters do not fit the protocol; *problems* holds every one of them."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class TransportError(TrackingError):
    """A call got no answer.

    *processed* tells whether the other side may have acted on it all the same:
    False when the request surely did not arrive whole (refused, no such host,
    broken while it was written), True when only the answer is missing. The
    message never holds the URL or the body, which may carry secrets.
    """

    def __init__(self, message: str, *, processed: bool) -> None:
        super().__init__(message)
        self.processed = processed


def unknown_option(name: str, known: Iterable[str]) -> ConfigurationError:
    """Say that there is no option *name*, and which of the *known* ones is nearest."""
    import difflib  # takes 1 ms

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return ConfigurationError(
        f"Unknown option {name!r}; did you mean {near[0]!r}?", option=name
    )


def whereabouts(error: BaseException) -> str:
    """Say where *error* was raised, the innermost place last.

    Neither its message nor a value is in it: both may be what a visitor has typed.
    """
    return " > ".join(
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    )
