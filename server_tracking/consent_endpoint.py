"""Where the site's script says what the visitor decided: small WSGI and ASGI apps.

Mount one at any path of the site, such as ``/consent``. A GET answers with the script
(`consent.js`), a POST of ``action=accept``, ``refuse`` or ``withdraw`` keeps the
decision. Only pages of the site itself may post; there is nothing to redirect to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from server_tracking.exchange import Request, request_from_environ, request_from_scope
from server_tracking.messages import CONSENT_ACTIONS, consent_cookies, is_same_origin
from server_tracking.observation import guarded
from server_tracking.tracker import Tracker

__all__ = ["LONGEST_BODY", "ConsentASGI", "ConsentWSGI", "consent_script"]

LONGEST_BODY = 1024
"""Bytes of a form that are looked at; a longer one is refused."""

_FORM = "application/x-www-form-urlencoded"

Headers = list[tuple[str, str]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes = b""


@cache
def consent_script() -> bytes:
    """Read the script for pages: accept, refuse and withdraw; it needs nothing else."""
    return files("server_tracking").joinpath("data/consent.js").read_bytes()


class ConsentWSGI:
    """Take decisions for *tracker*, as a WSGI application."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        rule = self.tracker.extractor.address_rule
        request = request_from_environ(environ, rule)
        length = environ.get("CONTENT_LENGTH") or "0"
        sized = length.isdecimal() and int(length) <= LONGEST_BODY
        is_post = request.method == "POST"
        body = environ["wsgi.input"].read(int(length)) if is_post and sized else b""
        answer = (
            _answer(self.tracker, request, body)
            if sized or not is_post
            else _refusal(413)
        )
        start_response(_status_line(answer.status), answer.headers)
        return [] if request.method == "HEAD" else [answer.body]


class ConsentASGI:
    """Take decisions for *tracker*, as an ASGI application."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer one request; other scopes than HTTP are left alone."""
        if scope["type"] != "http":
            return
        request = request_from_scope(scope, self.tracker.extractor.address_rule)
        body = await _body(receive) if request.method == "POST" else b""
        answer = _refusal(413) if body is None else _answer(self.tracker, request, body)
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
        ]
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
            }
        )
        shown = b"" if request.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": shown})


async def _body(receive: Receive) -> bytes | None:
    """Read a body; None if it is too long."""
    parts: bytes = b""
    while True:
        message = await receive()
        parts += bytes(message.get("body", b""))
        if len(parts) > LONGEST_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return parts


def _answer(tracker: Tracker, request: Request, body: bytes) -> _Answer:
    if request.method in ("GET", "HEAD"):
        script = consent_script()
        return _Answer(
            200,
            [
                ("Content-Type", "text/javascript; charset=utf-8"),
                ("Content-Length", str(len(script))),
                ("Cache-Control", "public, max-age=3600"),
                ("X-Content-Type-Options", "nosniff"),
            ],
            script,
        )
    if request.method != "POST":
        refused = _refusal(405)
        return refused._replace(headers=[("Allow", "GET, POST"), *refused.headers])
    if not is_same_origin(request):
        return _refusal(403)
    action = _action(request, body)
    if action not in CONSENT_ACTIONS:
        return _refusal(400)
    cookies = guarded(tracker, None, consent_cookies, tracker, request, action)
    if cookies is None:
        return _refusal(503)  # the visitor is not told that all is well
    written = [("Set-Cookie", cookie) for cookie in cookies]
    return _Answer(204, [("Cache-Control", "no-store"), *written])


def _action(request: Request, body: bytes) -> str:
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != _FORM:
        return ""
    try:
        told = parse_qs(body.decode("ascii"), max_num_fields=8)
    except ValueError:
        return ""
    said = told.get("action", [])
    return said[0] if len(said) == 1 else ""


def _refusal(status: int) -> _Answer:
    return _Answer(status, [("Content-Length", "0"), ("Cache-Control", "no-store")])


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
