"""The check of an installation, without a command line and without a network."""

import json
import socket
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec
import pytest

from server_tracking.calls import Call, Limits, Outcome, Problem, Verdict
from server_tracking.checking.asking import asked, kinds_of, sent, validated
from server_tracking.checking.findings import (
    Delivery,
    Fact,
    KindFinding,
    Report,
    SystemFinding,
    Validation,
    secrets_of,
    without,
)
from server_tracking.checking.inquiry import Inquiry, report_of
from server_tracking.checking.installation import (
    Installation,
    facts_of,
    installation_from,
)
from server_tracking.checking.report import as_json, as_text, error_as_json
from server_tracking.consent import CONSENT_MODES
from server_tracking.errors import ConfigurationError, TransportError
from server_tracking.hits import Event, PageView
from server_tracking.inspector.protocols import Received, discovered_protocols
from server_tracking.senders.transports import Answer
from server_tracking.settings import Settings
from server_tracking.systems import (
    GoogleAnalytics4,
    Plausible,
    UniversalAnalytics,
    discovered_systems,
)

NOW = 1_790_000_100.0
PAGE = "https://www.example.com/check"
CANARY = "CanarySecret4711"
PLAUSIBLE = "plausible+https://plausible.io/?domain=example.com"


class Deaf(msgspec.Struct, frozen=True):
    """A system that hears of page views only, and gives back what it is told to."""

    token: str = CANARY
    reason: str = ""

    name: ClassVar[str] = "deaf"
    scheme: ClassVar[str] = "deaf"
    limits: ClassVar[Limits] = Limits()
    live_view: ClassVar[str] = "nowhere at all"

    def encode(self, hits, now):
        for hit in hits:
            if isinstance(hit, PageView):
                url = "https://deaf.example/?token=" + self.token
                yield Call("GET", url, {}, b"", (hit.id,))

    def outcome(self, call, status, headers, body):
        return Outcome(Verdict.REJECTED, self.reason)

    def problems(self, hit):
        if isinstance(hit, Event):
            yield Problem("event", f"is lost on {self.token}", fatal=True)

    @classmethod
    def example(cls):
        return cls()

    @classmethod
    def from_url(cls, url):
        return cls()


class Listener(Deaf, frozen=True):
    """A system that can be told of everything, and always says the same of it."""

    name: ClassVar[str] = "listener"

    def encode(self, hits, now):
        for hit in hits:
            yield Call("GET", "https://listener.example/", {}, b"", (hit.id,))

    def outcome(self, call, status, headers, body):
        return Outcome(Verdict.DROPPED, "bot", exceptions={})

    def problems(self, hit):
        return ()


class Collector:
    """The receiving side of every system, asked without a network."""

    def __init__(self, answer=None):
        self.fixed = answer
        self.calls = []

    def answer(self, call):
        self.calls.append(call)
        if self.fixed is not None:
            return self.fixed
        parts = urlsplit(call.url)
        headers = {name.lower(): value for name, value in call.headers.items()}
        received = Received(
            call.method, parts.path, parts.query, headers, call.body, time=NOW
        )
        protocol = discovered_protocols()[parts.path]
        given = protocol.answer(received, protocol.decode(received))
        return Answer(given.status, dict(given.headers), given.body)


# The configuration


def test_without_urls_the_environment_is_read():
    environ = {
        "SERVER_TRACKING_SYSTEMS": f"{PLAUSIBLE} ua://UA-1-1",
        "SERVER_TRACKING_SECRET_KEY": CANARY,
        "SERVER_TRACKING_CONSENT_MODE": "opt-in",
        "PATH": "/bin",
    }

    installation = installation_from([], environ)

    assert [one.name for one in installation.systems] == [
        "plausible",
        "universal_analytics",
    ]
    assert installation.settings.secret_keys == (CANARY,)
    assert installation.settings.consent_mode == "opt-in"


def test_with_urls_the_environment_does_not_count():
    environ = {"SERVER_TRACKING_SYSTEMS": "x://y", "SERVER_TRACKING_NONSENSE": "1"}

    installation = installation_from([PLAUSIBLE], environ)

    assert installation.systems == (Plausible("example.com"),)
    assert installation.settings is None


