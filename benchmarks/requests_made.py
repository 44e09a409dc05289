"""The requests and applications that all variants serve."""

from __future__ import annotations

from itertools import count

HEAD = b"<!doctype html><html><head><meta charset=utf-8><title>Boston fern</title>"
SMALL = HEAD + b"<p>A fern.</p>" * 280  # 4 kB
LARGE = HEAD + b"<p>A fern.</p>" * 7100  # 100 kB
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
_addresses = count()


def _peer() -> str:
    """Take the next of 4096 addresses: caches see many visitors, not one."""
    number = next(_addresses) % 4096
    return f"198.51.{number >> 8}.{number & 255}"


def environ_of(headers, cookie=None, path="/plants/fern"):
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _peer(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": None,
        "wsgi.errors": None,
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    if cookie:
        environ["HTTP_COOKIE"] = cookie
    return environ


def scope_of(headers, cookie=None, path="/plants/fern"):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    if cookie:
        raw.append((b"cookie", cookie.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": raw,
        "client": (_peer(), 40000),
        "server": ("127.0.0.1", 8000),
    }


def wsgi_app(page=SMALL):
    headers = [("Content-Type", "text/html; charset=utf-8")]

    def app(environ, start_response):
        start_response("200 OK", headers)
        return [page]

    return app


def asgi_app(page=SMALL):
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/html; charset=utf-8")],
    }
    body = {"type": "http.response.body", "body": page}

    async def app(scope, receive, send):
        await send(start)
        await send(body)

    return app
