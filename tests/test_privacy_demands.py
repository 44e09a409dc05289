"""What the privacy research asks for to the letter, and no nearer test shows.

`test_privacy_catalogue.py` says which of T1 to T67 each is for.
"""

import base64
import logging
import pickle
import socket
import stat
import subprocess
import sys
import traceback

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import (
    ConfigurationError,
    Request,
    Settings,
    Tracker,
    asgi,
    current,
    wsgi,
)
from server_tracking.calls import Call
from server_tracking.cookieless import DailyIds
from server_tracking.cookies import CookieSigner
from server_tracking.errors import TransportError
from server_tracking.extractor import Extractor
from server_tracking.hits import Consent
from server_tracking.platforms import TcfConsent, tcf, tcf_consent_from
from server_tracking.salts import FileSalt, MemorySalt
from server_tracking.senders.transports import transport_from
from server_tracking.systems import Matomo, discovered_systems, system_from_url
from server_tracking.testing import RecordingSender
from server_tracking.visitors import Identity, SessionRules, session_at

KEY = "a secret key for tests"
NOW = 1_790_000_000
DAY = 24 * 3600
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = b"<title>Shop</title>"
HTML = ("Content-Type", "text/html")


def by_wsgi(tracker, headers, answer=(), status=200, address="203.0.113.77"):
    """Serve a page; return the headers of its answer."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "REMOTE_ADDR": address,
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        **{f"HTTP_{n.upper().replace('-', '_')}": v for n, v in headers},
    }
    heads = []

    def page(environ, start_response):
        start_response(f"{status} Said", [HTML, *answer])
        return [PAGE]

    body = wsgi.TrackingMiddleware(page, tracker)(
        environ, lambda *head: heads.append(head)
    )
    assert b"".join(body) == PAGE
    return heads[0][1]


def by_asgi(tracker, headers, answer=(), status=200, address="203.0.113.77"):
    raw = [(n.lower().encode(), v.encode("latin-1", "replace")) for n, v in headers]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    scope |= {"headers": raw, "scheme": "https", "client": (address, 4711)}
    scope |= {"server": ("example.com", 443), "asgi": {"version": "3.0"}}
    sent = []

    async def page(scope, receive, send):
        head = [(n.lower().encode(), v.encode()) for n, v in [HTML, *answer]]
        await send({"type": "http.response.start", "status": status, "headers": head})
        # In two pieces: a streamed answer.
        for piece, more in ((PAGE[:7], True), (PAGE[7:], False)):
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def send(message):
        sent.append(message)

    anyio.run(asgi.TrackingMiddleware(page, tracker), scope, None, send)
    assert b"".join(message.get("body", b"") for message in sent) == PAGE
    return [(n.decode().title(), v.decode()) for n, v in sent[0]["headers"]]


SHELLS = pytest.mark.parametrize("serve", [by_wsgi, by_asgi], ids=["wsgi", "asgi"])


# T1 and T2: salts that processes share

ONE_VISITOR = """
import sys
from server_tracking.cookieless import DailyIds
from server_tracking.salts import FileSalt
from server_tracking.visitors import SessionRules

ids = DailyIds(FileSalt(sys.argv[1]), "example.com")
identity, session = ids.visit("Firefox", "203.0.113.0", 1_790_000_000, SessionRules())
print(identity.client_id, session.id)
"""
RACE = """
import sys
from multiprocessing import get_context
from server_tracking.salts import FileSalt

def race(barrier, queue):
    barrier.wait()
    queue.put(FileSalt(sys.argv[1]).salt(7))

forks = get_context("fork")
barrier, queue = forks.Barrier(32), forks.SimpleQueue()
racers = [forks.Process(target=race, args=(barrier, queue)) for _ in range(32)]
for racer in racers:
    racer.start()
salts = {queue.get() for _ in racers}
for racer in racers:
    racer.join()
