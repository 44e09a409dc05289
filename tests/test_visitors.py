"""Identity and session: what the cookie remembers, and when a visit ends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.visitors import (
    Identity,
    SessionRules,
    identity_from,
    new_client_id,
    session_at,
)

NOW = 1_790_000_000
YEAR = 365 * 24 * 3600
RULES = SessionRules()


def known(**changes):
    fields = {
        "client_id": "7.1780000000",
        "session_start": NOW,
        "session_number": 3,
        "last_seen": NOW,
    }
    return Identity(**{**fields, **changes})


def test_a_client_id_has_the_shape_of_googles():
    assert re.fullmatch(r"[1-9][0-9]{0,9}\.1790000000", new_client_id(NOW + 0.9))


def test_an_identity_survives_its_cookie():
    identity = known(granted=NOW - 5)

    assert identity_from(identity.cookie) == identity
    assert len(identity.cookie) < 70


REFUSED = [
    "",
    "1",
    known().cookie[:-1] + "x",
    "2" + known().cookie[1:],  # a form we do not know
    known(session_start=NOW, last_seen=NOW - 1).cookie,
    "1.7.1780000000.1.1.1.0",
    "1.\u0667.1780000000.1790000000.3.1790000000.0",
    "1.0.1780000000.1790000000.3.1790000000.0",
]


@pytest.mark.parametrize("cookie", REFUSED)
def test_a_cookie_that_is_not_ours_names_nobody(cookie):
    assert identity_from(cookie) is None


def test_an_identity_is_neither_of_the_future_nor_kept_beyond_its_age():
    assert known(granted=NOW - YEAR).is_current(NOW, YEAR)
    assert known(last_seen=NOW + 60).is_current(NOW, YEAR)  # by another clock
    assert not known(last_seen=NOW + 3600).is_current(NOW, YEAR)
    assert not known(granted=NOW - YEAR - 1).is_current(NOW, YEAR)


@given(st.text(max_size=100))
def test_no_cookie_is_too_odd(cookie):
    identity_from(cookie)


def test_an_unknown_visitor_begins_a_first_visit():
    identity, session, renew = session_at(None, NOW, RULES)

    assert (session.id, session.number, session.is_new) == (NOW, 1, True)
    assert identity.session_start == NOW
    assert renew


# The stored time may be up to `refresh` seconds too old: a gap of up to 30 minutes
# never ends a visit, one of 31 always does.
GAPS = [
    (0, True),
    (60, True),
    (29 * 60 + 59, True),
    (30 * 60, True),
    (31 * 60, False),
    (5 * 3600, False),
]


@pytest.mark.parametrize(("gap", "goes_on"), GAPS)
def test_a_visit_ends_after_thirty_idle_minutes(gap, goes_on):
    identity, session, _ = session_at(known(), NOW + gap, RULES)

    assert session.is_new is not goes_on
    assert session.number == (3 if goes_on else 4)
    assert session.id == (NOW if goes_on else NOW + gap)
    assert identity.client_id == known().client_id


@pytest.mark.parametrize(("days", "ends"), [(1, True), (None, False)])
def test_a_visit_ends_however_busy_only_where_there_is_a_longest(days, ends):
    rules = SessionRules(longest=days * 24 * 3600) if days else RULES
    begun = NOW - 24 * 3600 - 1

    _, session, _ = session_at(known(session_start=begun), NOW, rules)

    assert session.is_new is ends


def test_a_view_every_four_minutes_stays_one_visit_for_three_hours():
    identity = known()
    for moment in range(NOW, NOW + 3 * 3600, 240):
        identity, session, _ = session_at(identity, moment, RULES)

    assert session.number == 3


def test_the_cookie_is_written_again_only_when_its_time_is_old():
    assert not session_at(known(), NOW + 29, RULES)[2]
    assert session_at(known(), NOW + 30, RULES)[2]


def test_a_clock_that_jumps_back_breaks_nothing():
    identity, session, renew = session_at(known(), NOW - 100, RULES)

    assert (identity, session.number, renew) == (known(), 3, False)


@given(st.lists(st.integers(0, 1700), min_size=1, max_size=30))
def test_engagement_adds_up_to_no_more_than_the_time_that_passed(gaps):
    identity, now, engaged = known(), NOW, 0
    for gap in gaps:
        now += gap
        identity, session, renew = session_at(identity, now, RULES)
        engaged += session.engagement_ms if renew else 0
        assert session.engagement_ms >= 1

    assert engaged <= (now - NOW) * 1000 + len(gaps)


def test_engagement_of_a_steady_reader_is_the_time_that_passed():
    identity, engaged = known(), 0
    for moment in range(NOW + 10, NOW + 301, 10):
        identity, session, renew = session_at(identity, moment, RULES)
        engaged += session.engagement_ms if renew else 0

    assert engaged == 300_000
