"""Outages of minutes and hours, on a clock of our own, and clocks that jump."""

import random
import time
from collections import Counter

import pytest

from server_tracking.calls import Call, Limits, Outcome, Verdict
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.lanes import Lane, Packed, Rules

CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))
OK = Outcome(Verdict.DELIVERED)
BUSY = Outcome(Verdict.RETRY, "http_503")
FORBIDDEN = Outcome(Verdict.RETRY, "http_401", misconfigured=True)


class System:
    """What a lane knows of a system."""

    name = "local"
    limits = Limits(hits=50, linger=1.0, max_age=24 * 3600.0, concurrency=2)


class Outage:
    """A lane that gets hits, and a system that answers as `answer` says at a time."""

    def __init__(self, answer, rules=Rules(), seed=1):  # noqa: B008 - frozen
        self.lane = Lane(System(), rules, random=random.Random(seed).random)
        self.answer = answer
        self.calls = []
        self.now = 0.0

    def pass_time(self, seconds, hits_per_second=0):
        """Let time pass in steps of 50 ms; each call takes one."""
        for step in range(int(seconds * 20)):
            if hits_per_second and step % (20 // hits_per_second) == 0:
                hit = Event(context=CONTEXT, category="test")
                self.lane.offer((hit, 500, self.now), self.now)
            while (parcel := self.lane.take(self.now)) is not None:
                ids = tuple(entry[0].id for entry in parcel.entries)
                call = Call("POST", "https://x.example/", {}, b"", ids)
                self.lane.loaded(parcel, Packed([(call, parcel.entries)], []))
            flying = []
            while (parcel := self.lane.launch(self.now)) is not None:
                flying.append(parcel)
                self.calls.append((self.now, len(parcel.entries)))
            self.now += 0.05
            for parcel in flying:
                self.lane.landed(parcel, self.answer(self.now), self.now)


@pytest.mark.parametrize("seed", range(5))
def test_an_outage_of_a_minute_costs_few_calls_and_no_hit(seed):
    """[17, 21] At most 12 calls while it lasts; afterwards all is delivered."""
    outage = Outage(lambda now: BUSY if now < 60 else OK, seed=seed)

    outage.pass_time(60, hits_per_second=5)
    during = len(outage.calls)
    outage.pass_time(60)

    assert during <= 12
    assert outage.lane.counts().delivered == 300


def test_the_breaker_opens_at_the_fifth_failure_and_tries_with_one_hit():
    """[21] Then a full batch follows the first success."""
    outage = Outage(lambda now: BUSY if now < 30 else OK)

    outage.pass_time(30, hits_per_second=5)
    first_five = [begun for begun, _ in outage.calls[:6]]
    outage.pass_time(60)

    assert first_five[5] - first_five[4] >= 2.5
    late = [size for begun, size in outage.calls if begun >= 30]
    assert late[0] == 1
    assert max(late[1:]) >= 50
    assert outage.lane.counts().delivered == 150


def test_a_wrong_key_is_not_hammered_with_and_loses_nothing():
    """[36] Ten minutes of 401: at most 3 calls; then somebody mends it."""
    outage = Outage(lambda now: FORBIDDEN if now < 600 else OK)

    outage.pass_time(600, hits_per_second=2)
    during = len(outage.calls)
    outage.pass_time(400)

    assert during <= 3
    assert outage.lane.counts().delivered == 1200


def test_waits_are_spread_evenly():
    """[20] 10,000 waits: each tenth of the range gets a tenth of them."""
    lane = Lane(System(), Rules(backoff=8.0), random=random.Random(7).random)
    tenths = Counter(int(lane._backoff(1) / 0.8) for _ in range(10_000))

    assert all(900 < tenths[tenth] < 1100 for tenth in range(10))


def test_a_hundred_workers_do_not_come_back_in_step():
    """[20] After an outage, no 100 ms get more than a tenth of their first calls."""
    slots = Counter()
    for seed in range(100):
        outage = Outage(lambda _: BUSY, seed=seed)
        outage.pass_time(12, hits_per_second=5)
        slots[int(outage.calls[5][0] * 10)] += 1  # the first after the breaker opened

    assert max(slots.values()) <= 15
    assert len(slots) >= 15


@pytest.mark.parametrize("jump", [-2 * 86400, 2 * 86400])
def test_a_wall_clock_that_jumps_expires_nothing(
    bind, collector, make_system, make_event, monkeypatch, jump
):
    """[76] Ages are counted by the clock that cannot be set."""
    sender = bind(make_system(collector.url, linger=60.0, max_age=3600.0))
    sender.send(make_event())
    real = time.time
    monkeypatch.setattr("server_tracking.senders.dispatch.time", lambda: real() + jump)
    assert sender.flush(10.0)

    assert sender.stats()["local"].delivered == 1
