"""What is a page view, what is never one, and the named reason.

The rules follow what browsers were seen to send: `tests/data/browser_requests.json`
holds the recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal
from urllib.parse import unquote

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.reasons import Reason

__all__ = [
    "DEFAULT_EXCLUDE",
    "Exclusion",
    "PageViewRules",
    "exclusion_from",
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


class Exclusion(msgspec.Struct, frozen=True):
    """Paths that are never page views; each prefix begins and ends with a slash."""

    prefixes: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Tell whether the decoded *path* is one of the prefixes or below it."""
        if "//" in path:
            path = _SLASHES.sub("/", path)
        return f"{path}/".startswith(self.prefixes)


def exclusion_from(prefixes: Iterable[str]) -> Exclusion:
    """Make an exclusion of path *prefixes*, each whole segments: ``admin/``, ``/a/b``.

    Leading and trailing slashes do not matter. Raises `ConfigurationError` for
    patterns, URLs, and what would exclude every page.
    """
    if isinstance(prefixes, str):
        raise _wrong(prefixes, "a list of path prefixes")
    return Exclusion(tuple(dict.fromkeys(map(_prefix, prefixes))))


def _prefix(entry: str) -> str:
    accepted = "a path prefix such as 'admin/' or '/internal/api'"
    if not isinstance(entry, str):
        raise _wrong(entry, accepted)
    text = unquote(entry)
    path = _SLASHES.sub("/", f"/{text}/")
    if path == "/" or entry != entry.strip() or _NOT_A_PATH.search(text):
        raise _wrong(entry, accepted)
    return path


def _wrong(given: object, accepted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Option 'pageview_exclude': {given!r:.80} was given; accepted is {accepted}.",
        option="pageview_exclude",
    )


class PageViewRules(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a page view beside a plain navigation.

    *speculative* says whether a prefetched or prerendered navigation is dropped or
    counted: a click on it makes no request any more. *ajax_responses* counts HTML
    that a script fetched; *enhanced_navigation* only boosted htmx links and Turbo
    visits, which stand for navigations.
    """

    speculative: Literal["drop", "count"] = "drop"
    ajax_responses: bool = False
    enhanced_navigation: bool = False


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
    if method != "GET":
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
    status: int, content_type: str | None, content_disposition: str | None
) -> Reason | None:
    """Say why an answer is no page view, or None if it is one.

    304 is one: the browser shows the page that it has.
    """
    if status == 304:
        return None
    if status != 200:
        return Reason.STATUS
    if content_disposition and content_disposition.lstrip()[:10].lower() == (
        "attachment"
    ):
        return Reason.DOWNLOAD
    if content_type is None:
        return Reason.NOT_HTML
    if content_type.partition(";")[0].strip().lower() in _HTML_TYPES:
        return None
    return Reason.NOT_HTML


def _refusal_of_navigation(
    destination: str | None, header: HeaderReader, rules: PageViewRules
) -> Reason | None:
    # No script can make a navigation, and browsers that send the other names are
    # older than Fetch Metadata: two look-ups instead of five, of 0.1 µs each.
    if rules.speculative == "drop" and _speculative(header, _BY_BROWSERS):
        return Reason.SPECULATIVE
    if destination == "document":
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
    counts = rules.ajax_responses or rules.enhanced_navigation
    names = _SPECULATIVE if counts else _BY_SCRIPTS
    if rules.speculative == "drop" and _speculative(header, names):
        return Reason.SPECULATIVE
    if mode != "no-cors" and (
        rules.ajax_responses or (rules.enhanced_navigation and _is_enhanced(header))
    ):
        return None
    return Reason.SUBRESOURCE


def _refusal_without_metadata(
    header: HeaderReader, rules: PageViewRules
) -> Reason | None:
    if rules.speculative == "drop" and _speculative(header, _SPECULATIVE):
        return Reason.SPECULATIVE
    if _is_partial(header):
        if rules.ajax_responses or (rules.enhanced_navigation and _is_enhanced(header)):
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


def _is_enhanced(header: HeaderReader) -> bool:
    """Tell whether a script stands in for a navigation: a boosted link, a visit.

    htmx: HX-Boosted; HX-Request-Type since version 4; a page of the history that is
    not cached any more. Turbo: every request but that of a frame.
    """
    if (
        header("hx-boosted") == "true"
        or header("hx-request-type") == "full"
        or header("hx-history-restore-request") == "true"
    ):
        return True
    if header("turbo-frame") is not None:
        return False
    return header("x-turbo-request-id") is not None or (
        "text/vnd.turbo-stream.html" in (header("accept") or "")
    )


_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
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