@pytest.mark.parametrize(
    ("urls", "environ", "option", "said"),
    [
        ([], {}, "systems", "No analytics system is configured: set SERVER_TRACKING_"),
        ([], {"SERVER_TRACKING_SYSTEMS": "  "}, "systems", "No analytics system"),
        ([PLAUSIBLE, PLAUSIBLE], {}, "systems", "given twice"),
        (["nosuch://x"], {}, "systems", "known are"),
        ([PLAUSIBLE, "nosuch://x"], {}, "systems", "System 2 of 2: "),
        (["ga4://[x"], {}, "systems", "its URL cannot be read."),
        (["ga4://secret-1@UA-1-1"], {}, "measurement_id", "'measurement_id': '...'"),
        (
            [],
            {"SERVER_TRACKING_SYSTEMS": PLAUSIBLE, "SERVER_TRACKING_COKIE_NAME": "x"},
            "cokie_name",
            "did you mean 'cookie_name'?",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_option(urls, environ, option, said):
    with pytest.raises(ConfigurationError) as caught:
        installation_from(urls, environ)

    assert caught.value.option == option
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"ga4://{CANARY}@UA-1-1",
        f"ga4://G-ABC1@{CANARY}",  # the two were taken for one another
        f"ga4://{CANARY}@G-ABC1:{CANARY}",
        f"ga4://[{CANARY}@G-ABC1",
        f"ga4://{CANARY}",
        f"ga4://G-ABC1?api_secret={CANARY}",
        f"ga4://{CANARY}@G-ABC1?endpoint=http://{CANARY}@x/",
        f"matomo+https://{CANARY}@host:{CANARY}/?site_id=1",
        f"matomo+https://me:{CANARY}@host/?site_id=0",
        f"matomo+https://host/?site_id=1&token={CANARY}",
        f"posthog+https://{CANARY}@eu.i.posthog.com:99999",
        f"posthog+https://phx_{CANARY}@eu.i.posthog.com?{CANARY}=1",
        f"goatcounter+https://{CANARY}%20x@code.goatcounter.com/?a=b",
        f"umami+https://{CANARY}@host/?website_id=x",
        f"ua://{CANARY}@UA-1-1?batch=2",
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_secret(url):
    with pytest.raises(ConfigurationError) as caught:
        installation_from([url], {})

    assert CANARY.lower() not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"secret_key": "12345678"}, Fact("secret_key", "set")),
        (
            {"secret_key": ("12345678", "abcdefgh")},
            Fact("secret_key", "2 keys are set"),
        ),
        (
            {},
            Fact(
                "secret_key",
                "none: visitors are new after each restart and to each worker process",
                warning=True,
            ),
        ),
        (
            {"consent_mode": "opt-in"},
            Fact(
                "consent_mode",
                "opt-in: nothing is sent of a visitor who has not agreed",
            ),
        ),
        (
            {},
            Fact(
                "trusted_proxies",
                "none: who connects is the visitor; behind a proxy, all seem to be one",
            ),
        ),
        (
            {"trusted_proxies": ("127.0.0.1", "10.0.0.0/8")},
            Fact(
                "trusted_proxies",
                "127.0.0.1, 10.0.0.0/8 may name the visitor by X-Forwarded-For",
            ),
        ),
        (
            {"trusted_hops": 2},
            Fact("trusted_hops", "2 proxies before the site, by X-Forwarded-For"),
        ),
        (
            {"anonymize_ip": False},
            Fact("anonymize_ip", "off: whole addresses are sent", warning=True),
        ),
    ],
)
def test_settings_become_facts(options, fact):
    assert fact in list(facts_of(Settings(**options)))


# The systems


@pytest.mark.parametrize("kind", discovered_systems().values(), ids=lambda k: k.name)
def test_each_system_is_told_of_every_kind_and_loses_none(kind):
    found = asked(kind.example(), NOW)

    assert len(found.kinds) == 9
    assert [one.kind for one in found.kinds if not one.told] == []
    assert not found.failed


def test_kinds_that_cannot_be_told_and_problems_are_found():
    found = {one.kind: one for one in kinds_of(Deaf(), NOW)}

    assert [kind for kind, one in found.items() if one.told] == ["pageview"]
    [problem] = found["event"].problems
    assert problem.fatal
    assert asked(Deaf(), NOW).failed


def test_what_is_only_noted_is_fine():
    note = KindFinding("event", True, (Problem("size", "is not sent"),))

    assert not SystemFinding("x", (note, KindFinding("timing", False))).failed


# Validators


@pytest.mark.parametrize(
    ("system", "path"),
    [
        (GoogleAnalytics4.example(), "/debug/mp/collect"),
        (UniversalAnalytics.example(), "/debug/collect"),
        (UniversalAnalytics("UA-1-1", batch=True), "/debug/collect"),
    ],
)
def test_a_validator_is_asked_about_every_kind(system, path):
    collector = Collector()

    found = validated(system, NOW, collector)

    assert asked(system, NOW).has_validator
    assert len(found) == 9
    assert all(one.problems == () and not one.failure for one in found)
    assert {urlsplit(call.url).path for call in collector.calls} == {path}


