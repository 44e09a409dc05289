"""What visitors may send to do harm, and what the library's ancestor let through."""

import contextlib
import gc
import hmac
import logging
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking import ConfigurationError, Reason, Request, Tracker, current
from server_tracking.addresses import anonymized
from server_tracking.cookies import CookieSigner
from server_tracking.systems import discovered_systems
from server_tracking.testing import NOW, RecordingSender
from server_tracking.visitors import Identity, identity_from
from server_tracking.wsgi import TrackingMiddleware

SECRET = "a secret key for tests"
PAGE = [b"<html><title>Shop</title><p>all as it was</html>"]


def serve(tracker, browser, *, site=None, cookies=None, **environ):
    """Serve a page; returns the status, the headers and the body."""

    def page(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return PAGE

    full = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/shop",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "203.0.113.77",
        "HTTP_HOST": "example.com",
        "wsgi.url_scheme": "https",
    }
    for name, value in browser.items():
        full["HTTP_" + name.upper().replace("-", "_")] = value
    full |= environ
    if cookies:
        full["HTTP_COOKIE"] = cookies
    heads = []
    body = TrackingMiddleware(site or page, tracker)(
        full, lambda status, headers, *_: heads.append((status, headers))
    )
    read = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return (*heads[-1], read)


HOSTILE = [
    "Mozilla/5.0 (X11) Gecko/1 Firefox/1\r\nX-Evil: 1",
    "\nGET / HTTP/1.1",
    "a\x00b\x1b[31m\x7f\u2028c\ud800",
    "de\r\n\r\n<script>",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_header_of_a_call_has_a_line_break(hostile, browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True, ignore_bots=False)
    planted = {
        "HTTP_USER_AGENT": hostile,
        "HTTP_ACCEPT_LANGUAGE": hostile,
        "HTTP_REFERER": f"https://example.org/{hostile}",
        "HTTP_X_FORWARDED_FOR": hostile,
        "REMOTE_ADDR": f"2001:db8::%{hostile}",
        "PATH_INFO": f"/{hostile}".encode("utf-8", "surrogatepass").decode("latin-1"),
    }
    serve(tracker, browser, **planted)

    assert len(sender.hits) == 1
    for kind in discovered_systems().values():
        for call in kind.example().encode(sender.hits, NOW):
            for text in (call.url, *call.headers, *call.headers.values()):
                assert text.isprintable()


def test_a_host_that_is_not_the_sites_is_in_no_report(browser):
    sender = RecordingSender()
    allowed = {"allowed_hosts": ("example.com", ".shop.example")}
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True, **allowed)
    ours = ["example.com", "EXAMPLE.com:443", "shop.example", "a.shop.example:8443"]
    for host in ours:
        serve(tracker, browser, HTTP_HOST=host)
    told = [hit.context.page.host for hit in sender.hits]

    assert told == [*ours[:1], "example.com", *ours[2:]]
    for host in ["evil.example", "notshop.example", "example.com.evil", "192.0.2.1"]:
        _, headers, _ = serve(tracker, browser, HTTP_HOST=host)
        assert "Set-Cookie" not in dict(headers)
    assert len(sender.hits) == len(ours)
    assert tracker.stats().not_tracked == {Reason.FOREIGN: 4}
    with pytest.raises(ConfigurationError, match="'allowed_hosts'"):
        Tracker(allowed_hosts=["https://example.com"])


