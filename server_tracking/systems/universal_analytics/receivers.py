"""Where v1 hits go, and what is special there.

Google itself stopped processing them in July 2024. Who takes them today: Snowplow
(path ``/com.google.analytics/v1`` of a collector: POST only, one hit a line, one bad
line fails the call), Yandex Metrica (``https://mc.yandex.ru/collect``: single hits,
a subset of the parameters), and others that keep Google's paths.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import msgspec

from server_tracking.endpoints import endpoint_from, refusal
from server_tracking.patterns import pattern_from

__all__ = ["Receiver", "receiver_from"]

_GOOGLE = "https://www.google-analytics.com"
_COLLECT, _DEBUG = "/collect", "/debug/collect"
_SNOWPLOW = "/com.google.analytics/v1"
_OWNERS = pattern_from(r"(?:.+\.)?(?:google-analytics\.com|yandex\.[a-z.]+)")
_YANDEX = pattern_from(r"(?:.+\.)?yandex\.[a-z.]+")


class Receiver(msgspec.Struct, frozen=True):
    """The parts of a collector's URL that decide what it takes."""

    parts: SplitResult

    @property
    def url(self) -> str:
        """Return the URL for single hits."""
        return self.parts.geturl()

    @property
    def shown(self) -> str:
        """Return the URL without what may be secret in it."""
        host = self.parts.netloc.rpartition("@")[2]
        return f"{self.parts.scheme}://{host}{self.parts.path}"

    @property
    def is_snowplow(self) -> bool:
        """Tell whether Snowplow's adapter reads the hits."""
        return self.parts.path.rstrip("/").endswith(_SNOWPLOW)

    @property
    def reuses_data(self) -> bool:
        """Tell whether the operator uses what it gets for ends of its own."""
        return bool(_OWNERS.fullmatch(self.parts.hostname or ""))

    @property
    def batch_url(self) -> str | None:
        """Return the URL for several hits in a call; None if there is none."""
        if self.is_snowplow:
            return self.url
        host = self.parts.hostname or ""
        if self.parts.path != _COLLECT or _YANDEX.fullmatch(host):
            return None
        return self.parts._replace(path="/batch").geturl()

    @property
    def debug_url(self) -> str | None:
        """Return the URL that validates a hit and drops it; None if there is none."""
        if self.parts.path not in (_COLLECT, _DEBUG):
            return None
        return self.parts._replace(path=_DEBUG).geturl()


def receiver_from(endpoint: object, *, debug: bool) -> Receiver:
    """Read the receiver's *endpoint*, which gets the default path if it has none.

    Raises `ConfigurationError` for what no hit can be sent to.
    """
    given = _GOOGLE if endpoint is None else endpoint
    parts = urlsplit(endpoint_from("endpoint", given, _COLLECT, plain=False))
    receiver = Receiver(parts)
    if not debug:
        return receiver
    if receiver.debug_url is None:
        given = f"True for an endpoint that ends with {parts.path!r}"
        accepted = f"one that ends with {_COLLECT}: only there is a {_DEBUG}"
        raise refusal("debug", given, accepted)
    return Receiver(urlsplit(receiver.debug_url))
