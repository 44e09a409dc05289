"""Server and browser tell systems of one visitor, where the visitor allows it."""

import time
from urllib.parse import parse_qs, quote

import msgspec
import pytest
from webtest import TestApp

from server_tracking import Request, Settings, current
from server_tracking.browser_tags import with_browser_ids
from server_tracking.extractor import Extractor
from server_tracking.hits import decode_hits, encode_hits
from server_tracking.salts import MemorySalt
from server_tracking.systems import (
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    UniversalAnalytics,
)
from server_tracking.wsgi import TrackingMiddleware

NOW = int(time.time())
FIRST = NOW - 86_400
GOOGLE = GoogleAnalytics4("G-ABC123", api_secret="made-up")
SECOND = GoogleAnalytics4("G-SECOND", api_secret="made-up")
UNIVERSAL = UniversalAnalytics("UA-1-1")
MATOMO = Matomo("https://stats.example.com/", site_id=7)
POSTHOG = PostHog("phc_key")
PLAUSIBLE = Plausible("example.com")
SYSTEMS = (GOOGLE, SECOND, UNIVERSAL, MATOMO, POSTHOG, PLAUSIBLE)

CLIENT = f"1234567890.{FIRST}"
MATOMO_ID = "0123456789abcdef"
UUID = "0199a7c1-2f6e-7cc2-9d7e-3b1f0c5a6e11"
VISIT = "0199a7c1-aaaa-7bbb-8ccc-3b1f0c5a6e11"
TAGS = (
    f"_ga=GA1.1.{CLIENT}",
    f"_ga_ABC123=GS2.1.s{NOW - 900}$o6$g1$t{NOW - 60}",
    f"_pk_id.7.1fff={MATOMO_ID}.{FIRST}.",
    "ph_phc_key_posthog="
    + quote(
        f'{{"distinct_id":"{UUID}","$sesid":[{NOW - 60}000,"{VISIT}",{NOW - 900}000],'
        '"$stored_person_properties":{"email":"max@example.com"}}'
    ),
    f"ajs_anonymous_id={UUID}",
)


def page(environ, start_response):
    current().event("Shop", "Open")
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>Shop</title>"]


@pytest.fixture
def visit(make_tracker, sender, browser):
    """Open a page with *cookies* under *options*; return the calls by system."""

    def visit(*cookies, headers=(), app=page, **options):
        tracker = make_tracker(*SYSTEMS, **{"adopt_browser_ids": True, **options})
        site = TestApp(TrackingMiddleware(app, tracker))
        given = {**browser, **dict(headers), "Cookie": "; ".join(cookies)}
        site.get("/shop", headers=given, extra_environ={"wsgi.url_scheme": "https"})
        assert tracker.flush()
        return sender

    return visit


def bodies(sender, host):
    return [call for call in sender.calls if host in call.url]


def said_by_google(sender, measurement_id="G-ABC123"):
    [call] = bodies(sender, f"measurement_id={measurement_id}")
    return msgspec.json.decode(call.body)


def said_to_matomo(sender):
    return parse_qs(bodies(sender, "stats.example.com")[0].body.decode())


def said_to_posthog(sender):
    return msgspec.json.decode(bodies(sender, "posthog")[0].body)["batch"][0]


def test_google_is_told_of_the_visitor_and_the_visit_of_its_tag(visit):
    said = said_by_google(visit(*TAGS))

    assert said["client_id"] == CLIENT
    for event in said["events"]:
        assert event["params"]["session_id"] == NOW - 900
        assert event["params"]["session_number"] == 6


def test_a_stream_without_a_visit_of_its_own_shares_the_visitor_alone(visit):
    sender = visit(*TAGS)
    said = said_by_google(sender, "G-SECOND")

    assert said["client_id"] == CLIENT
    session = sender.hits[0].context.session
    assert said["events"][0]["params"]["session_id"] == session.id


def test_universal_analytics_is_told_of_the_visitor_of_its_script(visit):
    [call, *_] = [c for c in visit(*TAGS).calls if b"tid=UA-1-1" in c.body]

    assert f"cid={CLIENT}".encode() in call.body


def test_matomo_is_told_of_the_visitor_of_its_script(visit):
    assert said_to_matomo(visit(*TAGS))["cid"] == [MATOMO_ID]


def test_posthog_is_told_of_the_visitor_and_the_visit_of_its_script(visit):
    said = said_to_posthog(visit(*TAGS))

    assert said["distinct_id"] == UUID
    assert said["properties"]["$session_id"] == VISIT


def test_a_user_the_site_names_stays_named_and_the_id_becomes_the_device(visit):
    def app(environ, start_response):
        current().identify("user-17")
        return page(environ, start_response)

    sender = visit(*TAGS, app=app)
    said = said_to_posthog(sender)

    assert said["distinct_id"] == "user-17"
    assert said["properties"]["$device_id"] == UUID
    assert said_by_google(sender)["user_id"] == "user-17"


