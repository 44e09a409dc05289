"""When a visit ends: T53 and T54 of the catalogue, and the campaign in the cookie."""

from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import Request, Settings
from server_tracking.campaigns import campaign_mark
from server_tracking.cookies import CookieSigner
from server_tracking.extractor import Extractor
from server_tracking.visitors import Identity, SessionRules, identity_from, session_at

KEY = "a secret key for tests"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# 23:50 in Berlin, ten minutes before midnight there and not in UTC.
LATE = int(datetime(2026, 9, 21, 23, 50, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
MAIL, ADS = campaign_mark("utm_source=mail"), campaign_mark("utm_source=ads")
# As GA4 and Plausible do it; as Universal Analytics and Matomo do. By system, with
# what each is told of it: test_visits.py.
PLAIN = SessionRules()
SPLITTING = SessionRules(midnight=ZoneInfo("Europe/Berlin"), campaign=True)

# Seconds since the last page view, campaign before, campaign now; whether the visit
# goes on by each set of rules.
MOMENTS = [
    (599, 0, 0, True, True),
    (600, 0, 0, True, False),  # midnight
    (60, 0, MAIL, True, False),  # one newly appears
    (60, MAIL, ADS, True, False),
    (60, MAIL, MAIL, True, True),
    (60, MAIL, 0, True, True),  # a page within the site
    (29 * 60 + 59, 0, 0, True, False),
    (30 * 60 + 31, MAIL, MAIL, False, False),
]


@pytest.mark.parametrize(("gap", "before", "campaign", "plain", "splitting"), MOMENTS)
def test_each_rule_ends_a_visit(gap, before, campaign, plain, splitting):
    for rules, goes_on in ((PLAIN, plain), (SPLITTING, splitting)):
        mark, now_mark = (before, campaign) if rules.campaign else (0, 0)
        known = Identity("7.1780000000", LATE - 60, 3, LATE, campaign=mark)
        identity, session, renew = session_at(known, LATE + gap, rules, now_mark)

        assert session.is_new is not goes_on
        assert session.number == (3 if goes_on else 4)
        assert identity.campaign == (mark if goes_on else now_mark)
        assert renew


def test_midnight_is_that_of_the_zone():
    known = Identity("7.1780000000", LATE - 60, 3, LATE)
    _, session, _ = session_at(known, LATE + 600, SessionRules(midnight=UTC))

    assert not session.is_new


def test_a_first_visit_remembers_what_brought_it():
    identity, _, _ = session_at(None, LATE, SPLITTING, MAIL)

    assert identity.campaign == MAIL


SAME = [
    ("utm_source=mail&utm_medium=mail", "page=2&utm_medium=mail&utm_source=mail"),
    ("mtm_campaign=autumn", "utm_campaign=autumn"),
    ("gclid=one&utm_source=ads", "utm_source=ads&gclid=one#"[:-1]),
]
DIFFERENT = [
    ("utm_source=mail", "utm_source=ads"),
    ("utm_source=mail", "utm_medium=mail"),
    ("utm_campaign=a", "utm_campaign=a&utm_term=b"),
    ("gclid=one", "gclid=two"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_campaign_has_one_mark(one, other):
    assert campaign_mark(one) == campaign_mark(other) != 0


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_campaigns_have_other_marks(one, other):
    assert campaign_mark(one) != campaign_mark(other)


@pytest.mark.parametrize("query", ["", "page=2", "utm_source=", "q=utm_source"])
def test_without_a_campaign_there_is_no_mark(query):
    assert campaign_mark(query) == 0


@given(st.text())
def test_a_mark_has_24_bits_whatever_the_query_is(value):
    assert 0 <= campaign_mark("utm_source=" + value) < 2**24


@given(st.integers(0, 2**24 - 1))
def test_the_mark_survives_the_cookie(mark):
    identity = Identity("7.1780000000", LATE, 3, LATE, 0, mark)

    assert identity_from(identity.cookie) == identity


def test_a_cookie_without_a_mark_is_that_of_before():
    identity = Identity("7.1780000000", LATE, 3, LATE)

    assert identity.cookie == f"1.7.1780000000.{LATE}.3.{LATE}.0"


@pytest.mark.parametrize("mark", ["", "12345", "1234567", "ABCDEF", "12345g"])
def test_a_mark_of_another_form_makes_the_cookie_foreign(mark):
    cookie = Identity("7.1780000000", LATE, 3, LATE).cookie

    assert identity_from(f"{cookie}.{mark}") is None


def test_the_longest_cookie_stays_below_120_characters():
    longest = Identity(
        f"{2**31 - 1}.{LATE}", LATE, 999_999, LATE, LATE, 0xFFFFFF
    ).cookie

    assert len(longest) == 70
    assert len(CookieSigner([KEY], "visitor").sign(longest)) < 120


def visits(*queries, **options):
    """Follow one visitor through pages, a minute apart; return the visits."""
    extractor = Extractor(Settings(secret_key=KEY, **options))
    cookie, found = "", []
    for number, query in enumerate(queries):
        request = Request(
            host="example.com",
            query=query,
            headers={"user-agent": AGENT, "cookie": cookie},
        )
        now = LATE + 60 * number
        recognition = extractor.recognize(request, now)
        for header in extractor.cookies(request, recognition, now):
            cookie = header.partition(";")[0]
        found.append(recognition.session.number)
    return found


PAGES = ("utm_source=mail", "", "utm_source=ads", "page=2", "utm_source=ads")


def test_a_campaign_ends_no_visit_by_default():
    assert visits(*PAGES) == [1, 1, 1, 1, 1]


def test_a_campaign_ends_a_visit_where_the_site_wants_it():
    assert visits(*PAGES, session_campaign=True) == [1, 1, 2, 2, 2]


def test_a_campaign_is_kept_only_where_the_rule_needs_it():
    extractor = Extractor(Settings(secret_key=KEY))
    request = Request(
        host="example.com",
        query="utm_source=" + quote("a mail"),
        headers={"user-agent": AGENT},
    )

    assert extractor.recognize(request, LATE).identity.campaign == 0
