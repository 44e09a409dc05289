"""Personal data planted in every input: nothing of it leaves, or stands in a log."""

import io
import json
import logging
import re
from decimal import Decimal
from urllib.parse import quote, quote_plus, unquote
from wsgiref.util import setup_testing_defaults

import pytest

from server_tracking import Item, Tracker, current, request_from
from server_tracking.demo.systems import demo_systems
from server_tracking.exchange import Response
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.packing import packed
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import discovered_systems
from server_tracking.tasks import tracking_context
from server_tracking.testing import NOW, RecordingSender
from server_tracking.testing.collector import Collector
from server_tracking.wsgi import TrackingMiddleware

ADDRESS = "198.51.100.77"
CANARIES = {
    "mail": "max.canary@example.com",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "card": "4111 1111 1111 1111",
    "iban": "DE89370400440532013000",
    "phone": "+49 170 7654321",
    "address": ADDRESS,
    "ipv6": "2001:db8:1:2:3:4:5:6",
    "secret": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
}
# An id of an order or of a click may be random, and look like this one.
OPAQUE = CANARIES["secret"]
KEY = "a secret key, for the canary"
CLICKS = ("gclid", "fbclid", "msclkid", "ttclid", "li_fat_id")
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


@pytest.fixture(params=sorted(CANARIES))
def canary(request):
    return CANARIES[request.param]


class SiteError(Exception):
    pass


def environ_of(canary, browser):
    """Make a request with *canary* in all that a visitor may send."""
    coded = quote(canary)
    names = ("token", "q", "email", "utm_id", "mtm_kwd", *CAMPAIGN)
    query = [f"{name}={coded}" for name in names]
    if canary != OPAQUE:
        query += [f"{name}={coded}" for name in CLICKS]
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": f"/shop/{canary}".encode().decode("latin-1"),
        "PATH_INFO": f"/account/{canary}/edit".encode().decode("latin-1"),
        "QUERY_STRING": "&".join([*query, f"ref={quote(coded)}", f"{coded}=1"]),
        "REMOTE_ADDR": canary if canary == CANARIES["ipv6"] else ADDRESS,
        "HTTP_HOST": "example.com",
        "wsgi.url_scheme": "https",
        "wsgi.errors": io.StringIO(),
    }
    for name, value in browser.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ |= {
        "HTTP_USER_AGENT": f"{browser['User-Agent']} ({canary}; {canary})",
        "HTTP_ACCEPT_LANGUAGE": f"de, {canary};q=0.9, en-{canary}",
        "HTTP_REFERER": f"https://example.com/reset/{coded}?mail={coded}&ref={coded}",
        "HTTP_COOKIE": f"cookie_status=1; vn={canary}; its_me={canary}; "
        f"other={canary}; {coded}=1; explain_tracking={canary}",
        "HTTP_X_FORWARDED_FOR": canary,
        "HTTP_FORWARDED": f"for={canary}",
        "HTTP_CF_CONNECTING_IP": canary,
        "HTTP_AUTHORIZATION": f"Bearer {canary}",
        f"HTTP_X_{canary.upper()}": canary,
    }
    setup_testing_defaults(environ)
    return environ


def track_all(tracker, canary):
    """Track hits of all kinds, with *canary* in all that a site may say."""
    here = current()
    here.identify(f"user {canary}" if canary == OPAQUE else canary)
    here.params["note"] = f"a {canary} b"
    here.params[f"of {canary}"] = canary
    here.event(f"of {canary}", canary, f"({canary})", params={"to": canary})
    number = "T-1" if canary == OPAQUE else canary
    told = f"A {canary}"
    items = [Item(id=number, name=told, brand=told, category=told, variant=told)]
    shop = {"currency": "EUR", "coupon": told, "affiliation": told}
    tracker.screenview(f"Screen {canary}")
    tracker.exception(f"No such user: {canary}")
    tracker.timing(f"Mail {canary}", canary, 3, canary)
    tracker.social(canary, "share", f"https://example.com/?to={canary}")
    tracker.purchase(number, items=items, revenue=Decimal(3), **shop)
    tracker.refund(number, items=items)
    tracker.product_action("add", items, list_name=told, option=told)
    later = tracking_context()
    tracker.pageview(title=told, context=here.context)
    return later


KINDS = 10


def serve(tracker, canary, browser, *, fails=False):
    """Serve a page, tracked; returns what a background task is told of it."""
    told = []

    def site(environ, start_response):
        told.append(track_all(tracker, canary))
        if fails:
            raise SiteError(f"{canary} has no account")
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"<title>Hello {canary}</title>".encode()]

    app = TrackingMiddleware(site, tracker)
    environ = environ_of(canary, browser)
    if fails:
        with pytest.raises(SiteError):
            app(environ, lambda status, headers: None)
    else:
        body = app(environ, lambda status, headers: None)
        assert canary.encode() in b"".join(body)
    return told[0]


def forms_of(text):
    """Say *text* as it is, and as it reads when all escapes are undone."""
    plain = unquote(unquote(unquote(text))).replace("+", " ")
    told = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), plain)
    return (text, plain, told.replace("\\/", "/"))


def holds(text, canary):
    """Tell whether *text* holds *canary*, however it is written."""
    bare = canary.replace("+", " ")
    upper = bare.upper()
    return any(bare in form or upper in form.upper() for form in forms_of(text))


