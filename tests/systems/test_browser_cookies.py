"""What systems' own tags keep in the browser, read for sites that run both."""

import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from server_tracking.cookies import cookie_value, plain_cookies
from server_tracking.hits import BrowserIds, PageView
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    Umami,
    UniversalAnalytics,
    has_tag,
)
from server_tracking.testing import sample_hits

NOW = 1_790_000_000
FIRST = NOW - 86_400
GOOGLE = GoogleAnalytics4("G-ABC123", api_secret="made-up")
UNIVERSAL = UniversalAnalytics("UA-1-1")
MATOMO = Matomo("https://stats.example.com/", site_id=7)
POSTHOG = PostHog("phc_key")
TAGGED = (GOOGLE, UNIVERSAL, MATOMO, POSTHOG)
UUID = "0199a7c1-2f6e-7cc2-9d7e-3b1f0c5a6e11"
VISIT = "0199a7c1-aaaa-7bbb-8ccc-3b1f0c5a6e11"


def told(ids):
    return ids and (ids.visitor, ids.session, ids.session_number)


@pytest.mark.parametrize("system", TAGGED)
def test_systems_with_a_tag_say_which_cookies_they_read(system):
    assert has_tag(system)
    assert system.browser_cookies


@pytest.mark.parametrize("kind", [GoatCounter, Plausible, Umami])
def test_systems_whose_scripts_set_no_cookie_read_none(kind):
    assert not has_tag(kind.example())