print(len(racers), *(salt.hex() for salt in salts))
"""


def printed(program, directory):
    done = subprocess.run(
        [sys.executable, "-c", program, str(directory)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()


def test_two_processes_with_one_directory_call_a_visitor_the_same(tmp_path):
    assert printed(ONE_VISITOR, tmp_path) == printed(ONE_VISITOR, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_32_processes_that_race_make_one_file_and_leave_no_other(tmp_path):
    salts = tmp_path / "salts"

    count, *made = printed(RACE, salts)

    [file] = salts.iterdir()
    assert (count, made) == ("32", [file.read_bytes().hex()])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


# T3: an id of a day before yesterday can be made by nobody any more


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_nothing_that_is_kept_makes_an_old_id_again(kind, tmp_path):
    store = FileSalt(tmp_path) if kind == "file" else MemorySalt()
    ids = DailyIds(store, "example.com")
    begin = NOW // DAY * DAY + 3600
    visit = ("Firefox", "203.0.113.0")
    first, _ = ids.visit(*visit, begin, SessionRules())
    salt = store.salt(begin // DAY)
    for later in (DAY, 2 * DAY):
        ids.visit(*visit, begin + later, SessionRules())

    assert store.known(begin // DAY) is None
    assert salt not in pickle.dumps(vars(store))
    assert not any(salt in path.read_bytes() for path in tmp_path.iterdir())
    again, _ = ids.visit(*visit, begin, SessionRules())
    assert again.client_id != first.client_id


# T8: neither salt nor address is told, logged or shown


def forms_of(secret):
    return {
        secret.hex(),
        repr(secret)[2:-1],
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
    }


@SHELLS
def test_a_daily_id_gives_neither_salt_nor_address_away(serve, browser, caplog):
    caplog.set_level(logging.DEBUG)
    store, sender = MemorySalt(), RecordingSender()
    systems = [kind.example() for kind in discovered_systems().values()]
    options = {"consent_mode": "cookieless", "cookieless_salt": store, "strict": True}
    tracker = Tracker(*systems, sender=sender, secret_key=KEY, **options)
    headers = [("Host", "example.com"), *browser.items()]
    serve(tracker, headers)
    tracker.flush()

    [hit] = sender.hits
    said = [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    said += [f"{call.url} {dict(call.headers)} {call.body!r}" for call in sender.calls]
    said += map(repr, (tracker, tracker.settings, tracker.extractor, store, hit))
    [salt] = vars(store)["_salts"].values()
    assert len(sender.calls) == 5  # those that reuse data are told nothing
    for secret in ("203.0.113.77", *forms_of(salt)):
        assert not any(secret in text for text in said)


# T9: one warning of a derived salt, however many visitors come


def test_a_derived_salt_is_warned_of_once(browser, caplog):
    tracker = Tracker(
        sender=RecordingSender(), secret_key=KEY, consent_mode="cookieless"
    )
    for _ in range(3):
        by_wsgi(tracker, [("Host", "example.com"), *browser.items()])

    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert ["recompute" in record.getMessage() for record in warnings] == [True]


# T16: a grant counts as long as is configured, a refusal too


class Jar:
    """A browser's cookies, which it forgets when their time has come."""

    def __init__(self):
        self.cookies = {}

    def header(self, now):
        return "; ".join(
            f"{name}={value}"
            for name, (value, until) in self.cookies.items()
            if until is None or now < until
        )

    def take(self, headers, now):
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            age = header.partition("Max-Age=")[2].partition(";")[0]
            self.cookies[name] = (value, now + int(age) if age else None)


DECISIONS = [
    # mode, action, what is known within the time, and after it
    ("opt-in", "accept", "granted", "unknown"),
    ("opt-in", "refuse", "denied", "unknown"),
    ("session", "accept", "granted", "unknown"),
    ("session", "withdraw", "denied", "unknown"),
]


