"""The pytest plugin: what a test can ask, and what it is told if it was wrong."""

import subprocess
import sys
from decimal import Decimal

import pytest

from server_tracking import Item, PageView, Tracker
from server_tracking.reasons import Reason
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import Matomo, Plausible
from server_tracking.testing.tracked import recording
from server_tracking.wsgi import TrackingMiddleware

pytest_plugins = ("pytester",)
PAGE = b"<!doctype html><title>Fern</title>"


def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE]


@pytest.fixture
def seen():
    with recording() as seen:
        yield seen


@pytest.fixture
def shop():
    """A tracker as a site has it: with a sender that would send."""
    tracker = Tracker(Plausible("shop.example"), secret_key="k" * 32, strict=True)
    yield tracker
    tracker.close()


@pytest.fixture
def visit(shop, browser):
    def visit(path="/plants/fern", **headers):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "HTTP_HOST": "shop.example",
            "wsgi.url_scheme": "https",
            "REMOTE_ADDR": "203.0.113.7",
        }
        for name, value in {**browser, **headers}.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        TrackingMiddleware(site, shop)(environ, lambda *_: None)

    return visit


def test_hits_of_a_tracker_made_before_are_seen_and_not_sent(seen, shop, visit):
    visit()

    hit = seen.assert_one("pageview", path="/plants/fern", title="Fern")

    assert isinstance(hit, PageView)
    assert seen.hits == [hit]


def test_a_tracker_has_its_own_sender_back(shop):
    with recording():
        shop.event("A")

    assert isinstance(shop.sender, ThreadSender)
    assert shop.stats().systems["plausible"].submitted == 0


def test_hits_of_several_trackers_are_in_order(seen, make_tracker):
    one, two = make_tracker(), make_tracker()
    one.event("A")
    two.event("B")
    one.event("C")

    assert [hit.category for hit in seen.hits] == ["A", "B", "C"]


@pytest.mark.parametrize(
    "fields",
    [
        {"transaction_id": "T1"},
        {"value": 19.9},
        {"revenue": Decimal("19.90")},
        {"currency": "EUR", "colour": "green"},
        {},
    ],
)
def test_a_purchase_is_found_by(fields, seen, shop):
    shop.purchase(
        "T1",
        [Item(id="fern", price=Decimal("19.90"))],
        revenue=Decimal("19.90"),
        currency="EUR",
        params={"colour": "green"},
    )

    assert seen.assert_one("purchase", **fields).transaction_id == "T1"
    seen.assert_none("refund")
    seen.assert_none("purchase", value=20)


def test_a_failure_says_in_what_a_near_hit_differs_and_what_else_was_seen(seen, shop):
    shop.event("Basket", "Add", value=2)
    shop.event("Search", "Plants")

    with pytest.raises(AssertionError) as raised:
        seen.assert_one("event", category="Basket", value=3)

    said = str(raised.value)
    assert "Wanted one event with category='Basket', value=3; found none." in said
    assert "value is 2, not 3" in said
    assert "1. event category='Basket' action='Add' value=2" in said
    assert "2. event category='Search' action='Plants'" in said


def test_a_failure_says_why_a_page_was_not_tracked(seen, visit):
    visit("/health")
    visit("/", User_Agent="Googlebot/2.1 (+http://www.google.com/bot.html)")

    with pytest.raises(AssertionError) as raised:
        seen.assert_one("pageview")

    said = str(raised.value)
    assert f"GET /health: excluded - {Reason.EXCLUDED.meaning}" in said
    assert f"GET /: bot - {Reason.BOT.meaning}" in said


def test_a_failure_asks_whether_the_application_is_wrapped(seen):
    with pytest.raises(AssertionError, match="is the application wrapped"):
        seen.assert_one("pageview")


def test_two_are_not_one(seen, shop):
    shop.event("A")
    shop.event("A")

    with pytest.raises(AssertionError, match="found 2"):
        seen.assert_one("event", category="A")
    with pytest.raises(AssertionError, match="Wanted no event"):
        seen.assert_none("event")
    assert len(seen.assert_count(2, "event")) == 2
    with pytest.raises(AssertionError, match="Wanted 3 event"):
        seen.assert_count(3, "event")


def test_no_kind_means_any(seen, shop):
    seen.assert_none()
    shop.event("A")

    with pytest.raises(AssertionError, match="Wanted no hit"):
        seen.assert_none()
    seen.clear()
    seen.assert_none()


def test_an_unknown_kind_names_the_known_ones(seen):
    with pytest.raises(ValueError, match="'page_view'; known are pageview, "):
        seen.assert_one("page_view")


def test_a_field_that_a_hit_lacks_is_said(seen, shop):
    shop.event("A")

    with pytest.raises(AssertionError, match="it has no colour"):
        seen.assert_one("event", colour="red")


def test_the_wire_text_is_the_same_for_the_same_visit(shop, visit):
    texts = []
    for _ in range(2):
        with recording() as seen:
            visit()
            shop.event("Basket", "Add")
            texts.append(seen.wire())

    assert texts[0] == texts[1]
    assert texts[0].startswith("# plausible\nPOST /api/event pageview")
    assert "/plants/fern" in texts[0]


def test_what_a_system_cannot_be_told_is_said(seen, shop):
    shop.event("Basket", "Add")  # outside of a page, which Plausible needs

    assert seen.wire() == (
        "# plausible\nnot told: event category='Basket' action='Add'\n"
    )


def test_the_wire_text_of_another_system_hides_its_secret(seen, shop):
    shop.event("Basket", "Add")

    text = seen.wire(Matomo("https://m.example/", site_id=1, token="s3cr3t-of-ours"))

    assert "e_c = Basket" in text
    assert "s3cr3t-of-ours" not in text


PROJECT = """
    from server_tracking import Tracker
    from server_tracking.systems import Matomo

    tracker = Tracker(Matomo("https://m.example/", 1, token="x"), secret_key="k" * 32)

    def test_a_sale(tracked, wire_snapshot):
        tracker.purchase("T1", revenue={revenue})
        tracker.event("Basket", "Add")
        tracked.assert_one("purchase", value=5)
        wire_snapshot()
"""


@pytest.fixture
def project(pytester, monkeypatch):
    # Of the plugins that happen to be installed, some take seconds to import.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments, revenue=5, text=PROJECT):
        pytester.makepyfile(test_shop=text.format(revenue=revenue))
        return pytester.runpytest_subprocess("-p", "server_tracking_pytest", *arguments)

    return run


def test_the_plugin_gives_its_fixtures(project):
    project().assert_outcomes(passed=1)


def test_a_failing_test_shows_the_summary(project):
    result = project(revenue=7)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*revenue*7*", "*1. purchase transaction_id='T1'*"])


def test_a_snapshot_is_written_once_and_then_held_to(project, pytester):
    project().assert_outcomes(passed=1)
    [kept] = (pytester.path / "__wire__").iterdir()
    assert kept.name == "test_shop.test_a_sale.txt"
    other = PROJECT.replace("Add", "Remove")

    changed = project(text=other)

    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*told otherwise*", "*-*Add*", "*+*Remove*"])
    project("--wire-update", text=other).assert_outcomes(passed=1)
    assert "Remove" in kept.read_text()
    project(text=other).assert_outcomes(passed=1)


def test_starting_pytest_with_the_plugin_does_not_import_the_library():
    script = (
        "import sys, pytest, server_tracking_pytest;"
        "sys.exit(any(n.split('.')[0] in ('server_tracking', 'werkzeug', 'requests')"
        " for n in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)

    assert done.returncode == 0
