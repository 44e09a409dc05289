"""`tracker.explain`: what becomes of a request, and why."""

from pathlib import Path

import pytest

from server_tracking import Reason, Request, Response, Tracker
from server_tracking.systems import GoogleAnalytics4, Plausible
from server_tracking.testing import RecordingSender

PAGE = Response(200, [("Content-Type", "text/html")], [b"<title>A page</title>"])


@pytest.fixture
def explain(browser):
    tracker = Tracker(
        GoogleAnalytics4("G-XXXX", "made-up"),
        Plausible("example.com"),
        sender=RecordingSender(),
        secret_key="a secret key for tests",
    )

    def explain(response=None, method="GET", **changes):
        headers = {**{n.lower(): v for n, v in browser.items()}, **changes}
        request = Request(
            method,
            "/shop",
            host="example.com",
            headers={name: value for name, value in headers.items() if value},
            address="203.0.113.0",
        )
        return tracker.explain(request, response)

    return explain


def steps(explanation):
    return {step.question: (step.answer, step.source) for step in explanation.steps}


def test_a_page_view_is_explained_from_the_request_to_each_system(explain):
    explained = explain(PAGE)

    assert (explained.page_view, explained.events, explained.reason) == (
        True,
        True,
        None,
    )
    said = steps(explained)
    assert said["request"] == (
        "may be a page view",
        (
            "sec-fetch-mode: navigate, sec-fetch-dest: document, "
            "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ),
    )
    assert said["answer"] == ("a page", "status 200, text/html")
    assert said["consent"] == ("unknown", "nobody has said anything")
    assert said["visitor"] == ("new", "cookie vn is not there")
    assert said["address"] == ("203.0.113.0", "the peer; no proxy is trusted")
    assert said["title"] == ("A page", "")
    assert said["google_analytics_4"] == said["plausible"] == ("is told", "")
    assert explained.context.page.url == "https://example.com/shop"


@pytest.mark.parametrize(
    ("changes", "reason", "events"),
    [
        ({"method": "POST"}, Reason.METHOD, True),
        ({"sec-purpose": "prefetch"}, Reason.SPECULATIVE, True),
        ({"response": Response(404, [])}, Reason.STATUS, True),
        ({"response": Response(200, [])}, Reason.NOT_HTML, True),
        ({"user-agent": "Googlebot/2.1"}, Reason.BOT, False),
        ({"cookie": "cookie_action=refuse"}, Reason.DENIED, False),
        ({"cookie": "cookie_status=0"}, Reason.DENIED, False),
        ({"sec-gpc": "1"}, Reason.SIGNALLED, False),
    ],
)
def test_each_refusal_is_explained_by_its_reason(explain, changes, reason, events):
    explained = explain(**changes)

    assert (explained.page_view, explained.events) == (False, events)
    assert explained.reason is reason
    assert str(explained).startswith(f"No page view: {reason}. {reason.meaning}")


@pytest.mark.parametrize(
    ("cookie", "source"),
    [
        ("cookie_action=accept", "cookie cookie_action"),
        ("cookie_status=1", "cookie cookie_status"),
        ("cookie_status=0", "cookie cookie_status"),
        ("", "nobody has said anything"),
    ],
)
def test_consent_names_its_source(explain, cookie, source):
    assert steps(explain(cookie=cookie))["consent"][1] == source


def test_a_forged_cookie_is_named(explain):
    said = steps(explain(cookie="vn=1.2.3.forged"))

    assert said["visitor"] == ("new", "cookie vn is not ours, or too old")


def test_explaining_sends_nothing_and_counts_nothing(explain, browser):
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key="a secret key for tests")
    tracker.explain(Request("GET", "/"))

    assert sender.hits == []
    assert tracker.stats().not_tracked == {}


def test_every_reason_has_a_meaning():
    for reason in Reason:
        assert reason.meaning.endswith(".")


def test_every_reason_is_documented():
    page = Path(__file__).parents[1] / "docs" / "reasons.md"
    text = page.read_text("utf-8")

    for reason in Reason:
        assert f"| `{reason}` | {reason.meaning} |" in text