@pytest.mark.parametrize(("mode", "action", "within", "after"), DECISIONS)
def test_a_decision_is_forgotten_when_its_time_has_passed(mode, action, within, after):
    settings = Settings(secret_key=KEY, consent_mode=mode, consent_max_age=7 * DAY)
    extractor, jar, seen = Extractor(settings), Jar(), {}
    jar.cookies["cookie_action"] = (action, None)
    for day in (0, 6, 8):
        now = NOW + day * DAY
        headers = {"user-agent": AGENT, "cookie": jar.header(now)}
        request = Request(host="example.com", headers=headers)
        recognition = extractor.recognize(request, now)
        jar.take(extractor.cookies(request, recognition, now), now)
        seen[day] = recognition

    assert [seen[day].decision.state for day in seen] == [within, within, after]
    ids = {r.identity.client_id for r in seen.values() if r.identity is not None}
    if action == "accept":
        # The id that the grant had kept has gone with it.
        assert seen[0].identity.client_id == seen[6].identity.client_id
        assert len(ids) == (2 if mode == "session" else 1)


# T18: the example of the specification, by which all decoders are tried

TC_CORE = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"
TC_VENDORS = (
    "IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAg"
    "AAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"
)
TC_SAID = TcfConsent(2, 2, frozenset({1, 2, 3}), frozenset({2, 6, 8}))


def test_the_example_of_the_specification_says_what_it_says_there():
    assert tcf_consent_from(f"{TC_CORE}.{TC_VENDORS}") == TC_SAID
    assert tcf_consent_from(TC_CORE) == TC_SAID


@pytest.mark.parametrize("length", range(40))
def test_no_beginning_of_it_without_its_consents_says_anything(length):
    """Behind bit 240 stand legitimate interests, which nobody here asks for."""
    assert tcf_consent_from(TC_CORE[:length]) is None


@pytest.mark.parametrize(
    ("policy", "purposes", "vendor", "says"),
    [
        ("C", (1, 2), None, None),  # 2, whose strings count no longer
        ("E", (1, 2), None, Consent(analytics=True)),  # 4, that of TCF 2.2
        ("E", (1, 2), 6, Consent(analytics=True)),
        ("E", (1, 2), 7, Consent(analytics=False)),
        ("E", (1, 8), None, Consent(analytics=False)),
    ],
)
def test_it_decides_under_a_policy_that_counts(policy, purposes, vendor, says):
    text = f"{TC_CORE[:22]}{policy}{TC_CORE[23:]}"  # bits 132 to 137
    resolve = tcf(purposes=purposes, vendor=vendor)
    headers = {"cookie": f"euconsent-v2={text}.{TC_VENDORS}"}

    assert resolve(Request(headers=headers)) == says


# T24 and T58: what is hostile in any place ends no header

HOSTILE = [
    "Mozilla/5.0 (X11) Gecko/1 Firefox/1\r\nX-Evil: 1",
    "a\x00b\x1b[31m\x7f",
    "de\r\n\r\n<script>",
]


@SHELLS
@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_becomes_a_header(serve, hostile):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, strict=True, ignore_bots=False)
    navigation = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    names = ["Host", "User-Agent", "Accept-Language", "Referer", "Cookie"]
    names += ["X-Forwarded-For", "Forwarded", "X-Real-Ip"]
    planted = [*navigation, *((name, hostile) for name in names)]
    trusting = Tracker(
        sender=sender, secret_key=KEY, strict=True, ignore_bots=False, trusted_hops=1
    )
    for one in (tracker, trusting):
        for address in (f"2001:db8::%{hostile}", hostile, "203.0.113.77"):
            for _, value in serve(one, planted, address=address):
                assert value.isprintable()

    assert len(sender.hits) == 6
    systems = [kind.example() for kind in discovered_systems().values()]
    # Without a token, Matomo reads the address in a header of the call.
    for system in (*systems, Matomo("https://stats.example.com/", 1)):
        for call in system.encode(sender.hits, NOW):
            for text in (call.url, *call.headers, *call.headers.values()):
                assert text.isprintable()


# T47 and T52: whose cookie names a visitor

IDENTITY = Identity("7.1780000000", NOW - 3600, 1, NOW - 60, NOW - 3600)


def signed(identity=IDENTITY, purpose="visitor", site="", key=KEY):
    return CookieSigner([key], purpose, site).sign(identity.cookie)


