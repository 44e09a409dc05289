"""A call as it arrived, for people to read and to make again; its secrets hidden."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from server_tracking.inspector.protocols import HIDDEN, DecodedHit, Received

__all__ = ["RawCall", "curl_of", "raw_call"]

_KEPT = 64 * 1024  # characters of a body: a bulk call may bring 20 MiB
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
# What each client sets by itself, and would contradict the body shown.
_OF_THE_CONNECTION = {
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "transfer-encoding",
}


class RawCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call: *target* is path and query, *body* its text, already decompressed.

    *whole* is False if the body was too long to keep, or is no text.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: str = ""
    whole: bool = True


def raw_call(received: Received, hits: Sequence[DecodedHit]) -> RawCall:
    """Make a `RawCall` of *received*; what *hits* hide is hidden in it too."""
    secret = {
        parameter.name
        for hit in hits[:1]  # the hits of a call share its credentials
        for parameter in hit.parameters
        if parameter.value == HIDDEN
    }
    try:
        body, whole = received.body[: 4 * _KEPT].decode(), True
    except UnicodeDecodeError:
        body, whole = received.body[:_KEPT].decode("utf-8", "replace"), False
    query = f"?{received.query}" if received.query else ""
    return RawCall(
        method=received.method,
        target=received.path + _without(query, secret),
        headers={
            name: HIDDEN if name in _SECRET_HEADERS else value
            for name, value in received.headers.items()
        },
        body=_without(body[:_KEPT], secret),
        whole=whole and len(body) <= _KEPT,
    )


def curl_of(call: RawCall, base: str) -> str:
    """Write *call* as a command for a shell, to be made at the address *base*.

    Where a secret was, it says ``…``: put yours there.
    """
    words = ["curl", "-X", call.method, f"{base}{call.target}"]
    for name, value in call.headers.items():
        if name not in _OF_THE_CONNECTION:
            words += ["-H", f"{name}: {value}"]
    if call.body:
        words += ["--data-raw", call.body]
    return shlex.join(words)


def _without(text: str, secret: Iterable[str]) -> str:
    """Hide the values of the *secret* names, in a query, a form or JSON."""
    for name in secret:
        word = re.escape(name)
        text = re.sub(rf"((?:^|[?&]){word}=)[^&]*", rf"\1{HIDDEN}", text)
        text = re.sub(rf'("{word}"\s*:\s*)"[^"]*"', rf'\1"{HIDDEN}"', text)
        # Matomo's bulk body holds whole queries as texts.
        text = re.sub(rf"([?&]{word}=)[^&\"]*", rf"\1{HIDDEN}", text)
    return text
