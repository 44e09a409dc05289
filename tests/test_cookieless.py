"""Ids that last for a day, and the visits that they make."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.addresses import anonymized
from server_tracking.cookieless import DailyIds, daily_id
from server_tracking.salts import MemorySalt
from server_tracking.visitors import SessionRules

SALT = bytes(range(32))
AGENT = "Mozilla/5.0 Firefox/140.0"
ADDRESS = "203.0.113.0"
RULES = SessionRules()
MIDNIGHT = 20_700 * 24 * 3600
MINUTE = 60


@pytest.fixture
def ids():
    return DailyIds(MemorySalt(), "example.com")


def visit(ids, now, agent=AGENT, address=ADDRESS):
    return ids.visit(agent, address, now, RULES)


def test_an_id_has_the_shape_of_googles():
    assert re.fullmatch(r"[1-9][0-9]*\.[0-9]+", daily_id(SALT, "", AGENT, ADDRESS))


def test_an_id_tells_neither_address_nor_browser():
    text = daily_id(SALT, "", AGENT, ADDRESS)

    assert "203" not in text.split(".")
    assert AGENT not in text


def test_what_stands_on_either_side_of_a_border_is_not_the_same():
    assert daily_id(SALT, "", "UA/1", "1.2.3.4") != daily_id(
        SALT, "", "UA/11", ".2.3.4"
    )


def test_sites_know_a_visitor_by_ids_that_have_nothing_in_common():
    assert daily_id(SALT, "a.example", AGENT, ADDRESS) != daily_id(
        SALT, "b.example", AGENT, ADDRESS
    )


# Privacy extensions change the last 64 bits of an address from day to day, and an
# hour to the next (RFC 8981).
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::7", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", True),  # one /64
        ("2001:db8:1:2::7", "2001:db8:2:2::7", False),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", True),  # cut to /48, they are one
        ("203.0.113.77", "203.0.113.78", True),
        ("203.0.113.77", "203.0.114.77", False),
        ("203.0.113.77", "::ffff:203.0.113.77", True),
    ],
)
def test_a_visitor_is_known_by_the_network_of_the_address(one, other, same):
    ids = {daily_id(SALT, "", AGENT, anonymized(address)) for address in (one, other)}

    assert (len(ids) == 1) is same


@given(st.text(st.characters(codec=None), max_size=600))
def test_no_browser_is_too_odd(agent):
    assert daily_id(SALT, "", agent, None)


def test_a_visit_goes_on_while_it_does_not_idle(ids):
    first, _ = visit(ids, MIDNIGHT)
    second, session = visit(ids, MIDNIGHT + 30 * MINUTE)
    third, later = visit(ids, MIDNIGHT + 60 * MINUTE + 1)

    assert first.client_id == second.client_id == third.client_id
    assert (session.is_new, session.engagement_ms) == (False, 60_000)
    assert (later.is_new, later.number) == (True, 2)


def test_a_visit_goes_on_across_midnight(ids):
    before, session = visit(ids, MIDNIGHT - 10 * MINUTE)
    after, same = visit(ids, MIDNIGHT + 10 * MINUTE)
    later, _ = visit(ids, MIDNIGHT + 30 * MINUTE)

    assert before.client_id == after.client_id == later.client_id
    assert session.id == same.id
    assert not same.is_new


def test_a_visit_of_yesterday_that_is_over_is_not_joined(ids):
    before, _ = visit(ids, MIDNIGHT - 60 * MINUTE)
    after, session = visit(ids, MIDNIGHT + 10 * MINUTE)

    assert before.client_id != after.client_id
    assert (session.is_new, session.number) == (True, 1)


def test_workers_agree_on_a_visit_without_asking_each_other():
    store = MemorySalt()
    one, two = (DailyIds(store, "example.com") for _ in range(2))

    first, session = visit(one, MIDNIGHT + 2 * MINUTE)
    second, other = visit(two, MIDNIGHT + 5 * MINUTE)

    assert first.client_id == second.client_id
    assert session.id == other.id


def test_a_clock_that_goes_back_ends_no_visit(ids):
    visit(ids, MIDNIGHT + 10 * MINUTE)

    _, session = visit(ids, MIDNIGHT + 9 * MINUTE)

    assert (session.is_new, session.engagement_ms) == (False, 1)


def test_threads_may_come_at_once():
    ids = DailyIds(MemorySalt(), "example.com", most=5)

    def come(number):
        return [visit(ids, MIDNIGHT + n, agent=f"{number * n % 9}") for n in range(200)]

    with ThreadPoolExecutor(4) as pool:
        assert [len(visits) for visits in pool.map(come, range(8))] == [200] * 8


def test_only_so_many_visits_are_remembered():
    ids = DailyIds(MemorySalt(), "example.com", most=2)
    for number in range(3):
        visit(ids, MIDNIGHT, agent=f"agent {number}")

    assert visit(ids, MIDNIGHT + 1, agent="agent 2")[1].is_new is False
    assert visit(ids, MIDNIGHT + 1, agent="agent 0")[1].is_new is True
