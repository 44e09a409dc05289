"""Analytics systems: what each wants to hear, and what its answers mean.

A system is a frozen value of credentials and options with pure methods; only
senders do I/O. To add one, write one module here (or anywhere) with a class
that fulfils `System`; `docs/new-system.md` shows how.

The packages here have the same shape, and the same names for it:

    system.py     the class: its options, limits and calls
    saying.py     `say`: what is told of a hit, whole and uncut
    checking.py   `check`: what the system refuses, cuts or ignores of that
    fitting.py    `fit`: cut and drop, so that nothing exceeds a limit
    answers.py    `outcome_of`: what an answer means

Beside them stand `options.py` where there are many options to check, and what the
protocol knows: `parameters.py` as classes, `tables.py` as tables. The inspector's
decoder of the system takes its meanings from there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    Self,
    TypeGuard,
    runtime_checkable,
)
from urllib.parse import SplitResult, urlsplit

from server_tracking.calls import Call, Limits, Outcome, Problem
from server_tracking.errors import ConfigurationError
from server_tracking.hits import BrowserIds, Consent, Hit

if TYPE_CHECKING:
    from server_tracking.systems.goatcounter import GoatCounter
    from server_tracking.systems.google_analytics_4 import GoogleAnalytics4
    from server_tracking.systems.matomo import Matomo
    from server_tracking.systems.plausible import Plausible
    from server_tracking.systems.posthog import PostHog
    from server_tracking.systems.umami import Umami
    from server_tracking.systems.universal_analytics import UniversalAnalytics

__all__ = [
    "PROPERTIES",
    "BrowserTagged",
    "GoatCounter",
    "GoogleAnalytics4",
    "Matomo",
    "ParameterRow",
    "Plausible",
    "PostHog",
    "System",
    "Umami",
    "UniversalAnalytics",
    "discovered_systems",
    "has_tag",
    "may_be_told",
    "system_from_url",
]


# Each system is loaded when it is first asked for: all seven together take as long
# to import as the rest of the library.
_MODULES = {
    "GoatCounter": "goatcounter",
    "GoogleAnalytics4": "google_analytics_4",
    "Matomo": "matomo",
    "Plausible": "plausible",
    "PostHog": "posthog",
    "Umami": "umami",
    "UniversalAnalytics": "universal_analytics",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


class ParameterRow(NamedTuple):
    """A parameter in the table of a system: its *name*, and what it means.

    The name is as the inspector shows it, with ``<n>`` for an index and ``<name>`` for
    a name of the site's own: ``pr<n>id``, ``items[<n>].price``, ``props.<name>``. A
    value that has a meaning of its own may have a row too: ``name=purchase``. *note*
    says why a server cannot send it, and is empty if it can. Meaning and note are
    sentences.
    """

    name: str
    meaning: str
    note: str = ""


PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "category": "Category of the event or the timing.",
        "action": "What was done.",
        "label": "Label of the event or the timing.",
        "value": "Value of the event, or milliseconds of the timing.",
        "description": "What the error says.",
        "fatal": "Whether the error ended what the visitor did.",
        "variable": "What was timed.",
        "network": "Social network.",
        "target": "What something was done with in the social network.",
        "transaction_id": "Number of the order.",
        "revenue": "What the order comes to.",
        "tax": "Tax in the order.",
        "shipping": "Shipping costs of the order.",
        "currency": "Currency of the amounts (ISO 4217).",
        "coupon": "Coupon used for the order.",
        "affiliation": "Shop or supplier of the order.",
        "items": "Names of the items.",
        "quantity": "Number of pieces of all items.",
        "list": "List that the items were shown in.",
        "step": "Step of the checkout, from 1.",
        "option": "What was chosen in the step.",
    }
)
"""What `wire.hit_properties` may say of a hit, for systems that take any name."""


@runtime_checkable
class System(Protocol):
    """An analytics system.

    *name* is its key in `extra=`, `stats()` and logs; *scheme* that of its URL in
    `SERVER_TRACKING_SYSTEMS`.

    A system may have more, which tools look for:

    - ``parameter_table()``, a class method: a `ParameterRow` for each parameter of the
      protocol. ``server-tracking parameters`` lists them, and finds out what says each.
    - ``validation_call(hit, now)``: the `Call` that has the collector check *hit*
      without keeping it, or None if it cannot; and ``problems_of_answer(body)``: what
      the answer complains of, as `Problem`. ``server-tracking check --online`` asks.
    - ``live_view``, a text: where the system shows a hit that has just arrived.
    - what `BrowserTagged` asks for, if it has a tag of its own in the browser.
    """

    name: ClassVar[str]
    scheme: ClassVar[str]

    @property
    def limits(self) -> Limits:
        """Say what one call may carry, and how the system wants to be called."""
        ...

    def encode(self, hits: Sequence[Hit], now: float) -> Iterable[Call]:
        """Make the calls that tell *hits*; *now* is in Unix seconds.

        Pure, and never raises for any hit. Hits may be of many visitors; the
        calls keep within `limits`. A hit that no call carries was one that the
        system cannot be told truly.
        """
        ...

    def outcome(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Tell what an answer means; *headers* have lower-case names."""
        ...

    def problems(self, hit: Hit) -> Iterable[Problem]:
        """Name what the system would refuse, cut or ignore in *hit*."""
        ...

    @classmethod
    def example(cls) -> Self:
        """Make a system with made-up credentials, for tests and docs."""
        ...

    @classmethod
    def from_url(cls, url: SplitResult) -> Self:
        """Make a system from its URL; raises `ConfigurationError`."""
        ...


