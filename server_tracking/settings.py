"""Every option: its name, its default, its check."""

# Annotations are values here: a Tracker reads them all, which takes 1 ms more of text.
import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal, Self

import msgspec

from server_tracking.addresses import ProxyTrust, proxy_trust_from
from server_tracking.bots import BotDetector, detector_from
from server_tracking.consent import CONSENT_MODES, ConsentMode
from server_tracking.cookies import is_cookie_name
from server_tracking.errors import ConfigurationError, unknown_option
from server_tracking.exchange import Request
from server_tracking.filters import (
    DEFAULT_EXCLUDE,
    FRAMEWORKS,
    Exclusion,
    PageViewRules,
    exclusion_from,
    further_exclusion_from,
    hosts_from,
    is_content_type,
)
from server_tracking.hits import Consent
from server_tracking.resolvers import resolver_from
from server_tracking.salts import SaltStore, salt_store_from
from server_tracking.scrubbing import Narrowing, Scrubber, own_scrubber_from
from server_tracking.variables import value_from
from server_tracking.visitors import SessionRules, zone_from

__all__ = ["ENVIRONMENT_PREFIX", "Settings"]

ENVIRONMENT_PREFIX = "SERVER_TRACKING_"
_DAY = 24 * 3600

Framework = Literal["htmx", "turbo", "unpoly", "inertia"]
AgentPolicy = Literal["drop", "mark", "route"]


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
    cookie_host_prefix: bool = False
    """Name the id cookie ``__Host-vn`` on https: no other subdomain can plant one."""
    cookie_samesite: Literal["Lax", "Strict", "None"] = "Lax"
    cookie_action: str = "cookie_action"
    """Cookie in which the site's script says ``accept``, ``refuse`` or ``withdraw``."""
    cookie_status: str = "cookie_status"
    """Cookie in which we keep what the visitor decided."""
    cookie_status_accepted: str = "1"
    cookie_status_refused: str = "0"
    own_cookie_name: str = "its_me"
    """Cookie that marks the site's own people, see `Tracker.own_cookie`."""
    own_cookie_max_age: int = 90 * _DAY
    """How long that mark counts, by the day in it and not by the browser alone."""

    consent_mode: ConsentMode = "session"
    """What is permitted while the visitor has not decided: see docs/consent.md."""
    consent_version: int = 1
    """Version of what visitors agree to. Raise it, and those who have accepted are
    asked anew."""
    consent_max_age: int = 180 * _DAY
    """How long a visitor's decision counts; then they are asked anew."""
    consent_resolver: str | Callable[[Request], Consent | bool | None] | None = None
    """Says of a request what the visitor allows: a function, its dotted path, or the
    name of a ready one (``onetrust``, ``cookiebot``, ``tcf`` ...)."""
    reuse_needs_consent: bool = False
    """Tell systems that use data for ends of their own only of visitors who accepted,
    in every mode. In ``cookieless`` it is so without this."""
    honor_gpc: bool = True
    honor_dnt: bool = True

    adopt_browser_ids: bool = False
    """Go on with the ids that systems' own tags have given visitors in the browser:
    see docs/privacy.md."""
    on_withdraw: Callable[[str], object] | None = None
    """Called with the client id of a visitor who takes an acceptance back, so that the
    site can have systems delete what they know. It runs while the visitor waits."""

    cookieless_salt: str | SaltStore | None = None
    """Where the salts of cookieless ids are kept: a directory shared by the workers
    (better in memory: ``/run/...``), or a store of `server_tracking.salts`."""

    session_idle: int = 30 * 60
    session_longest: int = _DAY
    """Google Analytics 4 knows no such limit, PostHog's is a day: see docs/privacy.md."""
    session_midnight: str | None = None
    """Time zone at whose midnight a visit ends as well, such as ``Europe/Berlin``."""
    session_campaign: bool = False
    """End a visit when another campaign brings the visitor back."""

    anonymize_ip: bool | Literal["strict", "omit"] = True
    """True tells the /24 or /48 of an address, ``strict`` the /16 or /32, ``omit``
    nothing of it. False sends whole addresses: think twice."""
    trusted_proxies: tuple[str, ...] = ()
    trusted_hops: int = 0
    forwarded_header: str = "X-Forwarded-For"
    trust_unix_socket: bool = False

    keep_params: Literal["all"] | tuple[str, ...] = ()
    """Names of query parameters to keep in URLs beside the usual campaign ones."""
    scrub: tuple[Scrubber, ...] = ()
    """What else is personal: regular expressions of what to remove, and functions
    that return what may stay of a text. If one raises, the hit is not sent."""
    scrub_ids: bool = False
    """Take UUIDs and numbers of six digits and more out of paths and titles as well."""
    referrer_detail: Literal["path", "origin"] = "path"
    """What to tell of the page of another site that a visitor came from."""
    page_path: Literal["path", "route"] = "path"
    """Tell the path of a page, or the framework's pattern for it (``/user/:id``)
    wherever that is known: then no id in a path leaves the site."""

    allowed_hosts: tuple[str, ...] = ()
    """The site's hosts; ``.example.com`` has those below it too. Requests that name
    another are not tracked, for anybody can write one. Without any, all count."""
    pageview_exclude: tuple[str, ...] = ()
    """Path prefixes that never make a page view: ``admin/``, ``/internal/api``."""
    pageview_exclude_common: bool = True
    """Exclude health checks, robots.txt and the like as well."""
    pageview_exclude_patterns: tuple[str, ...] = ()
    """Regular expressions, looked for in the decoded path (512 characters of it)."""
    pageview_exclude_hosts: tuple[str, ...] = ()
    """Hosts of the site that never make a page view: ``staging.example.com``."""
    pageview_exclude_when: Callable[[Request], bool] | None = None
    """A function that says of a request whether it is excluded."""
    pageview_methods: tuple[str, ...] = ("GET",)
    pageview_statuses: tuple[int, ...] = (200, 304)
    pageview_content_types: tuple[str, ...] = ("text/html", "application/xhtml+xml")
    pageview_frames: bool = False
    """Count pages in an iframe, object or embed."""
    pageview_ajax_responses: bool = False
    pageview_na_exceptions: bool = False
    """Send an exception for answers with status 404."""
    pageview_server_exceptions: bool = False
    """Send an exception for answers with another error status, and for handlers
    that raise."""
    pageview_ajax_exceptions: bool = False
    speculative: Literal["drop", "count"] = "drop"
    """What a prefetched or prerendered page is."""
    enhanced_navigation: bool | tuple[Framework, ...] = False
    """Count what stands in for a navigation as a page view: boosted htmx links, Turbo
    and Inertia visits, Unpoly's updates of the main element; or only some of them."""
    collapse_scanners: bool = True
    """Make no exception of a 404 for what only scanners for holes ask for."""
    sample_rate: float = 1.0
    """Share of the visitors to track, above 0. A visitor is in or out for good."""
    drop_referrer_spam: bool = True
    ignore_bots: bool = True
    bot_detector: BotDetector = "built-in"
    """What tells robots: ``built-in``, ``is-bot`` (extra ``bots``), or a function of
    the user agent."""
    ai_training: AgentPolicy = "drop"
    """What becomes of robots that gather pages to train models. ``mark`` tells them
    to all systems, with the properties ai_agent and ai_agent_kind; ``route`` tells
    them so to the tracker given as ``agents=`` alone. Counts with ignore_bots."""
    ai_search: AgentPolicy = "drop"
    """The same for robots that gather pages for an index."""
    ai_assistant: AgentPolicy = "drop"
    """The same for robots that fetch a page because somebody has just asked for it."""

    read_titles: bool = True
    """Read the title from the head of HTML pages."""

    defer: Literal["threaded", "request"] | None = "threaded"
    """When hits are sent: by a thread in the background; by that thread, but before
    the request ends (for processes that are frozen behind their answer: serverless
    functions); or None: one by one in the request's own thread."""
    timeout: float = 10.0
    """Most that one call to a system may take."""
    explain_header: bool = False
    """Say in the header Server-Tracking what was decided, to whoever carries the
    cookie of `notices.explain_cookie`."""
    strict: bool = False
    """Raise our own errors instead of keeping them from the site: for tests."""

    def __post_init__(self) -> None:
        self._check_cookie_options()
        if any(len(key) < 8 for key in self.secret_keys):
            # The key itself is never shown.
            raise ConfigurationError(
                "Option 'secret_key': each key needs at least 8 characters.",
                option="secret_key",
            )
        for name in ("session_idle", "session_longest", "timeout", "consent_max_age"):
            if not 0 < getattr(self, name) <= 400 * _DAY:
                raise _wrong(self, name, "a number of seconds above 0")
        # They check their own options.
        _ = (
            self.resolver,
            self.session_rules,
            self.salt_store,
            self.own_scrubber,
            self.proxy_trust,
            self.exclusion,
            self.excluded_hosts,
            self.site_hosts,
            self.bot_test,
        )
        self._check_consent_options()
        self._check_page_view_options()

    def _check_cookie_options(self) -> None:
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
        for name in ("cookie_max_age", "own_cookie_max_age"):
            if not 0 < getattr(self, name) <= 400 * _DAY:
                raise _wrong(self, name, f"1 to {400 * _DAY} seconds (400 days)")
        if self.cookie_status_accepted == self.cookie_status_refused:
            raise _wrong(self, "cookie_status_refused", "another value than accepted")
        if self.cookie_samesite == "None" and self.cookie_secure is not True:
            raise _wrong(self, "cookie_samesite", "'None' only with cookie_secure=True")

    def _check_consent_options(self) -> None:
        if self.cookie_host_prefix and (
            self.cookie_path != "/" or self.cookie_secure is False
        ):
            # RFC 6265bis section 4.1.3.2
            raise _wrong(
                self, "cookie_host_prefix", "False, or cookie_path='/' and secure"
            )
        if not 1 <= self.consent_version <= 9999:
            raise _wrong(self, "consent_version", "a number from 1 to 9999")
        if self.consent_mode not in CONSENT_MODES:
            raise _wrong(self, "consent_mode", ", ".join(map(repr, CONSENT_MODES)))

    def _check_page_view_options(self) -> None:
        if not 0 < self.sample_rate <= 1:
            raise _wrong(self, "sample_rate", "a share above 0, up to 1")
        if not (
            self.pageview_exclude_when is None or callable(self.pageview_exclude_when)
        ):
            raise _wrong(self, "pageview_exclude_when", "a function of a request")
        if not (self.on_withdraw is None or callable(self.on_withdraw)):
            raise _wrong(self, "on_withdraw", "a function of a client id")
        methods = self.pageview_methods
        if not methods or not all(m.isalpha() and m.isupper() for m in methods):
            raise _wrong(self, "pageview_methods", "methods such as 'GET' and 'POST'")
        statuses = self.pageview_statuses
        if not statuses or not all(200 <= status <= 599 for status in statuses):
            raise _wrong(self, "pageview_statuses", "numbers from 200 to 599")
        kinds = self.pageview_content_types
        if not kinds or not all(map(is_content_type, kinds)):
            accepted = "types such as 'text/html', no more"
            raise _wrong(self, "pageview_content_types", accepted)

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Settings({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Of msgspec's own making it would show the key.
        return [
            (field.name, getattr(self, field.name))
            for field in msgspec.structs.fields(self)
            if field.name != "secret_key" and getattr(self, field.name) != field.default
        ]

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """List the keys, newest first."""
        if isinstance(self.secret_key, str):
            return (self.secret_key,) if self.secret_key else ()
        return self.secret_key

    @cached_property
    def resolver(self) -> Callable[[Request], Any] | None:
        """Say of a request what the visitor allows, if a consent platform does."""
        return resolver_from(self.consent_resolver)

    @cached_property
    def salt_store(self) -> SaltStore | None:
        """Keep the salts of the cookieless ids; None if none is configured."""
        return salt_store_from(self.cookieless_salt)

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
        return exclusion_from(
            (*common, *self.pageview_exclude), self.pageview_exclude_patterns
        )

    @cached_property
    def excluded_hosts(self) -> frozenset[str]:
        """List the hosts that never make a page view."""
        return hosts_from(self.pageview_exclude_hosts)

    @cached_property
    def site_hosts(self) -> frozenset[str]:
        """List the hosts that are the site; empty if all count."""
        return hosts_from(self.allowed_hosts, "allowed_hosts")

    @cached_property
    def further_exclusion(self) -> Callable[[Request], bool] | None:
        """Tell of a request whether more than its path excludes it."""
        return further_exclusion_from(self.excluded_hosts, self.pageview_exclude_when)

    @cached_property
    def bot_test(self) -> Callable[[str | None], bool]:
        """Tell of a user agent whether it is a robot's."""
        return detector_from(self.bot_detector)

    @cached_property
    def agent_policies(self) -> Mapping[str, AgentPolicy]:
        """Say what becomes of each class of AI agents."""
        return {
            "training": self.ai_training,
            "search": self.ai_search,
            "assistant": self.ai_assistant,
        }

    @cached_property
    def page_view_rules(self) -> PageViewRules:
        """Say what counts as a page view beside a plain navigation."""
        enhanced = self.enhanced_navigation
        if isinstance(enhanced, bool):
            enhanced = FRAMEWORKS if enhanced else ()
        return PageViewRules(
            speculative=self.speculative,
            ajax_responses=self.pageview_ajax_responses,
            enhanced=frozenset(enhanced),
            frames=self.pageview_frames,
            methods=frozenset(self.pageview_methods),
            statuses=frozenset(self.pageview_statuses),
            content_types=frozenset(self.pageview_content_types),
        )

    @cached_property
    def own_scrubber(self) -> Callable[[str], str] | None:
        """Scrub what the site itself knows to be personal; None if that is nothing."""
        return own_scrubber_from(self.scrub)

    @cached_property
    def narrowing(self) -> Narrowing | None:
        """Say what not to tell of a page; None if nothing of it is held back."""
        found = Narrowing(
            ids=self.scrub_ids,
            origin_only=self.referrer_detail == "origin",
            by_route=self.page_path == "route",
        )
        return None if found == Narrowing() else found

    @cached_property
    def tracks_errors(self) -> bool:
        """Tell whether any answer may become an exception."""
        return self.pageview_na_exceptions or self.pageview_server_exceptions

    @cached_property
    def heeds_every_answer(self) -> bool:
        """Tell whether an answer matters even to what makes no page view."""
        return self.tracks_errors or self.explain_header

    @cached_property
    def session_rules(self) -> SessionRules:
        """Say when a visit ends."""
        return SessionRules(
            idle=self.session_idle,
            longest=self.session_longest,
            midnight=zone_from(self.session_midnight),
            campaign=self.session_campaign,
        )

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Self:
        """Make settings from names and values; raises `ConfigurationError`.

        Lists count as tuples, numbers as strings where text is wanted.
        """
        known = cls.__struct_fields__
        for name in options:
            if name not in known:
                raise unknown_option(name, known)
        converted: dict[str, Any] = {}
        hints = typing.get_type_hints(cls)
        for name, value in options.items():
            given = tuple(value) if isinstance(value, list | set | frozenset) else value
            if (
                isinstance(given, int)
                and not isinstance(given, bool)
                and hints[name] is str
            ):
                given = str(given)  # 1.0 wrote cookie_status_accepted: 1
            if name in _MAY_BE_FUNCTIONS:
                converted[name] = given  # they are checked when the settings are made
                continue
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
        known = cls.__struct_fields__
        hints = typing.get_type_hints(cls)
        options: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(ENVIRONMENT_PREFIX):
                continue
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if name in _OTHER_VARIABLES:
                continue
            if name not in known:
                raise unknown_option(name, known)
            options[name] = value_from(text, hints[name])
        return cls.from_mapping(options)


_MAY_BE_FUNCTIONS = frozenset(
    {
        "bot_detector",
        "consent_resolver",
        "cookieless_salt",
        "on_withdraw",
        "pageview_exclude_when",
        "scrub",
    }
)
_OTHER_VARIABLES = frozenset({"systems", "allow_send"})


def _wrong(settings: Settings, name: str, accepted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Option {name!r}: {getattr(settings, name)!r} was given; accepted is {accepted}.",
        option=name,
    )
