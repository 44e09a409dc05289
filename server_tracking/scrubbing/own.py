"""What a site itself knows to be personal: patterns and functions of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Campaign, Page

__all__ = ["Scrubber", "own_scrubber_from", "scrubbed_campaign", "scrubbed_page"]

Scrubber = str | re.Pattern[str] | Callable[[str], str]
"""A regular expression, or a function of a text that returns what may stay of it."""

_REMOVED = "[removed]"
_SAFE = "[]!$'()*,;:@~"


def own_scrubber_from(given: Sequence[Scrubber]) -> Callable[[str], str] | None:
    """Join patterns and functions, in order, to one; None if there are none.

    What a pattern matches becomes ``[removed]``. The texts are bounded, and without
    what is scrubbed always. Raises `ConfigurationError`; what is made raises what
    the functions raise, and `TypeError` for what they return that is no text.
    """
    if not isinstance(given, list | tuple):
        raise _wrong(given)
    steps = [_step_from(one) for one in given]
    if not steps:
        return None

    def scrub(text: str) -> str:
        for step in steps:
            text = step(text)
            if not isinstance(text, str):
                # Neither the text nor what came of it: it may be what is to go.
                raise TypeError("A function of the option 'scrub' returned no text.")
        return text

    return scrub


def scrubbed_page(page: Page, scrub: Callable[[str], str]) -> Page:
    """Scrub what the visitor or the site may have written of *page*.

    Each segment of a path, and each value in a query, is decoded first.
    """
    url = _url(page.url, scrub)
    origin = len((page.url or "").partition("://")[0]) + 3 + len(page.host or "")
    path = url[origin:].partition("?")[0] if url else _path(page.path or "", scrub)
    return msgspec.structs.replace(
        page,
        url=url,
        path=path,
        title=scrub(page.title) if page.title else page.title,
        referrer=_url(page.referrer, scrub),
    )


def scrubbed_campaign(campaign: Campaign, scrub: Callable[[str], str]) -> Campaign:
    """Scrub what a URL says of its campaign."""
    texts = {
        name: scrub(value)
        for name in ("source", "medium", "name", "term", "content", "id")
        if (value := getattr(campaign, name))
    }
    return msgspec.structs.replace(campaign, **texts) if texts else campaign


def _url(url: str | None, scrub: Callable[[str], str]) -> str | None:
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    rest, question, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    pairs = [_pair(pair, scrub) for pair in query.split("&")] if query else []
    return f"{scheme}://{host}{_path(slash + path, scrub)}{question}{'&'.join(pairs)}"


def _path(path: str, scrub: Callable[[str], str]) -> str:
    return "/".join(_part(part, unquote(part), scrub) for part in path.split("/"))


def _pair(pair: str, scrub: Callable[[str], str]) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}{equals}{_part(value, unquote_plus(value), scrub)}"


def _part(written: str, plain: str, scrub: Callable[[str], str]) -> str:
    clean = scrub(plain) if plain else plain
    return written if clean == plain else quote(clean, safe=_SAFE)


def _step_from(given: object) -> Callable[[str], str]:
    if callable(given):
        return given
    if not isinstance(given, str | re.Pattern):
        raise _wrong(given)
    try:
        pattern = re.compile(given)
    except re.error:
        raise _wrong(given) from None
    if pattern.search(""):  # it would put its mark between all characters
        raise _wrong(given)
    return lambda text: pattern.sub(_REMOVED, text)


def _wrong(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"Option 'scrub': {given!r:.80} was given; accepted is a list of regular "
        "expressions that match something, and of functions of a text.",
        option="scrub",
    )
