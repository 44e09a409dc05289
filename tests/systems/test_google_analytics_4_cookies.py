"""What Google's own tag keeps in its cookies, read for sites that run both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.hits import Session
from server_tracking.systems.google_analytics_4.cookies import (
    client_id_from,
    session_from,
)

CLIENTS = [
    ("GA1.1.1234567890.1780000000", "1234567890.1780000000"),
    ("GA1.2.7.1780000000", "7.1780000000"),  # analytics.js wrote the label count
    ("GA1.2-2.7.1780000000", "7.1780000000"),
    ("GA1.1.7.1780000000.9", None),
    ("GA1.1.amp-Xy_z", None),
    ("GA1.1.0.1780000000", None),
    ("GA1.1.\u0667.1780000000", None),
    ("7.1780000000", None),
    ("deleted", None),
    ("", None),
    (None, None),
    ("GA1.1." + "1" * 600 + ".1780000000", None),
]


@pytest.mark.parametrize(("cookie", "client_id"), CLIENTS)
def test_the_client_id_is_the_last_two_numbers(cookie, client_id):
    assert client_id_from(cookie) == client_id


SESSIONS = [
    ("GS1.1.1732016998.2.1.1732018235.0.0.692404937", Session(1732016998, 2)),
    (
        "GS2.1.s1748246127$o6$g1$t1748248990$j22$l0$h263126385$dAbC",
        Session(1748246127, 6),
    ),
    ("GS2.3.s1748246127$o6", Session(1748246127, 6)),
    ("GS2.1.o6$z9$s1748246127", Session(1748246127, 6)),  # in any order
    ("GS2.1.s1748246127%24o6%24g1", Session(1748246127, 6)),
    ("GS2.1.s1748246127$s1$o6", Session(1748246127, 6)),
    ("GS2.1.s1748246127", Session(1748246127, 1)),
    ("GS2.1.s1748246127$o", Session(1748246127, 1)),
    ("GS1.1.1732016998", Session(1732016998, 1)),
    ("GS1.1.x.2", None),
    ("GS2.1.1748246127$o6", None),  # no letter, no meaning
    ("GS2.1.o6", None),
    ("GS2.1.s0$o1", None),
    ("GS2.1.s" + "9" * 40, None),
    ("GS2.1.s\u0661$o1", None),
    ("1748246127", None),
    ("deleted", None),
    ("", None),
    (None, None),
    ("GS2.1.s1748246127$h" + "1" * 600, None),
]


@pytest.mark.parametrize(("cookie", "session"), SESSIONS)
def test_the_session_is_read_in_both_layouts(cookie, session):
    assert session_from(cookie) == session


@given(st.text(alphabet="GAS12.$so%4\ud800é ", max_size=60) | st.text())
def test_no_cookie_is_too_odd(cookie):
    client_id_from(cookie)
    session_from(cookie)


@given(st.integers(1, 2**31 - 1), st.integers(1, 10**10))
def test_every_id_that_a_tag_makes_is_read(random, seconds):
    assert client_id_from(f"GA1.1.{random}.{seconds}") == f"{random}.{seconds}"
