"""What a collector or the network can do to us, on real sockets.

Numbers in brackets are those of the catalogue in docs/delivery.md.
"""

import time
from importlib.util import find_spec

import pytest

from server_tracking.hits import PageView
from server_tracking.senders.lanes import Rules
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import (
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    UniversalAnalytics,
)
from server_tracking.testing import sample_context

PATIENCE = 10.0
QUICK = Rules(backoff=0.01, pause=0.01, pause_cap=0.01)
TOKEN = "0123456789abcdef" * 2
BULK_YES = b'{"status":"success","tracked":1,"invalid":0}'


def system_at(name, url):
    return {
        "ga4": lambda: GoogleAnalytics4("G-XXXX", api_secret="made-up", endpoint=url),
        "matomo": lambda: Matomo(url, 1),
        "matomo bulk": lambda: Matomo(url, 1, token=TOKEN),
        "plausible": lambda: Plausible("example.com", url=url),
        "posthog": lambda: PostHog("phc_made_up", host=url),
        "ua": lambda: UniversalAnalytics("UA-1-1", endpoint=url),
    }[name]()


@pytest.fixture
def send_to(bind, collector):
    """Send one page view to a real system at the collector, and return its counts."""

    def send_to(name, *steps, **options):
        collector.script(*steps)
        url = f"http://127.0.0.1:{collector.port}/"
        sender = bind(system_at(name, url), rules=QUICK, **options)
        sender.send(PageView(context=sample_context()))
        deadline = time.monotonic() + PATIENCE
        while not sender.flush(PATIENCE) and time.monotonic() < deadline:
            pass
        [counts] = sender.stats().values()
        return counts

    return send_to


@pytest.mark.parametrize("name", ["ga4", "ua", "plausible", "matomo"])
def test_a_hit_whose_answer_was_lost_is_not_counted_twice(send_to, collector, name):
    """[24] The whole request arrived, and then the connection broke."""
    counts = send_to(name, collector.hang_up)

    assert counts.unknown == 1
    assert len(collector.requests) == 1


def test_a_system_that_knows_repeated_hits_gets_the_same_one_again(send_to, collector):
    """[24] With the same uuid and time, so that PostHog counts it once."""
    counts = send_to("posthog", collector.hang_up, collector.status(200, b"{}"))

    assert counts.delivered == 1
    first, second = (seen.json["batch"][0] for seen in collector.requests)
    assert first["uuid"] == second["uuid"]
    assert first["timestamp"] == second["timestamp"]


@pytest.mark.parametrize(
    ("name", "yes"), [("posthog", b"{}"), ("matomo bulk", BULK_YES)]
)
def test_a_500_that_stored_nothing_or_can_be_repeated_loses_nothing(
    send_to, collector, name, yes
):
    """[16] Matomo takes a bulk back as a whole; PostHog knows repeated hits."""
    no = collector.status(500)

    counts = send_to(name, no, no, collector.status(200, yes))

    assert counts.delivered == 1
    assert len(collector.requests) == 3


@pytest.mark.parametrize("status", [500, 502, 504, 520, 524])
def test_an_error_page_of_a_proxy_may_hide_a_hit_that_was_taken(
    send_to, collector, status
):
    """[16, 40] So that it is not sent again."""
    page = b"<html><h1>Bad gateway</h1></html>"

    counts = send_to("plausible", collector.status(status, page))

    assert counts.unknown == 1
    assert len(collector.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 503, 521])
def test_a_no_for_now_is_no_loss(send_to, collector, status):
    """[17] The system has surely not taken the hit."""
    counts = send_to(
        "plausible", collector.status(status), collector.status(202, b"ok")
    )

    assert counts.delivered == 1


def test_a_yes_that_threw_the_hit_away_is_counted_as_that(send_to, collector):
    """[37] Plausible says so in a header."""
    counts = send_to(
        "plausible", collector.status(202, b"ok", ["x-plausible-dropped: 1"])
    )

    assert counts.dropped_by_system == {"dropped": 1}
    assert counts.delivered == 0


def test_a_pause_that_a_system_asks_for_holds_for_it_alone(
    bind, collector, make_system, make_event, until
):
    """[18] Retry-After: 1."""

    def step(sock, request):
        first = "busy" in request.target and len(of("busy")) == 1
        wait = collector.status(429, headers=["Retry-After: 1"])
        return (wait if first else collector.status(204))(sock, request)

    def of(word):
        return [seen for seen in collector.requests if word in seen.target]

    collector.script(step)
    sender = bind(
        make_system(collector.url + "&busy"), make_system(collector.url + "&idle")
    )
    sender.send(make_event())
    # The answer has been read: until then, a second call may begin beside the first.
    until(lambda: of("busy") and not sender.stats()["local"].sending)
    for _ in range(30):
        sender.send(make_event())
    until(lambda: sender.stats()["local"].delivered == 31)

    first, second, *_ = (seen.time for seen in of("busy"))
    assert 1.0 <= second - first < 10.0
    assert max(seen.time for seen in of("idle")) < second


