"""What is a page view, what is never one, and the named reason.

The rules follow what browsers were seen to send: `tests/data/browser_requests.json`
holds the recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal
from urllib.parse import unquote
from zlib import crc32

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.exchange import Request
from server_tracking.reasons import Reason

__all__ = [
    "DEFAULT_EXCLUDE",
    "FRAMEWORKS",
    "Exclusion",
    "PageViewRules",
    "exclusion_from",
    "further_exclusion_from",
    "hosts_from",
    "is_host_of",
    "is_in_sample",
    "is_probe",
    "refusal_of_request",
    "refusal_of_response",
]

HeaderReader = Callable[[str], str | None]
"""Look a header up by its lower-case name."""

DEFAULT_EXCLUDE = (
    "/static",
    "/media",
    "/favicon.ico",
    "/robots.txt",
    "/.well-known",
    "/health",
    "/healthz",
    "/livez",
    "/readyz",
    "/ping",
    "/metrics",
)

# What a path prefix surely does not hold; such entries were meant as something else.
_NOT_A_PATH = re.compile(r"[?#*^\\\x00-\x1f\x7f]|://|(?:^|/)\.{1,2}(?:/|$)")
_SLASHES = re.compile("//+")
_HOST = re.compile(r"[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\]")
_PORT = re.compile(r":[0-9]+\Z")
_HOSTS = "pageview_exclude_hosts"
_PATTERNS = "pageview_exclude_patterns"
_LONGEST = 512

FRAMEWORKS: tuple[Literal["htmx", "turbo", "unpoly", "inertia"], ...] = (
    "htmx",
    "turbo",
    "unpoly",
    "inertia",
)
"""Scripts whose requests may stand in for navigations."""


class Exclusion(msgspec.Struct, frozen=True):
    """Paths that are never page views; each prefix begins and ends with a slash.

    *pattern* is looked for anywhere in the first 512 characters of a path.
    """

    prefixes: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None

    def covers(self, path: str) -> bool:
        """Tell whether the decoded *path* is one of the prefixes or below it."""
        if "//" in path:
            path = _SLASHES.sub("/", path)
        if f"{path}/".startswith(self.prefixes):
            return True
        return self.pattern is not None and bool(self.pattern.search(path[:_LONGEST]))


def exclusion_from(prefixes: Iterable[str], patterns: Iterable[str] = ()) -> Exclusion:
    """Make an exclusion of path *prefixes*, each whole segments: ``admin/``, ``/a/b``.

    Leading and trailing slashes do not matter. *patterns* are regular expressions.
    Raises `ConfigurationError` for patterns among the prefixes, URLs, and what would
    exclude every page.
    """
    if isinstance(prefixes, str):
        raise _wrong(prefixes, "a list of path prefixes")
    found = tuple(dict.fromkeys(map(_prefix, prefixes)))
    sources = [_source(pattern) for pattern in patterns]
    if not sources:
        return Exclusion(found)
    return Exclusion(found, re.compile("|".join(f"(?:{s})" for s in sources)))


def is_content_type(kind: str) -> bool:
    """Tell whether *kind* is a media type in lower case, without parameters."""
    return kind.count("/") == 1 and kind == kind.lower() and ";" not in kind


def hosts_from(hosts: Iterable[str], option: str = _HOSTS) -> frozenset[str]:
    """Read host names, without scheme and port; raises `ConfigurationError`."""
    found = frozenset(host.lower() for host in hosts)
    for host in found:
        if not _HOST.fullmatch(host):
            raise _wrong(host, "a host name such as 'staging.example.com'", option)
    return found


def is_host_of(hosts: frozenset[str], host: str | None) -> bool:
    """Tell whether *host* is one of *hosts*, or below one that begins with a dot."""
    name = _PORT.sub("", host or "").lower()
    if name in hosts:
        return True
    return any(h[0] == "." and (name.endswith(h) or name == h[1:]) for h in hosts)


def further_exclusion_from(
    hosts: frozenset[str], when: Callable[[Request], bool] | None
) -> Callable[[Request], bool] | None:
    """Join what excludes a page by more than its path; None if nothing does."""
    if not hosts and when is None:
        return None

    def excludes(request: Request) -> bool:
        host = (request.host or "").lower()
        if host in hosts or _PORT.sub("", host) in hosts:
            return True
        return when is not None and bool(when(request))

    return excludes


def _source(pattern: str) -> str:
    accepted = r"a regular expression such as '^/users/\d+/edit$'"
    try:
        everything = bool(re.compile(pattern).search(""))
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise _wrong(pattern, f"{accepted} ({error})", _PATTERNS) from None
    if everything:
        raise _wrong(pattern, f"{accepted}; this one matches every path", _PATTERNS)
    return pattern


def _prefix(entry: str) -> str:
    accepted = "a path prefix such as 'admin/' or '/internal/api'"
    if not isinstance(entry, str):
        raise _wrong(entry, accepted)
    text = unquote(entry)
    path = _SLASHES.sub("/", f"/{text}/")
    if path == "/" or entry != entry.strip() or _NOT_A_PATH.search(text):
        raise _wrong(entry, accepted)
    return path


def _wrong(
    given: object, accepted: str, option: str = "pageview_exclude"
) -> ConfigurationError:
    return ConfigurationError(
        f"Option {option!r}: {given!r:.80} was given; accepted is {accepted}.",
        option=option,
    )


class PageViewRules(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a page view beside a plain navigation.

    *speculative* says whether a prefetched or prerendered navigation is dropped or
    counted: a click on it makes no request any more. *ajax_responses* counts HTML
    that a script fetched; *enhanced* only what stands in for a navigation, by the
    names in `FRAMEWORKS`. *frames* counts pages in an iframe, object or embed.
    *methods*, *statuses* and *content_types* are what a page's request and answer
    may have.
    """

    speculative: Literal["drop", "count"] = "drop"
    ajax_responses: bool = False
    enhanced: frozenset[str] = frozenset()
    frames: bool = False
    methods: frozenset[str] = frozenset({"GET"})
    statuses: frozenset[int] = frozenset({200, 304})
    content_types: frozenset[str] = frozenset({"text/html", "application/xhtml+xml"})


