"""What each mode, state and action lets out: whom, and every byte that they are told.

The table says who is told of a visit, and by which id. What a system is told then is
written out whole, from the notes in `protocols/` that each function names: a field too
many fails as well as one too few.
"""

import hashlib
import hmac
import json
import struct
import time
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec
import pytest

from server_tracking import Settings, Tracker, current
from server_tracking.consent import CONSENT_MODES
from server_tracking.cookies import CookieSigner
from server_tracking.hits import Consent
from server_tracking.senders.packing import packed
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    Umami,
    UniversalAnalytics,
)
from server_tracking.testing import RecordingSender
from server_tracking.visitors import Identity
from server_tracking.wsgi import TrackingMiddleware

KEY = "a secret key"
HOUR = 3600
# Every hit has this id and this time once it is made, and is sent two seconds later.
HIT, MADE = UUID("01234567-89ab-4cde-8f01-23456789abcd"), 1_790_000_000.25
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PEER, ADDRESS = "203.0.113.77", "203.0.113.0"
URL = "https://example.com/fern?utm_source=mail"
REFERRER = "https://search.example/find"
CLIENT = "1234567890.1780000000"  # of whoever has been here before


class Told(NamedTuple):
    """What may be told of a visitor and a visit, so that all else is fixed.

    *start* is that of the visit in Unix seconds, *attention* in milliseconds.
    """

    client: str
    start: int
    number: int = 1
    attention: int = 1
    user: str | None = "u-7"
    click: str | None = "abc123"
    address: str | None = ADDRESS
    ad_user_data: bool = False
    ad_personalization: bool = False


# What each system is told of the page view, by the notes on its protocol.

JSON = {"content-type": "application/json"}


