"""One request while it is served, without any I/O."""

import logging

import pytest

from server_tracking import Event, ExceptionHit, Observation, PageView, Request, current
from server_tracking.tracker import collector

HTML = [("Content-Type", "text/html; charset=utf-8")]


@pytest.fixture
def observe(tracker, browser):
    """Make an observation of a browser's request."""

    def observe(method="GET", path="/shop", by=None, **changes):
        headers = {**{n.lower(): v for n, v in browser.items()}, **changes}
        request = Request(method, path, host="example.com", headers=headers)
        return Observation(by or tracker, request, lambda source, rule: source)

    return observe


def test_a_page_view_comes_before_its_events_in_order(observe, sender):
    seen = observe()
    seen.event("A")
    seen.respond(200, HTML)
    seen.event("B")
    assert sender.hits == []
    seen.close()

    assert [type(hit) for hit in sender.hits] == [PageView, Event, Event]
    assert [hit.category for hit in sender.hits[1:]] == ["A", "B"]
    assert len({id(hit.context) for hit in sender.hits}) == 1


def test_it_closes_once(observe, sender):
    seen = observe()
    seen.respond(200, HTML)
    seen.close()
    seen.close()

    assert len(sender.hits) == 1


NEVER_PAGES = [
    ("POST", "/shop", {}),
    ("GET", "/static/shop.css", {}),
    ("GET", "/shop", {"sec-fetch-dest": "empty", "sec-fetch-mode": "cors"}),
    ("GET", "/shop", {"user-agent": "Googlebot/2.1"}),
]


@pytest.mark.parametrize(("method", "path", "headers"), NEVER_PAGES)
def test_the_answer_matters_not_if_the_request_says_enough_until_an_event(
    observe, method, path, headers
):
    seen = observe(method, path, **headers)
    assert not seen.attentive

    seen.event("A")
    assert seen.attentive


@pytest.mark.parametrize(("method", "path", "headers"), NEVER_PAGES)
def test_the_answer_matters_if_a_handler_calls_the_request_a_page_or_asks_who_it_is(
    observe, method, path, headers
):
    by_hand, asked = (observe(method, path, **headers) for _ in range(2))
    by_hand.pageview()
    _ = asked.context

    assert by_hand.attentive
    assert asked.attentive


REFUSED = [
    ("POST", {}, HTML, 200, "method"),
    (
        "GET",
        {"sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"},
        HTML,
        200,
        "subresource",
    ),
    ("GET", {"sec-purpose": "prefetch"}, HTML, 200, "speculative"),
    ("GET", {}, [("Content-Type", "application/json")], 200, "not_html"),
    ("GET", {}, HTML, 404, "status"),
    ("GET", {}, HTML, 302, "status"),
    ("GET", {}, [*HTML, ("Content-Disposition", "attachment")], 200, "download"),
    ("GET", {"user-agent": "Googlebot/2.1"}, HTML, 200, "bot"),
    ("GET", {"cookie": "cookie_status=0"}, HTML, 200, "denied"),
    ("GET", {"sec-gpc": "1"}, HTML, 200, "signalled"),
]


@pytest.mark.parametrize(("method", "headers", "answer", "status", "reason"), REFUSED)
def test_what_is_no_page_view_is_counted_by_its_reason(
    observe, sender, tracker, method, headers, answer, status, reason
):
    seen = observe(method, **headers)
    if seen.attentive:
        seen.respond(status, answer)
    seen.close()

    assert sender.hits == []
    assert tracker.stats().not_tracked == {reason: 1}


def test_an_event_counts_where_no_page_view_does(observe, sender, tracker):
    seen = observe("POST")
    seen.event("Form", "Sent")
    assert seen.attentive
    added = seen.respond(303, [("Location", "/")])
    seen.close()

    assert [type(hit) for hit in sender.hits] == [Event]
    assert [name for name, _ in added] == ["Set-Cookie"]
    assert tracker.stats().not_tracked == {"method": 1}


@pytest.mark.parametrize(
    "headers",
    [{"cookie": "cookie_status=0"}, {"user-agent": "curl/8.0"}, {"sec-gpc": "1"}],
)
def test_an_event_does_not_count_where_nothing_may(observe, sender, headers):
    seen = observe("POST", **headers)
    seen.event("Form", "Sent")
    seen.respond(200, HTML)
    seen.close()

    assert sender.hits == []


def test_an_untracked_request_without_event_is_not_parsed(tracker):
    class Untouchable:
        def get(self, name):
            raise AssertionError(name)

    request = Request("POST", "/api", headers=Untouchable())
    seen = Observation(tracker, request, lambda source, rule: source)
    assert not seen.attentive
    seen.close()

    assert tracker.stats().not_tracked == {"method": 1}


