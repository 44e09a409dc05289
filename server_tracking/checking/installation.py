"""What is configured: the systems and settings of an environment, or systems by URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from server_tracking.checking.findings import Fact, secrets_of, without
from server_tracking.errors import ConfigurationError
from server_tracking.settings import ENVIRONMENT_PREFIX, Settings
from server_tracking.systems import System, system_from_url

__all__ = ["Installation", "facts_of", "installation_from"]

_VARIABLE = f"{ENVIRONMENT_PREFIX}SYSTEMS"
_MODES = {
    "session": "until they decide, visitors have an id for the session only",
    "cookieless": "until they decide, visitors are known for a day by no cookie",
    "opt-in": "nothing is sent of a visitor who has not agreed",
    "opt-out": "visitors are tracked until they refuse; in most of Europe that is "
    "not allowed",
    "off": "visitors are tracked until they refuse, and no signal of a browser counts",
}


class Installation(NamedTuple):
    """Systems, and settings if they come from an environment.

    *secrets* are texts that must not be shown.
    """

    systems: tuple[System, ...]
    settings: Settings | None
    secrets: tuple[str, ...]


def installation_from(urls: Sequence[str], environ: Mapping[str, str]) -> Installation:
    """Make the systems of *urls*, or, without any, all that *environ* configures.

    Reads the variables that `Tracker.from_env` reads. Raises `ConfigurationError`,
    whose message says which system is meant and shows no secret.
    """
    given = list(urls) or environ.get(_VARIABLE, "").split()
    if not given:
        raise ConfigurationError(
            f"No analytics system is configured: set {_VARIABLE}, or name systems by "
            "their URLs.",
            option="systems",
        )
    systems = tuple(_system_from(url, n, len(given)) for n, url in enumerate(given, 1))
    if len(set(systems)) < len(systems):
        raise ConfigurationError(
            "The same analytics system is given twice; it would count all twice.",
            option="systems",
        )
    settings = None if urls else Settings.from_env(environ)
    keys = settings.secret_keys if settings else ()
    return Installation(systems, settings, (*secrets_of(given), *keys))


def facts_of(settings: Settings) -> Iterator[Fact]:
    """Say what the settings mean that depend on where a site runs."""
    if settings.secret_keys:
        number = len(settings.secret_keys)
        yield Fact("secret_key", "set" if number == 1 else f"{number} keys are set")
    else:
        lack = "none: visitors are new after each restart and to each worker process"
        yield Fact("secret_key", lack, warning=True)
    mode = settings.consent_mode
    yield Fact("consent_mode", f"{mode}: {_MODES[mode]}")
    yield from _proxy_facts(settings)
    if not settings.anonymize_ip:
        yield Fact("anonymize_ip", "off: whole addresses are sent", warning=True)


def _proxy_facts(settings: Settings) -> Iterator[Fact]:
    if settings.trusted_proxies:
        proxies = ", ".join(settings.trusted_proxies)
        header = settings.forwarded_header
        yield Fact("trusted_proxies", f"{proxies} may name the visitor by {header}")
    elif settings.trusted_hops:
        hops = f"{settings.trusted_hops} proxies before the site"
        yield Fact("trusted_hops", f"{hops}, by {settings.forwarded_header}")
    elif not settings.trust_unix_socket:
        yield Fact(
            "trusted_proxies",
            "none: who connects is the visitor; behind a proxy, all seem to be one",
        )


def _system_from(url: str, number: int, total: int) -> System:
    try:
        return system_from_url(url)
    except ConfigurationError as error:
        message, option = str(error), error.option
    except ValueError:  # of urllib, whose messages repeat parts of the URL
        message, option = "It is not a URL.", "systems"
    secrets = secrets_of([url])
    scheme, _, rest = url.partition("://")
    if "+" not in scheme:
        # Where no host is named, what stands in its place may be the secret, if the
        # two were taken for one another.
        secrets += (rest.rpartition("@")[2].partition("?")[0].strip("/"),)
    secrets += tuple(secret.upper() for secret in secrets)
    shown = without([secret for secret in secrets if secret], message)
    which = f"System {number} of {total}: " if total > 1 else ""
    raise ConfigurationError(f"{which}{shown}", option=option)
