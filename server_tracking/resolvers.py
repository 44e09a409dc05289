"""Find what the option ``consent_resolver`` names: a function, or its path."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from server_tracking.errors import ConfigurationError
from server_tracking.exchange import Request

__all__ = ["READY", "resolver_at", "resolver_from"]

READY = ("cookiebot", "google_consent", "onetrust", "tcf")
"""The makers of `server_tracking.platforms` that need no argument."""


def resolver_from(given: object) -> Callable[[Request], Any] | None:
    """Return the resolver that the option ``consent_resolver`` names, if it does."""
    if isinstance(given, str):
        return resolver_at(given)
    if given is None or callable(given):
        return given
    raise _wrong(given)


def resolver_at(path: str) -> Callable[[Request], Any]:
    """Return the resolver of a ready platform, or at ``package.module.function``.

    Raises `ConfigurationError` if there is none.
    """
    if path in READY:
        platforms = importlib.import_module("server_tracking.platforms")
        made: Callable[[Request], Any] = getattr(platforms, path)()
        return made
    module, _, name = path.replace(":", ".").rpartition(".")
    found = None
    if module:
        try:
            found = getattr(importlib.import_module(module), name, None)
        except (ImportError, ValueError):
            found = None
    if not callable(found):
        raise _wrong(path)
    resolver: Callable[[Request], Any] = found
    return resolver


def _wrong(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"Option 'consent_resolver': {given!r:.80} was given; accepted is a function "
        "of a request, its path 'package.module.function', or one of "
        f"{', '.join(map(repr, READY))}.",
        option="consent_resolver",
    )