# The layout of both cookies: protocols/google_analytics_4.md, section 6.
GOES_ON = f"GS2.1.s{NOW - 900}$o6$g1$t{NOW - 60}$j22$l0$h0"
VISITOR = f"1234567890.{FIRST}"
GOOGLES = [
    ({"_ga": f"GA1.1.{VISITOR}"}, (VISITOR, None, 0)),
    ({"_ga": f"GA1.1.{VISITOR}", "_ga_ABC123": GOES_ON}, (VISITOR, NOW - 900, 6)),
    (
        {
            "_ga": f"GA1.1.{VISITOR}",
            "_ga_ABC123": f"GS1.1.{NOW - 900}.2.1.{NOW - 60}.0.0.0",
        },
        (VISITOR, NOW - 900, 2),
    ),
    # Another stream's visit.
    ({"_ga": f"GA1.1.{VISITOR}", "_ga_OTHER": GOES_ON}, (VISITOR, None, 0)),
    # The visit is over, or was never one.
    (
        {
            "_ga": f"GA1.1.{VISITOR}",
            "_ga_ABC123": f"GS2.1.s{NOW - 9000}$o6$t{NOW - 1801}",
        },
        (VISITOR, None, 0),
    ),
    (
        {"_ga": f"GA1.1.{VISITOR}", "_ga_ABC123": f"GS2.1.s{NOW}$o6$t{NOW + 999}"},
        (VISITOR, None, 0),
    ),
    (
        {"_ga": f"GA1.1.{VISITOR}", "_ga_ABC123": f"GS2.1.s{NOW}$o6$t{NOW - 9}"},
        (VISITOR, None, 0),
    ),
    ({"_ga": f"GA1.1.{VISITOR}", "_ga_ABC123": "GS2.1.s1$o6"}, (VISITOR, None, 0)),
    ({"_ga": f"GA1.1.{VISITOR}", "_ga_ABC123": "deleted"}, (VISITOR, None, 0)),
    # A visit without a visitor is nobody's.
    ({"_ga_ABC123": GOES_ON}, None),
    ({"_ga": f"GA1.1.7.{NOW + 301}"}, None),  # a first visit to come
    ({"_ga": "GA1.1.7"}, None),
    ({"_ga": "GA1.1." + "1" * 600 + f".{FIRST}"}, None),
    ({"_ga": "<script>"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("cookies", "ids"), GOOGLES)
def test_googles_tag_names_visitor_and_visit(cookies, ids):
    assert told(GOOGLE.browser_ids(cookies, NOW)) == ids


UNIVERSALS = [
    (f"GA1.2.{VISITOR}", (VISITOR, None, 0)),
    (f"GA1.2-2.{VISITOR}", (VISITOR, None, 0)),
    (f"GA1.2.7.{NOW + 301}", None),
    ("GA1.2.amp-Xy_z", None),
    (f"GA1.2.{VISITOR}.9", None),
    ("GA1.2." + "1" * 200, None),
    ("", None),
]


@pytest.mark.parametrize(("cookie", "ids"), UNIVERSALS)
def test_analytics_js_names_the_visitor(cookie, ids):
    assert told(UNIVERSAL.browser_ids({"_ga": cookie}, NOW)) == ids


ID = "0123456789abcdef"
# js/piwik.js: the id, the first visit; until version 4 more times behind.
MATOMOS = [
    ({"_pk_id.7.1fff": f"{ID}.{FIRST}."}, ID),
    ({"_pk_id.7.1fff": f"{ID}.{FIRST}.3.{NOW}.{NOW}.{NOW}"}, ID),
    ({"_pk_id.7.1fff": f"{ID}.{FIRST}.3.{NOW}.{NOW}."}, ID),
    ({"_pk_id.7.1fff": f"{ID}.{FIRST}.", "_pk_id.7.dc78": f"{ID}.{FIRST}."}, ID),
    # Two ids for two domains, and nothing says which one is meant.
    (
        {
            "_pk_id.7.1fff": f"{ID}.{FIRST}.",
            "_pk_id.7.dc78": f"{ID[::-1]}.{FIRST}.",
        },
        None,
    ),
    ({"_pk_id.77.1fff": f"{ID}.{FIRST}."}, None),  # another site's
    ({"_pk_id.7.1FFF": f"{ID}.{FIRST}."}, None),
    ({"_pk_id.7": f"{ID}.{FIRST}."}, None),
    ({"_pk_id.7.1fff": f"{ID}.{NOW + 301}."}, None),
    ({"_pk_id.7.1fff": f"{ID[1:]}.{FIRST}."}, None),
    ({"_pk_id.7.1fff": f"{ID}0.{FIRST}."}, None),
    ({"_pk_id.7.1fff": ID}, None),
    ({"_pk_id.7.1fff": f"{ID}.{FIRST}." + "1." * 100}, None),
    ({}, None),
]


@pytest.mark.parametrize(("cookies", "visitor"), MATOMOS)
def test_matomos_script_names_the_visitor(cookies, visitor):
    found = MATOMO.browser_ids(cookies, NOW)

    assert (found and found.visitor) == visitor


def kept(visitor=UUID, visit=None):
    text = '{"distinct_id":"%s"%s,"$epp":true}'
    return quote(text % (visitor, f',"$sesid":{visit}' if visit else ""))


POSTHOGS = [
    (kept(), (UUID, None, 0)),
    # posthog-js before 1.60 made ids of five groups of any length.
    (
        kept("17b845b08de74-033c497ed2753c-35667c03-1fa400-17b845b08dfd55"),
        ("17b845b08de74-033c497ed2753c-35667c03-1fa400-17b845b08dfd55", None, 0),
    ),
    (
        kept(visit=f'[{NOW - 60}000,"{VISIT}",{NOW - 900}000]'),
        (UUID, VISIT, 0),
    ),
    # The visit is over: 30 minutes without a sign, or a day in all.
    (kept(visit=f'[{NOW - 1801}000,"{VISIT}",{NOW - 9000}000]'), (UUID, None, 0)),
    (kept(visit=f'[{NOW - 60}000,"{VISIT}",{NOW - 86_401}000]'), (UUID, None, 0)),
    (kept(visit=f'[{NOW - 60}000,"a visit",{NOW - 900}000]'), (UUID, None, 0)),
    (kept(visit="[null,null,null]"), (UUID, None, 0)),
    # What the site calls its users in the browser is not the tag's own id.
    (kept("max@example.com"), None),
    (kept("4711"), None),
    (kept("00000000-0000-0000-0000-000000000000"), None),
    (kept(UUID[1:]).replace("-", "") + "x", None),
    (kept()[:-3], None),
    (quote('{"distinct_id":4711}'), None),
    (quote("[" * 5000), None),
    (quote('{"a":' * 1000), None),
    ("%ff%fe", None),
    (kept() + " " * 9000, None),
    ("", None),
]


@pytest.mark.parametrize(("cookie", "ids"), POSTHOGS)
def test_posthogs_script_names_visitor_and_visit(cookie, ids):
    assert told(POSTHOG.browser_ids({"ph_phc_key_posthog": cookie}, NOW)) == ids


SEGMENTS = [
    (UUID, UUID),
    (f"%22{UUID}%22", UUID),  # older versions of its script wrote JSON
    (f'"{UUID}"', UUID),
    (f"{UUID}x", None),
    ("max@example.com", None),
    ("%22", None),
    (f"%22{UUID}", None),
    ("%20" * 500 + UUID, None),
    ("", None),
]


@pytest.mark.parametrize(("cookie", "visitor"), SEGMENTS)
def test_segments_script_names_the_visitor_of_posthog(cookie, visitor):
    found = POSTHOG.browser_ids({"ajs_anonymous_id": cookie}, NOW)

    assert (found and found.visitor) == visitor


def test_posthogs_own_cookie_goes_before_segments():
    cookies = {"ajs_anonymous_id": VISIT, "ph_phc_key_posthog": kept()}

    assert POSTHOG.browser_ids(cookies, NOW).visitor == UUID


def test_another_projects_cookie_says_nothing():
    assert POSTHOG.browser_ids({"ph_phc_other_posthog": kept()}, NOW) is None


def test_a_project_is_named_in_hits_without_its_key():
    found = POSTHOG.browser_ids({"ph_phc_key_posthog": kept()}, NOW)

    assert "phc_key" not in str(found)


ALL_COOKIES = {
    "_ga": f"GA1.1.{VISITOR}",
    "_pk_id.7.1fff": f"{ID}.{FIRST}.",
    "ph_phc_key_posthog": kept(),
}
NAMES = st.sampled_from(
    ["_ga", "_ga_ABC123", "_pk_id.7.1fff", "ph_phc_key_posthog", "ajs_anonymous_id"]
)
ODD = st.text(max_size=80) | st.text(alphabet="GAS12.$so%4\ud800é\x00 ", max_size=80)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, ODD, max_size=5))
def test_no_cookie_is_too_odd(cookies):
    for system in TAGGED:
        system.browser_ids(cookies, NOW)


