"""Clients that others wrote are understood, and nothing false is said of them.

Each lets one client send what it can, over loopback, and names the complaints that
are true of it. GoatCounter has none that would not want a browser.
"""

import importlib
import os
import shutil
import subprocess
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
import requests

from server_tracking.demo.systems import demo_systems
from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.server import LocalServer
from server_tracking.inspector.store import HitStore
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import (
    GoogleAnalytics4,
    UniversalAnalytics,
    discovered_systems,
)
from server_tracking.testing import sample_hits

HERE = Path(__file__).parent
MODULES = Path(
    os.environ.get("NODE_MODULES_OF_CLIENTS") or HERE.parents[1] / "node_modules"
).resolve()
PAGE = "https://example.com/plants/f%C3%A4rn?x=1"
CAMPAIGN = "utm_source=newsletter&utm_medium=email&utm_campaign=spring"
MOZILLA = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"


class Inspector:
    """What came to an inspector that listens at *url*."""

    def __init__(self, url, store):
        self.url = url
        self.store = store

    @property
    def hits(self):
        return [stored.hit for stored in self.store.hits()]

    @property
    def told(self):
        return [(hit.kind, hit.name) for hit in self.hits]

    @property
    def refused(self):
        return [stored for stored in self.store.hits() if not stored.valid]

    @property
    def calls(self):
        """Methods, paths and answers, those of hits that came together once."""
        calls = [(one.method, one.path, one.status) for one in self.store.hits()]
        return sorted(set(calls))

    @property
    def complaints(self):
        """The hits complained of, by field."""
        found = defaultdict(list)
        for hit in self.hits:
            for problem in hit.problems:
                found[problem.field].append(hit.name or hit.path)
        return dict(found)


@pytest.fixture
def inspector():
    store = HitStore()
    with LocalServer(inspector_app(store)) as server:
        yield Inspector(server.url, store)


def not_here(what):
    """Skip; but where all is meant to be installed, fail."""
    message = f"{what} is not on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def imported(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        not_here(f"{name} (pip install --group clients)")