def given(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def google_analytics_4(told):
    """google_analytics_4.md, sections 2, 3 and 7."""
    says = {True: "GRANTED", False: "DENIED"}
    page = {
        "name": "page_view",
        "timestamp_micros": 1_790_000_000_250_000,
        "params": {
            "session_id": told.start,
            "session_number": told.number,
            "engagement_time_msec": told.attention,
            "page_location": URL,
            "page_title": "A page",
            "page_referrer": REFERRER,
            # Parameters of our own.
            "language": "de",
            "server_ms": 12.4,
        },
    }
    body = given(
        client_id=told.client,
        user_id=told.user,
        consent={
            "ad_user_data": says[told.ad_user_data],
            "ad_personalization": says[told.ad_personalization],
        },
        ip_override=told.address,
        user_agent=AGENT,
        events=[page],
    )
    query = {"measurement_id": "G-EXAMPLE123", "api_secret": "made-up-secret"}
    return "https://www.google-analytics.com/mp/collect", query, JSON, body


def universal_analytics(told):
    """google_universal.md; ``qt`` is the age of the hit in milliseconds."""
    body = given(
        v="1",
        tid="UA-123456-1",
        t="pageview",
        aip="1",
        npa=None if told.ad_personalization else "1",
        cid=told.client,
        uid=told.user,
        dl=URL,
        dt="A page",
        dr=REFERRER,
        ua=AGENT,
        uip=told.address,
        ul="de",
        de="utf-8",
        cs="mail",
        gclid=told.click,
        qt="2000",
    )
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return "https://www.google-analytics.com/collect", {}, form, body


def matomo(told):
    """other_systems.md, sections 1.2 to 1.5."""
    request = given(
        idsite="1",
        rec="1",
        apiv="1",
        url=URL,
        urlref=REFERRER,
        action_name="A page",
        cid=hashlib.sha256(told.client.encode()).hexdigest()[:16],
        uid=told.user,
        ua=AGENT,
        lang="de",
        cip=told.address,
        cdt="2026-09-21 14:13:20",
        pv_id="012345",
        pf_srv="12",
    )
    body = {"requests": [request], "token_auth": "0123456789abcdef" * 2}
    return "https://matomo.example.org/matomo.php", {}, JSON, body


def plausible(told):
    """other_systems.md, section 2.1."""
    headers = {**JSON, "user-agent": AGENT, "x-forwarded-for": told.address}
    body = {
        "name": "pageview",
        "domain": "example.com",
        "url": URL,
        "referrer": REFERRER,
    }
    return "https://plausible.io/api/event", {}, headers, body


def umami(told):
    """other_systems.md, section 4; it is told of users only where a site wants it."""
    payload = {
        "website": "01234567-89ab-4cde-8f01-23456789abcd",
        "hostname": "example.com",
        "url": "/fern?utm_source=mail",
        "title": "A page",
        "referrer": REFERRER,
        "language": "de",
        "ip": told.address or "0.0.0.0",
        "userAgent": AGENT,
        "timestamp": 1_790_000_000,
        "id": told.client,
    }
    headers = {**JSON, "user-agent": AGENT}
    body = {"type": "event", "payload": payload}
    return "https://cloud.umami.is/api/send", {}, headers, body


def posthog(told):
    """other_systems.md, section 3.1."""
    properties = {
        "$lib": "server-tracking",
        "$current_url": URL,
        "$host": "example.com",
        "$pathname": "/fern",
        "title": "A page",
        "$referrer": REFERRER,
        "$referring_domain": "search.example",
        "utm_source": "mail",
        "$raw_user_agent": AGENT,
        "$browser_language": "de",
        "$session_id": f"a UUIDv7 of {told.start}",
        **given(gclid=told.click),
    }
    place = {"$ip": told.address} if told.address else {"$geoip_disable": True}
    # No person without a user: "cheaper, more private".
    nobody = {"$process_person_profile": False}
    known = {"$device_id": told.client} if told.user else nobody
    event = {
        "event": "$pageview",
        "distinct_id": told.user or told.client,
        "uuid": str(HIT),
        "timestamp": "2026-09-21T14:13:20.250Z",
        "properties": {**properties, **place, **known},
    }
    key = "phc_0123456789abcdefghijABCDEFGHIJ0123456789abc"
    body = {"api_key": key, "batch": [event]}
    return "https://eu.i.posthog.com/batch/", {}, JSON, body


def goatcounter(told):
    """other_systems.md, section 5."""
    hit = given(
        path="/fern?utm_source=mail",
        query="utm_source=mail",
        title="A page",
        ref=REFERRER,
        user_agent=AGENT,
        ip=told.address,
        created_at="2026-09-21T14:13:20Z",
        session=told.client,
    )
    headers = {**JSON, "authorization": "Bearer made-up-token"}
    url = "https://example.goatcounter.com/api/v0/count"
    return url, {}, headers, {"hits": [hit]}


REUSING = {
    GoogleAnalytics4: google_analytics_4,
    UniversalAnalytics: universal_analytics,
}
OTHERS = {
    Matomo: matomo,
    Plausible: plausible,
    Umami: umami,
    PostHog: posthog,
    GoatCounter: goatcounter,
}
NOBODY, OWN, ALL = {}, OTHERS, {**REUSING, **OTHERS}
SYSTEMS = [kind.example() for kind in ALL]

# Who is told, and by which id: a new one, that of the cookie, or that of the day.
NEW, HELD, DAILY = "new", "held", "daily"
TABLE = [
    # state then, mode, who, a new visitor's id, one of the session's, one that was kept
    ("unknown", "session", ALL, NEW, HELD, NEW),
    ("unknown", "opt-in", NOBODY, None, None, None),
    ("unknown", "cookieless", OWN, DAILY, DAILY, DAILY),
    ("unknown", "opt-out", ALL, NEW, HELD, HELD),
    ("unknown", "off", ALL, NEW, HELD, HELD),
    ("signalled", "session", NOBODY, None, None, None),
    ("signalled", "opt-in", NOBODY, None, None, None),
    ("signalled", "cookieless", NOBODY, None, None, None),
    ("signalled", "opt-out", NOBODY, None, None, None),
    ("signalled", "off", ALL, NEW, HELD, HELD),
    ("granted", "session", ALL, NEW, HELD, HELD),
    ("granted", "opt-in", ALL, NEW, HELD, HELD),
    ("granted", "cookieless", ALL, NEW, HELD, HELD),
    ("granted", "opt-out", ALL, NEW, HELD, HELD),
    ("granted", "off", ALL, NEW, HELD, HELD),
    ("denied", "session", NOBODY, None, None, None),
    ("denied", "opt-in", NOBODY, None, None, None),
    ("denied", "cookieless", NOBODY, None, None, None),
    ("denied", "opt-out", NOBODY, None, None, None),
    ("denied", "off", NOBODY, None, None, None),
]
VISITORS = ("new", "of this session", "kept")
OUTCOMES = {
    (state, mode, visitor): (who, known_by)
    for state, mode, who, *ids in TABLE
    for visitor, known_by in zip(VISITORS, ids, strict=True)
}
STATES = {
    # what the browser sends of it: a header, a cookie
    "unknown": ({}, None),
    "signalled": ({"Sec-GPC": "1"}, None),
    "granted": ({}, "cookie_status=1"),
    "denied": ({}, "cookie_status=0"),
}
STATUS = {
    "granted": "cookie_status=1; Path=/; Max-Age=15552000; Secure; SameSite=Lax",
    "denied": "cookie_status=0; Path=/; Max-Age=15552000; Secure; SameSite=Lax",
}
ACTED = "cookie_action=; Path=/; Max-Age=0; Secure; SameSite=Lax"
FOR_SESSION = "vn=*; Path=/; Secure; HttpOnly; SameSite=Lax"
KEPT = "vn=*; Path=/; Max-Age=*; Secure; HttpOnly; SameSite=Lax"
GONE = "vn=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
ACTIONS = {None: None, "accept": "granted", "refuse": "denied", "withdraw": "denied"}


class OneSalt:
    """A store that has the same salt for each day, so that ids can be written down."""

    def salt(self, day):
        return b"salt" * 8

    def known(self, day):
        return self.salt(day)


def id_of_the_day():
    """privacy.md, section 3.4: each field behind its length in four bytes."""
    message = b"st1"
    for field in (b"", AGENT.encode(), ADDRESS.encode()):
        message += struct.pack(">I", len(field)) + field
    digest = hmac.digest(OneSalt().salt(0), message, "sha256")
    return "{}.{}".format(*struct.unpack(">II", digest[:8]))


def held_cookie(visitor, now):
    """Write the cookie of who came ten minutes ago for the third time, if one did."""
    granted = {"new": None, "of this session": 0, "kept": now - 24 * HOUR}[visitor]
    if granted is None:
        return None
    identity = Identity(CLIENT, now - 600, 3, now - 120, granted)
    return f"vn={CookieSigner((KEY,), 'visitor').sign(identity.cookie)}"


def site(environ, start_response):
    current().identify("u-7")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [b"<title>A page</title>"]


@cache
def settings_of(**options):
    return Settings(secret_key=KEY, strict=True, cookieless_salt=OneSalt(), **options)


def watering(environ, start_response):
    """Answer a form: no page view, but an event."""
    current().event("Plant", "Water", "fern", 2)
    return site(environ, start_response)


def visited(
    browser,
    visitor,
    state,
    action=None,
    also=None,
    *,
    peer=PEER,
    app=site,
    method="GET",
    **options,
):
    """Open a page; return when, the calls of each system, and the cookies set."""
    more, status = STATES[state]
    sender = RecordingSender()
    tracker = Tracker(*SYSTEMS, sender=sender, settings=settings_of(**options))
    now = int(time.time())
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/fern",
        "QUERY_STRING": "utm_source=mail&gclid=abc123&q=secret",
        "HTTP_HOST": "example.com",
        "HTTP_REFERER": f"{REFERRER}?q=ferns",
        "REMOTE_ADDR": peer,
        "wsgi.url_scheme": "https",
    }
    said = f"cookie_action={action}" if action else None
    cookies = filter(None, (status, said, held_cookie(visitor, now), also))
    for name, value in {**browser, **more, "Cookie": "; ".join(cookies)}.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    heads = []
    body = TrackingMiddleware(app, tracker)(environ, lambda *head: heads.append(head))
    assert b"".join(body) == b"<title>A page</title>"
    if int(time.time()) // HOUR != now // HOUR:  # a visit of the day has another name
        more = {"peer": peer, "app": app, "method": method, **options}
        return visited(browser, visitor, state, action, also, **more)
    fixed = {"id": HIT, "time": MADE}
    if method == "GET":
        fixed["server_ms"] = 12.4
    hits = [msgspec.structs.replace(hit, **fixed) for hit in sender.hits]
    calls = {
        type(system): [call for call, _ in packed(system, entries, MADE + 2).loads]
        for system in SYSTEMS
        for entries in [[(hit, 0, 0.0) for hit in hits]]
    }
    cookies = [value for name, value in heads[0][1] if name == "Set-Cookie"]
    return now, {kind: made for kind, made in calls.items() if made}, cookies


