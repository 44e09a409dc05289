"""What visitors may send to do harm, and what the library's ancestor let through."""

import gc
import logging
import time
from functools import _lru_cache_wrapper

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking import Reason, Tracker, current
from server_tracking.addresses import anonymized, proxy_trust_from, visitor_address
from server_tracking.agents import agent_of
from server_tracking.bots import is_bot
from server_tracking.filters import is_probe
from server_tracking.referrers import is_spam
from server_tracking.scrubbing import scrubbed_referrer, scrubbed_text, scrubbed_url
from server_tracking.systems import discovered_systems
from server_tracking.testing import NOW, RecordingSender
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


def test_the_id_cookie_is_small(browser):
    tracker = Tracker(sender=RecordingSender(), secret_key=SECRET, strict=True)
    _, headers, _ = serve(tracker, browser)
    pair = dict(headers)["Set-Cookie"].partition(";")[0]

    assert len(pair) < 120


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
        "server_tracking.consent_endpoint.consent_script",
    )
    tools = ("server_tracking.reference.",)

    assert len(ours) > 10
    assert {name for name in unbounded if not name.startswith(known + tools)} == set()


class Broken:
    def __call__(self, *_):
        raise RuntimeError("it is broken")


@pytest.mark.parametrize(
    "options",
    [
        {"bot_detector": Broken()},
        {"pageview_exclude_when": Broken()},
    ],
    ids=lambda options: next(iter(options)),
)
def test_whatever_fails_the_answer_stays_as_it_is(options, browser):
    tracker = Tracker(sender=RecordingSender(), secret_key=SECRET, **options)
    status, headers, body = serve(tracker, browser)

    assert (status, headers) == ("200 OK", [("Content-Type", "text/html")])
    assert body == PAGE[0]
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


HTML = ("Content-Type", "text/html")
REASONS = [
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
    tracker = Tracker(sender=sender, secret_key=SECRET, strict=True, **options)
    serve(tracker, browser, **request_)

    assert sender.hits == []
    assert tracker.stats().not_tracked[reason] == 1


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


# Time. Best of three: the machine may be busy, the code may not be slow.
def seconds(function, *args, **kwargs):
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        function(*args, **kwargs)
        taken.append(time.perf_counter() - begun)
    return min(taken)


PIECES = [
    "a",
    "1",
    "@",
    ".",
    "%",
    "%40",
    ";",
    "/",
    "eyJ",
    "+1",
    ":",
    "4111 ",
    "DE89",
    "(",
    "<",
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_user_agent_of_512_characters_is_judged_in_2_ms(piece):
    agent = (piece * 512)[:512]
    clear = (is_bot, agent_of)

    assert all(seconds(judge, agent) < 0.002 for judge in clear)


@pytest.mark.parametrize("piece", PIECES)
def test_64_kb_of_anything_take_less_than_100_ms(piece):
    text = (piece * 65536)[:65536]
    trust = proxy_trust_from(("private",), 0, "X-Forwarded-For", False)
    keep = frozenset({"q"})

    assert seconds(scrubbed_text, text, 500) < 0.1
    assert seconds(scrubbed_url, "https", "a.example", text, text, keep=keep) < 0.1
    assert seconds(scrubbed_referrer, f"https://b.example/{text}", "b", keep=keep) < 0.1
    assert seconds(is_spam, text) < 0.1
    assert seconds(is_probe, text) < 0.1
    assert seconds(is_bot, text) < 0.1
    assert seconds(anonymized, text) < 0.1
    assert seconds(visitor_address, "10.0.0.1", [text], trust) < 0.1


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