def test_batches_that_are_too_long_are_halved(bind, collector, make_system, make_event):
    """[35] The collector takes three hits at once, and says 413 to more."""

    def step(sock, request):
        status = 413 if len(request.ids) > 3 else 204
        return collector.status(status)(sock, request)

    collector.script(step)
    sender = bind(make_system(collector.url, hits=50))
    for _ in range(50):
        sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert sender.stats()["local"].delivered == 50


def test_a_poisoned_hit_costs_few_calls(bind, collector, make_system, make_event):
    """[34] One of fifty: at most 2 x 6 calls more."""

    def step(sock, request):
        status = 400 if "poison" in request.json["categories"] else 204
        return collector.status(status)(sock, request)

    collector.script(step)
    sender = bind(make_system(collector.url, hits=50, linger=60.0))
    for n in range(50):
        sender.send(make_event("poison" if n == 23 else "good"))

    assert sender.flush(PATIENCE)
    counts = sender.stats()["local"]
    assert (counts.delivered, counts.rejected) == (49, {"refused": 1})
    assert len(collector.requests) <= 1 + 12


def test_a_dead_ipv6_address_before_a_living_ipv4_one(
    bind, collector, make_system, make_event
):
    """[32] Within 2.5 seconds."""
    begun = time.monotonic()
    sender = bind(make_system(f"http://localhost:{collector.port}/"))
    sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert sender.stats()["local"].delivered == 1
    assert time.monotonic() - begun < 2.5


def test_throughput_is_calls_times_hits_by_latency(
    bind, collector, make_system, make_event, transport_name
):
    """[12] 4 calls x 10 hits each 0.1 seconds: 400 hits in a second."""
    collector.script(collector.after(0.1, collector.status(204)))
    sender = bind(make_system(collector.url, hits=10, concurrency=4))
    begun = time.monotonic()
    for _ in range(400):
        sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert 0.99 <= time.monotonic() - begun < 2.0


def test_a_collector_that_was_away_gets_all_of_it(
    bind, collector, make_system, make_event, until, dead_url
):
    """[22] Nobody listens for the first half second; then somebody does."""
    from server_tracking.testing import Collector

    port = int(dead_url.split(":")[2].split("/")[0])
    sender = bind(make_system(dead_url), rules=Rules(pause=0.1, pause_cap=0.1))
    for _ in range(100):
        sender.send(make_event())
    until(lambda: sender.stats()["local"].waiting)

    with Collector(port) as late:
        until(lambda: sender.stats()["local"].delivered == 100)
        ids = [one for seen in late.requests for one in seen.ids]
    assert len(set(ids)) == len(ids) == 100


def test_connections_that_are_closed_while_idle_lose_and_double_nothing(
    bind, collector, make_system, make_event
):
    """[26] As nginx does after a minute, here each time."""
    sender = bind(make_system(collector.url))
    for _ in range(5):
        sender.send(make_event())
        assert sender.flush(PATIENCE)
        collector.drop_connections()

    ids = [one for seen in collector.requests for one in seen.ids]
    assert len(set(ids)) == len(ids) == 5
    assert sender.stats()["local"].delivered == 5


def test_a_length_that_is_a_lie_changes_nothing(
    bind, collector, make_system, make_event
):
    """[25] A body that is shorter than it says: the status counts."""
    collector.script(collector.status(200, b"cut", length=100, keep=False))
    sender = bind(make_system(collector.url))
    sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert sender.stats()["local"].delivered == 1
    assert len(collector.requests) == 1


# Of libcurl alone: requests leaves the resolver as long as it likes.
@pytest.mark.skipif(find_spec("pycurl") is None, reason="no pycurl")
def test_31_a_name_that_does_not_resolve_leaves_the_hit_to_be_tried_again(
    adds_up, make_event, make_system, monkeypatch, until
):
    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", "1")  # else only loopback
    sender = ThreadSender(transport="curl", timeout=2.0)
    sender.bind([make_system("http://collector.invalid/")])  # RFC 6761 section 6.4
    sender.send(make_event())

    until(lambda: sender.stats()["local"].waiting == 1)

    counts = sender.stats()["local"]
    adds_up(counts)
    assert counts.unknown == 0  # nothing was sent, so nothing may have been counted
    assert not sender.close(0.0)
