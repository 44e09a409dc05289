"""Batches that are delivered at once, and what is left of them."""

import threading
import time

import pytest

from server_tracking.senders import Counts, courier
from server_tracking.senders.courier import Courier
from server_tracking.senders.hooks import Hooks


@pytest.fixture
def drops():
    return []


@pytest.fixture
def make_courier(make_system, transport_name, drops):
    made = []

    def make(*urls, **fields):
        systems = [make_system(url, **fields) for url in urls]
        hooks = Hooks(None, lambda *what: drops.append(what), None)
        made.append(
            Courier(systems, transport=transport_name, timeout=5.0, hooks=hooks)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def counts_of(adds_up):
    def counts_of(courier, name="local"):
        counts = courier.counts().get(name, Counts())
        adds_up(counts)
        assert counts.queued == counts.waiting == counts.sending == 0
        return counts

    return counts_of


def test_a_batch_is_delivered_and_nothing_is_left(
    make_courier, collector, make_event, counts_of
):
    one = make_courier(collector.url)

    assert one.deliver("local", [make_event() for _ in range(25)], 1) is None

    assert counts_of(one) == Counts(submitted=25, accepted=25, delivered=25)
    assert len(collector.requests) == 3


def test_connections_are_kept_from_batch_to_batch(make_courier, collector, make_event):
    one = make_courier(collector.url, concurrency=1)

    for _ in range(3):
        one.deliver("local", [make_event()], 1)

    assert collector.connections == 1


def test_only_what_is_safe_is_left(make_courier, collector, make_event, counts_of):
    collector.script(
        collector.status(204),
        collector.status(500),
        collector.status(503),
        collector.status(410),
    )
    one = make_courier(collector.url, hits=1, concurrency=1)
    hits = [make_event(f"n{number}") for number in range(4)]

    rest = one.deliver("local", hits, 1)

    assert rest.hits == [hits[2]]
    counts = counts_of(one)
    assert (counts.submitted, counts.delivered, counts.unknown) == (3, 1, 1)
    assert counts.rejected == {"refused": 1}


def test_of_a_refused_batch_the_good_ones_are_delivered_at_once(
    make_courier, collector, make_event, counts_of
):
    def step(sock, request):
        bad = b'"bad"' in request.body
        return collector.status(400 if bad else 204)(sock, request)

    collector.script(step)
    one = make_courier(collector.url)

    hits = [make_event("bad" if number == 3 else "good") for number in range(10)]

    assert one.deliver("local", hits, 1) is None
    counts = counts_of(one)
    assert (counts.delivered, counts.rejected) == (9, {"refused": 1})


def test_what_does_not_fit_into_the_time_is_left_without_a_wait(
    make_courier, collector, make_event, counts_of, monkeypatch
):
    monkeypatch.setattr(courier, "BUDGET", -1.0)
    one = make_courier(collector.url)
    hits = [make_event() for _ in range(3)]

    rest = one.deliver("local", hits, 1)

    assert (rest.hits, rest.wait) == (hits, 0.0)
    assert counts_of(one) == Counts()


@pytest.mark.parametrize(("attempt", "bound"), [(1, 2.0), (4, 16.0), (50, 300.0)])
def test_the_bound_of_a_wait_doubles_up_to_five_minutes(attempt, bound):
    waits = [courier._backoff(attempt) for _ in range(500)]

    assert min(waits) >= 1.0
    assert bound / 2 < max(waits) <= bound


def test_a_system_that_fails_for_three_batches_is_left_alone_for_a_while(
    make_courier, dead_url, make_event
):
    one = make_courier(dead_url)

    for attempt in range(1, 4):
        one.deliver("local", [make_event()], attempt)
    hits = [make_event()]
    rest = one.deliver("local", hits, 1)

    assert rest.hits == hits
    assert rest.wait > 1.0


def test_success_ends_the_count_of_failures(make_courier, collector, make_event):
    collector.script(
        *[collector.status(s) for s in (503, 503, 204, 503, 503, 204)],
    )
    one = make_courier(collector.url)

    for _ in range(6):
        one.deliver("local", [make_event()], 1)

    assert len(collector.requests) == 6


def test_a_longer_pause_is_kept_for_later_batches(make_courier, collector, make_event):
    collector.script(collector.status(503, headers=["Retry-After: 100"]))
    one = make_courier(collector.url)

    first = one.deliver("local", [make_event()], 1)
    second = one.deliver("local", [make_event()], 1)

    assert 99 < first.wait <= 110
    assert 99 < second.wait <= 112
    assert len(collector.requests) == 1


def test_one_system_does_not_hold_up_another(
    make_courier, collector, dead_url, make_event, counts_of
):
    one = make_courier(dead_url, collector.url)
    for _ in range(4):
        one.deliver("local", [make_event()], 1)

    assert one.deliver("local-2", [make_event()], 1) is None
    assert counts_of(one, "local-2").delivered == 1


def test_old_hits_expire_and_are_told(
    make_courier, collector, make_event, counts_of, drops, caplog
):
    one = make_courier(collector.url, max_age=60.0)

    assert one.deliver("local", [make_event(time=time.time() - 61)], 1) is None

    assert counts_of(one).expired == 1
    assert drops == [("local", "expired", 1)]
    assert caplog.messages == ["Hits for local were lost by this worker: 1 expired."]


def test_hits_for_a_stranger_are_kept_for_a_day(make_courier, make_event, counts_of):
    one = make_courier()
    new = make_event()

    rest = one.deliver("later", [new, make_event(time=time.time() - 90_000)], 1)

    assert rest.hits == [new]
    assert counts_of(one, "later").expired == 1


def test_hits_that_a_call_cannot_carry_are_rejected(
    make_courier, collector, make_event, make_screenview, counts_of
):
    one = make_courier(collector.url)

    hits = [make_event("raise"), make_screenview(), make_event()]

    assert one.deliver("local", hits, 1) is None
    counts = counts_of(one)
    assert counts.rejected == {"invalid": 1, "unsupported": 1}
    assert counts.delivered == 1


def test_threads_may_share_a_courier(make_courier, collector, make_event, counts_of):
    one = make_courier(collector.url)

    def work():
        for _ in range(5):
            one.deliver("local", [make_event() for _ in range(10)], 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts_of(one).delivered == 200