@settings(max_examples=40)
@given(
    st.text(max_size=40),
    st.none() | st.integers() | st.text(max_size=40),
    st.integers(),
)
def test_no_id_is_too_odd_to_be_told(visitor, session, number):
    """Hits come back from disk and brokers, so that ids may be anything there."""
    [hit, *_] = sample_hits(PageView)
    for system in TAGGED:
        known = system.browser_ids(ALL_COOKIES, NOW)
        ids = structs.replace(
            known, visitor=visitor, session=session, session_number=number
        )
        who = structs.replace(hit.context.visitor, browser_ids=(ids,))
        context = structs.replace(hit.context, visitor=who)

        list(system.encode([structs.replace(hit, context=context)], hit.time))
        list(system.problems(structs.replace(hit, context=context)))


@pytest.mark.parametrize(
    "value",
    [
        "GA1.1." + "1" * 8000,
        "GS2.1." + "$s1" * 5000,
        "%" * 16_000,
        "0" * 16_000,
        "-" * 16_000,
        "0000-" * 3000,
        quote("[" * 5000),
        quote('"' * 5000),
    ],
)
def test_the_longest_cookies_take_no_time(value):
    names = [*GOOGLE.browser_cookies, "_pk_id.7.1fff", *POSTHOG.browser_cookies]
    begun = time.perf_counter()
    for system in TAGGED:
        system.browser_ids(dict.fromkeys(names, value), NOW)

    assert time.perf_counter() - begun < 1  # measured: below 3 ms


# All cookies at once are read as one of them is.
HEADERS = [
    None,
    "",
    "a=1",
    "a=1; b=2; a=3",
    "a=1; a=1",
    "b=; =x; c",
    " a = 1 ;\tb\t=\t2",
    "a=1=2; b",
    "a=" + "x" * 17_000,
]


@pytest.mark.parametrize("header", HEADERS)
def test_all_cookies_are_read_as_each_is(header):
    found = plain_cookies(header)

    for name in ("a", "b", "c"):
        assert found.get(name) == cookie_value(header, name)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12 =\t"))))
def test_a_name_seen_twice_counts_as_absent_among_all(pairs):
    header = ";".join(f"{name}={value}" for name, value in pairs)

    for name, value in plain_cookies(header).items():
        assert value == cookie_value(header, name)


def test_ids_are_found_by_system_and_account():
    ids = GOOGLE.browser_ids({"_ga": f"GA1.1.{VISITOR}"}, NOW)

    assert ids == BrowserIds("google_analytics_4", "G-ABC123", VISITOR)