def changed(**fields):
    given = {name: getattr(IDENTITY, name) for name in IDENTITY.__struct_fields__}
    return signed(Identity(**{**given, **fields}))


GOOD = signed()
WORTHLESS = {
    "forged": f"{IDENTITY.cookie}.{'A' * 43}",
    "unsigned": IDENTITY.cookie,
    "of another key": signed(key="another secret key"),
    "of another site": signed(site="other"),
    "of another purpose": signed(purpose="own"),
    "cut at its end": GOOD[:-1],
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "changed by a digit": GOOD.replace("1.7.", "1.8.", 1),
    "kept for too long": changed(granted=NOW - 396 * DAY),
    "of the future": changed(last_seen=NOW + 3600),
    "of 64 kB": GOOD + "A" * 65_536,
    "of 64 kB in all": "A" * 65_536,
    "with a surrogate": GOOD[:-1] + "\ud800",
    "of other digits": GOOD.replace("7", "\u0667", 1),
    "empty": "",
}


@pytest.mark.parametrize("cookie", WORTHLESS.values(), ids=WORTHLESS)
def test_a_cookie_that_is_worth_nothing_makes_a_new_visitor(cookie):
    extractor = Extractor(Settings(secret_key=KEY))
    headers = {"user-agent": AGENT, "cookie": f"vn={cookie}; cookie_status=1"}
    request = Request(host="example.com", headers=headers)
    recognition = extractor.recognize(request, NOW)

    assert recognition.session.is_new
    assert recognition.session.number == 1
    assert recognition.identity.client_id != IDENTITY.client_id
    assert extractor.cookies(request, recognition, NOW)


def test_the_good_one_among_them_names_the_visitor():
    headers = {"user-agent": AGENT, "cookie": f"vn={GOOD}; cookie_status=1"}
    recognition = Extractor(Settings(secret_key=KEY)).recognize(
        Request(host="example.com", headers=headers), NOW
    )

    assert recognition.identity.client_id == IDENTITY.client_id
    assert not recognition.session.is_new


def test_cookies_on_two_lines_of_http_2_name_the_visitor(browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, strict=True)
    headers = [("Host", "example.com"), *browser.items()]
    [first] = [v for n, v in by_asgi(tracker, headers) if n == "Set-Cookie"]
    by_asgi(
        tracker,
        [*headers, ("Cookie", "a=1; b=2"), ("Cookie", first.partition(";")[0])],
    )

    one, other = (hit.context.visitor.client_id for hit in sender.hits)
    assert one == other


# T37 and T49: where no cookie goes

ANSWERS = [
    # status, Cache-Control, whether it counts, whether it carries a cookie
    (200, None, True, True),
    (200, "private, max-age=60", True, True),
    (200, "no-store", True, True),
    (200, "public", True, False),
    (200, "max-age=60", True, False),
    (200, "s-maxage=60", True, False),
    (304, None, True, False),
    (404, None, False, False),
    (500, None, False, False),
]


@SHELLS
@pytest.mark.parametrize(("status", "cache", "counts", "carries"), ANSWERS)
def test_an_answer_that_others_may_get_carries_no_id(
    serve, status, cache, counts, carries, browser
):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, strict=True)
    answer = [("Cache-Control", cache)] if cache else []

    headers = serve(
        tracker, [("Host", "example.com"), *browser.items()], answer, status
    )

    assert len(sender.hits) == counts
    assert ("Set-Cookie" in dict(headers)) is carries


# T55: what the browser remembers may be half a minute old

RULES = SessionRules()


@given(st.lists(st.integers(0, 40 * 60), min_size=1, max_size=10))
def test_a_gap_of_half_an_hour_ends_no_visit_and_a_longer_one_always_does(gaps):
    now = NOW
    identity, _, _ = session_at(None, now, RULES)
    for gap in gaps:
        now += gap
        seen, session, written = session_at(identity, now, RULES)
        identity = seen if written else identity  # the browser keeps what is written
        if gap <= RULES.idle:
            assert not session.is_new
        elif gap > RULES.idle + RULES.refresh:
            assert session.is_new


# T61: secrets are shown nowhere

