"""Every option: its name, its default, its check."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

import msgspec

from server_tracking.addresses import ProxyTrust, proxy_trust_from
from server_tracking.cookies import is_cookie_name
from server_tracking.errors import ConfigurationError
from server_tracking.filters import (
    DEFAULT_EXCLUDE,
    Exclusion,
    PageViewRules,
    exclusion_from,
)
from server_tracking.visitors import SessionRules

__all__ = ["ENVIRONMENT_PREFIX", "Settings"]

ENVIRONMENT_PREFIX = "SERVER_TRACKING_"
_DAY = 24 * 3600


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All options of a tracker but its systems and its sender.

    Times are in seconds. A wrong value raises `ConfigurationError` when the
    settings are made; the message names the option, what was given and what is
    accepted.
    """

    secret_key: str | tuple[str, ...] = ()
    """Signs our cookies. Several keys, newest first: the first signs, all verify.
    Without one, a random key lasts as long as the process."""

    cookie_name: str = "vn"
    cookie_path: str = "/"
    cookie_max_age: int = 395 * _DAY
    """Life of a permanent id cookie. Browsers cut at 400 days; not renewed."""
    cookie_salt: str = ""
    """Binds cookies to this site, where sites share a secret key."""
    cookie_httponly: bool = True
    cookie_secure: bool | None = None
    """None: on requests that came by https."""
    cookie_samesite: Literal["Lax", "Strict", "None"] = "Lax"
    cookie_action: str = "cookie_action"
    """Cookie in which the site's script says ``accept``, ``refuse`` or ``withdraw``."""
    cookie_status: str = "cookie_status"
    """Cookie in which we keep what the visitor decided."""
    cookie_status_accepted: str = "1"
    cookie_status_refused: str = "0"
    own_cookie_name: str = "its_me"
    """Cookie that marks the site's own people, see `Tracker.own_cookie`."""

    consent_mode: Literal["session", "opt-in", "opt-out"] = "session"
    honor_gpc: bool = True
    honor_dnt: bool = True

    session_idle: int = 30 * 60
    session_longest: int = _DAY

    anonymize_ip: bool = True
    """False sends whole addresses: think twice."""
    trusted_proxies: tuple[str, ...] = ()
    trusted_hops: int = 0
    forwarded_header: str = "X-Forwarded-For"
    trust_unix_socket: bool = False

    keep_params: Literal["all"] | tuple[str, ...] = ()
    """Names of query parameters to keep in URLs beside the usual campaign ones."""

    pageview_exclude: tuple[str, ...] = ()
    """Path prefixes that never make a page view: ``admin/``, ``/internal/api``."""
    pageview_exclude_common: bool = True
    """Exclude health checks, robots.txt and the like as well."""
    pageview_ajax_responses: bool = False
    pageview_na_exceptions: bool = False
    """Send an exception for answers with status 404."""
    pageview_server_exceptions: bool = False
    """Send an exception for answers with another error status, and for handlers
    that raise."""
    pageview_ajax_exceptions: bool = False
    speculative: Literal["drop", "count"] = "drop"
    """What a prefetched or prerendered page is."""
    enhanced_navigation: bool = False
    """Count boosted htmx links and Turbo visits as page views."""
    ignore_bots: bool = True

    read_titles: bool = True
    """Read the title from the head of HTML pages."""

    defer: Literal["threaded"] | None = "threaded"
    """Send from a background thread, or (None) within the request."""
    timeout: float = 10.0
    """Most that one call to a system may take."""
    strict: bool = False
    """Raise our own errors instead of keeping them from the site: for tests."""

    def __post_init__(self) -> None:
        for name in (
            "cookie_name",
            "cookie_action",
            "cookie_status",
            "own_cookie_name",
            "cookie_status_accepted",
            "cookie_status_refused",
        ):
            if not is_cookie_name(getattr(self, name)):
                raise _wrong(self, name, "a name of letters, digits and - _ . ~")
        if not self.cookie_path.startswith("/") or any(
            c in self.cookie_path for c in "; \r\n"
        ):
            raise _wrong(self, "cookie_path", "a path that begins with a slash")
        if not 0 < self.cookie_max_age <= 400 * _DAY:
            raise _wrong(
                self, "cookie_max_age", f"1 to {400 * _DAY} seconds (400 days)"
            )
        if self.cookie_status_accepted == self.cookie_status_refused:
            raise _wrong(self, "cookie_status_refused", "another value than accepted")
        if self.cookie_samesite == "None" and self.cookie_secure is not True:
            raise _wrong(self, "cookie_samesite", "'None' only with cookie_secure=True")
        if any(len(key) < 8 for key in self.secret_keys):
            # The key itself is never shown.
            raise ConfigurationError(
                "Option 'secret_key': each key needs at least 8 characters.",
                option="secret_key",
            )
        for name in ("session_idle", "session_longest", "timeout"):
            if not 0 < getattr(self, name) <= 400 * _DAY:
                raise _wrong(self, name, "a number of seconds above 0")
        _ = self.proxy_trust, self.exclusion  # they check their own options

    def __repr__(self) -> str:
        changed = (
            f"{field}={getattr(self, field)!r}"
            for field, default in _defaults().items()
            if field != "secret_key" and getattr(self, field) != default
        )
        return f"Settings({', '.join(changed)})"

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """List the keys, newest first."""
        if isinstance(self.secret_key, str):
            return (self.secret_key,) if self.secret_key else ()
        return self.secret_key

    @cached_property
    def proxy_trust(self) -> ProxyTrust:
        """Say which proxies may name the visitor's address."""
        return proxy_trust_from(
            self.trusted_proxies,
            self.trusted_hops,
            self.forwarded_header,
            self.trust_unix_socket,
        )

    @cached_property
    def exclusion(self) -> Exclusion:
        """Match the paths that never make a page view."""
        common = DEFAULT_EXCLUDE if self.pageview_exclude_common else ()
        return exclusion_from((*common, *self.pageview_exclude))

    @cached_property
    def page_view_rules(self) -> PageViewRules:
        """Say what counts as a page view beside a plain navigation."""
        return PageViewRules(
            speculative=self.speculative,
            ajax_responses=self.pageview_ajax_responses,
            enhanced_navigation=self.enhanced_navigation,
        )

    @cached_property
    def tracks_errors(self) -> bool:
        """Tell whether any answer may become an exception."""
        return self.pageview_na_exceptions or self.pageview_server_exceptions

    @cached_property
    def session_rules(self) -> SessionRules:
        """Say when a visit ends."""
        return SessionRules(idle=self.session_idle, longest=self.session_longest)

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Self:
        """Make settings from names and values; raises `ConfigurationError`.

        Lists count as tuples, numbers as strings where text is wanted.
        """
        known = _defaults()
        for name in options:
            if name not in known:
                raise _unknown(name, known)
        converted = {}
        hints = typing.get_type_hints(cls)
        for name, value in options.items():
            given = tuple(value) if isinstance(value, list | set | frozenset) else value
            if (
                isinstance(given, int)
                and not isinstance(given, bool)
                and hints[name] is str
            ):
                given = str(given)  # 1.0 wrote cookie_status_accepted: 1
            try:
                converted[name] = msgspec.convert(given, hints[name])
            except msgspec.ValidationError as error:
                shown = "" if name == "secret_key" else f" not {value!r:.80}:"
                raise ConfigurationError(
                    f"Option {name!r}:{shown} {error}.", option=name
                ) from None
        return cls(**converted)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Make settings from ``SERVER_TRACKING_<NAME>``; raises `ConfigurationError`.

        Booleans are written 1, true, yes, on or 0, false, no, off; lists with
        commas. Names this class does not know are refused, but for SYSTEMS and
        those of other parts of the library.
        """
        known = _defaults()
        hints = typing.get_type_hints(cls)
        options: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(ENVIRONMENT_PREFIX):
                continue
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if name in _OTHER_VARIABLES:
                continue
            if name not in known:
                raise _unknown(name, known)
            options[name] = _from_text(text, hints[name])
        return cls.from_mapping(options)


_OTHER_VARIABLES = frozenset({"systems", "allow_send"})
_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def _defaults() -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(Settings)}


def _from_text(text: str, hint: Any) -> Any:
    """Read an environment variable as the type of its option asks for."""
    kinds = set(typing.get_args(hint)) | {hint}
    if bool in kinds and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if type(None) in kinds and text.lower() in ("", "none"):
        return None
    if any(typing.get_origin(kind) is tuple for kind in kinds) and text != "all":
        return tuple(part for part in (p.strip() for p in text.split(",")) if part)
    if kinds & {int, float}:
        try:
            return json.loads(text)
        except ValueError:
            return text  # refused with its name, as any wrong value
    return text


def _unknown(name: str, known: Mapping[str, Any]) -> ConfigurationError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return ConfigurationError(
        f"Unknown option {name!r}; did you mean {near[0]!r}?", option=name
    )


def _wrong(settings: Settings, name: str, accepted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Option {name!r}: {getattr(settings, name)!r} was given; accepted is {accepted}.",
        option=name,
    )