def test_our_own_cookie_goes_on_as_before(visit, make_tracker, browser):
    sender = visit(*TAGS)
    visitor = sender.hits[0].context.visitor

    assert visitor.client_id != CLIENT
    assert {ids.system for ids in visitor.browser_ids} == {
        "google_analytics_4",
        "universal_analytics",
        "matomo",
        "posthog",
    }


def test_nothing_of_the_cookies_but_the_ids_gets_into_hits(visit):
    sender = visit(*TAGS, "session=secret-canary")
    written = encode_hits(sender.hits)

    assert b"canary" not in written
    assert b"GA1.1" not in written
    assert b"max@example" not in written
    assert b"phc_key" not in written
    assert decode_hits(written) == list(sender.hits)


def test_without_the_option_no_such_cookie_is_read(visit):
    sender = visit(*TAGS, adopt_browser_ids=False)

    assert sender.hits[0].context.visitor.browser_ids == ()
    assert said_by_google(sender)["client_id"] != CLIENT


def test_events_after_the_request_name_the_same_visitor(visit):
    held = []

    def app(environ, start_response):
        held.append(current())
        return page(environ, start_response)

    sender = visit(*TAGS, app=app)
    held[0].event("Mail", "Sent")

    assert sender.hits[-1].category == "Mail"
    assert sender.hits[-1].context.visitor == sender.hits[0].context.visitor


@pytest.mark.parametrize(
    ("cookies", "headers", "options"),
    [
        (["cookie_status=0"], {}, {}),
        (["cookie_action=withdraw"], {}, {}),
        ([], {"Sec-GPC": "1"}, {}),
        ([], {}, {"consent_mode": "opt-in"}),
    ],
)
def test_nothing_is_told_of_who_refuses(visit, cookies, headers, options):
    sender = visit(*TAGS, *cookies, headers=headers, **options)

    assert sender.hits == []


AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def ids_of(*cookies, systems=SYSTEMS, headers=(), **options):
    """Recognise a visitor with the cookies of tags and *cookies*."""
    options.setdefault("cookieless_salt", MemorySalt())
    extractor = Extractor(Settings(secret_key="a secret key for tests", **options))
    given = {"user-agent": AGENT, "cookie": "; ".join((*TAGS, *cookies))}
    request = Request(host="example.com", headers={**given, **dict(headers)})
    recognition = extractor.recognize(request, NOW)
    found = with_browser_ids(recognition, request, systems, NOW)
    return {ids.system for ids in found.browser_ids}


ALL = {"google_analytics_4", "universal_analytics", "matomo", "posthog"}
WHEN = [
    ("session", (), ALL),
    ("session", ("cookie_status=1",), ALL),
    ("session", ("cookie_status=0",), set()),
    ("opt-in", (), set()),
    ("opt-in", ("cookie_status=1",), ALL),
    ("opt-in", ("cookie_action=accept",), ALL),
    ("cookieless", (), set()),
    ("cookieless", ("cookie_status=1",), ALL),
    ("cookieless", ("cookie_status=0",), set()),
    ("opt-out", (), ALL),
    ("opt-out", ("cookie_status=0",), set()),
    ("opt-out", ("cookie_action=refuse", "cookie_status=1"), set()),
    ("off", (), ALL),
    ("off", ("cookie_status=0",), set()),
]


@pytest.mark.parametrize(("mode", "cookies", "systems"), WHEN)
def test_ids_are_read_only_where_an_id_may_be_stored(mode, cookies, systems):
    assert ids_of(*cookies, consent_mode=mode) == systems


def test_an_objection_of_the_browser_leaves_them_unread():
    assert ids_of(headers={"sec-gpc": "1"}) == set()


def test_no_id_is_read_for_a_system_that_may_not_be_told():
    reusing = {system.name for system in SYSTEMS if system.limits.reuses_data}

    assert reusing == {"google_analytics_4", "universal_analytics"}
    assert ids_of(reuse_needs_consent=True) == ALL - reusing


def test_a_robot_that_is_told_of_has_no_ids():
    agent = {"user-agent": "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com)"}

    assert ids_of(headers=agent, ai_training="mark") == set()


@pytest.mark.parametrize("cookie", TAGS)
def test_a_tags_cookie_seen_twice_counts_as_absent(cookie):
    name = cookie.partition("=")[0]
    system = {"_ga": GOOGLE, "_pk": MATOMO, "ph_": POSTHOG, "ajs": POSTHOG}[name[:3]]
    found = ids_of(f"{name}=other", systems=[system])
    without = {"_ga": set(), "_pk_id.7.1fff": set()}

    # Of PostHog's two cookies, the other one names the same visitor.
    assert found == without.get(name, {system.name})


def test_explain_says_whose_ids_are_gone_on_with(make_tracker, browser):
    tracker = make_tracker(*SYSTEMS, adopt_browser_ids=True)
    headers = {name.lower(): value for name, value in browser.items()}
    request = Request(
        host="example.com", headers={**headers, "cookie": "; ".join(TAGS)}
    )
    said = str(tracker.explain(request))

    assert "ids of browser tags" in said
    assert "matomo" in said
    assert MATOMO_ID not in said
