"""The tracker: what an application configures once and keeps."""

import asyncio
import logging
import re
from decimal import Decimal

import msgspec
import pytest

from server_tracking import (
    ConfigurationError,
    Consent,
    Event,
    ExceptionHit,
    Item,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    Request,
    ScreenView,
    Settings,
    Social,
    Timing,
    Tracker,
)
from server_tracking.observation import Observation
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import GoogleAnalytics4, Plausible, UniversalAnalytics
from server_tracking.testing import RecordingSender, sample_context
from server_tracking.tracker import collector

SECRET = "a secret key for tests"


def test_each_method_makes_its_hit(tracker, sender):
    fern = Item(id="F", name="Fern", price=Decimal("19.50"))
    context = sample_context()
    tracker.pageview(title="Home", params={"a": 1}, context=context)
    tracker.screenview("Basket", context=context)
    tracker.event("Basket", "Add", "Fern", 2.5, non_interaction=True, context=context)
    tracker.exception("LookupError", fatal=False, context=context)
    tracker.timing("Search", "catalogue", 81, "slow", context=context)
    tracker.social("mastodon", "share", "/fern", context=context)
    tracker.purchase(
        "T-1", [fern], revenue=Decimal(20), currency="EUR", context=context
    )
    tracker.refund("T-1", currency="EUR", context=context)
    tracker.product_action("view", [fern], list_name="Ferns", context=context)

    kinds = [type(hit) for hit in sender.hits]
    assert kinds == [
        PageView,
        ScreenView,
        Event,
        ExceptionHit,
        Timing,
        Social,
        Purchase,
        Refund,
        ProductAction,
    ]
    page, screen, event, error, timing, social, order, refund, action = sender.hits
    assert (page.context.page.title, page.params) == ("Home", {"a": 1})
    assert screen.name == "Basket"
    assert (event.category, event.action, event.label) == ("Basket", "Add", "Fern")
    assert (event.value, event.non_interaction) == (2.5, True)
    assert (error.description, error.fatal) == ("LookupError", False)
    assert (timing.variable, timing.value, timing.label) == ("catalogue", 81, "slow")
    assert (social.network, social.target) == ("mastodon", "/fern")
    assert (order.items, order.revenue, order.currency) == ((fern,), 20, "EUR")
    assert (refund.transaction_id, refund.items) == ("T-1", ())
    assert (action.action, action.list_name) == ("view", "Ferns")
    assert all(hit.context.visitor == context.visitor for hit in sender.hits)


def test_outside_of_a_request_hits_are_those_of_the_server(tracker, sender):
    tracker.event("Backup", "Done")
    tracker.event("Backup", "Done")

    first, second = (hit.context for hit in sender.hits)
    assert first == second
    assert (first.page.url, first.address) == (None, None)
    assert first.consent.analytics is True


def test_within_a_request_hits_wait_for_its_end(tracker, sender, browser):
    headers = {name.lower(): value for name, value in browser.items()}
    request = Request("GET", "/shop", host="example.com", headers=headers)
    observation = Observation(tracker, request, lambda source, rule: source)
    token = collector.set(observation)
    tracker.event("Basket", "Add")
    tracker.pageview(title="By hand")
    assert sender.hits == []
    observation.respond(200, [("Content-Type", "text/html")])
    observation.close()
    collector.reset(token)

    assert [type(hit) for hit in sender.hits] == [PageView, Event]
    assert sender.hits[0].context == sender.hits[1].context
    assert sender.hits[0].context.page.title == "By hand"


def test_another_tracker_shares_the_context_of_the_request(tracker, make_tracker):
    other_sender = RecordingSender()
    other = Tracker(sender=other_sender, secret_key=SECRET)
    request = Request("POST", "/a", host="example.com", headers={"user-agent": "x/1"})
    observation = Observation(
        make_tracker(ignore_bots=False), request, lambda source, rule: source
    )
    token = collector.set(observation)
    other.event("Audit", "Seen")
    collector.reset(token)

    [hit] = other_sender.hits
    assert hit.context.page.path == "/a"


def test_a_hit_whose_visitor_refused_goes_nowhere(tracker, sender):
    refused = msgspec.structs.replace(
        sample_context(), consent=Consent(analytics=False)
    )

    assert tracker.send(PageView(context=refused)) is False
    assert sender.hits == []
    assert tracker.stats().not_tracked == {"denied": 1}


def test_the_sender_goes_by_the_settings():
    assert isinstance(Tracker(secret_key=SECRET).sender, ThreadSender)
    assert isinstance(Tracker(secret_key=SECRET, defer=None).sender, InlineSender)


def test_options_win_over_settings():
    tracker = Tracker(
        settings=Settings(secret_key=SECRET, cookie_name="a"), cookie_name="b"
    )

    assert tracker.settings == Settings(secret_key=SECRET, cookie_name="b")


def test_what_is_no_system_is_refused():
    with pytest.raises(ConfigurationError, match="analytics systems, not str"):
        Tracker("G-XXXX", secret_key=SECRET)


def test_the_same_system_twice_is_refused():
    with pytest.raises(ConfigurationError, match="twice"):
        Tracker(Plausible("a.example"), Plausible("a.example"), secret_key=SECRET)


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigurationError, match="'cookie_name'"):
        Tracker(cookie_nam="x")


def test_a_mapping_makes_a_tracker():
    sender = RecordingSender()
    tracker = Tracker.from_mapping(
        {
            "systems": ["plausible+https://plausible.io/?domain=a.example", _ua()],
            "sender": sender,
            "secret_key": SECRET,
        }
    )

    assert tracker.systems == (Plausible("a.example"), _ua())
    assert tracker.sender is sender


def _ua():
    return UniversalAnalytics("UA-1-1")


def test_the_environment_makes_a_tracker():
    tracker = Tracker.from_env(
        {
            "SERVER_TRACKING_SYSTEMS": "ga4://made-up@G-XXXX ua://UA-1-1",
            "SERVER_TRACKING_SECRET_KEY": SECRET,
        }
    )

    assert tracker.systems == (GoogleAnalytics4("G-XXXX", "made-up"), _ua())


def test_a_wrong_url_is_refused_without_being_shown():
    environ = {"SERVER_TRACKING_SYSTEMS": "ga5://hush@G-XXXX"}

    with pytest.raises(
        ConfigurationError, match=r"known are .*ga4.*plausible"
    ) as refused:
        Tracker.from_env(environ)
    assert "hush" not in str(refused.value)


def test_a_tracker_shows_no_secret():
    tracker = Tracker(GoogleAnalytics4("G-XXXX", "made-up"), secret_key=SECRET)

    assert repr(tracker) == "<Tracker of google_analytics_4 by ThreadSender>"


def test_without_a_key_a_warning_is_given(caplog):
    Tracker(sender=RecordingSender())

    [record] = caplog.records
    assert (record.levelno, "secret_key" in record.message) == (logging.WARNING, True)


def test_the_own_cookie_is_signed(tracker):
    cookie = tracker.own_cookie(Request(scheme="https"))

    assert re.match(r"its_me=[0-9]{10}\.", cookie)  # when it was set
    assert "HttpOnly" in cookie
    assert "Secure" in cookie


def test_flushing_does_not_hold_up_the_event_loop(tracker):
    async def flush():
        return await tracker.aflush(1.0)

    assert asyncio.run(flush()) is True


def test_reasons_are_counted(tracker):
    tracker.count("bot")
    tracker.count("bot")

    assert tracker.stats().not_tracked == {"bot": 2}