def id_set(cookies):
    """Read client id and start of the visit from the id cookie that was set."""
    [cookie] = [cookie for cookie in cookies if cookie.startswith("vn=1.")]
    _, chance, first, start, *_ = cookie.split(".")
    return f"{chance}.{first}", int(start)


def masked(cookie, now):
    """Put a star for the value of an id, and say until when it is kept."""
    if not cookie.startswith("vn=1."):
        return cookie
    cookie = f"vn=*;{cookie.partition(';')[2]}"
    if "Max-Age=" not in cookie:
        return cookie
    age = int(cookie.partition("Max-Age=")[2].partition(";")[0])
    # From the grant, which was yesterday or is now: never renewed.
    granted = [now - 24 * HOUR, now]
    until = [moment + 395 * 24 * HOUR for moment in granted]
    assert any(now + age <= moment <= time.time() + age for moment in until)
    return cookie.replace(f"Max-Age={age}", "Max-Age=*")


def told_of(known_by, now, cookies):
    if known_by == DAILY:
        start = now // HOUR * HOUR
        return Told(id_of_the_day(), start, user=None, click=None)
    client, start = id_set(cookies)
    if known_by == HELD:
        assert (client, start) == (CLIENT, now - 600)
        # Two minutes since the page before, of which one counts.
        return Told(CLIENT, start, number=3, attention=60_000)
    assert client not in (CLIENT, id_of_the_day())
    assert now <= start <= time.time()
    return Told(client, start)