def shown(caplog):
    """Return all that log records hold, used or not."""
    return caplog.text + "".join(repr(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("fails", [False, True], ids=["answers", "raises"])
def test_no_call_of_any_system_holds_it(canary, browser, caplog, fails):
    caplog.set_level(logging.DEBUG)
    systems = [found.example() for found in discovered_systems().values()]
    sender = RecordingSender()
    tracker = Tracker(
        *systems,
        sender=sender,
        secret_key=KEY,
        strict=True,
        pageview_server_exceptions=True,
    )
    later = serve(tracker, canary, browser, fails=fails)

    assert len(systems) == 7
    assert len(sender.hits) == KINDS
    assert {hit.context.consent.analytics for hit in sender.hits} == {True}
    entries = [(hit, 0, 0.0) for hit in sender.hits]
    for system in systems:
        calls = [call for call, _ in packed(system, entries, NOW).loads]
        assert calls, system.name
        for call in calls:
            assert not holds(call.url, canary), system.name
            assert not holds(repr(dict(call.headers)), canary), system.name
            assert not holds(call.body.decode(), canary), system.name
            assert not holds(repr(call), canary)
        for hit in sender.hits:
            assert not any(holds(repr(p), canary) for p in system.problems(hit))
    assert not holds(shown(caplog), canary)
    assert not holds(later, canary)
    for told in (tracker, tracker.stats(), tracker.settings, sender, *sender.hits):
        assert not holds(repr(told), canary)


def test_no_explanation_holds_it(canary, browser):
    tracker = Tracker(secret_key=KEY, strict=True)
    environ = environ_of(canary, browser)
    environ["HTTP_TURBO_FRAME"] = canary
    request = request_from(environ)
    page = Response(
        200, [("Content-Type", "text/html")], f"<title>{canary}</title>".encode()
    )

    for answer in (None, page):
        explained = tracker.explain(request, answer)
        assert not holds(str(explained), canary)
        assert not holds(repr(explained), canary)
    assert not holds(repr(request), canary)
    assert not holds(repr(page), canary)


class Broken:
    """Fails with what it was given in its message, as much code does."""

    def __call__(self, given):
        header = getattr(given, "headers", {}).get("user-agent") or given
        raise SiteError(f"cannot read {header}")


@pytest.mark.parametrize(
    "option",
    ["consent_resolver", "bot_detector", "pageview_exclude_when", "scrub"],
)
def test_no_log_holds_it_though_an_error_does(canary, browser, caplog, option):
    caplog.set_level(logging.DEBUG)
    given = (Broken(),) if option == "scrub" else Broken()
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, **{option: given})
    told = []

    def site(environ, start_response):
        current().event("of", canary)
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>shop</title>"]

    body = TrackingMiddleware(site, tracker)(
        environ_of(canary, browser), lambda status, headers: told.append(status)
    )

    assert b"".join(body) == b"<title>shop</title>"
    assert tracker.stats().errors >= 1
    assert "SiteError" in caplog.text
    assert "test_canary.py" in caplog.text  # where it came from is told
    assert not holds(shown(caplog), canary)
    assert not any(holds(repr(hit), canary) for hit in sender.hits)


# What a system that breaks says of it.
def test_no_log_holds_it_though_a_system_fails(canary, browser, caplog):
    class Failing(type(demo_systems("http://127.0.0.1:9")[3])):
        def encode(self, hits, now):
            raise SiteError(repr(canary))

    caplog.set_level(logging.DEBUG)
    tracker = Tracker(
        Failing("example.com"),
        sender=ThreadSender(transport="requests"),
        secret_key=KEY,
        strict=True,
    )
    serve(tracker, canary, browser)
    assert tracker.flush(10)
    tracker.close(10)

    [counts] = tracker.stats().systems.values()
    assert counts.submitted == KINDS
    assert not holds(shown(caplog), canary)


@pytest.fixture
def collector():
    with Collector() as found:
        yield found


@pytest.mark.parametrize("sender", ["inline", "thread", "thread by curl", "spool"])
def test_no_bytes_on_the_wire_hold_any_whoever_sends(
    sender, browser, collector, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    if sender == "thread by curl":
        pytest.importorskip("pycurl")
    made = {
        "inline": InlineSender,
        "thread": lambda: ThreadSender(transport="requests"),
        "thread by curl": lambda: ThreadSender(transport="curl"),
        "spool": lambda: SpoolSender(tmp_path, transport="requests"),
    }[sender]()
    systems = demo_systems(f"http://127.0.0.1:{collector.port}")
    tracker = Tracker(*systems, sender=made, secret_key=KEY, strict=True)
    for canary in CANARIES.values():
        serve(tracker, canary, browser)
    assert tracker.flush(30)
    tracker.close(10)

    shown_by_us = [shown(caplog), repr(made), repr(tracker.stats())]
    sent = [
        f"{seen.target} {seen.headers} {seen.body.decode()}"
        for seen in collector.requests
    ]
    assert len(sent) >= len(systems)
    for canary in CANARIES.values():
        assert not any(holds(text, canary) for text in [*shown_by_us, *sent])


def test_no_file_of_the_spool_holds_any(browser, tmp_path):
    tracker = Tracker(
        *demo_systems("http://127.0.0.1:9"),
        sender=SpoolSender(tmp_path, drain=False),
        secret_key=KEY,
        strict=True,
    )
    for canary in CANARIES.values():
        serve(tracker, canary, browser)
    assert tracker.flush(10)
    tracker.close(10)

    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"Screen [" in data for data in kept)
    for canary in CANARIES.values():
        assert not any(canary.encode() in data for data in kept)
        assert not any(holds(data.decode("latin-1"), canary) for data in kept)


def test_what_is_looked_for_would_be_found(canary):
    written = [
        canary,
        quote(canary, safe=""),
        quote(quote(canary)),
        quote_plus(canary),
        json.dumps({"a": f"<{canary}>"}),
        repr(canary),
        canary.lower(),
    ]

    assert all(holds(f"before {text} after", canary) for text in written)
