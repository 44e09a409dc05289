"""What a visitor allows decides which systems hear of them, and is counted."""

import pytest

from server_tracking import Request, Tracker
from server_tracking.hits import Consent, Context, PageView, Session, Visitor
from server_tracking.reasons import Reason
from server_tracking.salts import MemorySalt
from server_tracking.senders.packing import packed
from server_tracking.systems import GoogleAnalytics4, Plausible, may_be_told
from server_tracking.testing import RecordingSender
from server_tracking.wsgi import TrackingMiddleware

GOOGLE = GoogleAnalytics4("G-TEST12345", "hush")
PLAUSIBLE = Plausible("example.com")


def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>A page</title>"]


def visit(tracker, browser, cookie=""):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "example.com"}
    environ |= {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in browser.items()}
    environ |= {"HTTP_COOKIE": cookie, "REMOTE_ADDR": "203.0.113.9"}
    head = {}
    body = TrackingMiddleware(site, tracker)(environ, lambda *a: head.update(a=a))
    assert list(body) == [b"<title>A page</title>"]
    getattr(body, "close", lambda: None)()
    return [value for name, value in head["a"][1] if name == "Set-Cookie"]


def broken(_request):
    raise RuntimeError("the platform is away")


def odd(_request):
    return "granted"


@pytest.mark.parametrize("resolver", [broken, odd])
def test_a_resolver_that_fails_lets_nothing_out_and_is_counted(resolver, browser):
    sender = RecordingSender()
    tracker = Tracker(
        PLAUSIBLE, sender=sender, secret_key="a secret key", consent_resolver=resolver
    )

    assert visit(tracker, browser, "cookie_status=1; cookie_action=accept") == []

    assert sender.hits == []
    assert tracker.stats().not_tracked == {Reason.UNRESOLVED: 1}
    assert tracker.stats().errors == 1


@pytest.mark.parametrize(
    ("mode", "cookie", "told"),
    [
        ("session", "", {"google", "plausible"}),
        ("cookieless", "", {"plausible"}),
        ("cookieless", "cookie_status=1", {"google", "plausible"}),
        ("cookieless", "cookie_status=0", set()),
        ("opt-in", "", set()),
    ],
)
def test_who_is_told(mode, cookie, told, browser):
    sender = RecordingSender()
    tracker = Tracker(
        GOOGLE,
        PLAUSIBLE,
        sender=sender,
        secret_key="a secret key",
        consent_mode=mode,
        cookieless_salt=MemorySalt(),
    )

    visit(tracker, browser, cookie)
    tracker.flush()

    hosts = {"google" if "google" in c.url else "plausible" for c in sender.calls}
    assert hosts == told


def hit_with(consent):
    return PageView(context=Context(Visitor("7.8"), Session(9), consent=consent))


def test_a_sender_keeps_back_what_a_system_may_not_hear_and_says_why():
    entries = [
        (hit_with(consent), 100, 0.0)
        for consent in (Consent(reuse=False), Consent(analytics=True))
    ]

    result = packed(GOOGLE, entries, entries[0][0].time)

    assert [len(taken) for _, taken in result.loads] == [1]
    assert result.losses == [(Reason.UNDECIDED, [entries[0]])]


def test_only_systems_that_reuse_data_need_be_asked_for():
    assert may_be_told(PLAUSIBLE, Consent(reuse=False))
    assert not may_be_told(GOOGLE, Consent(reuse=False))
    assert not may_be_told(PLAUSIBLE, Consent(analytics=False))


def test_an_explanation_names_who_is_told_nothing(browser):
    tracker = Tracker(
        GOOGLE,
        sender=RecordingSender(),
        secret_key="a secret key",
        reuse_needs_consent=True,
    )
    headers = {name.lower(): value for name, value in browser.items()}

    said = str(tracker.explain(Request("GET", "/", headers=headers)))

    assert "is told nothing" in said


def test_an_explanation_says_that_a_daily_id_is_no_cookie(browser):
    tracker = Tracker(
        PLAUSIBLE,
        sender=RecordingSender(),
        secret_key="a secret key",
        consent_mode="cookieless",
        cookieless_salt=MemorySalt(),
    )
    headers = {name.lower(): value for name, value in browser.items()}

    said = str(tracker.explain(Request("GET", "/", headers=headers)))

    assert "for today; nothing is stored" in said
    assert "stored: nothing" in said
