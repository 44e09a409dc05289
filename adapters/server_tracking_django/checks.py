"""System checks: each wrong option, and a middleware in the wrong place.

The ids are stable: `SILENCED_SYSTEM_CHECKS` may name them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from server_tracking import ConfigurationError, Tracker
from server_tracking_django.conf import OWN_OPTIONS, configuration_from

__all__ = ["check_settings"]

_MIDDLEWARE = "server_tracking_django.middleware.PageViewMiddleware"
_ANCESTOR = "server_tracking.django."
_UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
# What a property cannot do without, by the names of the settings and of the systems.
_CREDENTIALS = ("property", "api_secret", "measurement_id", "tracking_id")
# What answers a request itself, or changes an answer to 304.
_ANSWERING = (
    "django.middleware.cache.FetchFromCacheMiddleware",
    "django.middleware.cache.CacheMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
)


def check_settings(**_: object) -> list[CheckMessage]:
    """Check all that this package reads of Django's settings."""
    given = getattr(settings, "SERVER_SIDE_TRACKING", None) or {}
    google = getattr(settings, "SERVER_SIDE_TRACKING_GA", None)
    return [
        *_option_messages(given, google),
        *_middleware_messages(list(settings.MIDDLEWARE)),
        *_site_messages(given, google),
    ]


def _option_messages(given: Any, google: Any) -> Iterator[CheckMessage]:
    """Name each wrong option, not only the first."""
    while True:
        try:
            configuration_from(given, google)
        except ConfigurationError as error:
            yield _option_message(error, given, google)
            option = error.option
            if _is_of_google(option, google):
                found = option in google and option not in _CREDENTIALS
                rest = {k: v for k, v in google.items() if k != option}
                google = rest if found else None
            elif isinstance(given, Mapping) and option in given:
                given = {k: v for k, v in given.items() if k != option}
            else:
                return
        else:
            return


def _option_message(error: ConfigurationError, given: Any, google: Any) -> Error:
    option, text = error.option, str(error)
    if option is None:
        return Error(
            text,
            hint="Both settings are dicts of names and values.",
            id="server_tracking.E001",
        )
    if _is_of_google(option, google):
        return Error(
            text,
            hint="SERVER_SIDE_TRACKING_GA holds 'property', for a G- property "
            "'api_secret' too, and options of the system.",
            id="server_tracking.E004",
        )
    if option == "systems":
        return Error(
            text,
            hint="'systems' is a list of URLs such as 'plausible+https://plausible.io/"
            "?domain=example.com', or of systems from server_tracking.systems.",
            id="server_tracking.E003",
        )
    if option in OWN_OPTIONS:
        return Error(
            text,
            hint="List dotted paths of classes with get_title(response).",
            id="server_tracking.E005",
        )
    where = "SERVER_SIDE_TRACKING"
    if option == "secret_key" and "secret_key" not in given:
        where = "SECRET_KEY, which signs the cookies unless 'secret_key' is given"
    return Error(
        text, hint=f"Correct {option!r} in {where}.", id="server_tracking.E002"
    )


def _is_of_google(option: str | None, google: Any) -> bool:
    return isinstance(google, Mapping) and option in {*google, *_CREDENTIALS}


def _middleware_messages(paths: list[str]) -> Iterator[CheckMessage]:
    for path in paths:
        if path.startswith(_ANCESTOR):
            yield Error(
                f"MIDDLEWARE names {path!r}, which was its path in version 1.",
                hint=f"Write {_MIDDLEWARE!r}.",
                id="server_tracking.E007",
            )
    if _MIDDLEWARE not in paths:
        return
    if paths.count(_MIDDLEWARE) > 1:
        yield checks.Warning(
            "MIDDLEWARE names PageViewMiddleware twice.",
            hint="Keep the first; a page counts once all the same.",
            id="server_tracking.W002",
        )
    before = paths[: paths.index(_MIDDLEWARE)]
    if _UPDATE_CACHE in before:
        yield Error(
            "PageViewMiddleware stands behind UpdateCacheMiddleware: pages would be "
            "kept with the cookie of one visitor and handed to others.",
            hint="List PageViewMiddleware first.",
            id="server_tracking.E006",
        )
    for path in _ANSWERING:
        if path in before:
            name = path.rpartition(".")[2]
            yield checks.Warning(
                f"PageViewMiddleware stands behind {name}, which answers in its place.",
                hint="List PageViewMiddleware first.",
                id="server_tracking.W003",
            )


def _site_messages(given: Any, google: Any) -> Iterator[CheckMessage]:
    if isinstance(given, Tracker) or not isinstance(given, Mapping):
        return
    if google is None and not given.get("systems"):
        yield checks.Warning(
            "No analytics system is configured: nothing is sent.",
            hint="Set SERVER_SIDE_TRACKING_GA = {'property': ...}, or "
            "SERVER_SIDE_TRACKING = {'systems': [...]}.",
            id="server_tracking.W001",
        )
    behind = settings.SECURE_PROXY_SSL_HEADER or settings.USE_X_FORWARDED_HOST
    trusting = ("trusted_proxies", "trusted_hops", "trust_unix_socket")
    if behind and not any(given.get(name) for name in trusting):
        yield checks.Warning(
            "The site is behind a proxy, and none is trusted to name the visitor's "
            "address: all visitors seem to have that of the proxy.",
            hint="Set 'trusted_proxies' or 'trusted_hops' in SERVER_SIDE_TRACKING.",
            id="server_tracking.W004",
        )
    if given.get("anonymize_ip") is False:
        yield checks.Warning(
            "'anonymize_ip' is off: the whole addresses of visitors are sent.",
            hint="Remove it, or be sure that you may.",
            id="server_tracking.W005",
        )
    if given.get("consent_mode") == "cookieless" and not given.get("cookieless_salt"):
        yield checks.Warning(
            "The ids of 'cookieless' are made with salts derived from SECRET_KEY: "
            "whoever has it can recompute them.",
            hint="Set 'cookieless_salt' to a directory in memory, such as /run/...",
            id="server_tracking.W006",
        )