@pytest.mark.parametrize("host", ["evil\r\nX: y", "a b", "<script>", "", "x" * 300])
def test_a_hostile_host_is_in_no_hit(host, browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    serve(
        tracker, browser, HTTP_HOST=host, SERVER_NAME="example.com", SERVER_PORT="443"
    )

    assert sender.hits[0].context.page.host in ("example.com", None)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_visitor_writes_no_line_of_the_log(hostile, browser, caplog):
    caplog.set_level(logging.DEBUG)

    def site(environ, start_response):
        current().params["note"] = hostile
        raise KeyError(hostile)

    tracker = Tracker(
        sender=RecordingSender(),
        secret_key=SECRET,
        ignore_bots=False,
        pageview_server_exceptions=True,
    )
    with pytest.raises(KeyError):
        serve(tracker, browser, site=site, HTTP_USER_AGENT=hostile)

    for record in caplog.records:
        message = record.getMessage()
        assert "\n" not in message
        assert hostile not in message


def test_the_link_that_resets_a_password_holds_no_token(browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    token = "c5k3ab-9f86d081884c7d659a2feaa0c55ad015"
    serve(tracker, browser, PATH_INFO=f"/reset/MTIz/{token}/")

    assert token not in repr(sender.hits)
    assert "[token]" in sender.hits[0].context.page.url


def test_the_id_cookie_is_small():
    """The longest there is: the prefix, and all numbers with all their digits."""
    last = 9_999_999_999
    longest = Identity(f"{last}.{last}", last, 999_999, last, last)
    value = CookieSigner([SECRET], "visitor").sign(longest.cookie)

    assert identity_from(longest.cookie) == longest
    assert len(f"__Host-vn={value}") < 120


def test_a_signature_is_compared_in_constant_time(monkeypatch):
    compared = []
    plain = hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return plain(one, other)

    signer = CookieSigner([SECRET], "visitor")
    signed = signer.sign("1")
    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert signer.verified(signed) == "1"
    assert signer.verified(signed[:-2] + "AA") is None
    assert len(compared) >= 2


def test_what_is_remembered_of_visitors_is_bounded():
    ours = [
        found
        for found in gc.get_objects()
        # Objects of Django's wake up, and fail, if they are asked for their class.
        if type(found) is _lru_cache_wrapper
        and (found.__module__ or "").startswith("server_tracking.")
    ]

    unbounded = {
        f"{found.__module__}.{found.__name__}"
        for found in ours
        if not found.cache_parameters()["maxsize"]
    }
    # Their keys are what a site configures, the few states of consent, or nothing.
    known = (
        "server_tracking.senders.",
        "server_tracking.consent.without_reuse",
        "server_tracking.hits._decoder",
        "server_tracking.consent_endpoint.consent_script",
    )
    tools = ("server_tracking.reference.",)

    assert len(ours) > 10
    assert {name for name in unbounded if not name.startswith(known + tools)} == set()


class Broken:
    def __call__(self, *_):
        raise RuntimeError("it is broken")


class BrokenStore(Broken):
    salt = known = Broken.__call__


class BrokenSender(RecordingSender):
    send = Broken.__call__


@pytest.mark.parametrize(
    ("options", "has_cookie"),
    [
        ({"bot_detector": Broken()}, False),
        ({"pageview_exclude_when": Broken()}, False),
        ({"consent_resolver": Broken()}, False),
        ({"consent_mode": "cookieless", "cookieless_salt": BrokenStore()}, False),
        ({"scrub": (Broken(),)}, True),
        ({"sender": BrokenSender()}, True),
    ],
    ids=lambda options: list(options)[-1] if isinstance(options, dict) else "",
)
def test_whatever_fails_the_answer_stays_as_it_is(options, has_cookie, browser):
    sender = RecordingSender()
    tracker = Tracker(**{"sender": sender, "secret_key": SECRET, **options})
    status, headers, body = serve(tracker, browser)

    assert status == "200 OK"
    assert headers[0] == ("Content-Type", "text/html")
    assert [name for name, _ in headers[1:]] == ["Set-Cookie"] * has_cookie
    assert body == PAGE[0]
    assert sender.hits == []
    assert tracker.stats().errors >= 1


def skipping(environ, start_response):
    current().skip()
    start_response("200 OK", [("Content-Type", "text/html")])
    return PAGE


def answering(status, *headers):
    def site(environ, start_response):
        start_response(status, list(headers))
        return PAGE

    return site


def failing(environ, start_response):
    raise KeyError("before any answer")


def own_cookie(settings):
    tracker = Tracker(sender=RecordingSender(), secret_key=SECRET)
    return tracker.own_cookie(Request()).partition(";")[0]


HTML = ("Content-Type", "text/html")
REASONS = [
    (Reason.UNRESOLVED, {"consent_resolver": Broken(), "strict": False}, {}),
    (Reason.OWN, {}, {"cookies": own_cookie}),
    (Reason.FOREIGN, {"allowed_hosts": ("shop.example",)}, {}),
    (Reason.AJAX, {}, {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}),
    (Reason.UNANSWERED, {}, {"site": failing}),
    (Reason.DENIED, {}, {"cookies": "cookie_status=0"}),
    (Reason.UNDECIDED, {"consent_mode": "opt-in"}, {}),
    (Reason.SIGNALLED, {}, {"HTTP_SEC_GPC": "1"}),
    (Reason.BOT, {}, {"HTTP_USER_AGENT": "curl/8.5"}),
    (Reason.AGENT, {}, {"HTTP_USER_AGENT": "GPTBot/1.2"}),
    (Reason.SPAM, {}, {"HTTP_REFERER": "https://semalt.com/"}),
    (Reason.SAMPLED, {"sample_rate": 1e-9}, {}),
    (Reason.SKIPPED, {}, {"site": skipping}),
    (Reason.METHOD, {}, {"REQUEST_METHOD": "POST"}),
    (Reason.EXCLUDED, {}, {"PATH_INFO": "/health"}),
    (Reason.SPECULATIVE, {}, {"HTTP_SEC_PURPOSE": "prefetch"}),
    (Reason.SUBRESOURCE, {}, {"HTTP_SEC_FETCH_DEST": "image"}),
    (Reason.NOT_HTML, {}, {"site": answering("200 OK")}),
    (Reason.STATUS, {}, {"site": answering("404 Not Found", HTML)}),
    (
        Reason.DOWNLOAD,
        {},
        {"site": answering("200 OK", HTML, ("Content-Disposition", "attachment"))},
    ),
    (
        Reason.SCANNER,
        {"pageview_na_exceptions": True},
        {"PATH_INFO": "/.env", "site": answering("404 Not Found", HTML)},
    ),
]


@pytest.mark.parametrize(("reason", "options", "request_"), REASONS)
def test_every_reason_of_a_request_is_reached_and_counted(
    reason, options, request_, browser
):
    sender = RecordingSender()
    given = {"strict": True, **options}
    tracker = Tracker(sender=sender, secret_key=SECRET, **given)
    if callable(request_.get("cookies")):
        request_ = {**request_, "cookies": request_["cookies"](tracker.settings)}
    if reason is Reason.AJAX:  # what tells it without Fetch Metadata
        browser = {k: v for k, v in browser.items() if not k.startswith("Sec-")}
    with contextlib.suppress(KeyError):
        serve(tracker, browser, **request_)

    assert sender.hits == []
    assert tracker.stats().not_tracked[reason] == 1


# Where the other reasons are reached: by senders, which count them.
OF_SENDERS = {
    Reason.QUEUE_FULL: "senders/test_lanes.py",
    Reason.TOO_BIG: "senders/test_lanes.py",
    Reason.INVALID: "senders/test_packing.py",
    Reason.CLOSED: "senders/test_recording.py",
    Reason.REENTRANT: "senders/test_thread.py",
    Reason.UNSUPPORTED: "senders/test_packing.py",
    Reason.REFUSED: "senders/test_lanes.py",
    Reason.DROPPED: "senders/test_lanes.py",
    Reason.UNKNOWN: "senders/test_lanes.py",
    Reason.EXPIRED: "senders/test_packing.py",
    Reason.ABANDONED: "senders/test_inline.py",
    Reason.HOOK: "senders/test_thread.py",
    Reason.TEST_RUN: "senders/test_quiet.py",
}


def test_every_reason_is_reached_by_some_test():
    of_requests = {reason for reason, _, _ in REASONS}
    here = Path(__file__).parent

    assert of_requests | OF_SENDERS.keys() == set(Reason)
    for reason, file in OF_SENDERS.items():
        text = (here / file).read_text("utf-8")
        assert f"Reason.{reason.name}" in text or f'"{reason}"' in text, reason


# What `anonymize_ip_address` of server-side-tracking 1.0 let out whole.
@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("198.51.100.9, 203.0.113.77", None),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1::"),
        ("for=203.0.113.77", None),
        ("::1", None),
        ("1::", "1::"),
        ("unknown", None),
        ("_hidden", None),
        ("999.999.999.999", None),
        ("\u0661.\u0662.\u0663.\u0664", None),
        ("2001:0db8:1:2:3:4:5:203.0.113.77", None),
    ],
)
def test_no_address_leaves_as_it_did_from_the_ancestor(peer, told):
    assert anonymized(peer) == told