SECRET = "c4n4ry-5ecret-0123456789abcdef"  # 30 characters
WITH_SECRETS = [
    f"ga4://{SECRET}@G-ABC123",
    f"matomo+https://{SECRET}@stats.example.com/?site_id=1",
    f"goatcounter+https://{SECRET}@example.goatcounter.com",
    f"posthog+https://phc_{SECRET}@eu.i.posthog.com",
]


def shown_of(thing):
    rich = getattr(thing, "__rich_repr__", list)()
    return f"{thing!r} {thing!s} {thing} {'%r %s' % (thing, thing)} {rich!r}"  # noqa: UP031


@pytest.mark.parametrize("url", WITH_SECRETS, ids=lambda url: url.partition("+")[0][:6])
def test_no_form_of_anything_shows_a_secret(url, browser, caplog):
    caplog.set_level(logging.DEBUG)
    sender = RecordingSender()
    system = system_from_url(url)
    tracker = Tracker(system, sender=sender, secret_key=f"key {SECRET}", strict=True)
    headers = [("Host", "example.com"), *browser.items()]
    by_wsgi(tracker, headers)
    tracker.flush()

    assert sender.calls
    request = Request(host="example.com", headers=dict(browser))
    things = [system, tracker, tracker.settings, tracker.extractor, sender]
    things += [tracker.stats(), tracker.explain(request), *sender.hits, *sender.calls]
    for thing in things:
        assert SECRET not in shown_of(thing)
    assert SECRET.encode() not in pickle.dumps(sender.hits)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("url", WITH_SECRETS, ids=lambda url: url.partition("+")[0][:6])
@pytest.mark.parametrize("wrong", ["{}&no_such_option=1", "{}?no_such_option=1", "x{}"])
def test_no_error_of_a_configuration_shows_a_secret(url, wrong):
    with pytest.raises(ConfigurationError) as caught:
        system_from_url(wrong.format(url))

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_error_of_a_call_shows_a_secret(caplog):
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    call = Call("POST", f"http://127.0.0.1:{port}/?secret={SECRET}", {}, b"x", ())
    transport = transport_from("requests", 10.0, 1)
    try:
        transport.start(call, "token")
        landings = []
        while not landings:
            landings = transport.wait(10.0)
    finally:
        transport.close()

    [(_, error)] = landings
    assert isinstance(error, TransportError)
    assert SECRET not in "".join(traceback.format_exception(error)) + caplog.text


def test_a_handler_finds_no_secret_where_it_looks(browser):
    found = []

    def page(environ, start_response):
        here = current()
        found.extend(map(shown_of, (here, here.context, here.tracker, here.request)))
        start_response("200 OK", [HTML])
        return [PAGE]

    tracker = Tracker(sender=RecordingSender(), secret_key=f"key {SECRET}", strict=True)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "example.com"}
    b"".join(wsgi.TrackingMiddleware(page, tracker)(environ, lambda *_: None))

    assert len(found) == 4
    assert not any(SECRET in text for text in found)


# T66: whatever fails, in either shell


class Failing:
    """A function of the site's, and a store of salts."""

    def __call__(self, *_):
        raise LookupError("it is away")

    salt = known = __call__


FAILURES = [
    {"bot_detector": Failing()},
    {"pageview_exclude_when": Failing()},
    {"consent_resolver": Failing()},
    {"consent_mode": "cookieless", "cookieless_salt": Failing()},
    {"scrub": (Failing(),)},
]


@SHELLS
@pytest.mark.parametrize("options", FAILURES, ids=lambda options: list(options)[-1])
def test_an_answer_stays_as_it_is_whatever_fails(serve, options, browser):
    tracker = Tracker(sender=RecordingSender(), secret_key=KEY, **options)
    answer = [("X-Theirs", "1"), ("Set-Cookie", "theirs=1")]

    headers = serve(tracker, [("Host", "example.com"), *browser.items()], answer)

    # The page itself is compared by whoever serves it.
    assert headers[:3] == [HTML, *answer]
    assert tracker.stats().errors >= 1
