"""The requests that all variants serve, and the pages that answer them."""

from __future__ import annotations

from io import BytesIO
from itertools import count
from typing import NamedTuple

TITLE = "Boston fern"
HEAD = b"<!doctype html><html><head><meta charset=utf-8><title>Boston fern</title>"
SMALL = HEAD + b"<p>A fern.</p>" * 280  # 4 kB
LARGE = HEAD + b"<p>A fern.</p>" * 7100  # 100 kB
SMALL_PATH, LARGE_PATH, TITLED_PATH = "/plants/fern", "/plants/forest", "/titled"
STYLE_PATH, BUY_PATH = "/static/app.css", "/buy"
HTML = "text/html; charset=utf-8"
PAGES = {
    SMALL_PATH: (HTML, SMALL),
    LARGE_PATH: (HTML, LARGE),
    TITLED_PATH: (HTML, SMALL),
    STYLE_PATH: ("text/css", b"body { color: green }"),
    BUY_PATH: ("application/json", b"{}"),
}
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
NAVIGATION = {
    "host": "example.com",
    "user-agent": AGENT,
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.9,de;q=0.5",
    "accept-encoding": "gzip, deflate, br",
    "referer": "https://example.com/plants",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
    "connection": "keep-alive",
}
AJAX = {
    **NAVIGATION,
    "accept": "*/*",
    "sec-fetch-dest": "empty",
    "sec-fetch-mode": "cors",
}
STYLE = {
    **NAVIGATION,
    "accept": "text/css,*/*;q=0.1",
    "sec-fetch-dest": "style",
    "sec-fetch-mode": "no-cors",
}
BOT = {
    "host": "example.com",
    "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; "
    "+http://www.google.com/bot.html)",
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "connection": "keep-alive",
}


class Kind(NamedTuple):
    """One kind of request, and how many hits become of it."""

    name: str
    path: str
    headers: dict[str, str]
    known: bool
    hits: int
    method: str = "GET"


PAGE_VIEW = Kind("page view, known visitor, 4 kB", SMALL_PATH, NAVIGATION, True, 1)
KINDS = (
    Kind("untracked: static path", STYLE_PATH, STYLE, True, 0),
    Kind("untracked: AJAX", SMALL_PATH, AJAX, True, 0),
    Kind("untracked: bot", SMALL_PATH, BOT, False, 0),
    PAGE_VIEW,
    Kind("page view, known visitor, 100 kB", LARGE_PATH, NAVIGATION, True, 1),
    Kind("page view, title from context", TITLED_PATH, NAVIGATION, True, 1),
    Kind("page view, new visitor", SMALL_PATH, NAVIGATION, False, 1),
    Kind("event", BUY_PATH, AJAX, True, 1, "POST"),
)
_addresses = count()


def _peer() -> str:
    """Take the next of 4096 addresses: caches see many visitors, not one."""
    number = next(_addresses) % 4096
    return f"198.51.{number >> 8}.{number & 255}"


def environ_of(headers, cookie=None, path=SMALL_PATH, method="GET"):
    """Make the environ of a request, as a WSGI server does."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _peer(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    if cookie:
        environ["HTTP_COOKIE"] = cookie
    return environ


def scope_of(headers, cookie=None, path=SMALL_PATH, method="GET"):
    """Make the scope of a request, as an ASGI server does."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    if cookie:
        raw.append((b"cookie", cookie.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": raw,
        "client": (_peer(), 40000),
        "server": ("127.0.0.1", 8000),
    }