class BrowserTagged(Protocol):
    """A system with a tag of its own, whose ids for visitors it can go on with."""

    @property
    def browser_cookies(self) -> tuple[str, ...]:
        """Name the cookies that are read, ``*`` for what only the tag knows."""
        ...

    def browser_ids(self, cookies: Mapping[str, str], now: float) -> BrowserIds | None:
        """Read what its tag calls the visitor; None for junk.

        *cookies* are all of a request, those seen twice left out; *now* is in Unix
        seconds. Pure, and never raises; it names the visitor under its own name, and
        whatever it returns ends up in hits.
        """
        ...


def has_tag(system: System) -> TypeGuard[BrowserTagged]:
    """Tell whether *system* has a tag of its own in the browser."""
    # isinstance() would read every attribute, in each request.
    return hasattr(type(system), "browser_ids")


def may_be_told(system: System, consent: Consent) -> bool:
    """Tell whether *system* may hear of a visitor who gave *consent*."""
    if consent.analytics is False:
        return False
    return consent.reuse or not system.limits.reuses_data


def discovered_systems() -> dict[str, type[System]]:
    """Find every system in this package, by its URL scheme."""
    import pkgutil  # takes 1 ms

    found: dict[str, type[System]] = {}
    for module_info in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(module_info.name)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if isinstance(thing, type) and hasattr(thing, "from_url"):
                found[thing.scheme] = thing  # type: ignore[attr-defined]
    return found


def system_from_url(url: str) -> System:
    """Make a system from a URL such as ``ga4://API_SECRET@G-XXXX``.

    ``+https`` or ``+http`` behind the scheme says how a self-hosted system is
    reached: ``matomo+https://TOKEN@host/?site_id=1``. Raises `ConfigurationError`
    for an unknown scheme (naming the known ones) or what the system refuses; the
    message never repeats the URL, which may hold secrets.
    """
    front, mark, _ = url.partition("://")
    scheme = front.partition("+")[0]
    systems = discovered_systems()
    if scheme not in systems:
        known = ", ".join(sorted(systems))
        found = f"the URL scheme {scheme[:40]!r}" if mark else "a URL without ://"
        message = f"No analytics system has {found}; known are {known}."
        raise ConfigurationError(message, option="systems")
    system = systems[scheme]
    option = "systems"
    try:
        return system.from_url(urlsplit(url))
    except ConfigurationError as error:
        message = f"{system.__name__}: {error}"
        option = error.option or option
    except ValueError:  # of urlsplit, which repeats what it cannot read
        message = f"{system.__name__}: its URL cannot be read."
    raise ConfigurationError(message, option=option)
