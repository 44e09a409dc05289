"""Django's settings: what they make, what is refused, and what the checks say."""

import io

import pytest
from django.conf import settings
from django.core import mail
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import override_settings

from server_tracking import ConfigurationError, Tracker
from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.server import LocalServer
from server_tracking.inspector.store import HitStore
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import GoogleAnalytics4, Plausible, UniversalAnalytics
from server_tracking.testing import RecordingSender
from server_tracking_django import conf, get_tracker
from server_tracking_django.middleware import PageViewMiddleware
from tests.with_frameworks.sites_django import MIDDLEWARE

GA4 = {"property": "G-XXXX", "api_secret": "a made-up secret"}
PLAUSIBLE = "plausible+https://plausible.io/?domain=example.com"
CACHES = (
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
)


def leave_tests(monkeypatch):
    """Seem to run neither in pytest nor in Django's test runner."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.delattr(mail, "outbox")


def configured(given=None, google=None):
    with override_settings(SERVER_SIDE_TRACKING=given, SERVER_SIDE_TRACKING_GA=google):
        return conf.get_configuration()


# What they make


@pytest.mark.parametrize(
    ("google", "sending", "expected"),
    [
        (GA4, {}, GoogleAnalytics4("G-XXXX", "a made-up secret")),
        (
            {**GA4, "eu": True},
            {"debug": True},
            GoogleAnalytics4("G-XXXX", "a made-up secret", eu=True, debug=True),
        ),
        ({"property": "UA-1-1"}, {}, UniversalAnalytics("UA-1-1")),
        (
            {"property": "UA-1-1"},
            {"send_method": "get", "post_fallback": True},
            UniversalAnalytics("UA-1-1", method="GET"),
        ),
        (
            {"property": "UA-1-1", "ssl": False},
            {},
            UniversalAnalytics("UA-1-1", endpoint="http://www.google-analytics.com"),
        ),
    ],
)
def test_a_property_makes_its_system(google, sending, expected):
    assert configured(sending, google).tracker.systems == (expected,)


def test_systems_stand_beside_the_property():
    tracker = configured({"systems": [PLAUSIBLE]}, GA4).tracker

    assert tracker.systems == (
        GoogleAnalytics4("G-XXXX", "a made-up secret"),
        Plausible("example.com"),
    )
    assert configured({"systems": PLAUSIBLE}, GA4).tracker.systems == tracker.systems


def test_defaults_are_djangos():
    with override_settings(
        SECRET_KEY="a new secret key",
        SECRET_KEY_FALLBACKS=["an old secret key"],
        SESSION_COOKIE_PATH="/shop",
    ):
        options = configured().tracker.settings

    assert options.secret_keys == ("a new secret key", "an old secret key")
    assert options.cookie_path == "/shop"
    assert options.pageview_exclude == ("admin/",)
    assert options.exclusion.covers("/admin/login/")


def test_a_tracker_may_be_given_whole(tracker):
    assert configured(tracker).tracker is tracker


def test_settings_are_read_when_they_are_needed_and_only_once():
    before = get_tracker()
    with override_settings(SERVER_SIDE_TRACKING={"cookie_name": "visitor"}):
        assert get_tracker().settings.cookie_name == "visitor"
        assert get_tracker() is get_tracker()
        with override_settings(USE_TZ=False):
            assert get_tracker().settings.cookie_name == "visitor"
    assert get_tracker().settings.cookie_name == before.settings.cookie_name


def test_tests_record_and_send_nothing(monkeypatch):
    tracker = configured(None, GA4).tracker

    assert isinstance(tracker.sender, RecordingSender)
    assert tracker.settings.strict

    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", "1")
    assert isinstance(configured(None, GA4).tracker.sender, ThreadSender)


def test_a_site_in_production_sends(monkeypatch):
    leave_tests(monkeypatch)
    tracker = configured(None, GA4).tracker

    assert not conf.in_tests()
    assert isinstance(tracker.sender, ThreadSender)
    assert not tracker.settings.strict


@pytest.mark.parametrize("runner", ["Django's", "pytest"])
def test_either_runner_of_tests_is_known(monkeypatch, runner):
    leave_tests(monkeypatch)
    if runner == "pytest":
        monkeypatch.setenv("PYTEST_CURRENT_TEST", "test_a (call)")
    else:
        monkeypatch.setattr(mail, "outbox", [], raising=False)

    assert conf.in_tests()


# What is refused

WRONG = {
    "no mapping": (["cookie_name"], None, None, "E001"),
    "no mapping of the property": ({}, "G-XXXX", None, "E001"),
    "an unknown option": ({"cookie_nam": "a"}, GA4, "'cookie_name'", "E002"),
    "a wrong value": ({"timeout": "soon"}, GA4, "'timeout'", "E002"),
    "a life beyond 400 days": (
        {"cookie_max_age": 63072000},
        GA4,
        "400 days",
        "E002",
    ),
    "a wrong way of sending": (
        {"send_method": "PUT"},
        {"property": "UA-1-1"},
        "'GET' or 'POST'",
        "E002",
    ),
    "a way of sending without a property": (
        {"systems": [PLAUSIBLE], "debug": True},
        None,
        "SERVER_SIDE_TRACKING_GA",
        "E002",
    ),
    "an unknown system": ({"systems": ["nobody://a"]}, None, "'nobody'", "E003"),
    "no property": ({}, {"ssl": True}, "'property'", "E004"),
    "an empty property": ({}, {"property": ""}, "'property'", "E004"),
    "no secret": ({}, {"property": "G-XXXX"}, "api_secret", "E004"),
    "an unknown option of the property": (
        {},
        {**GA4, "api_secrte": "a"},
        "'api_secret'",
        "E004",
    ),
    "a plain connection": ({}, {**GA4, "ssl": False}, "'ssl'", "E004"),
    "a wrong ping": ({}, {**GA4, "ping_label": 7}, "ping_label", "E004"),
    "no list of extractors": ({"django_title_extractors": 7}, GA4, "a list", "E005"),
    "no such extractor": (
        {"django_title_extractors": ["nowhere.Title"]},
        GA4,
        "nowhere",
        "E005",
    ),
    "no extractor": (
        {"django_title_extractors": ["collections.OrderedDict"]},
        GA4,
        "get_title",
        "E005",
    ),
    "an extractor of 1.0": (
        {
            "django_title_extractors": [
                "server_tracking.django.utils.ViewTitleExtractor"
            ]
        },
        GA4,
        "'server_tracking_django.utils.ViewTitleExtractor'",
        "E005",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_settings_are_refused_at_the_start(wrong):
    given, google, named, _ = WRONG[wrong]
    with (
        override_settings(SERVER_SIDE_TRACKING=given, SERVER_SIDE_TRACKING_GA=google),
        pytest.raises(ConfigurationError) as refused,
    ):
        PageViewMiddleware(print)

    assert (named or "accepted is a dict") in str(refused.value)


@pytest.mark.parametrize("wrong", WRONG)
def test_the_checks_name_what_is_wrong(wrong):
    given, google, named, number = WRONG[wrong]
    [message] = errors(given, google)

    assert message.id == f"server_tracking.{number}"
    assert (named or "accepted is a dict") in message.msg
    assert message.hint


def messages(given=None, google=None, **more):
    with override_settings(
        SERVER_SIDE_TRACKING=given, SERVER_SIDE_TRACKING_GA=google, **more
    ):
        return run_checks(tags=["server_tracking"])


def errors(*args, **more):
    return [m for m in messages(*args, **more) if ".E" in m.id]


def test_right_settings_pass_the_checks(tracker):
    assert messages({"timeout": 5}, GA4) == []
    assert messages(tracker) == []


def test_every_wrong_option_is_named_at_once():
    found = errors(
        {"timeout": "soon", "cookie_nam": "a", "systems": ["nobody://a"]},
        {**GA4, "ssl": False},
    )

    assert sorted(message.id[-4:] for message in found) == [
        "E002",
        "E002",
        "E003",
        "E004",
    ]


def test_a_short_key_is_djangos():
    [message] = errors({}, GA4, SECRET_KEY="short")

    assert "SECRET_KEY" in message.hint


def test_no_secret_stands_in_a_message():
    found = errors({"systems": ["plausible+https://hush-hush@plausible.io"]}, None)

    assert found
    assert "hush" not in "".join(message.msg for message in found)


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([MIDDLEWARE, *CACHES], []),
        ([CACHES[0], MIDDLEWARE, CACHES[1]], ["E006"]),
        ([*CACHES, MIDDLEWARE], ["E006", "W003"]),
        (["django.middleware.http.ConditionalGetMiddleware", MIDDLEWARE], ["W003"]),
        ([MIDDLEWARE, MIDDLEWARE], ["W002"]),
        (["server_tracking.django.middleware.PageViewMiddleware"], ["E007"]),
        ([], []),
    ],
)
def test_the_checks_know_the_place_of_the_middleware(middleware, expected):
    found = messages({}, GA4, MIDDLEWARE=middleware)

    assert [message.id[-4:] for message in found] == expected
    assert all(message.hint for message in found)


@pytest.mark.parametrize(
    ("given", "django", "expected"),
    [
        ({"anonymize_ip": False}, {}, ["W005"]),
        ({"anonymize_ip": "omit"}, {}, []),
        ({"consent_mode": "cookieless"}, {}, ["W006"]),
        ({"consent_mode": "cookieless", "cookieless_salt": "/run/s"}, {}, []),
        ({}, {"USE_X_FORWARDED_HOST": True}, ["W004"]),
        ({"trusted_hops": 1}, {"USE_X_FORWARDED_HOST": True}, []),
        (
            {},
            {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
            ["W004"],
        ),
    ],
)
def test_the_checks_warn_of_what_is_probably_not_meant(given, django, expected):
    found = messages(given, GA4, **django)

    assert [message.id[-4:] for message in found] == expected


def test_the_checks_warn_if_nothing_is_configured():
    assert [message.id[-4:] for message in messages()] == ["W001"]


# The command


def run(*args, given=None, google=GA4):
    out = io.StringIO()
    with override_settings(
        SERVER_SIDE_TRACKING=given or {}, SERVER_SIDE_TRACKING_GA=google
    ):
        call_command("tracking", *args, stdout=out)
    return out.getvalue()


def test_the_command_checks_without_the_network():
    told = run("check")

    assert "google_analytics_4" in told
    assert "secret_key" in told
    assert "a made-up secret" not in told
    assert settings.SECRET_KEY not in told


def test_the_command_sends_a_test_event_if_it_is_told_to():
    store = HitStore()
    with LocalServer(inspector_app(store)) as server:
        told = run("check", "--send", google={**GA4, "endpoint": server.url})

    assert "accepted" in told
    assert len(store.hits()) == 1


def test_the_command_fails_if_hits_are_lost():
    with pytest.raises(CommandError, match="lost"):
        run("check", "--send", google={**GA4, "endpoint": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("google", "said"), [(None, "No analytics system"), ({}, "'property'")]
)
def test_the_command_fails_for_wrong_settings(google, said):
    with pytest.raises(CommandError, match=said) as failed:
        run("check", google=google)

    assert failed.value.returncode == 2


def test_the_command_explains_a_page():
    assert run("explain", "/plants/fern").startswith("A page view.")
    assert "excluded" in run("explain", "/admin/login/")
    assert "bot" in run("explain", "/", "--header", "User-Agent: Googlebot/2.1")


def test_the_command_refuses_what_is_no_header():
    with pytest.raises(CommandError, match="Name: value"):
        run("explain", "/", "--header", "nonsense")


def test_a_tracker_may_be_checked_too(make_tracker):
    given = make_tracker(Plausible("example.com"))

    assert isinstance(given, Tracker)
    assert "plausible" in run("check", given=given, google=None)