def test_a_title_by_hand_beats_the_frameworks_which_beats_the_pages(observe, sender):
    for by_hand, noted in (("Hand", "Noted"), (None, "Noted"), (None, None)):
        seen = observe()
        seen.title = by_hand
        seen.note(title=noted, route="/shop/<id>")
        seen.respond(200, HTML)
        if seen.wants_body:
            seen.feed(b"<title>Page</title>")
        seen.close()

    pages = [hit.context.page for hit in sender.hits]
    assert [page.title for page in pages] == ["Hand", "Noted", "Page"]
    assert {page.route for page in pages} == {"/shop/<id>"}


def test_the_body_is_wanted_only_until_the_title_is_known(observe):
    seen = observe()
    assert not seen.wants_body
    seen.respond(200, HTML)
    assert seen.wants_body
    seen.feed(b"<title>Pa")
    assert seen.wants_body
    seen.feed(b"ge</title>")
    assert not seen.wants_body


def test_the_body_is_not_wanted_of_who_refused(observe):
    seen = observe(cookie="cookie_status=0")
    seen.respond(200, HTML)

    assert not seen.wants_body


def test_titles_can_be_left_alone(observe, make_tracker):
    seen = observe(by=make_tracker(read_titles=False))
    seen.respond(200, HTML)

    assert not seen.wants_body


def test_a_handler_can_say_more_of_the_page(observe, sender):
    seen = observe()
    seen.params["author"] = "Ada"
    seen.identify("user-7")
    seen.respond(200, HTML)
    seen.close()

    [hit] = sender.hits
    assert hit.params == {"author": "Ada"}
    assert hit.context.visitor.user_id == "user-7"


def test_a_handler_can_keep_a_request_from_being_tracked(observe, sender, tracker):
    seen = observe()
    seen.event("A")
    seen.skip()
    seen.respond(200, HTML)
    seen.close()

    assert sender.hits == []
    assert tracker.stats().not_tracked == {"skipped": 1}


def test_a_page_view_by_hand_counts_whatever_the_rules_say(observe, sender):
    seen = observe("POST")
    seen.pageview("Step two", {"step": 2})
    seen.respond(201, [("Content-Type", "application/json")])
    seen.close()

    [hit] = sender.hits
    assert (hit.context.page.title, hit.params) == ("Step two", {"step": 2})


def test_an_error_is_told_by_its_type_alone(observe, sender, make_tracker):
    seen = observe(by=make_tracker(pageview_server_exceptions=True))
    seen.fail(LookupError("someone@example.com"))
    seen.respond(500, HTML)
    seen.close()

    [hit] = sender.hits
    assert (type(hit), hit.description, hit.fatal) == (
        ExceptionHit,
        "LookupError",
        True,
    )


def test_an_error_in_an_ajax_call_is_told_only_on_demand(observe, sender, make_tracker):
    fetch = {"sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "accept": "*/*"}
    for also_ajax in (False, True):
        seen = observe(
            by=make_tracker(
                pageview_server_exceptions=True, pageview_ajax_exceptions=also_ajax
            ),
            **fetch,
        )
        seen.respond(500, HTML)
        seen.close()

    assert len(sender.hits) == 1


def test_an_event_after_the_end_is_sent_at_once(observe, sender):
    seen = observe()
    seen.respond(200, HTML)
    seen.close()
    seen.event("Late")

    assert [type(hit) for hit in sender.hits] == [PageView, Event]
    assert sender.hits[0].context is sender.hits[1].context


def test_an_event_after_a_request_that_was_no_page_is_sent_too(observe, sender):
    seen = observe("POST")
    seen.close()
    seen.event("Late")

    [hit] = sender.hits
    assert hit.context.page.path == "/shop"


def test_an_event_after_the_release_of_an_unread_request_is_counted(observe, tracker):
    seen = observe("POST")
    assert not seen.attentive
    seen.close()
    seen.release()
    seen.event("Far too late")

    assert tracker.stats().not_tracked == {"method": 1, "closed": 1}


def test_release_makes_it_current_no_longer(observe):
    seen = observe()
    token = collector.set(seen)
    assert current() is seen
    seen.release()

    assert current() is None
    collector.reset(token)


class BrokenSender:
    blocking = False

    def bind(self, systems):
        pass

    def send(self, hit):
        raise RuntimeError("someone@example.com")

    def stats(self):
        return {}


@pytest.fixture
def broken(browser):
    from server_tracking import Tracker

    return Tracker(sender=BrokenSender(), secret_key="a secret key for tests")


def test_our_own_errors_are_counted_and_kept_from_the_site(observe, broken, caplog):
    for _ in range(5):
        seen = observe(by=broken)
        seen.respond(200, HTML)
        seen.close()

    assert broken.stats().errors == 5
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 3  # the 1st, 2nd and 4th
    assert not any("someone@example.com" in r.getMessage() for r in warnings)


def test_in_strict_mode_our_own_errors_are_raised(observe, browser):
    from server_tracking import Tracker

    strict = Tracker(
        sender=BrokenSender(), secret_key="a secret key for tests", strict=True
    )
    seen = observe(by=strict)
    seen.respond(200, HTML)

    with pytest.raises(RuntimeError):
        seen.close()
