"""The visitor behind a proxy is the same, whoever else reads the header before."""

import pytest
import trio
from hypercorn.middleware import ProxyFixMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from server_tracking import asgi, wsgi

PEER = "10.0.0.2"
VISITOR = "198.51.100.0"  # of 198.51.100.7, cut
FORGED = "6.6.6.6, 198.51.100.7"  # the visitor claims to be 6.6.6.6
TRUSTING = [{"trusted_proxies": ("10.0.0.0/8",)}, {"trusted_hops": 1}]


def wsgi_page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>shop</title>"]


async def asgi_page(scope, receive, send):
    head = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"<title>shop</title>"})


def by_wsgi(app, browser, forwarded, peer=PEER):
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "HTTP_HOST": "example.com",
        "REMOTE_ADDR": peer,
        "HTTP_X_FORWARDED_FOR": forwarded,
        "wsgi.url_scheme": "https",
        **{f"HTTP_{n.upper().replace('-', '_')}": v for n, v in browser.items()},
    }
    body = app(environ, lambda status, headers, *_: None)
    b"".join(body)


def by_asgi(app, browser, forwarded, peer=PEER):
    headers = {"host": "example.com", "x-forwarded-for": forwarded, **browser}

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "scheme": "https",
        "client": (peer, 4711),
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
    }
    trio.run(app, scope, receive, send)


WAYS = {
    "wsgi": (wsgi, wsgi_page, by_wsgi, lambda app: app),
    "wsgi behind werkzeug": (wsgi, wsgi_page, by_wsgi, ProxyFix),
    "asgi": (asgi, asgi_page, by_asgi, lambda app: app),
    "asgi behind uvicorn": (
        asgi,
        asgi_page,
        by_asgi,
        lambda app: ProxyHeadersMiddleware(app, trusted_hosts="10.0.0.0/8"),
    ),
    "asgi behind hypercorn": (
        asgi,
        asgi_page,
        by_asgi,
        lambda app: ProxyFixMiddleware(app, mode="legacy", trusted_hops=1),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trusting", TRUSTING, ids=lambda options: next(iter(options)))
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (FORGED, VISITOR),
        ("198.51.100.7", VISITOR),
        ("5.5.5.5, 6.6.6.6, 198.51.100.7", VISITOR),
        ("2001:db8:1:2::7", "2001:db8:1::"),
    ],
)
def test_the_visitor_is_whom_our_own_proxy_names(
    way, trusting, forwarded, address, make_tracker, sender, browser
):
    shell, page, ask, behind = WAYS[way]
    app = behind(shell.TrackingMiddleware(page, make_tracker(**trusting)))

    ask(app, browser, forwarded)

    assert [hit.context.address for hit in sender.hits] == [address]


@pytest.mark.parametrize("way", ["wsgi", "asgi", "asgi behind uvicorn"])
def test_who_is_no_proxy_of_ours_names_nobody(way, make_tracker, sender, browser):
    shell, page, ask, behind = WAYS[way]
    app = behind(shell.TrackingMiddleware(page, make_tracker(**TRUSTING[0])))

    ask(app, browser, "6.6.6.6", peer="203.0.113.9")

    assert [hit.context.address for hit in sender.hits] == ["203.0.113.0"]
