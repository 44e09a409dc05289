"""The floor: the duty of a tracked page view, by hand, for one site only.

It reads the same of a request, verifies the same cookie, anonymises the address,
finds the title and queues a tuple, with the cheapest parts of the standard library
and without any rule, choice or check that a library has to have.
"""

from __future__ import annotations

import hmac
import os
import re
import time
from collections import deque

KEY = b"a key of some length, for the floor"
TITLE = re.compile(rb"<title>([^<]*)</title>")
queue: deque[tuple[object, ...]] = deque(maxlen=10_000)


def signed(value: str) -> str:
    return f"{value}.{hmac.digest(KEY, value.encode(), 'sha256').hex()}"


def _verified(cookie: str) -> str | None:
    value, _, mac = cookie.rpartition(".")
    good = hmac.digest(KEY, value.encode(), "sha256").hex()
    return value if hmac.compare_digest(mac, good) else None


def _cookie(header: str) -> str:
    at = header.find("vn=")
    return header[at + 3 :].partition(";")[0] if at >= 0 else ""


def _queued(
    method: str,
    scheme: str,
    host: str,
    path: str,
    query: str,
    agent: str,
    language: str,
    referrer: str,
    cookie: str,
    peer: str,
    head: bytes,
) -> None:
    visitor = _verified(_cookie(cookie))
    found = TITLE.search(head, 0, 8192)
    queue.append(
        (
            os.urandom(16).hex(),
            time.time(),
            visitor,
            f"{scheme}://{host}{path}{'?' if query else ''}{query}",
            found[1].decode() if found else None,
            referrer,
            agent,
            language.partition(",")[0],
            peer.rpartition(".")[0] + ".0",
        )
    )


def wsgi_floor(app):
    def floor(environ, start_response):
        status_line = []

        def observed(status, headers, *exc_info):
            status_line.append((status, headers))
            return start_response(status, headers, *exc_info)

        body = app(environ, observed)
        status, headers = status_line[0]
        if environ["REQUEST_METHOD"] == "GET" and status.startswith("200"):
            kind = next(v for n, v in headers if n.lower() == "content-type")
            mode = environ.get("HTTP_SEC_FETCH_MODE")
            if kind.startswith("text/html") and mode == "navigate":
                if type(body) is not list:
                    return _Pieces(body, environ)
                _queued_from(environ, body[0])
        return body

    return floor


class _Pieces:
    """The body of a framework, which is no list."""

    def __init__(self, body, environ):
        self.body = body
        self.pieces = iter(body)
        self.environ = environ
        self.head = None

    def __iter__(self):
        return self

    def __next__(self):
        piece = next(self.pieces)
        if self.head is None:
            self.head = piece
        return piece

    def close(self):
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
        _queued_from(self.environ, self.head or b"")


def _queued_from(environ, head):
    get = environ.get
    _queued(
        "GET",
        environ["wsgi.url_scheme"],
        get("HTTP_HOST", ""),
        environ["PATH_INFO"],
        environ["QUERY_STRING"],
        get("HTTP_USER_AGENT", ""),
        get("HTTP_ACCEPT_LANGUAGE", ""),
        get("HTTP_REFERER", ""),
        get("HTTP_COOKIE", ""),
        get("REMOTE_ADDR", ""),
        head,
    )


def asgi_floor(app):
    async def floor(scope, receive, send):
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        seen = []

        async def observed(message):
            if len(seen) < 2:
                seen.append(message)
            await send(message)

        await app(scope, receive, observed)
        start, first = seen[0], seen[1]
        given = dict(scope["headers"])
        kind = next(v for n, v in start["headers"] if n.lower() == b"content-type")
        if (
            scope["method"] == "GET"
            and start["status"] == 200
            and kind.startswith(b"text/html")
            and given.get(b"sec-fetch-mode") == b"navigate"
        ):

            def get(name):
                return given.get(name, b"").decode("latin-1")

            _queued(
                "GET",
                scope["scheme"],
                get(b"host"),
                scope["path"],
                scope["query_string"].decode("latin-1"),
                get(b"user-agent"),
                get(b"accept-language"),
                get(b"referer"),
                get(b"cookie"),
                scope["client"][0],
                first["body"],
            )

    return floor
