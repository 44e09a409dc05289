"""Lines of access logs, as servers write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.replaying.lines import Served, served_from

# The example of https://httpd.apache.org/docs/2.4/logs.html, which is 20:55:36 UTC.
COMMON = (
    "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "
    '"GET /apache_pb.gif HTTP/1.0" 200 2326'
)
COMBINED = f'{COMMON} "http://www.example.com/start.html" "Mozilla/4.08 [en]"'
THEN = 971211336.0  # date -d "2000-10-10 20:55:36 UTC" +%s


def test_the_common_form():
    assert served_from(COMMON) == Served(
        THEN, "GET", "/apache_pb.gif", 200, "127.0.0.1"
    )


def test_the_combined_form():
    served = served_from(COMBINED)

    assert served.referrer == "http://www.example.com/start.html"
    assert served.user_agent == "Mozilla/4.08 [en]"
    assert served.time == THEN


def test_a_virtual_host_may_stand_first():
    served = served_from(f"www.example.org:443 {COMBINED}")

    assert served.host == "www.example.org:443"
    assert served.address == "127.0.0.1"


def test_quotes_in_what_clients_say_are_unescaped():
    served = served_from(rf'{COMMON} "-" "a \"b\" \x41\\"')

    assert served.user_agent == 'a "b" A\\'
    assert served.referrer == ""


@pytest.mark.parametrize(
    "told",
    [
        {  # nginx, with escape=json
            "time_iso8601": "2000-10-10T13:55:36-07:00",
            "request_method": "GET",
            "request_uri": "/fern?a=1",
            "status": "200",
            "remote_addr": "203.0.113.7",
            "http_referer": "https://example.org/",
            "http_user_agent": "Firefox",
            "http_host": "shop.example",
        },
        {  # nginx, with the whole request line
            "msec": "971211336.000",
            "request": "GET /fern?a=1 HTTP/1.1",
            "status": 200,
            "remote_addr": "203.0.113.7",
            "http_referer": "https://example.org/",
            "http_user_agent": "Firefox",
            "host": "shop.example",
        },
        {  # Caddy
            "ts": 971211336.0,
            "request": {
                "client_ip": "203.0.113.7",
                "method": "GET",
                "host": "shop.example",
                "uri": "/fern?a=1",
                "headers": {
                    "User-Agent": ["Firefox"],
                    "Referer": ["https://example.org/"],
                },
            },
            "status": 200,
        },
        {  # Traefik
            "time": "2000-10-10T20:55:36Z",
            "RequestMethod": "GET",
            "RequestPath": "/fern?a=1",
            "DownstreamStatus": 200,
            "ClientHost": "203.0.113.7",
            "RequestHost": "shop.example",
            "request_User-Agent": "Firefox",
            "request_Referer": "https://example.org/",
        },
    ],
    ids=["nginx", "nginx request", "caddy", "traefik"],
)
def test_json_forms(told):
    assert served_from(json.dumps(told)) == Served(
        THEN,
        "GET",
        "/fern?a=1",
        200,
        "203.0.113.7",
        "https://example.org/",
        "Firefox",
        "shop.example",
    )


def test_a_page_view_of_the_inspectors_export():
    hit = {
        "kind": "pageview",
        "url": "https://shop.example/fern?utm_source=mail",
        "user_agent": "Firefox",
        "time": THEN,
    }

    served = served_from(json.dumps({"number": 1, "arrived": 5.0, "hit": hit}))

    assert served.host == "shop.example"
    assert served.target == "/fern?utm_source=mail"
    assert served.time == THEN
    assert served_from(json.dumps({"hit": {**hit, "kind": "event"}})) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "{",
        "{}",
        '{"request": 3}',
        "[]",
        COMMON.replace("Oct", "Foo"),
        COMMON.replace("10/Oct", "99/Oct"),
        COMMON.replace("GET", "\\x16\\x03"),
    ],
)
def test_what_is_no_line_is_none(line):
    assert served_from(line) is None


@given(st.text() | st.from_regex(r"\{.*\}", fullmatch=True))
def test_no_line_is_too_odd(line):
    served_from(line)


@given(
    st.dictionaries(
        st.sampled_from(["time", "status", "uri", "request", "hit", "method"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.just({}),
    )
)
def test_no_json_is_too_odd(told):
    served_from(json.dumps(told))
