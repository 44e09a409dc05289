"""What the site's own scripts report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import ConfigurationError, Request, Response
from server_tracking.messages import (
    Ping,
    consent_cookies,
    is_same_origin,
    track_ping,
)
from server_tracking.testing.frameworks import BROWSER

PAGE = "https://example.com/plants/f%C3%A4rn?utm_source=mail&token=hush"


def asked(referrer=PAGE, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        "POST",
        "/ping",
        host="example.com",
        headers={
            "user-agent": BROWSER["User-Agent"],
            "accept-language": "de",
            "referer": referrer,
            **named,
        },
        address="203.0.113.0",
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "https://example.com"}, False),
        ({"sec_fetch_site": ""}, False),
        ({"origin": "https://example.com"}, True),
        ({"origin": "https://EXAMPLE.com:443"}, True),
        ({"origin": "https://example.com:444"}, False),
        ({"origin": "https://example.com.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://["}, False),
        ({}, True),
    ],
)
def test_a_request_is_of_the_site_if_the_browser_says_so(headers, expected):
    assert is_same_origin(asked(**headers)) is expected


def test_a_ping_tells_the_screen_on_the_page_that_sent_it(tracker, sender):
    response = Response(204)
    told = {"r": "1920x1080", "v": "1200x800", "c": "24"}

    assert track_ping(tracker, Ping(), asked(), response, told)

    [hit] = sender.hits
    context, device = hit.context, hit.context.device
    assert context.page.url == "https://example.com/plants/f%C3%A4rn?utm_source=mail"
    assert context.page.path == "/plants/f%C3%A4rn"
    assert context.page.referrer is None
    assert (device.screen_resolution, device.viewport_size) == ("1920x1080", "1200x800")
    assert (device.screen_colors, device.language) == ("24-bit", "de")
    assert context.address == "203.0.113.0"
    assert [name for name, _ in response.headers] == ["Set-Cookie"]


@pytest.mark.parametrize(
    ("told", "colors"),
    [("24", "24-bit"), ("24-bit", "24-bit"), ("8-bits", "8-bit"), ("240", None)],
)
def test_colours_are_counted_in_bits(tracker, sender, told, colors):
    track_ping(tracker, Ping(), asked(), Response(), {"c": told, "r": "1x1"})

    assert sender.hits[0].context.device.screen_colors == colors


@pytest.mark.parametrize(
    ("referrer", "told"),
    [
        ("", {"r": "1x1"}),
        ("https://elsewhere.example/", {"r": "1x1"}),
        ("/plants", {"r": "1x1"}),
        ("https://[", {"r": "1x1"}),
        (PAGE, {}),
        (PAGE, {"r": "0x1", "v": "1x123456", "c": "0"}),
        (PAGE, {"R": "1x1"}),
    ],
)
def test_a_ping_that_tells_nothing_is_none(tracker, sender, referrer, told):
    response = Response()

    assert not track_ping(tracker, Ping(), asked(referrer), response, told)
    assert sender.hits == []
    assert response.headers == []


@given(st.dictionaries(st.sampled_from(["r", "v", "c"]), st.text(max_size=12)))
def test_nothing_but_sizes_gets_through(told):
    from server_tracking import Tracker
    from server_tracking.testing import RecordingSender

    tracker = Tracker(sender=RecordingSender(), secret_key="a secret key", strict=True)
    track_ping(tracker, Ping(), asked(), Response(), told)

    for hit in tracker.sender.hits:
        device = hit.context.device
        for value in (device.screen_resolution, device.viewport_size):
            assert value is None or set(value) <= set("0123456789x")


def test_the_event_of_a_ping_has_the_names_of_the_settings(tracker, sender):
    ping = Ping.from_mapping({"property": "UA-1-1", "ping_action": "Told"})
    track_ping(tracker, ping, asked(), Response(), {"r": "1x1"})

    [hit] = sender.hits
    assert (hit.category, hit.action, hit.label) == ("Non-interaction", "Told", None)
    assert hit.non_interaction


def test_a_wrong_name_is_refused():
    with pytest.raises(ConfigurationError, match="ping_label") as refused:
        Ping.from_mapping({"ping_label": 7})

    assert refused.value.option == "ping_label"


def test_a_decision_is_kept_at_once(tracker):
    accepted = consent_cookies(tracker, asked(), "accept")
    names = [cookie.partition("=")[0] for cookie in accepted]

    assert names == ["cookie_status", "cookie_action", "vn"]
    assert accepted[0].startswith("cookie_status=1;")
    assert "; Max-Age=34128000;" in accepted[2]

    cookie = accepted[2].partition(";")[0]
    refused = consent_cookies(tracker, asked(cookie=cookie), "refuse")
    assert refused[0].startswith("cookie_status=0;")
    assert refused[2].startswith("vn=; ")


def test_a_new_decision_wins_over_the_cookie_of_an_old_one(tracker):
    cookies = consent_cookies(tracker, asked(cookie="cookie_action=accept"), "refuse")

    assert cookies[0].startswith("cookie_status=0;")
