"""Personal data planted in every input: none of it is in the bytes of any call."""

import io
import logging
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults

import pytest

from server_tracking import Tracker, current
from server_tracking.senders.packing import packed
from server_tracking.systems import discovered_systems
from server_tracking.testing import NOW, RecordingSender
from server_tracking.wsgi import TrackingMiddleware

ADDRESS = "198.51.100.77"
CANARIES = {
    "mail": "max.canary@example.com",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "card": "4111 1111 1111 1111",
    "iban": "DE89370400440532013000",
    "phone": "+49 170 7654321",
    "address": ADDRESS,
}
KEY = "a secret key, for the canary"


@pytest.fixture(params=sorted(CANARIES))
def canary(request):
    return CANARIES[request.param]


def serve(tracker, canary, browser):
    """Serve a page, and track all kinds of hits, with *canary* wherever text goes."""

    def site(environ, start_response):
        here = current()
        here.identify(canary)
        here.params["note"] = f"a {canary} b"
        here.event(f"of {canary}", canary, f"({canary})", params={"to": canary})
        tracker.screenview(f"Screen {canary}")
        tracker.exception(f"No such user: {canary}")
        tracker.timing("Mail", canary, 3, canary)
        tracker.social("mail", "share", f"https://example.com/?to={canary}")
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"<title>Hello {canary}</title>".encode()]

    environ = {
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/account/{canary}/edit".encode().decode("latin-1"),
        "QUERY_STRING": f"utm_source={quote(canary)}&token={quote(canary)}"
        f"&ref={quote(quote(canary))}&q={quote(canary)}",
        "REMOTE_ADDR": ADDRESS,
        "HTTP_HOST": "example.com",
        "HTTP_X_FORWARDED_FOR": ADDRESS,
        "HTTP_FORWARDED": f"for={ADDRESS}",
        "HTTP_REFERER": f"https://example.com/reset/{quote(canary)}?mail={quote(canary)}",
        "wsgi.errors": io.StringIO(),
    }
    for name, value in browser.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    setup_testing_defaults(environ)
    body = TrackingMiddleware(site, tracker)(environ, lambda status, headers: None)
    assert canary.encode() in b"".join(body)


def written(call):
    return [call.url, *call.headers.values(), call.body.decode()]


def test_no_call_of_any_system_holds_it(canary, browser, caplog):
    caplog.set_level(logging.DEBUG)
    systems = [found.example() for found in discovered_systems().values()]
    sender = RecordingSender()
    tracker = Tracker(*systems, sender=sender, secret_key=KEY, strict=True)
    serve(tracker, canary, browser)

    assert len(sender.hits) == 6
    entries = [(hit, 0, 0.0) for hit in sender.hits]
    for system in systems:
        calls = [call for call, _ in packed(system, entries, NOW).loads]
        assert calls, system.name
        for text in (text for call in calls for text in written(call)):
            plain = unquote(unquote(unquote(text))).replace("+", " ")
            assert canary not in text, system.name
            assert canary.replace("+", " ") not in plain, system.name
    assert canary not in caplog.text
    assert canary not in repr(tracker.stats())


def test_the_hits_themselves_do_not_hold_it(canary, browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, strict=True)
    serve(tracker, canary, browser)

    for hit in sender.hits:
        assert canary not in repr(hit)