@pytest.mark.parametrize(
    "system",
    [
        Plausible("example.com"),
        UniversalAnalytics(
            "UA-1-1", endpoint="https://c.example/com.google.analytics/v1"
        ),
    ],
)
def test_a_system_without_validator_is_not_asked(system):
    collector = Collector()

    assert validated(system, NOW, collector) is None
    assert not asked(system, NOW).has_validator
    assert collector.calls == []


def test_what_googles_validator_says_is_read():
    body = json.dumps(
        {
            "validationMessages": [
                {
                    "fieldPath": "events",
                    "description": "Name is reserved.",
                    "validationCode": "NAME_RESERVED",
                }
            ]
        }
    ).encode()

    [first, *_] = validated(
        GoogleAnalytics4.example(), NOW, Collector(Answer(200, {}, body))
    )

    [problem] = first.problems
    assert problem.fatal
    assert "Name is reserved." in problem.message


def test_what_the_old_validator_says_is_read():
    message = {
        "messageType": "ERROR",
        "description": "A value is required for parameter 't'.",
        "messageCode": "VALUE_REQUIRED",
        "parameter": "t",
    }
    result = {"valid": False, "parserMessage": [message]}
    body = json.dumps({"hitParsingResult": [result]}).encode()

    [first, *_] = validated(
        UniversalAnalytics.example(), NOW, Collector(Answer(200, {}, body))
    )

    [problem] = first.problems
    assert problem.fatal
    assert problem.field == "t"
    assert problem.message.endswith("parameter 't'. (VALUE_REQUIRED)")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (TransportError("unreachable", processed=False), "unreachable"),
        (Answer(503, {}, b""), "it answered 503"),
    ],
)
def test_a_validator_that_cannot_be_asked_is_a_failure(answer, failure):
    found = validated(GoogleAnalytics4.example(), NOW, Collector(answer))

    assert {one.failure for one in found} == {failure}
    assert SystemFinding("x", (), True, found).failed


# A test event


@pytest.mark.parametrize("kind", discovered_systems().values(), ids=lambda k: k.name)
def test_a_test_event_is_taken_by_each_system(kind):
    collector = Collector()

    delivery = sent(kind.example(), NOW, collector, PAGE)

    assert delivery.verdict is Verdict.DELIVERED
    assert delivery.seen
    assert len(collector.calls) == 1


def test_each_test_event_has_a_name_of_its_own():
    events = [sent(Plausible("x.org"), NOW, Collector(), PAGE).event for _ in "ab"]

    assert events[0] != events[1]
    assert all(event.startswith("server-tracking check ") for event in events)


def test_a_test_event_happens_on_the_page_that_was_named():
    collector = Collector()
    delivery = sent(Plausible("x.org"), NOW, collector, PAGE)

    event = json.loads(collector.calls[0].body)

    assert event["url"] == PAGE
    assert event["name"] == delivery.event


def test_google_cannot_tell_a_wrong_secret_and_that_is_said():
    delivery = sent(GoogleAnalytics4("G-ABC1", "wrong"), NOW, Collector(), PAGE)

    assert delivery.verdict is Verdict.DELIVERED
    assert "secret" in delivery.caveat


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer(202, {"x-plausible-dropped": "1"}, b"ok"), Verdict.DROPPED, None),
        (Answer(401, {}, b""), Verdict.RETRY, "http_401"),
        (Answer(400, {}, b"{}"), Verdict.REJECTED, "http_400"),
        (Answer(502, {}, b""), Verdict.UNKNOWN, "http_502"),
        (TransportError("refused", processed=False), Verdict.RETRY, "refused"),
        (TransportError("timeout", processed=True), Verdict.UNKNOWN, "timeout"),
    ],
)
def test_what_the_answer_means_is_told(answer, verdict, reason):
    delivery = sent(Plausible("x.org"), NOW, Collector(answer), PAGE)

    assert delivery.verdict is verdict
    assert reason in (None, delivery.reason)
    assert SystemFinding("x", (), delivery=delivery).failed


def test_a_system_that_cannot_be_told_gets_no_test_event():
    collector = Collector()

    delivery = sent(Deaf(), NOW, collector, PAGE)

    assert delivery.verdict is Verdict.REJECTED
    assert collector.calls == []


def test_a_system_may_say_itself_where_it_shows_hits():
    delivery = sent(Listener(), NOW, Collector(Answer(200, {}, b"")), PAGE)

    assert (delivery.verdict, delivery.reason) == (Verdict.DROPPED, "bot")
    assert delivery.seen == "nowhere at all"


# The whole


