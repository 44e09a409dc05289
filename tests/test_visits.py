"""Visits by the rules of each system: what the table in docs/privacy.md says."""

import json
import re
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import ConfigurationError, Request, Settings
from server_tracking.extractor import Extractor
from server_tracking.hits import Context, Event, Page, PageView, Session, Visitor
from server_tracking.salts import MemorySalt
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    Umami,
    UniversalAnalytics,
    system_from_url,
)
from server_tracking.systems.posthog.saying import visit_start

KEY = "a secret key for tests"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
# 23:50 in Berlin, ten minutes before midnight there and not in UTC.
LATE = int(datetime(2026, 9, 21, 23, 50, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
SYSTEMS = {
    "Google Analytics 4": GoogleAnalytics4.example(),
    "PostHog": PostHog.example(),
    "Universal Analytics": UniversalAnalytics.example(),
    "Matomo": Matomo.example(),
    "Plausible": Plausible.example(),
    "Umami": Umami.example(),
    "GoatCounter": GoatCounter.example(),
}
TOLD_OF_VISITS = ["Google Analytics 4", "PostHog"]
TOLD_OF_STARTS = ["Universal Analytics", "Matomo"]
DOCS = Path(__file__).parents[1] / "docs" / "privacy.md"
_, _, SECTION = DOCS.read_text("utf-8").partition("\n## Visits\n")
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| system |")
]


def leaves(value, name=""):
    """Yield each name and value of some JSON, whatever they stand in."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, value


def told(system, hit):
    """Return what *system* is told of *hit*, by the names on the wire."""
    [call] = system.encode([hit], hit.time + 1)
    body = call.body.decode()
    pairs = leaves(json.loads(body)) if body[:1] in "{[" else parse_qsl(body)
    return dict(pairs)


def followed(system, pages, **options):
    """Follow one visitor through *pages*: seconds, query and referrer of each.

    Yields what is told of each page view.
    """
    options = {"secret_key": KEY, "cookieless_salt": MemorySalt(), **options}
    extractor = Extractor(Settings(**options))
    cookie = ""
    for seconds, query, referrer in pages:
        headers = {"user-agent": AGENT, "cookie": cookie, "referer": referrer}
        request = Request(
            host="example.com", query=query, headers=headers, address="203.0.113.0"
        )
        now = LATE + seconds
        recognition = extractor.recognize(request, now)
        for header in extractor.cookies(request, recognition, now):
            cookie = header.partition(";")[0]
        context = extractor.context(request, recognition)
        yield told(system, PageView(context=context, time=float(now)))


def visit_in(said):
    """Find the visit that GA4 or PostHog is told, as its start in Unix seconds."""
    if "session_id" in said:
        return said["session_id"]
    return (UUID(said["$session_id"]).int >> 80) // 1000


def visits(name, *pages, **options):
    """Number the visits that a system is told, page by page."""
    starts = [visit_in(said) for said in followed(SYSTEMS[name], pages, **options)]
    known = list(dict.fromkeys(starts))
    return [known.index(start) + 1 for start in starts]


def busy(until, every=20 * MINUTE):
    """Open a page every 20 minutes until so many seconds have passed."""
    return [(seconds, "", "") for seconds in range(0, until + 1, every)]


# The table


def test_the_table_has_each_system():
    assert [row[0] for row in TABLE] == list(SYSTEMS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_system_is_told_of_our_visit_what_its_row_says(row):
    system, (by_default, _, on_demand) = SYSTEMS[row[0]], row[-1].partition(";")
    page = Page("https://example.com/", "example.com", "/")
    goes_on = Context(
        Visitor("7.1780000000"), Session(LATE), page, address="203.0.113.0"
    )
    begins = msgspec.structs.replace(
        goes_on,
        session=Session(LATE + HOUR, number=2, engagement_ms=5000, is_new=True),
    )

    def differing(system):
        hit = PageView(context=goes_on, time=LATE + 2.0 * HOUR)
        one = told(system, hit)
        other = told(system, msgspec.structs.replace(hit, context=begins))
        return {key for key in {**one, **other} if one.get(key) != other.get(key)}

    assert differing(system) == set(re.findall("`([^`]+)`", by_default))
    if on_demand:
        option, wire_name = re.findall("`([^`]+)`", on_demand)
        changed = msgspec.structs.replace(system, **{option: True})
        assert differing(changed) == {wire_name}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_who_cuts_visits_is_who_is_told_of_them(row):
    assert (row[1] == "this library") is (row[0] in TOLD_OF_VISITS)
    assert row[-1].startswith("nothing") is (row[0] not in TOLD_OF_VISITS)


@pytest.mark.parametrize("name", TOLD_OF_VISITS)
def test_visits_are_cut_by_the_rules_in_the_row(name):
    [(idle, longest, midnight, campaign)] = [
        row[2:6] for row in TABLE if row[0] == name
    ]
    first = (0, "", "")

    assert idle == "30 minutes"
    assert visits(name, first, (30 * MINUTE, "", "")) == [1, 1]
    assert visits(name, first, (31 * MINUTE, "", "")) == [1, 2]
    last = visits(name, *busy(2 * DAY + HOUR), session_longest=400 * DAY)[-1]
    assert last == {"any": 1, "a day": 3}[longest]
    over_midnight = visits(name, first, (15 * MINUTE, "", ""))[-1]
    assert over_midnight == {"no": 1}[midnight]
    brought_back = visits(name, first, (60, "utm_source=ads", ""))[-1]
    assert brought_back == {"no": 1}[campaign]


# T53 and T54: what ends a visit for whom

OTHER = "https://other.example/"
MOMENTS = [
    # seconds of the page before and of this one, query, referrer; visit of each
    (0, 29 * MINUTE + 59, "", "", {"Google Analytics 4": 1, "PostHog": 1}),
    (0, 30 * MINUTE + 31, "", "", {"Google Analytics 4": 2, "PostHog": 2}),
    (0, 10 * MINUTE, "", "", {"Google Analytics 4": 1, "PostHog": 1}),  # midnight
    (0, 60, "utm_source=ads", "", {"Google Analytics 4": 1, "PostHog": 1}),
    (0, 60, "gclid=abc", "", {"Google Analytics 4": 1, "PostHog": 1}),
    (0, 60, "", OTHER, {"Google Analytics 4": 1, "PostHog": 1}),
    (DAY - 60, DAY, "", "", {"Google Analytics 4": 1, "PostHog": 1}),
    (DAY, DAY + 60, "", "", {"Google Analytics 4": 1, "PostHog": 2}),
    (3 * DAY - 60, 3 * DAY, "", "", {"Google Analytics 4": 1, "PostHog": 3}),
    (3 * DAY, 3 * DAY + 60, "", "", {"Google Analytics 4": 1, "PostHog": 4}),
]


@pytest.mark.parametrize(("before", "now", "query", "referrer", "expected"), MOMENTS)
def test_each_system_goes_on_by_its_own_rules(before, now, query, referrer, expected):
    pages = [*busy(before), (before, "", ""), (now, query, referrer)]

    rules = {"session_longest": 400 * DAY}
    found = {name: visits(name, *pages, **rules)[-1] for name in TOLD_OF_VISITS}
    assert found == expected


def test_the_visit_that_google_is_told_stays_the_same_over_a_campaign():
    pages = [(0, "utm_source=mail", ""), (60, "utm_source=ads&gclid=x", OTHER)]

    one, other = followed(SYSTEMS["Google Analytics 4"], pages)

    assert one["session_id"] == other["session_id"] == LATE
    assert one["session_number"] == other["session_number"] == 1
    assert other["engagement_time_msec"] == 60_000


@pytest.mark.parametrize("name", TOLD_OF_VISITS)
def test_a_site_may_have_narrower_rules_for_whoever_is_told(name):
    pages = [(0, "utm_source=mail", ""), (60, "utm_source=ads", ""), (900, "", "")]
    zone = "Europe/Berlin"

    assert visits(name, *pages) == [1, 1, 1]
    assert visits(name, *pages, session_campaign=True) == [1, 2, 2]
    assert visits(name, *pages, session_midnight=zone) == [1, 1, 2]
    assert visits(name, *pages, session_idle=600) == [1, 1, 2]
    assert visits(name, *pages, session_longest=600) == [1, 1, 2]


@pytest.mark.parametrize("name", TOLD_OF_VISITS)
def test_a_visit_lasts_a_day_at_most_if_the_site_says_nothing(name):
    assert visits(name, *busy(DAY + 20 * MINUTE))[-2:] == [1, 2]


@given(st.integers(0, 2**33), st.floats(0, 2**33), st.integers(1, 12 * HOUR))
def test_a_long_visit_is_told_in_parts_of_a_day_that_begin_before_what_is_in_them(
    session, moment, later
):
    start = visit_start(session, moment)

    assert start >= session
    assert (start - session) % DAY == 0
    if moment >= session:
        assert start <= moment < start + DAY + 1
    assert visit_start(session, moment + later) - start in (0, DAY)


@pytest.mark.parametrize("moment", [float("-inf"), float("inf"), float("nan")])
@pytest.mark.parametrize("session", [-(10**400), 0, 10**400])
def test_no_visit_is_too_odd(session, moment):
    visit_start(session, moment)


# Starts, for who cuts visits by rules of its own

STARTS = {"Universal Analytics": ("sc", "start"), "Matomo": ("new_visit", "1")}


def starts(name, pages, **options):
    """Tell for each page view whether a visit begins there."""
    system = msgspec.structs.replace(SYSTEMS[name], session_starts=True)
    field, value = STARTS[name]
    for said in followed(system, pages, **options):
        assert said.get(field) in (None, value)
        yield field in said


@pytest.mark.parametrize("name", TOLD_OF_STARTS)
def test_a_visit_begins_there_where_the_sites_rules_begin_one(name):
    pages = [(0, "", ""), (60, "", ""), (12 * MINUTE, "", ""), (13 * MINUTE, "", "")]

    assert [*starts(name, pages)] == [True, False, False, False]
    assert [*starts(name, pages, session_idle=600)] == [True, False, True, False]


@pytest.mark.parametrize("name", TOLD_OF_STARTS)
def test_in_cookieless_mode_it_begins_by_the_visit_of_the_day(name):
    pages = [(0, "", ""), (60, "", ""), (40 * MINUTE, "", "")]

    assert [*starts(name, pages, consent_mode="cookieless")] == [True, False, True]


@pytest.mark.parametrize("name", TOLD_OF_STARTS)
def test_what_happens_on_the_page_begins_no_visit(name):
    system = msgspec.structs.replace(SYSTEMS[name], session_starts=True)
    context = Context(Visitor("7.1780000000"), Session(LATE, is_new=True))
    event = Event(context=context, category="Plant", action="Water", time=float(LATE))

    assert STARTS[name][0] not in told(system, event)


@pytest.mark.parametrize(
    "url", ["ua://UA-1-1", "matomo+https://TOKEN@stats.example.com/?site_id=1"]
)
def test_the_option_stands_in_the_url_of_the_system(url):
    mark = "&" if urlsplit(url).query else "?"

    assert not system_from_url(url).session_starts
    assert system_from_url(f"{url}{mark}session_starts=1").session_starts


@pytest.mark.parametrize("name", TOLD_OF_STARTS)
def test_what_is_no_flag_is_refused(name):
    with pytest.raises(ConfigurationError, match="session_starts"):
        msgspec.structs.replace(SYSTEMS[name], session_starts="always")


# An id for a day


def test_an_id_for_a_day_is_told_for_a_day_however_busy_the_visitor():
    system, seen = SYSTEMS["GoatCounter"], {}
    pages = busy(3 * DAY)
    said = followed(system, pages, consent_mode="cookieless")
    for (seconds, _, _), page in zip(pages, said, strict=True):
        seen.setdefault(page["session"], []).append(seconds)

    assert len(seen) >= 3
    # The visit began with the hour, after which it is named.
    assert all(moments[-1] - moments[0] <= DAY for moments in seen.values())