@pytest.fixture
def run_node(inspector):
    """Run the script of a package from npm, which tells the inspector its hits."""

    def run(script, package):
        node = shutil.which("node") or not_here("node")
        if not (MODULES / package / "package.json").exists():
            not_here(f"npm's {package}, in {MODULES},")
        ended = subprocess.run(
            [node, HERE / "clients" / script, inspector.url],
            env={**os.environ, "NODE_PATH": str(MODULES)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def said(hit):
    """What the hit says, by wire name."""
    return {parameter.name: parameter.value for parameter in hit.parameters}


def part(whole, *names):
    return {name: whole[name] for name in names}


# Google Analytics 4, by ga4mp


def ga4mp_at(inspector, make, *arguments):
    client = make("made-up-secret", *arguments)
    client._base_domain = f"{inspector.url}/mp/collect"
    client._validation_domain = f"{inspector.url}/debug/mp/collect"
    return client


@pytest.fixture
def gtag(inspector):
    """A ga4mp client that knows something of its visitor."""
    make = imported("ga4mp").GtagMP
    client = ga4mp_at(inspector, make, "G-EXAMPLE", "1234567890.1780000000")
    client.store.set_user_property("plan", "pro")
    client.store.set_user_property("user_id", "customer-7")
    return client


def ga4mp_event(client, name, **parameters):
    event = client.create_new_event(name)
    for key, value in parameters.items():
        event.set_event_param(key, value)
    return event


def complaints_of_ga4mp(inspector):
    # It measures the time since the event before, which is none if both are sent
    # together: true, but whether it comes to a millisecond is chance.
    return {
        field: hits
        for field, hits in inspector.complaints.items()
        if field != "engagement_time_msec"
    }


def test_ga4mp_sends_a_page_view_and_a_purchase_together(inspector, gtag):
    view = ga4mp_event(
        gtag,
        "page_view",
        page_location=f"{PAGE}&{CAMPAIGN}",
        page_title="Färn & Moos",
        page_referrer="https://www.example.org/links",
        language="en-gb",
    )
    purchase = ga4mp_event(
        gtag,
        "purchase",
        transaction_id="T-1001",
        value=47.9,
        currency="EUR",
        tax=7.65,
        shipping=4.9,
        coupon="SPRING",
        affiliation="Web shop",
    )
    item = purchase.create_new_item(item_id="FERN-1", item_name="Boston fern")
    item.set_parameter("price", 19.5)
    item.set_parameter("quantity", 2)
    purchase.add_item_to_event(item)

    gtag.send([view, purchase])

    seen, bought = inspector.hits
    assert inspector.told == [("pageview", "page_view"), ("purchase", "purchase")]
    assert inspector.calls == [("POST", "/mp/collect", 204)]
    assert (seen.url, seen.path) == (f"{PAGE}&{CAMPAIGN}", "/plants/färn")
    assert (seen.title, seen.language) == ("Färn & Moos", "en-gb")
    assert seen.referrer == "https://www.example.org/links"
    assert seen.campaign == "newsletter / email / spring"
    for hit in (seen, bought):
        assert (hit.client_id, hit.user_id) == ("1234567890.1780000000", "customer-7")
        assert hit.session_id == str(gtag.store.get_session_parameter("session_id"))
        assert said(hit)["user_properties.plan.value"] == "pro"
        assert "made-up-secret" not in repr(hit)
    order = ("transaction_id", "value", "currency", "tax", "shipping", "coupon")
    assert part(said(bought), *order, "items[0].item_id", "items[0].quantity") == {
        "transaction_id": "T-1001",
        "value": "47.9",
        "currency": "EUR",
        "tax": "7.65",
        "shipping": "4.9",
        "coupon": "SPRING",
        "items[0].item_id": "FERN-1",
        "items[0].quantity": "2",
    }
    assert complaints_of_ga4mp(inspector) == {}


def test_ga4mp_splits_what_is_more_than_a_request_takes(inspector, gtag):
    names = [f"event_{number}" for number in range(30)]

    gtag.send([ga4mp_event(gtag, name, step="1") for name in names])

    assert inspector.told == [("event", name) for name in names]
    assert len({stored.bytes for stored in inspector.store.hits()}) == 2  # 25 and 5
    assert complaints_of_ga4mp(inspector) == {}


def test_ga4mp_asks_whether_an_exception_is_valid(inspector, gtag):
    failed = ga4mp_event(gtag, "exception", description="LookupError", fatal=False)

    gtag.send([failed], validation_hit=True)

    [hit] = inspector.hits
    assert inspector.told == [("exception", "exception")]
    assert inspector.calls == [("POST", "/debug/mp/collect", 200)]
    assert part(said(hit), "description", "fatal") == {
        "description": "LookupError",
        "fatal": "false",
    }
    assert complaints_of_ga4mp(inspector) == {}


def test_ga4mp_dates_an_event_back(inspector, gtag):
    happened = datetime.now() - timedelta(hours=2)  # noqa: DTZ005 - as it wants it

    gtag.send([ga4mp_event(gtag, "search", search_term="fern")], date=happened)

    [hit] = inspector.hits
    assert (hit.kind, hit.name) == ("event", "search")
    assert hit.time == int(happened.timestamp())
    assert complaints_of_ga4mp(inspector) == {}


def test_ga4mp_sends_an_event_that_it_had_postponed(inspector, gtag):
    gtag.send([ga4mp_event(gtag, "login", method="password")], postpone=True)
    assert inspector.hits == []

    gtag.postponed_send()

    [hit] = inspector.hits
    assert (hit.kind, hit.name) == ("event", "login")
    assert said(hit)["method"] == "password"
    assert abs(hit.time - time.time()) < 60
    # It sends the event alone, where the reference has a list.
    assert complaints_of_ga4mp(inspector) == {"events": ["login"]}
    assert inspector.refused == []


def test_ga4mp_speaks_for_an_app(inspector):
    make = imported("ga4mp").FirebaseMP
    app = ga4mp_at(inspector, make, "1:123:android:abc", "0123456789abcdef" * 2)

    app.send([ga4mp_event(app, "screen_view", firebase_screen="Basket")])

    [hit] = inspector.hits
    assert (hit.kind, hit.name) == ("screenview", "screen_view")
    assert hit.client_id == "0123456789abcdef" * 2
    # Its list of events has this word, whose prefix the reference keeps for Google.
    assert complaints_of_ga4mp(inspector) == {"firebase_screen": ["screen_view"]}


# PostHog, by posthog and posthog-node


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_posthog_sends_batches(inspector, gzip):
    failures = []
    client = imported("posthog").Posthog(
        "phc_made_up",
        host=inspector.url,
        gzip=gzip,
        flush_at=3,
        max_retries=0,
        on_error=lambda error, _: failures.append(error),
    )
    earlier, key = datetime.now(UTC) - timedelta(minutes=5), str(uuid4())
    page = {
        "$current_url": f"{PAGE}&{CAMPAIGN}",
        "$pathname": "/plants/färn",
        "$referrer": "https://www.example.org/links",
        "$session_id": "0192f3a0-7b1c-7c3d-8e4f-5a6b7c8d9e0f",
        "$raw_user_agent": MOZILLA,
        "$ip": "203.0.113.0",
        "title": "Färn & Moos",
        "utm_source": "newsletter",
        "utm_medium": "email",
        "utm_campaign": "spring",
    }
    order = {"revenue": 47.9, "currency": "EUR"}
    client.capture("$pageview", distinct_id="visitor-1", properties=page)
    client.capture(
        "order", distinct_id="v", properties=order, timestamp=earlier, uuid=key
    )
    client.capture("of nobody known")
    client.set(distinct_id="visitor-1", properties={"name": "Ann"})
    client.set_once(distinct_id="visitor-1", properties={"first": "x"})
    client.alias("visitor-1", "customer-7")
    client.group_identify("company", "acme", {"size": 3})
    try:
        raise LookupError("no such fern")
    except LookupError as error:
        client.capture_exception(error, distinct_id="visitor-1")
    assert list(client.evaluate_flags("visitor-1").keys) == []
    client.shutdown()

    assert failures == []
    assert inspector.calls == [("POST", "/batch/", 200)]
    assert inspector.told == [
        ("pageview", "$pageview"),
        ("event", "order"),
        ("event", "of nobody known"),
        ("other", "$set"),
        ("other", "$set_once"),
        ("other", "$create_alias"),
        ("other", "$groupidentify"),
        ("exception", "$exception"),
    ]
    seen, bought, *_, failed = inspector.hits
    assert (seen.url, seen.path) == (f"{PAGE}&{CAMPAIGN}", "/plants/färn")
    assert (seen.title, seen.referrer) == ("Färn & Moos", page["$referrer"])
    assert (seen.client_id, seen.session_id) == ("visitor-1", page["$session_id"])
    assert (seen.user_agent, seen.address) == (MOZILLA, "203.0.113.0")
    assert seen.campaign == "newsletter / email / spring"
    assert part(said(bought), "revenue", "currency", "uuid") == {
        "revenue": "47.9",
        "currency": "EUR",
        "uuid": key,
    }
    assert bought.time == pytest.approx(earlier.timestamp(), abs=0.001)
    assert "no such fern" in said(failed)["$exception_list"]
    assert inspector.complaints == {}


def test_posthog_node_sends_a_batch(inspector, run_node):
    run_node("posthog_node.cjs", "posthog-node")

    assert inspector.calls == [("POST", "/batch/", 200)]
    assert inspector.told == [
        ("pageview", "$pageview"),
        ("event", "signed up"),
        ("event", "order"),
        ("other", "$identify"),
        ("other", "$create_alias"),
        ("other", "$groupidentify"),
        ("exception", "$exception"),
    ]
    seen, _, bought, *_, failed = inspector.hits
    assert (seen.url, seen.path, seen.title) == (PAGE, "/plants/färn", "Färn & Moos")
    assert (seen.client_id, seen.address) == ("visitor-1", "203.0.113.0")
    assert part(said(bought), "revenue", "uuid", "$groups") == {
        "revenue": "47.9",
        "uuid": "0192f3a0-7b1c-7c3d-8e4f-5a6b7c8d9e0f",
        "$groups": '{"company":"acme"}',
    }
    assert 60 <= seen.time - bought.time < 120
    assert "too far" in said(failed)["$exception_list"]
    assert inspector.complaints == {}


# Universal Analytics, by universal-analytics


def test_universal_analytics_sends_single_hits_and_batches(inspector, run_node):
    run_node("universal_analytics.cjs", "universal-analytics")

    assert inspector.calls == [("POST", "/batch", 200), ("POST", "/collect", 200)]
    assert inspector.told == [
        ("pageview", ""),
        ("screenview", "Basket"),
        ("event", "Basket: Add"),
        ("exception", "LookupError"),
        ("timing", "Search: catalogue"),
        ("product_action", "Shop: Add to basket"),
        ("pageview", ""),
        ("purchase", "T-1001"),
        ("purchase", "Boston fern"),
        ("event", "Shop: Paid"),
    ]
    seen, screen, event, failed, timing, added, thanks, bought, item, _ = inspector.hits
    assert (seen.url, seen.path) == (
        "https://example.com/plants/färn?x=1",
        "/plants/färn",
    )
    assert (seen.title, seen.language) == ("Färn & Moos", "en-gb")
    assert seen.referrer == "https://www.example.org/links"
    assert seen.campaign == "newsletter / email / spring"
    for hit in inspector.hits:
        assert hit.client_id == "7d8f3b1e-9c1a-4f0e-8a55-2f6f0d1c9b3e"
        assert (hit.user_id, hit.user_agent) == ("customer-7", MOZILLA)
    assert part(said(screen), "cd", "an", "av") == {
        "cd": "Basket",
        "an": "Greenery",
        "av": "1.2",
    }
    assert part(said(event), "el", "ev", "ni") == {
        "el": "Boston fern",
        "ev": "3",
        "ni": "1",
    }
    assert event.time < screen.time  # it waited for 1.5 seconds
    assert (said(failed)["exf"], said(timing)["utt"]) == ("1", "81")
    assert part(said(added), "pa", "pr1id", "pr1pr", "pr1qt", "cd1", "cm1") == {
        "pa": "add",
        "pr1id": "FERN-1",
        "pr1pr": "19.50",
        "pr1qt": "2",
        "cd1": "member",
        "cm1": "5",
    }
    assert (thanks.path, thanks.title) == ("/thanks", "Thank you")
    assert part(said(bought), "tr", "ts", "tt", "ta", "cu") == {
        "tr": "47.90",
        "ts": "4.90",
        "tt": "7.65",
        "ta": "Web shop",
        "cu": "EUR",
    }
    assert part(said(item), "ti", "ip", "iq", "ic", "iv") == {
        "ti": "T-1001",
        "ip": "19.50",
        "iq": "2",
        "ic": "FERN-1",
        "iv": "12 cm",
    }
    # What follows a page view in a chain has its path as p, a word that neither the
    # reference nor the client's own list of parameters knows.
    assert inspector.complaints == {"p": ["T-1001", "Boston fern", "Shop: Paid"]}
    assert inspector.refused == []


# Matomo, by matomo-tracker


def test_matomo_tracker_sends_single_hits(inspector, run_node):
    run_node("matomo_tracker.cjs", "matomo-tracker")

    single = [one.hit for one in inspector.store.hits() if one.method == "GET"]
    hits = {(hit.path, hit.kind): hit for hit in single}
    assert sorted(hits) == [
        ("/bare", "pageview"),
        ("/plants/färn", "event"),
        ("/plants/färn", "pageview"),
    ]
    seen = hits["/plants/färn", "pageview"]
    event = hits["/plants/färn", "event"]
    assert seen.url == f"https://example.com/plants/f%C3%A4rn?{CAMPAIGN}"
    assert (seen.title, seen.language) == ("Färn & Moos", "en-GB")
    assert (seen.client_id, seen.user_agent) == ("0123456789abcdef", MOZILLA)
    assert (seen.address, seen.campaign) == (
        "203.0.113.0",
        "newsletter / email / spring",
    )
    assert "0123456789abcdef" * 2 not in repr(seen)  # the token
    assert part(said(seen), "res", "dimension1", "pf_srv") == {
        "res": "1920x1080",
        "dimension1": "member",
        "pf_srv": "42",
    }
    assert event.name == "Basket: Add"
    assert part(said(event), "e_n", "e_v") == {"e_n": "Fern", "e_v": "3"}
    # Told a URL and nothing else, it says nothing of the visitor's browser; Node has
    # no User-Agent of its own, and Matomo would take that for a visit by nobody.
    assert inspector.complaints == {"ua": ["/bare"]}
    assert inspector.refused == []


def test_matomo_tracker_sends_in_bulk(inspector, run_node):
    answer = run_node("matomo_tracker.cjs", "matomo-tracker")

    assert answer == '{"status":"success","tracked":6,"invalid":0}\n'
    assert inspector.calls == [
        ("GET", "/matomo.php", 200),
        ("POST", "/matomo.php", 200),
    ]
    bulk = [one.hit for one in inspector.store.hits() if one.method == "POST"]
    assert [(hit.kind, hit.name) for hit in bulk] == [
        ("pageview", ""),
        ("purchase", "T-1001"),
        ("other", "Goal 3"),
        ("event", "Site search: fern"),
        ("event", "Outlink: https://www.example.org/"),
        ("exception", "LookupError"),
    ]
    thanks, bought, *_ = bulk
    assert (thanks.title, thanks.user_id) == ("Thank you", "customer-7")
    assert part(said(bought), "revenue", "ec_tx", "ec_sh", "ec_items") == {
        "revenue": "47.9",
        "ec_tx": "7.65",
        "ec_sh": "4.9",
        "ec_items": '[["FERN-1","Boston fern","Plants",19.5,2]]',
    }
    assert [problem for hit in bulk for problem in hit.problems] == []


# Umami, by @umami/node


def test_umami_node_sends_page_views_and_events(inspector, run_node):
    run_node("umami_node.cjs", "@umami/node")

    assert inspector.calls == [("POST", "/api/send", 200)]
    assert inspector.told == [
        ("pageview", ""),
        ("event", "signup"),
        ("purchase", "order"),
        ("other", ""),
    ]
    seen, signup, bought, who = inspector.hits
    assert seen.url == f"https://example.com/plants/f%C3%A4rn?{CAMPAIGN}"
    assert (seen.path, seen.title) == ("/plants/färn", "Färn & Moos")
    assert seen.referrer == "https://www.example.org/links"
    assert (seen.client_id, seen.language) == ("visitor-1", "en-GB")
    assert seen.campaign == "newsletter / email / spring"
    assert seen.user_agent.startswith("Mozilla/5.0 Umami/")
    assert part(said(signup), "data.plan", "data.seats", "data.nested.a") == {
        "data.plan": "pro",
        "data.seats": "3",
        "data.nested.a": "true",
    }
    assert part(said(bought), "data.revenue", "data.currency") == {
        "data.revenue": "47.9",
        "data.currency": "EUR",
    }
    assert part(said(who), "type", "data.plan") == {
        "type": "identify",
        "data.plan": "pro",
    }
    assert inspector.complaints == {}


# Plausible, by its own script and plausible-client


@pytest.mark.parametrize(
    ("script", "package", "props", "revenue"),
    [
        (
            "plausible_tracker.cjs",
            "@plausible-analytics/tracker",
            {"p.plan": "pro", "i": "false"},
            {"$.currency": "EUR", "$.amount": "47.9"},
        ),
        # Both are JSON in a text, which Plausible reads too.
        (
            "plausible_client.cjs",
            "plausible-client",
            {"p": '{"plan":"pro","seats":3}'},
            {"revenue": '{"currency":"EUR","amount":"47.90"}'},
        ),
    ],
    ids=["tracker", "client"],
)
def test_plausible_is_sent_page_views_and_events(
    inspector, run_node, script, package, props, revenue
):
    run_node(script, package)

    assert inspector.calls == [("POST", "/api/event", 202)]
    assert inspector.told[:3] == [
        ("pageview", ""),
        ("event", "signup"),
        ("purchase", "order"),
    ]
    seen, signup, bought, *_ = inspector.hits
    assert seen.url == f"https://example.com/plants/f%C3%A4rn?{CAMPAIGN}"
    assert seen.path == "/plants/färn"
    assert seen.referrer == "https://www.example.org/links"
    assert seen.campaign == "newsletter / email / spring"
    assert said(seen)["d"] == "example.com"
    assert part(said(signup), *props) == props
    assert part(said(bought), *revenue) == revenue
    assert inspector.complaints == {}


def test_plausibles_own_script_tells_how_long_a_page_was_looked_at(inspector, run_node):
    run_node("plausible_tracker.cjs", "@plausible-analytics/tracker")

    *_, engagement = inspector.hits
    assert engagement.name == "engagement"
    assert engagement.path == "/plants/färn"
    assert said(engagement)["sd"] == "40"  # 800 of 2000 pixels were in sight
    assert inspector.complaints == {}


# Our own


def ours(url):
    return [
        *demo_systems(url),
        UniversalAnalytics("UA-1-1", endpoint=f"{url}/collect", method="GET"),
        UniversalAnalytics("UA-1-1", endpoint=f"{url}/com.google.analytics/v1"),
    ]


OURS = [
    pytest.param(number, id=f"{system.name}-{number}")
    for number, system in enumerate(ours("http://127.0.0.1"))
]


def fresh_hits():
    """The samples, as if they had just happened in a visit of a minute."""
    now = time.time()
    hits = []
    for number, hit in enumerate(sample_hits()):
        session = msgspec.structs.replace(hit.context.session, id=int(now) - 60)
        context = msgspec.structs.replace(hit.context, session=session)
        hits.append(
            msgspec.structs.replace(hit, time=now - 1 + number / 100, context=context)
        )
    return hits


def test_all_of_our_systems_are_tried():
    systems = {system.name for system in ours("http://127.0.0.1")}

    assert systems == {system.name for system in discovered_systems().values()}


@pytest.mark.parametrize("make_sender", [InlineSender, ThreadSender])
@pytest.mark.parametrize("number", OURS)
def test_our_own_hits_arrive_without_a_complaint(inspector, number, make_sender):
    system = ours(inspector.url)[number]
    hits = fresh_hits()
    tellable = [hit for hit in hits if list(system.encode([hit], time.time()))]
    sender = make_sender()
    sender.bind([system])

    for hit in hits:
        assert sender.send(hit)
    assert sender.close()

    counts = sender.stats()[system.name]
    assert counts.delivered == len(tellable)
    assert sum(counts.rejected.values()) == len(hits) - len(tellable)
    assert len(inspector.hits) == len(tellable)
    assert {hit.system for hit in inspector.hits} == {system.name}
    kinds = {hit.kind for hit in inspector.hits}
    assert "pageview" in kinds
    assert "other" not in kinds
    assert inspector.complaints == {}


def test_googles_validation_finds_nothing_in_our_hits(inspector):
    system = GoogleAnalytics4("G-EXAMPLE", "made-up", endpoint=inspector.url)
    for hit in fresh_hits():
        [call] = system.encode([hit], time.time())
        body = msgspec.json.decode(call.body)
        answer = requests.post(
            f"{inspector.url}/debug/mp/collect",
            json={**body, "validation_behavior": "ENFORCE_RECOMMENDATIONS"},
            timeout=10,
        )
        assert answer.json() == {"validationMessages": []}