def refusal_of_request(
    method: str,
    path_info: str,
    header: HeaderReader,
    exclusion: Exclusion,
    rules: PageViewRules,
) -> Reason | None:
    """Say why a request is no page view, or None if its answer decides.

    *path_info* is decoded; *header* takes lower-case names.
    """
    # CPython 3.11, beside the look-ups of headers (0.03 µs in a dict, 0.15 in a WSGI
    # environ): 0.2 µs for another method, 0.4 for an excluded path, 0.5 for a page.
    if method not in rules.methods:
        return Reason.METHOD
    if exclusion.covers(path_info):
        return Reason.EXCLUDED
    mode = header("sec-fetch-mode")
    # Browsers send Fetch Metadata to https hosts and localhost only; Safari since 16.4.
    if mode is None:
        return _refusal_without_metadata(header, rules)
    destination = header("sec-fetch-dest")
    if mode == "navigate":
        return _refusal_of_navigation(destination, header, rules)
    if destination in _FOR_SCRIPTS:
        return _refusal_of_fetch(mode, header, rules)
    return Reason.SUBRESOURCE


def refusal_of_response(
    status: int,
    content_type: str | None,
    content_disposition: str | None,
    rules: PageViewRules = PageViewRules(),  # noqa: B008 - it is frozen
    *,
    inertia: bool = False,
) -> Reason | None:
    """Say why an answer is no page view, or None if it is one.

    304 is one: the browser shows the page that it has. *inertia* tells that it has
    X-Inertia: true, and is a page in JSON.
    """
    if status not in rules.statuses:
        return Reason.STATUS
    if status == 304:
        return None
    if content_disposition and content_disposition.lstrip()[:10].lower() == (
        "attachment"
    ):
        return Reason.DOWNLOAD
    if content_type is None:
        return Reason.NOT_HTML
    kind = content_type.partition(";")[0].strip().lower()
    if kind in rules.content_types:
        return None
    if inertia and kind == "application/json" and "inertia" in rules.enhanced:
        return None
    return Reason.NOT_HTML


def is_in_sample(client_id: str, rate: float) -> bool:
    """Tell whether the visitor *client_id* is among the share *rate* that is tracked.

    The same in every process and at every time.
    """
    return crc32(client_id.encode()) < rate * 0x1_0000_0000


def is_probe(path: str) -> bool:
    """Tell whether the decoded *path* is one that only scanners for holes ask for."""
    return _PROBE.search(path[:_LONGEST]) is not None


def _refusal_of_navigation(
    destination: str | None, header: HeaderReader, rules: PageViewRules
) -> Reason | None:
    # No script can make a navigation, and browsers that send the other names are
    # older than Fetch Metadata: two look-ups instead of five, of 0.1 µs each.
    purpose = header("sec-purpose") or header("purpose")
    if purpose and rules.speculative == "drop" and _speculative(header, _BY_BROWSERS):
        return Reason.SPECULATIVE
    if destination == "document":
        return None
    if rules.frames and destination in _FRAMES:
        return None
    # A service worker that passes a navigation on makes "empty" of its destination.
    # A download has the same, but no Accept.
    if destination in _FOR_SCRIPTS and _wants_html(header):
        return None
    return Reason.SUBRESOURCE


