"""The two settings that web frameworks know make one tracker."""

import pytest

from server_tracking import ConfigurationError
from server_tracking.configuration import google_system_from, tracker_from
from server_tracking.systems import GoogleAnalytics4, Plausible, UniversalAnalytics
from server_tracking.testing import RecordingSender

GA4 = {"property": "G-XXXX", "api_secret": "a made-up secret"}
PLAUSIBLE = "plausible+https://plausible.io/?domain=example.com"


@pytest.mark.parametrize(
    ("google", "sending", "expected"),
    [
        (GA4, None, GoogleAnalytics4("G-XXXX", "a made-up secret")),
        ({"property": "UA-1-1"}, None, UniversalAnalytics("UA-1-1")),
        (
            {"property": "UA-1-1", "dimensions": {"size": 1}},
            {"debug": True, "send_method": "GET", "post_fallback": False},
            UniversalAnalytics(
                "UA-1-1", dimensions={"size": 1}, debug=True, method="GET"
            ),
        ),
        (
            {"property": "UA-1-1", "ping_category": "Screen", "ssl": True},
            {},
            UniversalAnalytics("UA-1-1"),
        ),
    ],
)
def test_a_property_makes_the_system_that_its_id_says(google, sending, expected):
    assert google_system_from(google, sending) == expected


def test_options_win_over_the_frameworks_defaults():
    sender = RecordingSender()
    defaults = {"secret_key": "of the framework", "cookie_name": "visitor"}
    tracker = tracker_from(
        {"systems": [PLAUSIBLE], "sender": sender, "cookie_name": "vn"}, GA4, defaults
    )

    assert tracker.sender is sender
    assert tracker.settings.cookie_name == "vn"
    assert tracker.settings.secret_keys == ("of the framework",)
    assert [type(system) for system in tracker.systems] == [GoogleAnalytics4, Plausible]


def test_neither_mapping_is_changed():
    options, google = {"debug": True}, dict(GA4)
    tracker_from(options, google)

    assert (options, google) == ({"debug": True}, GA4)


@pytest.mark.parametrize(
    ("options", "google", "option"),
    [
        ({}, {}, "property"),
        ({}, {"property": 7}, "property"),
        ({}, {"property": "G-XXXX"}, "api_secret"),
        ({}, {**GA4, "ssl": False}, "ssl"),
        ({}, {**GA4, "dimensions": {}}, "dimensions"),
        ({}, {"property": "UA-1-1", "api_secret": "a"}, "api_secret"),
        ({"send_method": 7}, {"property": "UA-1-1"}, "send_method"),
        ({"post_fallback": True}, None, "post_fallback"),
        ({"cookie_nam": "a"}, GA4, "cookie_nam"),
    ],
)
def test_a_wrong_option_is_named(options, google, option):
    with pytest.raises(ConfigurationError) as refused:
        tracker_from(options, google)

    assert refused.value.option == option
    assert option in str(refused.value)