def heard(call):
    """Read a call: URL, query, headers and body."""
    assert call.method == "POST"
    assert call.hits == (HIT,)
    url = urlsplit(call.url)
    pairs = parse_qsl(url.query, strict_parsing=True) if url.query else []
    headers = {name.lower(): value for name, value in call.headers.items()}
    body = call.body.decode()
    if headers["content-type"].startswith("application/json"):
        decoded = json.loads(body)
    else:
        fields = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        decoded = dict(fields)
        assert len(decoded) == len(fields)
    for event in decoded.get("batch", ()):
        properties = event["properties"]
        session = UUID(properties["$session_id"])
        assert session.version == 7
        properties["$session_id"] = f"a UUIDv7 of {(session.int >> 80) // 1000}"
    return url._replace(query="").geturl(), dict(pairs), headers, decoded


def check_told(calls, who, told):
    assert calls.keys() == who.keys()
    for kind, says in who.items():
        [call] = calls[kind]
        assert heard(call) == says(told)


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("visitor", VISITORS)
def test_each_system_is_told_what_the_visitor_allows(
    mode, state, action, visitor, browser
):
    who, known_by = OUTCOMES[ACTIONS[action] or state, mode, visitor]

    now, calls, cookies = visited(browser, visitor, state, action, consent_mode=mode)

    check_told(calls, who, told_of(known_by, now, cookies) if who else None)
    then = ACTIONS[action] or state
    known = known_by in (NEW, HELD)
    lasting = KEPT if then == "granted" or mode in ("opt-out", "off") else FOR_SESSION
    assert [masked(cookie, now) for cookie in cookies] == [
        *([STATUS[then]] if action and then != state else []),
        *([ACTED] if action else []),
        *([lasting] if known else []),
        *([GONE] if not known and visitor != "new" else []),
    ]


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_of_the_sites_own_people_nobody_is_told(mode, state, action, browser):
    own = CookieSigner((KEY,), "own").sign(str(int(time.time())))
    also = f"its_me={own}"

    _, *got = visited(browser, "kept", state, action, also, consent_mode=mode)

    assert got == [{}, []]


GRANT = Consent(analytics=True)
PLATFORM = [
    # what a consent platform says, who is told, whether Google may use it for ads
    (Consent(False), NOBODY, {}),
    (GRANT, ALL, {}),
    (Consent(True, True, False), ALL, {"ad_user_data": True}),
    (Consent(True, False, True), ALL, {"ad_personalization": True}),
    (
        Consent(True, True, True),
        ALL,
        {"ad_user_data": True, "ad_personalization": True},
    ),
    (Consent(True, True, True, False), OWN, {"user": None, "click": None}),
]


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize(("says", "who", "more"), PLATFORM)
def test_what_a_platform_says_is_told_to_each_system(mode, says, who, more, browser):
    now, calls, cookies = visited(
        browser,
        "kept",
        "unknown",
        consent_mode=mode,
        consent_resolver=lambda _: says,
    )

    told = told_of(HELD, now, cookies)._replace(**more) if who else None
    check_told(calls, who, told)


UNASKED = [
    # mode, state, who is told where systems that reuse data wait for acceptance
    ("session", "unknown", OWN),
    ("opt-out", "unknown", OWN),
    ("off", "unknown", OWN),
    ("off", "signalled", OWN),
    *((mode, "granted", ALL) for mode in CONSENT_MODES),
]


