"""Our cookies: read by hand, signed, written exactly."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from server_tracking.cookies import (
    CookieSigner,
    cookie_header,
    cookie_value,
    plain_cookies,
)

READ = [
    ("vn=1", "1"),
    ("a=b; vn=1; c=d", "1"),
    ("a=b;vn=1", "1"),
    ("a=b;\tvn = 1 ", "1"),
    ("vn=", ""),
    ("vn=a=b", "a=b"),
    ('j={"a":1}; vn=1', "1"),  # a neighbour that breaks http.cookies
    ("xvn=1", None),
    ("vnx=1", None),
    ("vn", None),
    ("vn=1; vn=2", None),  # one of them was planted
    ("vn=1; vn=1", None),
    ("\x85vn=1", None),  # other white space is part of the name
    ("\xa0vn=1", None),
    ("", None),
    (None, None),
    ("vn=1; a=" + "x" * 20_000, None),
]


@pytest.mark.parametrize(("header", "value"), READ)
def test_a_cookie_is_found_if_it_is_plain_and_alone(header, value):
    assert cookie_value(header, "vn") == value


@given(st.text(), st.text(min_size=1))
def test_no_header_is_too_odd(header, name):
    cookie_value(header, name)


@given(st.lists(st.sampled_from(["vn", "v", "=", ";", " ", "\t", "; vn=", "1", '"'])))
def test_one_cookie_is_found_by_the_rules_of_all(pieces):
    header = "".join(pieces)

    assert cookie_value(header, "vn") == plain_cookies(header).get("vn")


def test_a_session_cookie_is_written_without_an_end():
    assert cookie_header("vn", "x", secure=True) == (
        "vn=x; Path=/; Secure; HttpOnly; SameSite=Lax"
    )


def test_a_permanent_cookie_is_written_with_its_age():
    assert cookie_header("vn", "x", max_age=60, path="/shop", httponly=False) == (
        "vn=x; Path=/shop; Max-Age=60; SameSite=Lax"
    )


KEY = "a key of some length"


def test_a_signed_value_is_verified():
    signer = CookieSigner([KEY], "visitor")

    assert signer.verified(signer.sign("1.2")) == "1.2"


def test_anybody_with_the_key_can_verify_with_itsdangerous():
    signed = CookieSigner([KEY], "visitor", "shop").sign("1.2")

    salt = "server_tracking.visitor\0shop"
    signer = Signer(KEY, salt, key_derivation="hmac", digest_method=hashlib.sha256)
    assert signer.unsign(signed) == b"1.2"


def test_an_old_key_verifies_and_the_newest_signs():
    old, new = (
        CookieSigner(["old key, old key"], "visitor"),
        CookieSigner([KEY, "old key, old key"], "visitor"),
    )

    assert new.verified(old.sign("1")) == "1"
    assert old.verified(new.sign("1")) is None
    assert CookieSigner([KEY], "visitor").verified(new.sign("1")) == "1"
    assert CookieSigner([KEY], "visitor").verified(old.sign("1")) is None


@pytest.mark.parametrize(
    "other",
    [
        CookieSigner([KEY], "own"),
        CookieSigner([KEY], "visitor", "other site"),
        CookieSigner(["another key at all"], "visitor"),
    ],
    ids=["purpose", "site", "key"],
)
def test_a_value_is_bound_to_its_purpose_its_site_and_its_key(other):
    assert CookieSigner([KEY], "visitor").verified(other.sign("1")) is None


@given(st.text(max_size=400))
def test_nothing_forged_is_accepted(forged):
    assert CookieSigner([KEY], "visitor").verified(forged) is None


@given(st.integers(0, 60), st.characters(max_codepoint=127))
def test_a_changed_value_is_refused(position, character):
    signer = CookieSigner([KEY], "visitor")
    signed = signer.sign("1.23.45")
    at = position % len(signed)
    changed = signed[:at] + character + signed[at + 1 :]

    assert signer.verified(changed) == ("1.23.45" if changed == signed else None)