def test_nothing_is_asked_of_the_network_unless_somebody_says_so(monkeypatch):
    def no_network(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    systems = tuple(kind.example() for kind in discovered_systems().values())

    report = report_of(Installation(systems, Settings(), ()), Inquiry(), NOW)

    assert report.fine
    assert [one.system for one in report.systems] == [one.name for one in systems]
    assert all(one.validations is None for one in report.systems)
    assert all(one.delivery is None for one in report.systems)


def test_a_secret_is_blotted_out_wherever_it_stands():
    report = report_of(Installation((Deaf(),), None, (CANARY,)), Inquiry(), NOW)

    for text in (as_text(report), as_json(report)):
        assert CANARY not in text
        assert "is lost on ..." in text


def test_blotting_spares_our_own_words():
    delivery = Delivery("server-tracking check 1", Verdict.DELIVERED, "delivered it")

    blotted = without(["delivered", "it"], delivery)

    assert blotted.verdict is Verdict.DELIVERED
    assert blotted.reason == "... it"  # "it" guards nothing


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("ga4://s%2Fcret@G-1", {"s%2Fcret", "s/cret"}),
        ("matomo+https://me:word@host/", {"me:word", "me", "word"}),
        ("umami+https://host/?website_id=1&api_key=key1", {"key1"}),
        ("plausible+https://plausible.io/?domain=example.com", set()),
        ("ga4://[x", {"ga4://[x"}),
    ],
)
def test_secrets_of_urls_are_known(url, secrets):
    assert set(secrets_of([url])) == secrets


# Reports

REPORT = Report(
    facts=(Fact("secret_key", "none", warning=True), Fact("consent_mode", "opt-in")),
    systems=(
        SystemFinding(
            "first",
            (
                KindFinding("pageview", True),
                KindFinding("event", True, (Problem("ec", "is cut", "guide"),)),
                KindFinding("timing", False),
            ),
            has_validator=True,
        ),
        SystemFinding(
            "second",
            (KindFinding("event", True, (Problem("", "is lost", fatal=True),)),),
            has_validator=True,
            validations=(
                Validation("pageview"),
                Validation("event", (Problem("events", "odd"),)),
                Validation("timing", failure="unreachable"),
            ),
            delivery=Delivery(
                "server-tracking check 12345678",
                Verdict.DELIVERED,
                seen="in the log",
                caveat="It says yes.",
            ),
        ),
    ),
)


def test_the_report_for_people():
    assert as_text(REPORT).splitlines() == [
        "Settings",
        "  warning    secret_key       none",
        "             consent_mode     opt-in",
        "",
        "first",
        "  valid      1 of 9 kinds     pageview",
        "  not told   1 of 9 kinds     timing",
        "  note       event            ec: is cut [guide]",
        "  not asked  its validator    --online asks it",
        "",
        "second",
        "  refused    event            is lost",
        "  note       its validator    event: events: odd",
        "  no answer  its validator    timing: unreachable",
        "  valid      its validator    found nothing wrong with 1 hits",
        "  delivered  test event       accepted",
        "             look for         an event with 12345678 in its name,",
        "                              in the log",
        "             mind             It says yes.",
        "",
        "Not fine: second.",
    ]


def test_an_event_that_was_not_taken_is_not_looked_for():
    delivery = Delivery("server-tracking check 1", Verdict.REJECTED, "http_400", "x")
    text = as_text(Report((), (SystemFinding("one", (), delivery=delivery),)))

    assert "rejected   test event       refused (http_400)" in text
    assert "look for" not in text


def test_a_report_without_settings_begins_with_the_systems():
    text = as_text(Report((), (SystemFinding("one", ()),)))

    assert text == "one\n\nFine: one."


def test_the_report_for_machines():
    told = json.loads(as_json(REPORT))

    assert told["fine"] is False
    assert [one["fine"] for one in told["systems"]] == [True, False]
    assert told["settings"][0] == {
        "option": "secret_key",
        "text": "none",
        "warning": True,
    }
    assert told["systems"][1]["delivery"]["verdict"] == "delivered"
    assert told["systems"][0]["validations"] is None


def test_an_error_for_machines():
    error = ConfigurationError("It is wrong.", option="systems")

    assert json.loads(error_as_json(error)) == {
        "fine": False,
        "error": {"option": "systems", "message": "It is wrong."},
    }


@pytest.mark.parametrize("mode", CONSENT_MODES)
def test_every_consent_mode_is_said_in_words(mode):
    settings = Settings(consent_mode=mode, secret_key="a secret key")

    [fact] = [fact for fact in facts_of(settings) if fact.option == "consent_mode"]
    assert len(fact.text.removeprefix(f"{mode}: ").split()) > 5
