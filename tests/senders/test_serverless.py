"""Processes that are frozen behind their answer: all is sent before the request ends."""

import anyio
import pytest
from webtest import TestApp

from server_tracking import Tracker, current
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing.senders import ContractSystem
from server_tracking.wsgi import TrackingMiddleware

SECRET = "a secret key for tests"


@pytest.fixture
def make_tracker(collector):
    made = []

    def make(**options):
        system = ContractSystem(collector.url, hits_per_call=100)
        # Whatever the machine does meanwhile, nothing goes before it is asked for.
        sender = ThreadSender(timeout=options.get("timeout", 10.0), linger=60.0)
        tracker = Tracker(
            system, sender=sender, secret_key=SECRET, ignore_bots=False, **options
        )
        made.append(tracker)
        return tracker

    yield make
    for tracker in made:
        tracker.close(0.0)


def site(environ, start_response):
    current().event("one")
    current().event("two")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b"{}"]


async def async_site(scope, receive, send):
    current().event("one")
    current().event("two")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_the_hits_of_a_request_go_in_one_call_before_it_ends(make_tracker, collector):
    app = TestApp(TrackingMiddleware(site, make_tracker(defer="request", timeout=20.0)))

    for number in range(1, 4):
        app.get("/")
        assert len(collector.requests) == number
        assert collector.requests[-1].json == ["one", "two"]


def test_so_they_do_under_asgi(make_tracker, collector):
    app = ASGIMiddleware(async_site, make_tracker(defer="request", timeout=20.0))
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"example.com")],
    }

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        pass

    anyio.run(app, scope, receive, send)

    assert [seen.json for seen in collector.requests] == [["one", "two"]]


def test_a_system_that_hangs_holds_a_request_up_for_the_timeout(
    make_tracker, collector
):
    collector.script(collector.hang)
    tracker = make_tracker(defer="request", timeout=0.2)
    app = TestApp(TrackingMiddleware(site, tracker))

    assert app.get("/").status_code == 200
    assert tracker.close(5.0)
    assert tracker.stats().systems["contract"].unknown == 2


def test_a_tracker_is_flushed_and_closed_without_holding_up_the_loop(
    make_tracker, collector
):
    collector.script(collector.after(0.2, collector.status(204)))
    tracker = make_tracker()
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await anyio.sleep(0.01)

    async def work():
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            tracker.event("flushed")
            assert await tracker.aflush(5.0)
            tracker.event("closed")
            assert await tracker.aclose(5.0)
            group.cancel_scope.cancel()

    anyio.run(work)

    assert tracker.stats().systems["contract"].delivered == 2
    assert len(ticks) > 5