@pytest.mark.parametrize(("mode", "state", "who"), UNASKED)
def test_systems_that_reuse_data_may_have_to_wait(mode, state, who, browser):
    now, calls, cookies = visited(
        browser,
        "of this session",
        state,
        consent_mode=mode,
        reuse_needs_consent=True,
    )

    told = told_of(HELD, now, cookies)
    # Who waits for acceptance is nobody's user, and came by no advertisement.
    anonymous = told._replace(user=None, click=None)
    check_told(calls, who, told if who is ALL else anonymous)


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("signal", ["Sec-GPC", "DNT"])
def test_a_grant_beats_the_signal_of_the_browser(mode, signal, browser):
    browser[signal] = "1"

    now, calls, cookies = visited(browser, "kept", "granted", consent_mode=mode)

    check_told(calls, ALL, told_of(HELD, now, cookies))


ADDRESSES = [
    # anonymize_ip, the peer, what is told, who is told
    (True, "203.0.113.77", "203.0.113.0", ALL),
    (True, "2001:db8:1:2::77", "2001:db8:1::", ALL),
    ("strict", "203.0.113.77", "203.0.0.0", ALL),
    ("strict", "2001:db8:1:2::77", "2001:db8::", ALL),
    # Without a visitor's address Plausible would count the server's, or nobody.
    ("omit", "203.0.113.77", None, ALL.keys() - {Plausible}),
]


@pytest.mark.parametrize(("level", "peer", "address", "who"), ADDRESSES)
def test_each_system_is_told_the_address_that_the_site_permits(
    level, peer, address, who, browser
):
    now, calls, cookies = visited(
        browser, "new", "granted", peer=peer, anonymize_ip=level
    )

    told = told_of(NEW, now, cookies)._replace(address=address)
    check_told(calls, {kind: ALL[kind] for kind in who}, told)


# An event of a request that shows no page, by the pages of docs/systems

# Words that only pages have, and their titles: nobody reads that of another answer.
OF_PAGES = {"language", "server_ms", "action_name", "pv_id", "pf_srv", "query"}
OF_PAGES |= {"page_title", "title", "dt"}


def event_instead(kind, said):
    """Say the event in place of the page view; all else stays as it is."""
    url, query, headers, body = said
    did = {"category": "Plant", "action": "Water", "label": "fern", "value": 2}
    named = "Plant: Water"

    def changed(page, **words):
        kept = {name: page[name] for name in page if name not in OF_PAGES}
        return {**kept, **words}

    if kind is GoogleAnalytics4:
        [page] = body["events"]
        params = changed(page["params"], engagement_time_msec=1, value=2)
        params |= {f"event_{name}": did[name] for name in did if name != "value"}
        event = changed(page, name="plant_water", params=params)
        return url, query, headers, {**body, "events": [event]}
    if kind is UniversalAnalytics:
        words = {"t": "event", "ec": "Plant", "ea": "Water", "el": "fern", "ev": "2"}
        return url, query, headers, changed(body, **words)
    if kind is Matomo:
        words = {"e_c": "Plant", "e_a": "Water", "e_n": "fern", "e_v": "2", "ca": "1"}
        requests = [changed(page, **words) for page in body["requests"]]
        return url, query, headers, {**body, "requests": requests}
    if kind is Plausible:
        props = {**did, "value": "2"}
        return url, query, headers, changed(body, name=named, props=props)
    if kind is Umami:
        # Languages are told of events too.
        payload = {**changed(body["payload"], name=named, data=did), "language": "de"}
        return url, query, headers, {**body, "payload": payload}
    if kind is PostHog:
        [page] = body["batch"]
        event = changed(
            page, event=named, properties=changed(page["properties"], **did)
        )
        return url, query, headers, {**body, "batch": [event]}
    hits = [changed(page, path=named, event=True) for page in body["hits"]]
    return url, query, headers, {**body, "hits": hits}


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("visitor", VISITORS)
def test_an_event_is_told_to_whom_a_page_would_be(mode, state, visitor, browser):
    who, known_by = OUTCOMES[state, mode, visitor]

    now, calls, cookies = visited(
        browser, visitor, state, app=watering, method="POST", consent_mode=mode
    )

    assert calls.keys() == who.keys()
    told = told_of(known_by, now, cookies) if who else None
    for kind, says in who.items():
        [call] = calls[kind]
        assert heard(call) == event_instead(kind, says(told))
