"""The inline sender: one try, in the calling thread."""

import threading
import time

import pytest

from server_tracking.errors import ConfigurationError
from server_tracking.senders.inline import InlineSender
from server_tracking.testing.senders import SenderContract


class TestTheContract(SenderContract):
    slow_systems_wait = False

    def make_sender(self):
        return InlineSender()


@pytest.fixture
def make_sender(make_system):
    def make(*urls, timeout=5.0, **fields):
        sender = InlineSender(timeout=timeout)
        sender.bind([make_system(url, **fields) for url in urls])
        return sender

    return make


def test_it_says_that_it_blocks():
    assert InlineSender().blocking


def test_a_hit_has_its_end_when_send_returns(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(collector.url)
    event = make_event()

    assert sender.send(event)

    assert counts_of(sender).delivered == 1
    assert [seen.ids for seen in collector.requests] == [[str(event.id)]]


def test_a_dead_system_loses_its_hits_and_no_other(
    make_sender, collector, dead_url, make_event, counts_of
):
    sender = make_sender(dead_url, collector.url)

    for _ in range(5):
        assert sender.send(make_event())

    assert counts_of(sender).abandoned == 5
    assert counts_of(sender, "local-2").delivered == 5


def test_a_system_that_failed_three_times_is_left_alone(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.status(503))
    sender = make_sender(collector.url)

    for _ in range(10):
        sender.send(make_event())

    assert len(collector.requests) == 3
    assert counts_of(sender).abandoned == 10


def test_a_system_that_hangs_costs_no_more_than_the_timeout(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, timeout=0.2)
    begun = time.monotonic()

    assert sender.send(make_event())

    assert time.monotonic() - begun < 2
    assert counts_of(sender).unknown == 1


STATUSES = [
    (204, "delivered"),
    (400, "rejected"),
    (503, "abandoned"),
    (500, "unknown"),
    (302, "abandoned"),
    (299, "delivered"),  # which the system cannot read
]


@pytest.mark.parametrize(("status", "end"), STATUSES)
def test_each_answer_is_an_end(
    make_sender, collector, make_event, counts_of, status, end
):
    collector.script(collector.status(status))
    sender = make_sender(collector.url)

    assert sender.send(make_event())

    counts = counts_of(sender)
    value = getattr(counts, end)
    assert (sum(value.values()) if end == "rejected" else value) == 1
    assert len(collector.requests) == 1


def test_a_hit_of_the_systems_own_code_is_refused(
    make_sender, collector, make_event, make_system, counts_of
):
    class Talkative(make_system, frozen=True):
        def outcome(self, call, status, headers, body):
            sender.send(make_event())
            return super().outcome(call, status, headers, body)

    sender = InlineSender()
    sender.bind([Talkative(collector.url)])

    sender.send(make_event())

    counts = counts_of(sender)
    assert (counts.delivered, counts.refused) == (1, {"reentrant": 1})


def test_a_flush_waits_for_other_threads(make_sender, collector, make_event, counts_of):
    collector.script(collector.hang)
    sender = make_sender(collector.url)
    thread = threading.Thread(target=sender.send, args=(make_event(),))
    thread.start()
    collector.wait_for(1)

    assert not sender.flush(0.05)
    assert counts_of(sender).sending == 1
    collector.released.set()
    assert sender.flush(10)
    thread.join()


def test_a_sender_belongs_to_one_tracker(make_sender, collector):
    with pytest.raises(ConfigurationError, match="one tracker"):
        make_sender(collector.url).bind([])


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout):
    with pytest.raises(ConfigurationError, match="'timeout'"):
        InlineSender(timeout=timeout)
