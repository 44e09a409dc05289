"""Parameters by hand, where no middleware sees the request, are those of a page view."""

import time

import pytest

from server_tracking import Request, Response, Settings, get_default_parameters
from server_tracking.cookies import CookieSigner
from server_tracking.hits import BrowserIds
from server_tracking.reasons import Reason
from server_tracking.systems import GoogleAnalytics4, Matomo, Plausible
from server_tracking.visitors import Identity

KEY = "a secret key for tests"
NOW = int(time.time())
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLE = GoogleAnalytics4("G-ABC123", api_secret="made-up")
MATOMO = Matomo("https://stats.example.com/", site_id=7)
TAGGED = f"_ga=GA1.1.1234567890.{NOW - 86_400}"
IDS = (BrowserIds("google_analytics_4", "G-ABC123", f"1234567890.{NOW - 86_400}"),)


def request_of(*cookies, **headers):
    given = {"user-agent": AGENT, "cookie": "; ".join(cookies)}
    return Request("GET", "/", host="example.com", headers={**given, **headers})


def answer(cache="private", status=200):
    head = [("Content-Type", "text/html"), ("Cache-Control", cache)]
    return Response(status, head, [b"<title>A page</title>"])


def accepted(client="7.1780000000"):
    """Write the cookie of a visitor who has accepted an hour ago."""
    identity = Identity(client, NOW - 3600, 1, NOW - 60, NOW - 3600)
    return f"vn={CookieSigner((KEY,), 'visitor').sign(identity.cookie)}"


def cookies_on(response):
    return [v.partition("=")[0] for n, v in response.headers if n == "Set-Cookie"]


@pytest.fixture
def by_hand(make_tracker):
    """Extract with a tracker of *systems* and *options*; return it and the context."""

    def by_hand(request, response=None, systems=(GOOGLE, MATOMO), **options):
        tracker = make_tracker(*systems, **options)
        return tracker, get_default_parameters(request, response, tracker=tracker)

    return by_hand


# Ids of tags in the browser


def test_a_tracker_adopts_what_tags_of_its_systems_call_the_visitor(by_hand):
    _, context = by_hand(request_of(TAGGED), adopt_browser_ids=True)

    assert context.visitor.browser_ids == IDS


@pytest.mark.parametrize(
    ("cookies", "options"),
    [
        ((TAGGED,), {}),
        ((TAGGED,), {"adopt_browser_ids": True, "consent_mode": "opt-in"}),
        ((TAGGED,), {"adopt_browser_ids": True, "reuse_needs_consent": True}),
        ((TAGGED,), {"adopt_browser_ids": True, "systems": (Plausible("a.example"),)}),
        ((TAGGED, TAGGED), {"adopt_browser_ids": True}),
        ((TAGGED, "cookie_status=0"), {"adopt_browser_ids": True}),
    ],
)
def test_they_are_read_only_where_the_middleware_would_read_them(
    by_hand, cookies, options
):
    _, context = by_hand(request_of(*cookies), **options)

    assert context.visitor.browser_ids == ()


def test_settings_alone_name_no_system_whose_ids_could_be_read():
    settings = Settings(secret_key=KEY, adopt_browser_ids=True)

    context = get_default_parameters(request_of(TAGGED), settings=settings)

    assert context.visitor.browser_ids == ()


def test_a_hit_made_with_it_names_the_visitor_of_the_tag(by_hand, sender):
    tracker, context = by_hand(request_of(TAGGED), adopt_browser_ids=True)
    tracker.event("Order", "Paid", context=context)
    tracker.flush()

    [call] = [call for call in sender.calls if "google" in call.url]
    assert f'"client_id":"1234567890.{NOW - 86_400}"'.encode() in call.body


# Who takes an acceptance back

WITHDRAWN = ["cookie_action=withdraw", "cookie_action=refuse", "cookie_status=0"]


@pytest.mark.parametrize("says", WITHDRAWN)
def test_the_site_is_told_of_whoever_takes_an_acceptance_back(by_hand, says):
    told, response = [], answer()

    _, context = by_hand(
        request_of(accepted(), says), response, on_withdraw=told.append
    )

    assert told == ["7.1780000000"]
    assert "vn" in cookies_on(response)
    assert context.consent.analytics is False


def test_settings_tell_it_as_well():
    told = []
    settings = Settings(secret_key=KEY, on_withdraw=told.append)
    request = request_of(accepted(), "cookie_action=withdraw")

    get_default_parameters(request, answer(), settings=settings)

    assert told == ["7.1780000000"]


@pytest.mark.parametrize(
    ("cookies", "response"),
    [
        ((accepted(), "cookie_action=withdraw"), None),
        ((accepted(), "cookie_action=withdraw"), answer("public, max-age=60")),
        ((accepted(), "cookie_action=withdraw"), answer(status=304)),
        ((accepted(), "cookie_status=1"), answer()),
        (("cookie_action=withdraw",), answer()),
        (("vn=1.2.3", "cookie_action=withdraw"), answer()),
    ],
)
def test_it_is_told_only_where_the_answer_ends_the_id(by_hand, cookies, response):
    told = []

    by_hand(request_of(*cookies), response, on_withdraw=told.append)

    assert told == []


# Errors of the site's own


def broken(_):
    raise LookupError("the database is away")


def test_a_tracker_counts_what_fails_and_nothing_may_be_sent(by_hand):
    response = answer()

    tracker, context = by_hand(
        request_of(accepted()), response, consent_resolver=broken, strict=False
    )

    assert context.consent.analytics is False
    assert cookies_on(response) == []
    assert tracker.stats().errors == 1


def test_what_the_site_cannot_scrub_is_not_told(by_hand, sender):
    request = Request(
        "GET", "/plants", host="example.com", headers={"user-agent": AGENT}
    )
    tracker, context = by_hand(request, scrub=(broken,), strict=False)
    tracker.event("Order", "Paid", context=context)
    tracker.flush()

    assert context.page.url is None
    assert sender.calls == []
    assert tracker.stats().errors == 1


def test_a_withdrawal_holds_though_the_site_cannot_take_it(by_hand):
    response = answer()
    request = request_of(accepted(), "cookie_action=withdraw")

    tracker, context = by_hand(request, response, on_withdraw=broken, strict=False)

    assert cookies_on(response) == ["cookie_status", "cookie_action", "vn"]
    assert context.consent.analytics is False
    assert tracker.stats().errors == 1


def test_without_a_tracker_what_fails_is_raised():
    settings = Settings(secret_key=KEY, consent_resolver=broken)

    with pytest.raises(LookupError):
        get_default_parameters(request_of(), settings=settings)


def test_a_strict_tracker_raises_it_too(by_hand):
    with pytest.raises(LookupError):
        by_hand(request_of(), consent_resolver=broken)


# A tracker or settings


def test_the_settings_of_the_tracker_count(by_hand):
    response = answer()

    by_hand(request_of(), response, cookie_name="visitor")

    assert cookies_on(response) == ["visitor"]


def test_a_tracker_and_settings_are_not_given_together(tracker):
    with pytest.raises(TypeError, match="one of the two"):
        get_default_parameters(request_of(), settings=Settings(), tracker=tracker)


def test_nothing_is_counted_for_a_refusal_that_is_only_looked_at(by_hand):
    tracker, _ = by_hand(request_of("cookie_status=0"))

    assert tracker.stats().not_tracked.get(Reason.DENIED, 0) == 0
