"""The endpoint that a site's script tells the visitor's decision."""

import io

import pytest
import trio

from server_tracking import Tracker
from server_tracking.consent_endpoint import ConsentASGI, ConsentWSGI, consent_script
from server_tracking.testing import RecordingSender

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
FORM = "application/x-www-form-urlencoded"
# A pending action of the other way must not outlive the decision.
ACTED = "cookie_action=; Path=/; Max-Age=0; Secure; SameSite=Lax"
STATUS = "cookie_status={}; Path=/; Max-Age=15552000; Secure; SameSite=Lax"


def ask_wsgi(tracker, method, body, headers):
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/consent",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers.pop("content-type", ""),
    }
    environ |= {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()}
    head = []
    app = ConsentWSGI(tracker)
    answer = b"".join(app(environ, lambda *args: head.extend(args)))
    return int(head[0][:3]), [(k.lower(), v) for k, v in head[1]], answer


def ask_asgi(tracker, method, body, headers):
    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": "/consent",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    halves = [body[:5], body[5:]]
    sent = []

    async def receive():
        part = halves.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(halves)}

    async def send(message):
        sent.append(message)

    trio.run(ConsentASGI(tracker), scope, receive, send)
    start, end = sent
    got = [(k.decode(), v.decode()) for k, v in start["headers"]]
    return start["status"], got, end["body"]


@pytest.fixture(params=[ask_wsgi, ask_asgi], ids=["wsgi", "asgi"])
def ask(request, tracker):
    def ask(method="POST", body="action=accept", *, tracker=tracker, **headers):
        given = {
            "host": "example.com",
            "user-agent": AGENT,
            "content-type": FORM,
            "sec-fetch-site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        told = {name: value for name, value in given.items() if value is not None}
        return request.param(tracker, method, body.encode(), told)

    return ask


def cookies_of(headers):
    return [value for name, value in headers if name == "set-cookie"]


def test_acceptance_is_kept_with_a_permanent_id(ask):
    status, headers, body = ask()

    first, second, identity = cookies_of(headers)
    assert (status, body) == (204, b"")
    assert (first, second) == (STATUS.format(1), ACTED)
    assert identity.startswith("vn=1.")
    assert "; Max-Age=34128000;" in identity
    assert ("cache-control", "no-store") in headers


@pytest.mark.parametrize("action", ["refuse", "withdraw"])
def test_a_refusal_deletes_the_id(ask, action):
    status, headers, _ = ask(body=f"action={action}", cookie="vn=x; cookie_status=1")

    assert status == 204
    assert cookies_of(headers) == [
        STATUS.format(0),
        ACTED,
        "vn=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]


ORIGINS = [
    # Sec-Fetch-Site, Origin, may post
    ("same-origin", None, True),
    ("none", None, True),
    ("same-site", None, False),
    ("cross-site", None, False),
    ("cross-site", "https://example.com", False),
    (None, "https://example.com", True),
    (None, "https://evil.example", False),
    (None, "null", False),
    (None, None, True),  # no browser
]


@pytest.mark.parametrize(("site", "origin", "may"), ORIGINS)
def test_only_the_site_itself_may_post(ask, site, origin, may):
    status, headers, _ = ask(sec_fetch_site=site, origin=origin)

    assert status == (204 if may else 403)
    assert bool(cookies_of(headers)) is may


@pytest.mark.parametrize(
    "body",
    ["", "action=", "action=ACCEPT", "accept", "action=accept&action=refuse", "a=\xe9"],
)
def test_what_is_no_action_is_refused(ask, body):
    status, headers, _ = ask(body=body)

    assert (status, cookies_of(headers)) == (400, [])


def test_a_form_of_another_kind_is_refused(ask):
    assert ask(content_type="text/plain")[0] == 400


def test_a_long_form_is_refused(ask):
    assert ask(body="action=accept&x=" + "y" * 2000)[0] == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(ask, method):
    status, headers, _ = ask(method)

    assert status == 405
    assert ("allow", "GET, POST") in headers


def test_there_is_nothing_to_redirect_to(ask):
    status, headers, _ = ask(body="action=accept&next=https://evil.example/")

    assert status == 204
    assert "location" not in dict(headers)


def test_the_script_is_served(ask):
    status, headers, body = ask("GET", body="")

    assert (status, body) == (200, consent_script())
    assert ("content-type", "text/javascript; charset=utf-8") in headers
    assert cookies_of(headers) == []
    assert ask("HEAD", body="")[2] == b""


def test_the_script_is_small_and_fetches_nothing_foreign():
    script = consent_script()

    assert len(script) < 2048
    assert b"http" not in script
    assert b"import" not in script


def test_a_decision_that_cannot_be_kept_is_not_confirmed(ask):
    def broken(_request):
        raise RuntimeError

    tracker = Tracker(
        sender=RecordingSender(), secret_key="a secret key", consent_resolver=broken
    )

    assert ask(tracker=tracker)[0] == 503
    assert tracker.stats().errors == 1


def test_other_scopes_are_left_alone(tracker):
    trio.run(ConsentASGI(tracker), {"type": "websocket"}, None, None)