def test_the_whole_forwarded_header_of_anybody_is_not_believed(browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    serve(tracker, browser, HTTP_X_FORWARDED_FOR="198.51.100.9, 203.0.113.5")

    assert sender.hits[0].context.address == "203.0.113.0"


def test_a_refusal_sets_no_id_and_sends_nothing(browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    _, headers, _ = serve(tracker, browser, cookies="cookie_action=refuse")

    assert sender.hits == []
    assert not any(value.startswith("vn=") for _, value in headers)
    assert not any("9999" in value or "63072000" in value for _, value in headers)


def test_a_refusal_holds_for_all_that_follows(browser):
    """No call to any system: not now, not later, not by an event, not by anybody."""
    systems = [found.example() for found in discovered_systems().values()]
    sender = RecordingSender()
    tracker = Tracker(*systems, sender=sender, secret_key=SECRET, strict=True)

    def shop(environ, start_response):
        current().event("Basket", "Add")
        tracker.purchase("T-1")
        start_response("200 OK", [HTML])
        return PAGE

    jar = {"cookie_action": "refuse"}
    for _ in range(3):
        cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
        _, headers, _ = serve(tracker, browser, site=shop, cookies=cookies)
        for name, value in headers:
            if name == "Set-Cookie":
                pair, _, rest = value.partition(";")
                key, _, content = pair.partition("=")
                jar[key] = content
                if "Max-Age=0" in rest:
                    del jar[key]
    tracker.flush()

    assert jar == {"cookie_status": "0"}
    assert sender.calls == sender.hits == []
    assert tracker.stats().not_tracked == {Reason.DENIED: 3}


def test_acceptance_keeps_the_id_for_395_days_not_two_years(browser):
    tracker = Tracker(sender=RecordingSender(), secret_key=SECRET, strict=True)
    _, headers, _ = serve(tracker, browser, cookies="cookie_action=accept")
    (cookie,) = (value for _, value in headers if value.startswith("vn="))

    assert "Max-Age=34128000" in cookie


@pytest.mark.parametrize("destination", ["image", "style", "iframe"])
def test_what_a_page_loads_is_no_page(destination, browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    serve(tracker, browser, HTTP_SEC_FETCH_DEST=destination)

    assert sender.hits == []


def test_a_host_of_ipv6_stays_whole(browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True)
    serve(tracker, browser, HTTP_HOST="[::1]:8000")

    assert sender.hits[0].context.page.host == "[::1]:8000"


@settings(max_examples=60, deadline=None)
@given(
    agent=st.text(max_size=80),
    referrer=st.text(max_size=80),
    language=st.text(max_size=40),
    host=st.text(max_size=40),
    cookie=st.text(max_size=80),
    peer=st.text(max_size=40),
    path=st.text(max_size=60),
    query=st.text(max_size=60),
)
def test_nothing_that_a_request_may_hold_disturbs_the_site(
    agent, referrer, language, host, cookie, peer, path, query
):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True, ignore_bots=False)
    status, headers, body = serve(
        tracker,
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        HTTP_USER_AGENT=agent,
        HTTP_REFERER=referrer,
        HTTP_ACCEPT_LANGUAGE=language,
        HTTP_HOST=host,
        HTTP_COOKIE=cookie,
        REMOTE_ADDR=peer,
        PATH_INFO="/" + path.encode("utf-8", "surrogatepass").decode("latin-1"),
        QUERY_STRING=query,
    )

    assert (status, body) == ("200 OK", PAGE[0])
    assert all(value.isprintable() for _, value in headers)
