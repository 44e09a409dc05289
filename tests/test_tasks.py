"""The context of a request, in a job that is done later."""

import asyncio

import msgspec
import pytest

from server_tracking import Tracker, current, track_event
from server_tracking.exchange import Request
from server_tracking.hits import PageView
from server_tracking.observation import Observation
from server_tracking.reasons import Reason
from server_tracking.tasks import tracking_context, tracking_in
from server_tracking.testing import RecordingSender
from server_tracking.tracker import collector

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def tracker():
    return Tracker(
        sender=RecordingSender(), secret_key="a secret for tests", strict=True
    )


@pytest.fixture
def request_context(tracker):
    """Serve a request, and return what its handler hands to a job."""

    def request_context(**headers):
        given = {"user-agent": FIREFOX, "accept-language": "de", **headers}

        def make(source, rule):
            return Request("POST", "/checkout", host="shop.example", headers=given)

        token = collector.set(Observation(tracker, "a source", make))
        try:
            return tracking_context()
        finally:
            collector.reset(token)

    return request_context


def test_outside_of_a_request_there_is_nothing_to_hand_on(tracker):
    assert tracking_context() is None
    with tracking_in(tracker, None):
        assert current() is None


def test_a_job_is_in_the_request(tracker, request_context):
    text = request_context()

    with tracking_in(tracker, text):
        tracker.event("Basket", "Paid")
        current().event("Parcel", "Sent")
        track_event("Mail", "Sent")(lambda: None)()
    assert current() is None

    hits = tracker.sender.hits
    assert [hit.category for hit in hits] == ["Basket", "Parcel", "Mail"]
    [context] = {msgspec.json.encode(hit.context) for hit in hits}
    context = hits[0].context
    assert context.page.path == "/checkout"
    assert context.device.user_agent == FIREFOX
    assert context.device.language == "de"


def test_two_jobs_of_a_request_are_of_one_visitor_who_is_not_new_any_more(
    tracker, request_context
):
    text = request_context()
    for _ in range(2):
        with tracking_in(tracker, text):
            tracker.event("Parcel")

    one, two = (hit.context for hit in tracker.sender.hits)
    assert one == two
    assert not one.visitor.is_new
    assert not one.session.is_new


def test_what_travels_is_versioned_json(request_context):
    carried = msgspec.json.decode(request_context())

    assert carried["version"] == 1
    assert carried["context"]["page"]["path"] == "/checkout"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version":1}'])
def test_what_is_no_context_puts_a_job_into_no_request(tracker, text):
    with tracking_in(tracker, text):
        assert current() is None


def test_a_later_version_puts_a_job_into_no_request(tracker, request_context):
    text = request_context().replace('"version":1', '"version":2')

    with tracking_in(tracker, text):
        assert current() is None


def test_a_refusal_holds_for_the_jobs_too(tracker, request_context):
    text = request_context(**{"sec-gpc": "1"})

    assert FIREFOX not in text
    with tracking_in(tracker, text):
        tracker.event("Parcel")
        tracker.pageview()
        track_event("Mail")(lambda: None)()
        assert current() is None
        assert tracking_context() == text

    assert tracker.sender.hits == []
    assert tracker.stats().not_tracked[Reason.DENIED] >= 2


def test_a_job_can_be_skipped(tracker, request_context):
    with tracking_in(tracker, request_context()):
        tracker.event("before")
        current().skip()
        tracker.event("after")
        current().event("after")

    assert [hit.category for hit in tracker.sender.hits] == ["before"]
    assert tracker.stats().not_tracked == {Reason.SKIPPED: 2}


def test_a_job_can_name_the_visitor(tracker, request_context):
    with tracking_in(tracker, request_context()):
        current().identify("customer-7")
        tracker.event("Parcel")

    [hit] = tracker.sender.hits
    assert hit.context.visitor.user_id == "customer-7"


def test_a_job_can_send_page_views(tracker, request_context):
    with tracking_in(tracker, request_context()):
        tracker.pageview(title="Thanks", params={"list": "a"})

    [hit] = tracker.sender.hits
    assert isinstance(hit, PageView)
    assert (hit.context.page.title, hit.params) == ("Thanks", {"list": "a"})


def test_the_request_of_a_job_knows_little(tracker, request_context):
    with tracking_in(tracker, request_context()):
        request = current().request

    assert (request.path, request.host) == ("/checkout", "shop.example")


def test_jobs_side_by_side_do_not_see_each_other(tracker, request_context):
    texts = [request_context() for _ in range(20)]
    wanted = [msgspec.json.decode(text)["context"]["visitor"] for text in texts]

    async def job(text):
        with tracking_in(tracker, text):
            await asyncio.sleep(0)
            return {"client_id": current().context.visitor.client_id}

    async def all_jobs():
        return await asyncio.gather(*map(job, texts))

    assert asyncio.run(all_jobs()) == wanted


def test_a_job_of_a_job_is_in_the_request(tracker, request_context):
    text = request_context()
    with tracking_in(tracker, text):
        again = tracking_context()

    assert again == text
