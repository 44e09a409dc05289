"""Make a tracker from the two settings that web frameworks know.

``SERVER_SIDE_TRACKING`` holds the options, ``SERVER_SIDE_TRACKING_GA`` one property of
Google Analytics; the names are those of server-side-tracking 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The two systems are named through it: each takes 8 ms to load, and none is for all.
from server_tracking import systems as known
from server_tracking.errors import ConfigurationError
from server_tracking.systems import System
from server_tracking.tracker import Tracker

__all__ = ["PING_OPTIONS", "SENDING_OPTIONS", "google_system_from", "tracker_from"]

SENDING_OPTIONS = ("debug", "send_method", "post_fallback")
"""Options of `SERVER_SIDE_TRACKING` that are the Google property's own business."""

PING_OPTIONS = ("ping_category", "ping_action", "ping_label")
"""Options of `SERVER_SIDE_TRACKING_GA` that name the event of a ping."""

_PLAIN_COLLECTOR = "http://www.google-analytics.com"


def tracker_from(
    options: Mapping[str, Any],
    google: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Tracker:
    """Make a tracker of *options* and the property that *google* names.

    *options* are those of `Tracker.from_mapping`, and win over the framework's
    *defaults*. Raises `ConfigurationError`, which names the option.
    """
    merged = {**(defaults or {}), **options}
    sending = {name: merged.pop(name) for name in SENDING_OPTIONS if name in merged}
    if google is not None:
        given = merged.get("systems", ())
        systems = given.split() if isinstance(given, str) else given
        merged["systems"] = [google_system_from(google, sending), *systems]
    elif sending:
        name = next(iter(sending))
        raise ConfigurationError(
            f"Option {name!r} is for the property in SERVER_SIDE_TRACKING_GA, which is "
            "not set; give it to the system instead.",
            option=name,
        )
    return Tracker.from_mapping(merged)


def google_system_from(
    google: Mapping[str, Any], sending: Mapping[str, Any] | None = None
) -> System:
    """Make the system of *google*: its ``property``, and options of the system.

    A ``G-`` property wants its ``api_secret``; all else is one of Universal
    Analytics. *sending* are those of `SENDING_OPTIONS`.
    """
    options = {k: v for k, v in google.items() if k not in PING_OPTIONS}
    name = options.pop("property", None)
    if not isinstance(name, str) or not name:
        raise ConfigurationError(
            "SERVER_SIDE_TRACKING_GA needs a 'property': the id of one, such as "
            "G-XXXXXXX or UA-123456-1.",
            option="property",
        )
    sending = sending or {}
    plain = not options.pop("ssl", True)
    is_new = name.upper().startswith("G-")
    system: type[known.GoogleAnalytics4 | known.UniversalAnalytics] = (
        known.GoogleAnalytics4 if is_new else known.UniversalAnalytics
    )
    _refuse_unknown(options, _options_of(system))
    if is_new:
        if plain:
            raise _wrong("ssl", False, "True for a G- property")
        options.setdefault("api_secret", "")  # refused with what is wrong
        options.setdefault("debug", bool(sending.get("debug", False)))
        return known.GoogleAnalytics4(name, **options)
    if plain:
        options.setdefault("endpoint", _PLAIN_COLLECTOR)
    options.setdefault("debug", bool(sending.get("debug", False)))
    # A hit that is too long for GET goes by POST, whatever `post_fallback` says: 1.0
    # raised an error for it, in the middle of the request.
    options.setdefault("method", _method_from(sending.get("send_method", "POST")))
    return known.UniversalAnalytics(name, **options)


def _method_from(given: object) -> str:
    if not isinstance(given, str) or given.upper() not in ("GET", "POST"):
        raise _wrong("send_method", given, "'GET' or 'POST'")
    return given.upper()


def _options_of(
    system: type[known.GoogleAnalytics4 | known.UniversalAnalytics],
) -> list[str]:
    names = system.__struct_fields__
    return [name for name in names if name not in ("measurement_id", "tracking_id")]


def _refuse_unknown(options: Iterable[str], own: list[str]) -> None:
    accepted = ["property", "ssl", *PING_OPTIONS, *own]
    for name in options:
        if name not in own:
            import difflib  # takes 1 ms

            [near] = difflib.get_close_matches(str(name), accepted, n=1, cutoff=0.0)
            raise ConfigurationError(
                f"Unknown option {name!r} in SERVER_SIDE_TRACKING_GA; did you mean "
                f"{near!r}?",
                option=str(name),
            )


def _wrong(option: str, given: object, accepted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Option {option!r}: {given!r:.60} was given; accepted is {accepted}.",
        option=option,
    )
