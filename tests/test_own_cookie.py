"""Own traffic: who gets the cookie, and that whoever has it is never tracked."""

import asyncio

import pytest

from server_tracking import ConfigurationError, Reason, Request
from server_tracking.own_cookie import OwnCookie
from server_tracking.testing import NOW
from server_tracking.wsgi import TrackingMiddleware

HOST = "example.com"


def environ_of(method="POST", host=HOST, path="/own", query="", **headers):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "203.0.113.7",
        "HTTP_HOST": host,
        "wsgi.url_scheme": "https",
        **{f"HTTP_{n.upper().replace('-', '_')}": v for n, v in headers.items()},
    }


def asked(own, environ):
    """Ask in both ways; the answers are the same."""
    heads = []
    body = own.wsgi(environ, lambda status, headers: heads.append((status, headers)))
    assert b"".join(body) == b""
    status, headers = heads[0]

    sent = []

    async def send(message):
        sent.append(message)

    named = [
        (name[5:].lower().replace("_", "-").encode(), value.encode())
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    scope = {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query_string": environ["QUERY_STRING"].encode(),
        "scheme": "https",
        "client": ("203.0.113.7", 1),
        "headers": named,
    }
    asyncio.run(own.asgi(scope, None, send))
    assert sent[0]["status"] == int(status[:3])
    assert [name.decode() for name, _ in sent[0]["headers"]] == [
        name.lower() for name, _ in headers
    ]
    return int(status[:3]), dict(headers)


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT"])
@pytest.mark.parametrize(
    ("site", "origin", "allowed"),
    [
        ("same-origin", None, True),
        ("same-origin", f"https://{HOST}", True),
        ("same-site", None, False),
        ("same-site", f"https://{HOST}", False),
        ("cross-site", None, False),
        ("cross-site", f"https://{HOST}", False),
        (None, f"https://{HOST}", True),
        (None, "https://evil.example", False),
        (None, "null", False),
    ],
)
def test_only_a_post_of_the_site_itself_gets_the_cookie(
    method, site, origin, allowed, tracker
):
    headers = {"sec-fetch-site": site, "origin": origin}
    given = {name: value for name, value in headers.items() if value}
    own = OwnCookie(tracker, lambda source: True)
    status, head = asked(own, environ_of(method, **given))

    assert status == (405 if method != "POST" else 204 if allowed else 403)
    assert ("Set-Cookie" in head) is (status == 204)
    assert head["Cache-Control"] == "no-store"
    assert "Location" not in head


def test_whom_the_site_does_not_know_gets_none(tracker):
    own = OwnCookie(tracker, lambda source: False)
    status, head = asked(own, environ_of(**{"sec-fetch-site": "same-origin"}))

    assert status == 403
    assert "Set-Cookie" not in head


def test_it_needs_a_permission(tracker):
    with pytest.raises(ConfigurationError, match="'permission': True was given"):
        OwnCookie(tracker, True)


def visit(tracker, browser, cookie):
    def site(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>Shop</title>"]

    environ = environ_of("GET", path="/shop", **browser, cookie=cookie)
    body = TrackingMiddleware(site, tracker)(environ, lambda status, headers: None)
    b"".join(body)


def test_whoever_has_the_cookie_is_never_tracked(tracker, sender, browser):
    own = OwnCookie(tracker, lambda source: True)
    _, head = asked(own, environ_of(**{"sec-fetch-site": "same-origin"}))
    visit(tracker, browser, head["Set-Cookie"].partition(";")[0])

    assert sender.hits == []
    assert tracker.stats().not_tracked == {Reason.OWN: 1}


def test_a_copy_of_the_cookie_is_worth_nothing_on_another_site(
    make_tracker, sender, browser
):
    one, other = make_tracker(cookie_salt="one"), make_tracker(cookie_salt="other")
    own = OwnCookie(one, lambda source: True)
    _, head = asked(own, environ_of(**{"sec-fetch-site": "same-origin"}))
    visit(other, browser, head["Set-Cookie"].partition(";")[0])

    assert len(sender.hits) == 1


@pytest.mark.parametrize("cookie", ["its_me=1", "its_me=1.x.y", "its_me="])
def test_nobody_marks_himself(cookie, tracker, sender, browser):
    visit(tracker, browser, cookie)

    assert len(sender.hits) == 1


def test_anybody_takes_the_mark_away_again_by_a_post_of_the_site(tracker):
    own = OwnCookie(tracker, lambda source: False)
    status, head = asked(
        own, environ_of(query="unmark", **{"sec-fetch-site": "same-origin"})
    )
    refused, _ = asked(
        own, environ_of(query="unmark", **{"sec-fetch-site": "cross-site"})
    )

    assert status == 204
    assert head["Set-Cookie"].startswith("its_me=; ")
    assert "Max-Age=0" in head["Set-Cookie"]
    assert refused == 403


DAY = 86400


# By default the mark counts for 90 days, whatever the browser makes of its Max-Age.
@pytest.mark.parametrize(
    ("age", "options", "is_own"),
    [
        (0, {}, True),
        (90 * DAY - 1, {}, True),
        (90 * DAY, {}, False),
        (7 * DAY, {"own_cookie_max_age": 7 * DAY}, False),
        (-3600, {}, True),  # another machine's clock is behind
        (-2 * DAY, {}, False),  # made for later
    ],
)
def test_the_mark_counts_for_as_long_as_is_configured(
    age, options, is_own, make_tracker, browser
):
    extractor = make_tracker(**options).extractor
    request = Request(headers={"user-agent": browser["User-Agent"]})
    cookie = extractor.own_cookie(request, NOW)
    request.headers["cookie"] = cookie.partition(";")[0]

    recognition = extractor.recognize(request, NOW + age)

    assert (recognition.refusal is Reason.OWN) is is_own
    limit = options.get("own_cookie_max_age", 90 * DAY)
    assert f"Max-Age={limit};" in cookie
