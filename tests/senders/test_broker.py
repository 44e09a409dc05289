"""Hits as messages, and what happens while nobody takes them."""

import pytest

from server_tracking.hits import decode_hits
from server_tracking.senders import broker
from server_tracking.senders.broker import BrokerDispatch, Route
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.lanes import Rules
from server_tracking.senders.options import Options

PATIENCE = 10.0


class ListPublisher:
    """A broker that takes messages, unless it is away."""

    def __init__(self):
        self.messages = []
        self.is_away = False
        self.tried = 0
        self.closed = 0

    def publish(self, system, hits):
        self.tried += 1
        if self.is_away:
            raise ConnectionRefusedError(hits)
        self.messages.append((system, decode_hits(hits.encode())))

    def close(self):
        self.closed += 1


@pytest.fixture
def publisher():
    return ListPublisher()


@pytest.fixture
def make_dispatch(publisher, make_system):
    made = []

    def make(*urls, may_be_direct=False, hooks=None, **fields):
        options = Options(
            timeout=5.0,
            exit_timeout=2.0,
            transport="requests",
            rules=Rules(attempts=10**9, backoff_cap=0.01, pause=0.01, pause_cap=0.01),
            hooks=hooks or Hooks(),
        )
        systems = [make_system(url, **fields) for url in urls]
        route = Route(may_be_direct=may_be_direct)
        dispatch = BrokerDispatch(
            systems, options, lambda: publisher, route, closed=False
        )
        made.append(dispatch)
        return dispatch

    yield make
    for dispatch in made:
        dispatch.close(0.0)


@pytest.fixture
def counts_of(adds_up):
    def counts_of(dispatch, name="local"):
        counts = dispatch.counts()[name]
        adds_up(counts)
        return counts

    return counts_of


def test_hits_for_a_system_travel_together(
    make_dispatch, publisher, make_event, dead_url, counts_of
):
    dispatch = make_dispatch(dead_url, hits=1)
    hits = [make_event(f"n{number}") for number in range(30)]
    for hit in hits:
        dispatch.offer(hit)

    assert dispatch.flush(PATIENCE)

    assert {system for system, _ in publisher.messages} == {"local"}
    assert [hit for _, some in publisher.messages for hit in some] == hits
    assert len(publisher.messages) < 30
    assert counts_of(dispatch).delivered == 30


@pytest.mark.parametrize("name", ["mine, 1/2", "zähler", "a?b#c"])
def test_any_name_of_a_system_arrives(
    make_dispatch, publisher, make_event, dead_url, name
):
    dispatch = make_dispatch(dead_url, name=name)
    dispatch.offer(make_event())

    assert dispatch.flush(PATIENCE)
    assert publisher.messages[0][0] == name


def test_a_hit_that_json_cannot_carry_is_lost_alone(
    make_dispatch, publisher, make_event, dead_url, counts_of
):
    dispatch = make_dispatch(dead_url)
    for category in ("fine", "\ud800", "fine"):
        dispatch.offer(make_event(category))

    assert dispatch.flush(PATIENCE)

    counts = counts_of(dispatch)
    assert (counts.delivered, counts.rejected) == (2, {"invalid": 1})


def test_what_a_broker_does_not_take_waits(
    make_dispatch, publisher, make_event, dead_url, counts_of, until
):
    publisher.is_away = True
    dispatch = make_dispatch(dead_url)
    for _ in range(5):
        dispatch.offer(make_event())
    until(lambda: publisher.tried > Rules().attempts)
    counts = counts_of(dispatch)
    assert counts.queued + counts.waiting + counts.sending == 5

    publisher.is_away = False

    until(lambda: counts_of(dispatch).delivered == 5)


def test_it_goes_directly_while_the_broker_is_away_if_it_may(
    make_dispatch, publisher, make_event, collector, counts_of, until, monkeypatch
):
    publisher.is_away = True
    dispatch = make_dispatch(collector.url, may_be_direct=True)
    for _ in range(20):
        dispatch.offer(make_event())
    until(lambda: counts_of(dispatch).delivered == 20)
    assert publisher.tried <= 2
    assert sum(len(seen.ids) for seen in collector.requests) == 20

    # Later it asks the broker again.
    publisher.is_away = False
    dispatch._route._closed_until = 0.0
    dispatch.offer(make_event())
    assert dispatch.flush(PATIENCE)

    assert len(publisher.messages) == 1
    assert counts_of(dispatch).delivered == 21


def test_a_broker_that_failed_is_left_alone_for_some_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(broker, "monotonic", lambda: now[0])
    route = Route(may_be_direct=True)
    assert route.is_open()

    route.failed()

    now[0] = 104.9
    assert not route.is_open()
    now[0] = 110.1
    assert route.is_open()


def test_without_another_way_the_broker_is_asked_always():
    route = Route(may_be_direct=False)
    route.failed()

    assert route.is_open()


def test_answers_to_direct_calls_are_read_as_ever(
    make_dispatch, publisher, make_event, collector, counts_of
):
    publisher.is_away = True
    collector.script(collector.status(410))
    dispatch = make_dispatch(collector.url, may_be_direct=True)
    dispatch._route.failed()
    dispatch.offer(make_event())

    assert dispatch.flush(PATIENCE)

    assert counts_of(dispatch).rejected == {"refused": 1}


def test_closing_closes_the_connection(make_dispatch, publisher, make_event, dead_url):
    dispatch = make_dispatch(dead_url)
    dispatch.offer(make_event())

    assert dispatch.close(PATIENCE)

    assert publisher.closed == 1
    assert len(publisher.messages) == 1


def test_losses_are_logged_without_what_was_in_them(
    make_dispatch, publisher, make_event, dead_url, caplog
):
    publisher.is_away = True
    dispatch = make_dispatch(dead_url)
    dispatch.offer(make_event("private"))

    assert not dispatch.close(0.05)

    [record] = caplog.records
    assert record.getMessage() == (
        "Hits for local were lost: 1 abandoned; its last trouble was "
        "broker: ConnectionRefusedError."
    )
