"""A user whom the site names is named to every system that has a place for it."""

import msgspec
import pytest

from server_tracking import current
from server_tracking.salts import MemorySalt
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    Umami,
    UniversalAnalytics,
)
from server_tracking.wsgi import TrackingMiddleware

NAMED = [
    GoogleAnalytics4.example(),
    UniversalAnalytics.example(),
    Matomo.example(),
    PostHog.example(),
    msgspec.structs.replace(Umami.example(), send_user_id=True),
]
# The protocols of the first two have no user; Umami is told if its option says so.
NAMELESS = [Plausible.example(), GoatCounter.example(), Umami.example()]
USER = "customer-name-4b"


@pytest.fixture
def bytes_told(make_tracker, sender, browser):
    """Open a page as a user the site knows; return all that was told, as bytes."""

    def bytes_told(system, *, user=USER, cookie="", **options):
        def page(_environ, start_response):
            here = current()
            here.identify(user)
            here.event("Shop", "Open")
            start_response("200 OK", [("Content-Type", "text/html")])
            return [b"<title>Shop</title>"]

        tracker = make_tracker(system, **options)
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "HTTP_HOST": "example.com",
            "HTTP_COOKIE": cookie,
            "REMOTE_ADDR": "203.0.113.9",
            **{f"HTTP_{k.upper().replace('-', '_')}": v for k, v in browser.items()},
        }
        body = TrackingMiddleware(page, tracker)(environ, lambda *_: None)
        list(body)
        getattr(body, "close", lambda: None)()
        assert tracker.flush()
        return [call.url.encode() + call.body for call in sender.calls]

    return bytes_told


@pytest.mark.parametrize("system", NAMED, ids=repr)
def test_a_named_user_is_named_in_every_call(bytes_told, system):
    calls = bytes_told(system)

    assert calls
    assert all(USER.encode() in call for call in calls)


@pytest.mark.parametrize("system", NAMELESS, ids=repr)
def test_a_system_without_users_is_told_of_none(bytes_told, system):
    calls = bytes_told(system)

    assert calls
    assert not any(USER.encode() in call for call in calls)


@pytest.mark.parametrize("system", [*NAMED, *NAMELESS], ids=repr)
@pytest.mark.parametrize(
    "options",
    [
        {"reuse_needs_consent": True},
        {"consent_mode": "cookieless", "cookieless_salt": MemorySalt()},
    ],
    ids=["reuse_needs_consent", "cookieless"],
)
def test_nobody_is_named_before_acceptance_where_data_may_not_be_reused(
    bytes_told, system, options
):
    calls = bytes_told(system, **options)

    assert bool(calls) is not system.limits.reuses_data
    assert not any(USER.encode() in call for call in calls)


@pytest.mark.parametrize("system", NAMED, ids=repr)
def test_after_acceptance_they_are_named(bytes_told, system):
    calls = bytes_told(system, cookie="cookie_status=1", reuse_needs_consent=True)

    assert calls
    assert all(USER.encode() in call for call in calls)


@pytest.mark.parametrize("system", NAMED, ids=repr)
@pytest.mark.parametrize("user", ["mona.lisa@example.org", "+49 170 5550817"])
def test_a_mail_address_or_a_phone_number_names_nobody(bytes_told, system, user):
    calls = bytes_told(system, user=user)

    assert calls
    assert not any(b"lisa" in call or b"5550817" in call for call in calls)


@pytest.mark.parametrize("system", NAMED, ids=repr)
def test_nobody_is_named_by_none(bytes_told, system):
    assert bytes_told(system, user=None)