def _refusal_of_fetch(
    mode: str, header: HeaderReader, rules: PageViewRules
) -> Reason | None:
    """Judge what a script, a prefetching link or a beacon asked for."""
    counts = rules.ajax_responses or rules.enhanced
    names = _SPECULATIVE if counts else _BY_SCRIPTS
    if rules.speculative == "drop" and _speculative(header, names):
        return Reason.SPECULATIVE
    if mode != "no-cors" and (
        rules.ajax_responses or (rules.enhanced and _is_enhanced(header, rules))
    ):
        return None
    return Reason.SUBRESOURCE


def _refusal_without_metadata(
    header: HeaderReader, rules: PageViewRules
) -> Reason | None:
    if rules.speculative == "drop" and _speculative(header, _SPECULATIVE):
        return Reason.SPECULATIVE
    if _is_partial(header):
        if rules.ajax_responses or (rules.enhanced and _is_enhanced(header, rules)):
            return None
        return Reason.AJAX
    # An image or a fetch, which ask for anything but HTML. The answer must not
    # decide: many applications answer everything with HTML.
    return None if _wants_html(header) else Reason.SUBRESOURCE


def _speculative(header: HeaderReader, names: tuple[str, ...]) -> bool:
    for name in names:
        value = header(name)
        if value is not None:
            value = value.lower()
            if "prefetch" in value or "prerender" in value or "preview" in value:
                return True
    return False


def _wants_html(header: HeaderReader) -> bool:
    accept = header("accept")
    return accept is not None and (
        "text/html" in accept or "application/xhtml+xml" in accept
    )


def _is_partial(header: HeaderReader) -> bool:
    """Tell whether a script asked for a piece of a page, and says so."""
    with_script = header("x-requested-with")
    # Android's WebView writes the name of its application here (com.example.app),
    # with every navigation.
    if with_script is not None and "." not in with_script:
        return True
    return any(header(name) is not None for name in _PARTIAL)


def _is_enhanced(header: HeaderReader, rules: PageViewRules) -> bool:
    """Tell whether a script stands in for a navigation: a boosted link, a visit."""
    return any(_ENHANCED[name](header) for name in rules.enhanced)


def _by_htmx(header: HeaderReader) -> bool:
    # HX-Request-Type since version 4; a page of the history that is not cached.
    return (
        header("hx-boosted") == "true"
        or header("hx-request-type") == "full"
        or header("hx-history-restore-request") == "true"
    )


def _by_turbo(header: HeaderReader) -> bool:
    if header("turbo-frame") is not None:
        return False
    return header("x-turbo-request-id") is not None or (
        "text/vnd.turbo-stream.html" in (header("accept") or "")
    )


def _by_unpoly(header: HeaderReader) -> bool:
    """Tell whether Unpoly updates the main element of the page, not of an overlay."""
    if header("x-up-version") is None or header("x-up-mode") not in (None, "root"):
        return False
    wanted = (header("x-up-target") or "")[:_LONGEST].split(",")
    return any(target.strip() in _MAIN for target in wanted)


def _by_inertia(header: HeaderReader) -> bool:
    return (
        header("x-inertia") == "true" and header("x-inertia-partial-component") is None
    )


_ENHANCED: dict[str, Callable[[HeaderReader], bool]] = {
    "htmx": _by_htmx,
    "turbo": _by_turbo,
    "unpoly": _by_unpoly,
    "inertia": _by_inertia,
}
# Unpoly's default targets (up.fragment.config.mainTargets).
_MAIN = frozenset({"body", "html", "main", "[up-main]", "[up-main=root]", ":main"})
_FRAMES = frozenset({"iframe", "frame", "object", "embed"})
# What no Python site has, and everybody who looks for holes asks for.
_PROBE = re.compile(
    r"(?i)\.(?:php[0-9]?|phtml|aspx?|jspx?|cgi|env|bak|old|sql|swp|ini|ya?ml|pem|key)(?:[./~]|$)"
    r"|/(?:\.(?:env|git|svn|hg|aws|ssh|vscode|ds_store|htaccess|htpasswd)|wp-|wordpress"
    r"|phpmyadmin|xmlrpc|cgi-bin|actuator|solr|jenkins|boaform|hnap1|owa|autodiscover"
    r"|vendor/phpunit|server-status|etc/passwd)"
    r"|\.\./"
)
_FOR_SCRIPTS = frozenset({"empty", "", None})
# Sec-Purpose: Fetch standard. Purpose: older Chromium. X-Sec-Purpose: Turbo 8.
# X-Purpose: older WebKit. X-Moz: older Firefox.
_SPECULATIVE = ("sec-purpose", "purpose", "x-sec-purpose", "x-purpose", "x-moz")
_BY_BROWSERS = ("sec-purpose", "purpose")
_BY_SCRIPTS = ("sec-purpose", "x-sec-purpose")
_PARTIAL = (
    "hx-request",
    "turbo-frame",
    "x-turbo-request-id",
    "x-pjax",
    "x-up-version",
    "x-up-target",
    "x-inertia",
)
