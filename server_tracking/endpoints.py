"""Read and check what every analytics system is configured with.

Its web address, its switches, and its URL in `SERVER_TRACKING_SYSTEMS`, such as
``umami+https://host/path?website_id=UUID&batch=0``. All complaints are
`ConfigurationError` of one form: the option, what was given, what is accepted. What
may hold a secret (an address, a key) is described and never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from server_tracking.errors import ConfigurationError
from server_tracking.patterns import pattern_from

__all__ = [
    "FLAG",
    "NAMES",
    "NUMBER",
    "TEXT",
    "Reading",
    "address_from",
    "address_of",
    "check_choice",
    "check_flags",
    "endpoint_from",
    "key_and_address_of",
    "key_of",
    "query_options",
    "refusal",
    "shown",
]

_PRINTABLE = pattern_from(r"[!-~]+")
_PLACE = pattern_from(
    r"(?:[^@]*@)?(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_NAME = pattern_from(r"[a-z_]{1,30}[0-9]{0,3}")
_DIGITS = pattern_from(r"[0-9]+")
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


def refusal(option: str, given: str, accepted: str) -> ConfigurationError:
    """Word the error that *option* is *given*, which is described, not *accepted*."""
    return ConfigurationError(
        f"Option {option!r}: {given} was given; accepted is {accepted}.", option=option
    )


def shown(given: object) -> str:
    """Show what was given for an option that is no secret."""
    return f"{given!r:.60}"


def check_flags(**given: object) -> None:
    """Refuse options that are neither True nor False."""
    for option, value in given.items():
        if value not in (True, False):
            raise refusal(option, shown(value), "True or False")


def check_choice(option: str, given: object, choices: Sequence[str]) -> None:
    """Refuse an option that is none of *choices*."""
    if given not in choices:
        raise refusal(option, shown(given), " or ".join(map(repr, choices)))


# Web addresses


def address_from(option: str, given: object, *, plain: bool = True) -> SplitResult:
    """Read the address of a server: http:// or https://, a host, perhaps a path.

    Unless it has to be *plain*, credentials and a query may be in it. What is not
    ASCII has to be written with escapes, a host in Punycode.
    """
    if fault := _fault_of(given, plain):
        accepted = "http:// or https:// with a host, and perhaps a path"
        raise refusal(option, fault, accepted)
    return urlsplit(str(given))


def endpoint_from(
    option: str, given: object, default_path: str, *, plain: bool = True
) -> str:
    """Read an address as `address_from`; without a path it gets *default_path*."""
    parts = address_from(option, given, plain=plain)
    if parts.path in ("", "/"):
        parts = parts._replace(path=default_path)
    return parts.geturl()


def _fault_of(given: object, plain: bool) -> str:
    """Describe what *given* is if it is no address."""
    if not isinstance(given, str):
        return "None" if given is None else f"a value of type {type(given).__name__}"
    if not given:
        return "an empty text"
    if not _PRINTABLE.fullmatch(given):
        return "a text with characters that no address has"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        return "an address with an impossible host or port"
    if parts.scheme not in ("http", "https"):
        return "a text without http:// or https:// in front"
    if not _PLACE.fullmatch(parts.netloc) or port == 0:
        return "an address with an impossible host or port"
    if parts.fragment:
        return "an address with a fragment"
    if plain and parts.username is not None:
        return "an address with credentials"
    if plain and parts.query:
        return "an address with a query"
    return ""


# The URL of a system


def address_of(url: SplitResult) -> str:
    """Return the web address in a system's *url*: https, unless its scheme says."""
    return f"{url.scheme.partition('+')[2] or 'https'}://{url.netloc}{url.path}"


def key_of(url: SplitResult) -> str:
    """Return the key in front of the host in a system's *url*, "" if there is none."""
    key = url.netloc.rpartition("@")[0]
    if ":" in key:
        accepted = "KEY@host, a colon in the key written as %3A"
        raise refusal("systems", "a name and a password", accepted)
    return unquote(key)


def key_and_address_of(url: SplitResult) -> tuple[str, str]:
    """Return the key in a system's *url*, and the web address without it."""
    bare = url._replace(netloc=url.netloc.rpartition("@")[2])
    return key_of(url), address_of(bare)


class Reading(NamedTuple):
    """How the text of an option is read: *read* raises `ValueError` for others."""

    read: Callable[[str], Any]
    accepted: str


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError
    return _FLAGS[text.lower()]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


TEXT = Reading(str, "a text")
FLAG = Reading(_flag, "1 or 0")
NUMBER = Reading(_number, "a whole number")
NAMES = Reading(_names, "names with commas between them")


def query_options(url: SplitResult, known: Mapping[str, Reading]) -> dict[str, Any]:
    """Read the options in the query of a system's *url*, each as *known* says.

    ``<n>`` in a known name stands for a number: ``dimension<n>``. Raises for names
    that are not known or come twice, and for a fragment, as which a key with an
    unescaped # would be read.
    """
    if url.fragment:
        raise refusal("systems", "a URL with a #", "one with %23 in its place")
    options: dict[str, Any] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        reading = known.get(name) or known.get(_DIGITS.sub("<n>", name))
        if reading is None:
            # A key that stands in the wrong place is no name, and not repeated.
            found = f"Option {name!r}" if _NAME.fullmatch(name) else "An option"
            accepted = ", ".join(sorted(known))
            raise ConfigurationError(
                f"{found} of a URL is not known; accepted are {accepted}.",
                option="systems",
            )
        if name in options:
            raise refusal(name, "more than one value", "one")
        try:
            options[name] = reading.read(text)
        except ValueError:
            raise refusal(name, shown(text), reading.accepted) from None
    return options
