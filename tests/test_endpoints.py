"""Addresses, switches and URLs of systems: one form of complaint, and no secret in it."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.endpoints import (
    FLAG,
    NAMES,
    NUMBER,
    TEXT,
    address_from,
    address_of,
    check_choice,
    check_flags,
    endpoint_from,
    key_and_address_of,
    key_of,
    query_options,
    refusal,
)
from server_tracking.errors import ConfigurationError

ENDPOINTS = [
    # given, endpoint
    ("https://a.example", "https://a.example/send"),
    ("https://a.example/", "https://a.example/send"),
    ("http://a.example:8000/own/", "http://a.example:8000/own/"),
    ("HTTP://a.example/own", "http://a.example/own"),
    ("http://[::1]:8000", "http://[::1]:8000/send"),
    ("http://umami_app:3000", "http://umami_app:3000/send"),
    ("https://xn--bcher-kva.example/%C3%BC", "https://xn--bcher-kva.example/%C3%BC"),
]


@pytest.mark.parametrize(("address", "endpoint"), ENDPOINTS)
def test_an_address_without_a_path_gets_the_default_one(address, endpoint):
    assert endpoint_from("url", address, "/send") == endpoint


WRONG = [
    # given, how it is described
    (None, "None"),
    (7, "a value of type int"),
    (b"s3cret", "a value of type bytes"),
    ("", "an empty text"),
    ("https://s3cret.example/ü", "characters"),
    ("https://s3cret example/", "characters"),
    ("https://s3cret.example\r\n/", "characters"),
    ("s3cret.example", "without http:// or https://"),
    ("ftp://s3cret.example", "without http:// or https://"),
    ("https://", "impossible host"),
    ("https:///s3cret", "impossible host"),
    ("https://s3,cret/", "impossible host"),
    ("https://[::1", "impossible host"),
    ("https://s3cret.example:0/", "port"),
    ("https://s3cret.example:99999/", "port"),
    ("https://s3cret.example:x/", "port"),
    ("https://s3cret.example/#top", "fragment"),
    ("https://s3cret@a.example/", "credentials"),
    ("https://me:s3cret@a.example/", "credentials"),
    ("https://a.example/?key=s3cret", "query"),
]


@pytest.mark.parametrize(("address", "description"), WRONG)
def test_what_is_no_address_is_described_but_not_repeated(address, description):
    with pytest.raises(ConfigurationError, match=description) as caught:
        address_from("url", address)

    assert caught.value.option == "url"
    assert str(caught.value).startswith("Option 'url': ")
    assert "accepted is http:// or https:// with a host" in str(caught.value)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://me:s3cret@a.example/own", "https://a.example/own?key=s3cret"]
)
def test_credentials_and_a_query_are_taken_where_an_address_need_not_be_plain(address):
    assert endpoint_from("url", address, "/send", plain=False) == address


@given(st.text() | st.text("htps:/@[]?#.x1").map("http://{}".format))
@settings(deadline=None)
def test_any_text_is_an_address_or_a_configuration_error(text):
    try:
        parts = address_from("url", text)
    except ConfigurationError:
        return
    assert parts.hostname
    assert address_from("url", parts.geturl()) == parts


def test_a_refusal_names_the_option_what_was_given_and_what_is_accepted():
    error = refusal("tag", "''", "1 to 50 characters")

    assert str(error) == "Option 'tag': '' was given; accepted is 1 to 50 characters."
    assert error.option == "tag"


@pytest.mark.parametrize("value", [True, False])
def test_a_flag_is_true_or_false(value):
    check_flags(batch=value)


@pytest.mark.parametrize("value", ["no", None, 2, [], {}])
def test_another_flag_is_refused(value):
    with pytest.raises(ConfigurationError, match="True or False") as caught:
        check_flags(debug=True, batch=value)

    assert caught.value.option == "batch"


def test_a_choice_is_one_of_those_that_there_are():
    check_choice("method", "GET", ("GET", "POST"))
    with pytest.raises(ConfigurationError, match=r"'PUT' was given.*'GET' or 'POST'"):
        check_choice("method", "PUT", ("GET", "POST"))


URLS = [
    # URL of a system, key, address
    ("x+https://KEY@a.example", "KEY", "https://a.example"),
    ("x+http://a%2Fb%40c@[::1]:8000/own", "a/b@c", "http://[::1]:8000/own"),
    ("x://a.example/own?b=1", "", "https://a.example/own"),
]


@pytest.mark.parametrize(("url", "key", "address"), URLS)
def test_a_url_holds_a_key_and_an_address(url, key, address):
    assert key_and_address_of(urlsplit(url)) == (key, address)
    assert key_of(urlsplit(url)) == key


def test_an_address_keeps_the_credentials_for_which_it_will_be_refused():
    assert address_of(urlsplit("x://KEY@a.example")) == "https://KEY@a.example"


def test_a_key_with_a_colon_is_not_cut_in_two():
    with pytest.raises(ConfigurationError, match="%3A") as caught:
        key_of(urlsplit("x+https://me:s3cret@a.example"))

    assert "s3cret" not in str(caught.value)


KNOWN = {
    "batch": FLAG,
    "site": NUMBER,
    "plans": NAMES,
    "tag": TEXT,
    "dimension<n>": TEXT,
}
OPTIONS = [
    ("", {}),
    ("batch=1", {"batch": True}),
    ("batch=True", {"batch": True}),
    ("batch=0", {"batch": False}),
    ("batch=false", {"batch": False}),
    ("site=12", {"site": 12}),
    ("plans=a,%20b,,c%20d", {"plans": ("a", "b", "c d")}),
    ("tag=", {"tag": ""}),
    ("dimension3=plan&dimension12=x", {"dimension3": "plan", "dimension12": "x"}),
]


@pytest.mark.parametrize(("query", "options"), OPTIONS)
def test_options_are_read_by_their_kind(query, options):
    assert query_options(urlsplit(f"x://a.example?{query}"), KNOWN) == options


BAD = [
    # query, option of the error, what it says
    ("batch=no", "batch", "'no' was given; accepted is 1 or 0"),
    ("batch=", "batch", "'' was given"),
    ("site=x", "site", "a whole number"),
    ("site=-1", "site", "a whole number"),
    ("site=²", "site", "a whole number"),
    ("site=1234567890", "site", "a whole number"),
    ("batch=1&batch=1", "batch", "more than one"),
    ("dimension3=a&dimension3=b", "dimension3", "more than one"),
    ("bach=1", "systems", "Option 'bach' of a URL is not known; accepted are batch, "),
    ("dimension=a", "systems", "dimension<n>"),
    ("S3CRET", "systems", "An option of a URL is not known"),
    ("batch=1#x", "systems", "%23"),
]


@pytest.mark.parametrize(("query", "option", "words"), BAD)
def test_a_wrong_option_of_a_url_is_refused_by_name(query, option, words):
    with pytest.raises(ConfigurationError) as caught:
        query_options(urlsplit(f"x://a.example?{query}"), KNOWN)

    assert caught.value.option == option
    assert words in str(caught.value)
    assert "S3CRET" not in str(caught.value)
