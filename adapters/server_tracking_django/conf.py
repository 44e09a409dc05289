"""Read Django's settings when they are needed, and make the tracker of them.

``SERVER_SIDE_TRACKING`` is a mapping of options (or a `Tracker`),
``SERVER_SIDE_TRACKING_GA`` a property of Google Analytics. `override_settings` has
its effect at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from django.conf import settings
from django.core import mail
from django.core.signals import setting_changed
from django.http import HttpResponseBase
from django.utils.module_loading import import_string

from server_tracking import ConfigurationError, Tracker
from server_tracking.configuration import tracker_from
from server_tracking.messages import Ping

__all__ = [
    "OWN_OPTIONS",
    "Configuration",
    "TitleExtractor",
    "configuration_from",
    "get_configuration",
    "get_tracker",
    "in_tests",
    "title_extractor_from",
]

OWN_OPTIONS: Mapping[str, Any] = {
    "django_title_extractors": (
        "server_tracking_django.utils.ContextTitleExtractor",
        "server_tracking_django.utils.ViewTitleExtractor",
    ),
    "django_user_ids": False,
}
"""Options of `SERVER_SIDE_TRACKING` that are this adapter's, with their defaults.

*django_title_extractors* are asked in turn, before the HTML. *django_user_ids* sends
the primary key of a user who is logged in, if the request has looked them up anyway.
"""

_ANCESTOR = "server_tracking.django."
_SOURCES = frozenset(
    {
        "SERVER_SIDE_TRACKING",
        "SERVER_SIDE_TRACKING_GA",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "SESSION_COOKIE_PATH",
    }
)


class TitleExtractor(Protocol):
    """One way to find the title of Django's *response*."""

    def get_title(self, response: HttpResponseBase, /) -> str | None:
        """Return the title, or None if this way finds none."""
        ...


class Configuration(NamedTuple):
    """All that the settings say, made ready."""

    tracker: Tracker
    title_extractors: tuple[TitleExtractor, ...]
    user_ids: bool
    ping: Ping


def get_tracker() -> Tracker:
    """Return the site's tracker; raises `ConfigurationError` for wrong settings."""
    return get_configuration().tracker


def get_configuration() -> Configuration:
    """Return what the settings say, as long as they stay the same."""
    global _configured
    if _configured is None:
        # Two trackers would be two queues and two threads.
        with _lock:
            if _configured is None:
                _configured = configuration_from_settings()
    return _configured


def configuration_from_settings() -> Configuration:
    """Read the two settings; raises `ConfigurationError`."""
    given = getattr(settings, "SERVER_SIDE_TRACKING", None) or {}
    google = getattr(settings, "SERVER_SIDE_TRACKING_GA", None)
    return configuration_from(given, google)


def configuration_from(
    given: Mapping[str, Any] | Tracker, google: Mapping[str, Any] | None
) -> Configuration:
    """Make all that the two settings say; raises `ConfigurationError`."""
    for name, value in (("", given), ("_GA", google or {})):
        if not isinstance(value, Mapping | Tracker):
            raise ConfigurationError(
                f"SERVER_SIDE_TRACKING{name} is a {type(value).__name__}; accepted is "
                "a dict."
            )
    options = {} if isinstance(given, Tracker) else dict(given)
    own = {name: options.pop(name, default) for name, default in OWN_OPTIONS.items()}
    extractors = own["django_title_extractors"]
    if not isinstance(extractors, list | tuple):
        raise _wrong_extractor(extractors, "Accepted is a list of dotted paths.")
    if isinstance(given, Tracker):
        tracker = given
    else:
        tracker = tracker_from(options, google, _defaults())
    return Configuration(
        tracker,
        tuple(map(title_extractor_from, extractors)),
        bool(own["django_user_ids"]),
        Ping.from_mapping(google or {}),
    )


def title_extractor_from(given: object) -> TitleExtractor:
    """Import the class that a dotted path names, or take an object as it is."""
    found: Any = given
    if isinstance(given, str):
        try:
            found = import_string(given)
        except ImportError as error:
            raise _wrong_extractor(given, str(error)) from None
    if isinstance(found, type):
        found = found()
    if not callable(getattr(found, "get_title", None)):
        raise _wrong_extractor(given, "It has no get_title(response).")
    extractor: TitleExtractor = found
    return extractor


def in_tests() -> bool:
    """Tell whether the site's own tests run: they send nothing.

    Django's test runner and pytest-django keep mail in `mail.outbox`, which nobody
    else has; pytest without it names the test in the environment.
    """
    return hasattr(mail, "outbox") or "PYTEST_CURRENT_TEST" in os.environ


def _defaults() -> dict[str, Any]:
    """Say what Django knows better than the library."""
    defaults: dict[str, Any] = {
        "secret_key": (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS),
        "cookie_path": settings.SESSION_COOKIE_PATH,
        "pageview_exclude": ("admin/",),
    }
    if in_tests():
        defaults["strict"] = True
        if os.environ.get("SERVER_TRACKING_ALLOW_SEND") != "1":
            from server_tracking.testing import RecordingSender

            defaults["sender"] = RecordingSender()
    return defaults


def _wrong_extractor(given: object, problem: str) -> ConfigurationError:
    moved = ""
    if isinstance(given, str) and given.startswith(_ANCESTOR):
        new = given.replace(_ANCESTOR, "server_tracking_django.")
        moved = f" Since version 2 it is {new!r}."
    return ConfigurationError(
        f"Option 'django_title_extractors': {given!r:.80} was given. {problem}{moved}",
        option="django_title_extractors",
    )


def _forget(*, setting: str, **_: object) -> None:
    global _configured
    if setting in _SOURCES:
        _configured = None


_lock = threading.Lock()
_configured: Configuration | None = None
setting_changed.connect(_forget, dispatch_uid="server_tracking_django.conf")
