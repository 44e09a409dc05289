"""Check what a site has configured, and read it from a URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult

from server_tracking.endpoints import (
    FLAG,
    NAMES,
    TEXT,
    key_of,
    query_options,
    refusal,
    shown,
)
from server_tracking.patterns import pattern_from
from server_tracking.systems.google_analytics_4.tables import (
    LOCATION,
    LONGEST_NAME,
    LONGEST_USER_PROPERTY_NAME,
    NAME,
    RESERVED_USER_PROPERTIES,
    RESERVED_USER_PROPERTY_PREFIXES,
)
from server_tracking.systems.google_analytics_4.wording import is_event_name

__all__ = [
    "check_credentials",
    "check_event_names",
    "check_functions",
    "check_user_properties",
    "options_from",
]

_MEASUREMENT_ID = pattern_from(r"G-[A-Za-z0-9]{1,20}")
_LONGEST_SHOWN = 16  # characters; an API secret given in its place has 22
_OPTIONS = {
    "analytics_360": FLAG,
    "campaign_parameters": FLAG,
    "debug": FLAG,
    "endpoint": TEXT,
    "eu": FLAG,
    "user_properties": NAMES,
}


def check_credentials(measurement_id: object, api_secret: object) -> None:
    """Refuse ids and secrets of another shape, without showing a secret."""
    if not isinstance(measurement_id, str) or not _MEASUREMENT_ID.fullmatch(
        measurement_id
    ):
        text = str(measurement_id)
        given = repr(text) if len(text) <= _LONGEST_SHOWN else f"{len(text)} characters"
        accepted = "G- with letters and digits, as Google shows it for the data stream"
        raise refusal("measurement_id", given, accepted)
    if not isinstance(api_secret, str) or not api_secret.strip():
        given = "an empty text" if isinstance(api_secret, str) else "no text"
        accepted = "a secret of the data stream (Measurement Protocol API secrets)"
        raise refusal("api_secret", given, accepted)


def check_event_names(event_names: object) -> None:
    """Refuse names that Google would not take."""
    if not isinstance(event_names, Mapping):
        given = f"a {type(event_names).__name__}"
        accepted = "a mapping such as {'Basket: Add': 'add_to_cart'}"
        raise refusal("event_names", given, accepted)
    for hit, name in event_names.items():
        if (
            not isinstance(name, str)
            or not is_event_name(name)
            or len(name) > LONGEST_NAME
        ):
            raise refusal(
                "event_names",
                f"{shown(name)} for {shown(hit)}",
                f"a letter and up to {LONGEST_NAME} letters, digits and underscores,"
                " neither reserved nor a name of app streams",
            )


def check_user_properties(names: Iterable[object]) -> None:
    """Refuse names that Google would not take."""
    if isinstance(names, str):
        given = f"the text {shown(names)}"
        raise refusal("user_properties", given, "a tuple of names")
    for name in names:
        if (
            not isinstance(name, str)
            or not NAME.fullmatch(name)
            or len(name) > LONGEST_USER_PROPERTY_NAME
            or name in RESERVED_USER_PROPERTIES
            or name.startswith(RESERVED_USER_PROPERTY_PREFIXES)
        ):
            raise refusal(
                "user_properties",
                shown(name),
                f"a letter and up to {LONGEST_USER_PROPERTY_NAME} letters, digits and"
                " underscores, not reserved",
            )


def check_functions(user_location: object, device: object) -> None:
    """Refuse what cannot tell a place or a device."""
    if isinstance(user_location, Mapping):
        if strangers := sorted(map(str, set(user_location) - set(LOCATION))):
            raise refusal(
                "user_location",
                f"the field {shown(strangers[0])}",
                " or ".join(map(repr, LOCATION)),
            )
    elif user_location is not None and not callable(user_location):
        given = f"a {type(user_location).__name__}"
        accepted = "a mapping, or a function from a Context to one"
        raise refusal("user_location", given, accepted)
    if device is not None and not callable(device):
        given = f"a {type(device).__name__}"
        raise refusal("device", given, "a function from a Context to a mapping")


def options_from(url: SplitResult) -> dict[str, Any]:
    """Read the arguments of `GoogleAnalytics4` from its URL."""
    secret = key_of(url)
    if not secret or url.path not in ("", "/") or "+" in url.scheme:
        accepted = "ga4://API_SECRET@G-XXXX, perhaps with ?eu=1&debug=1&endpoint=..."
        raise refusal("systems", "a URL of another form", accepted)
    measurement_id = url.netloc.rpartition("@")[2].upper()
    credentials = {"measurement_id": measurement_id, "api_secret": secret}
    return {**credentials, **query_options(url, _OPTIONS)}
