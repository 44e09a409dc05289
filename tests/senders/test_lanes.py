"""One lane: what is held, when it may go, what became of it. No clock, no network."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from server_tracking.calls import Call, Limits, Outcome, Verdict
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.reasons import Reason
from server_tracking.senders.lanes import Lane, Packed, Parcel, Rules, lanes_for
from server_tracking.systems import discovered_systems

CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))
OK = Outcome(Verdict.DELIVERED)
UNREACHABLE = Outcome(Verdict.RETRY, "unreachable")


class System:
    """What a lane knows of a system."""

    name = "local"

    def __init__(self, **limits):
        self.limits = Limits(
            **{"hits": 10, "linger": 1.0, "max_age": 100.0, "concurrency": 2, **limits}
        )


def lane_of(rules=None, chance=1.0, **limits):
    return Lane(System(**limits), Rules(**rules or {}), random=lambda: chance)


def hit(**fields):
    return Event(context=CONTEXT, category="test", **fields)


def fill(lane, number, now=0.0, size=100):
    return [lane.offer((hit(), size, now), now) for _ in range(number)]


def one_call(parcel):
    """Pack a parcel as a system does that takes anything."""
    ids = tuple(entry[0].id for entry in parcel.entries)
    call = Call("POST", "https://x.example/", {}, b"", ids)
    return Packed([(call, parcel.entries)], [])


def one_call_each(parcel):
    loads = [one_call(Parcel([entry], parcel.first)).loads for entry in parcel.entries]
    return Packed([load for [load] in loads], [])


def send_all(lane, now, pack=one_call):
    """Take, encode and launch what may go; return what is under way."""
    flying = []
    while (parcel := lane.take(now)) is not None:
        lane.loaded(parcel, pack(parcel))
    while (parcel := lane.launch(now)) is not None:
        flying.append(parcel)
    return flying


def end(lane, outcome, now=0.0):
    """Send one hit, and let it end with *outcome*."""
    fill(lane, 1, now)
    lane.drain(now)
    [parcel] = send_all(lane, now)
    lane.landed(parcel, outcome, now)
    return parcel


# The door


def test_no_more_hits_are_held_than_allowed():
    lane = lane_of({"max_hits": 3})

    assert fill(lane, 5) == [True, True, True, False, False]
    assert lane.counts().refused == {Reason.QUEUE_FULL: 2}


def test_no_more_bytes_are_held_than_allowed():
    lane = lane_of({"max_bytes": 250})

    assert fill(lane, 3) == [True, True, False]


def test_what_is_under_way_still_takes_room():
    lane = lane_of({"max_hits": 2})
    fill(lane, 2)
    lane.drain(0.0)
    [parcel] = send_all(lane, 0.0)

    assert fill(lane, 1) == [False]
    lane.landed(parcel, OK, 0.0)
    assert fill(lane, 1) == [True]


def test_a_hit_that_is_too_big_is_refused_with_that_reason():
    lane = lane_of({"max_hit_bytes": 100})

    assert fill(lane, 1, size=101) == [False]
    assert lane.counts().refused == {Reason.TOO_BIG: 1}


def test_the_newest_takes_the_place_of_the_oldest_if_the_rules_say_so():
    lane = lane_of({"max_hits": 3, "max_bytes": 350, "drop_oldest": True})
    fill(lane, 3)
    oldest = lane.queue[0][0]

    assert fill(lane, 1) == [True]
    assert oldest not in [entry[0] for entry in lane.queue]
    assert fill(lane, 1, size=250) == [True]
    assert (lane.held, lane.bytes) == (2, 350)
    assert lane.counts().lost == 3
    assert lane.losses() == {Reason.QUEUE_FULL: 3}


def test_what_is_under_way_is_not_dropped_for_the_newest():
    lane = lane_of({"max_hits": 2, "drop_oldest": True})
    fill(lane, 2)
    lane.drain(0.0)
    [parcel] = send_all(lane, 0.0)

    assert fill(lane, 1) == [False]
    lane.landed(parcel, OK, 0.0)
    assert lane.counts().delivered == 2


def test_nothing_is_dropped_for_a_hit_that_can_never_fit():
    lane = lane_of({"max_bytes": 300, "drop_oldest": True})
    fill(lane, 2)

    assert fill(lane, 1, size=301) == [False]
    assert lane.counts().queued == 2


# When hits go


def test_hits_wait_for_company_until_the_first_has_waited_long_enough():
    lane = lane_of(linger=1.0)
    fill(lane, 3, now=5.0)

    assert lane.due(5.0) == 6.0
    assert send_all(lane, 5.9) == []
    assert [len(parcel.entries) for parcel in send_all(lane, 6.0)] == [3]


def test_a_full_call_goes_at_once():
    lane = lane_of(hits=10)
    fill(lane, 10)

    assert lane.due(0.0) == 0.0
    assert len(send_all(lane, 0.0)) == 1


def test_no_more_calls_are_under_way_than_the_system_takes():
    lane = lane_of({"concurrency": 1}, hits=1, linger=0.0)
    fill(lane, 100)
    [parcel] = send_all(lane, 0.0)

    assert send_all(lane, 0.0) == []
    assert lane.due(0.0) is None
    lane.landed(parcel, OK, 0.0)
    assert len(send_all(lane, 0.0)) == 1


def test_calls_become_more_with_each_success_and_half_as_many_with_a_failure():
    rules = {"first_calls": 2, "concurrency": 9, "failures": 99, "backoff": 0.0}
    lane = lane_of(rules, hits=1, linger=0.0)
    fill(lane, 200)
    under_way = []
    for outcome in (OK, OK, OK, OK, UNREACHABLE, OK):
        flying = send_all(lane, 0.0, one_call_each)
        under_way.append(len(flying))
        for parcel in flying:
            lane.landed(parcel, outcome, 0.0)

    assert under_way == [2, 4, 8, 9, 9, 1]


def test_calls_become_no_more_while_there_is_nothing_to_send():
    lane = lane_of({"first_calls": 2, "concurrency": 9}, hits=1, linger=0.0)
    for _ in range(50):
        fill(lane, 1)
        [parcel] = send_all(lane, 0.0, one_call_each)
        lane.landed(parcel, OK, 0.0)
    fill(lane, 100)

    assert len(send_all(lane, 0.0, one_call_each)) == 2


@pytest.mark.parametrize("kind", discovered_systems().values())
def test_a_lane_begins_with_few_calls_and_gets_to_all_in_a_few_round_trips(kind):
    system = kind.example()
    lane = Lane(system)
    under_way = [0]
    while under_way[-1] < system.limits.concurrency:
        fill(lane, 1000)
        flying = send_all(lane, 0.0, one_call_each)
        under_way.append(len(flying))
        for parcel in flying:
            lane.landed(parcel, OK, 0.0)

    assert under_way[1] <= 4
    assert len(under_way) - 1 <= 6  # 4, 8, 16, 32, 64, 128


def test_a_hit_that_is_too_old_expires_wherever_it_waits():
    lane = lane_of(max_age=10.0)
    fill(lane, 1, now=0.0)
    lane.offer((hit(), 100, -100.0), 0.0)  # was old when it came
    assert len(send_all(lane, 2.0)) == 1
    fill(lane, 1, now=3.0)
    send_all(lane, 14.0)

    assert lane.counts().expired == 2


def test_an_expired_hit_is_not_tried_again():
    lane = lane_of({"backoff": 20.0}, max_age=10.0)
    end(lane, UNREACHABLE)

    assert send_all(lane, 20.0) == []
    assert lane.counts().expired == 1


# What becomes of them

ENDS = [
    (OK, {}, "delivered"),
    (Outcome(Verdict.DROPPED, "bot"), {}, "dropped_by_system"),
    (Outcome(Verdict.REJECTED), {}, "rejected"),
    (Outcome(Verdict.REJECTED, split=True), {}, "rejected"),  # a single one
    (Outcome(Verdict.UNKNOWN), {}, "unknown"),
    (Outcome(Verdict.UNKNOWN), {"idempotent": True}, "waiting"),
    (UNREACHABLE, {}, "waiting"),
    (Outcome(Verdict.RETRY, misconfigured=True), {}, "waiting"),
    (Outcome(Verdict.RETRY, after=5.0), {}, "waiting"),
]


@pytest.mark.parametrize(("outcome", "limits", "end_state"), ENDS)
def test_each_outcome_puts_a_hit_somewhere(outcome, limits, end_state):
    lane = lane_of(**limits)

    end(lane, outcome)

    value = getattr(lane.counts(), end_state)
    assert (sum(value.values()) if isinstance(value, dict) else value) == 1


def test_hits_of_a_call_may_fare_differently():
    lane = lane_of()
    fill(lane, 3)
    lane.drain(0.0)
    [parcel] = send_all(lane, 0.0)
    first, second, _ = (entry[0].id for entry in parcel.entries)
    own = {first: Outcome(Verdict.DROPPED), second: Outcome(Verdict.REJECTED)}

    lane.landed(parcel, Outcome(Verdict.DELIVERED, exceptions=own), 0.0)

    counts = lane.counts()
    assert counts.delivered == 1
    assert counts.dropped_by_system == {Reason.DROPPED: 1}
    assert counts.rejected == {Reason.REFUSED: 1}


@pytest.mark.parametrize("number", [2, 7, 64])
def test_one_bad_hit_is_found_by_halving(number):
    lane = lane_of(hits=64)
    fill(lane, number)
    lane.drain(0.0)
    bad = lane.queue[number // 2][0].id
    calls = 0
    while flying := send_all(lane, 0.0):
        for parcel in flying:
            calls += 1
            bad_inside = any(entry[0].id == bad for entry in parcel.entries)
            outcome = Outcome(Verdict.REJECTED, split=True) if bad_inside else OK
            lane.landed(parcel, outcome, 0.0)

    assert lane.counts().delivered == number - 1
    assert lane.counts().rejected == {Reason.REFUSED: 1}
    assert calls <= 1 + 2 * math.ceil(math.log2(number))


def test_a_hit_is_tried_six_times_with_waits_that_double():
    lane = lane_of({"failures": 100})
    end(lane, UNREACHABLE)
    waits = []
    now = 0.0
    while (due := lane.due(now)) is not None:
        waits.append(due - now)
        now = due
        [parcel] = send_all(lane, now)
        lane.landed(parcel, UNREACHABLE, now)

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert lane.counts().abandoned == 1


def test_waits_are_random_and_never_nothing():
    assert lane_waits(0.0) == 0.1
    assert lane_waits(0.5) == 0.5
    assert lane_waits(1.0) == 1.0


def lane_waits(chance):
    lane = lane_of(chance=chance)
    end(lane, UNREACHABLE)
    return lane.due(0.0)


def test_without_attempts_nothing_waits():
    lane = lane_of({"attempts": 0})

    end(lane, UNREACHABLE)

    assert lane.counts().abandoned == 1


# Pauses


def test_five_failures_in_a_row_pause_the_lane_and_one_hit_goes_first():
    lane = lane_of({"pause": 10.0, "backoff": 0.1})
    fill(lane, 5)
    lane.drain(0.0)
    for now in range(5):
        for parcel in send_all(lane, float(now)):
            lane.landed(parcel, UNREACHABLE, float(now))
    fill(lane, 20, now=4.0)

    assert lane.due(4.0) == 14.0
    assert send_all(lane, 13.9) == []
    [probe] = send_all(lane, 14.0)
    assert len(probe.entries) == 1  # of five that failed together
    assert send_all(lane, 14.0) == []
    lane.landed(probe, OK, 14.0)
    assert sum(len(parcel.entries) for parcel in send_all(lane, 14.0)) == 4 + 20


def test_a_probe_that_fails_doubles_the_pause():
    lane = lane_of({"pause": 10.0, "pause_cap": 25.0, "failures": 1, "attempts": 9})
    end(lane, UNREACHABLE)
    pauses = []
    now = 0.0
    for _ in range(3):
        due = lane.due(now)
        pauses.append(due - now)
        now = due
        [probe] = send_all(lane, now)
        lane.landed(probe, UNREACHABLE, now)

    assert pauses == [10.0, 20.0, 25.0]


def test_hits_wait_for_somebody_to_mend_what_is_misconfigured():
    lane = lane_of({"misconfigured_pause": 300.0}, max_age=10_000.0)
    end(lane, Outcome(Verdict.RETRY, "http_401", misconfigured=True))
    assert lane.trouble == "http_401"
    now = 0.0
    for _ in range(10):
        assert lane.due(now) == now + 300.0
        now += 300.0
        [probe] = send_all(lane, now)
        lane.landed(probe, Outcome(Verdict.RETRY, misconfigured=True), now)
    [probe] = send_all(lane, now + 300.0)
    lane.landed(probe, OK, now + 300.0)

    assert lane.counts().delivered == 1


@pytest.mark.parametrize(
    ("after", "wait"), [(7.0, 7.7), (-5.0, 1.0), (1e12, 110.0), (0.0, 1.0)]
)
def test_a_pause_that_the_system_asks_for_holds_within_reason(after, wait):
    lane = lane_of({"retry_after_cap": 100.0})

    end(lane, Outcome(Verdict.RETRY, after=after))

    assert lane.due(0.0) == pytest.approx(wait)


# Flush and close


def test_a_flush_sends_at_once_and_is_over_when_all_before_it_have_an_end():
    lane = lane_of(linger=50.0)
    fill(lane, 3)
    mark = lane.mark()
    lane.drain(0.0)
    [parcel] = send_all(lane, 0.0)
    fill(lane, 1)

    assert not lane.settled(mark)
    lane.landed(parcel, OK, 0.0)
    assert lane.settled(mark)
    assert not lane.settled(lane.mark())


def test_a_flush_ends_a_pause_of_our_own():
    lane = lane_of({"failures": 1, "pause": 60.0})
    end(lane, UNREACHABLE)
    assert lane.due(0.0) > 0.0

    lane.drain(0.0)

    assert lane.due(0.0) == 0.0
    assert len(send_all(lane, 0.0)) == 1


def test_a_flush_does_not_end_a_pause_that_the_system_asked_for():
    lane = lane_of()
    end(lane, Outcome(Verdict.RETRY, after=60.0))

    lane.drain(0.0)

    assert send_all(lane, 0.0) == []
    assert lane.is_stuck(10.0, 0.0)
    assert not lane.is_stuck(100.0, 0.0)


def test_what_is_under_way_is_not_stuck():
    lane = lane_of()
    fill(lane, 1)
    lane.drain(0.0)
    parcel = lane.take(0.0)
    assert not lane.is_stuck(0.0, 0.0)
    lane.loaded(parcel, one_call(parcel))
    lane.launch(0.0)
    assert not lane.is_stuck(0.0, 0.0)


def test_what_is_given_up_is_named_and_may_not_land_afterwards():
    lane = lane_of({"concurrency": 1}, hits=10)
    fill(lane, 10)
    flying = send_all(lane, 0.0)
    fill(lane, 2)

    lane.give_up()
    for parcel in flying:
        lane.landed(parcel, OK, 0.0)

    counts = lane.counts()
    assert (counts.unknown, counts.abandoned, counts.delivered) == (10, 2, 0)
    assert (lane.held, lane.bytes) == (0, 0)
    assert lane.settled(lane.mark())


def test_what_was_in_hand_when_the_driver_broke_is_taken_back():
    lane = lane_of({"concurrency": 2})
    fill(lane, 1)
    lane.drain(0.0)
    send_all(lane, 0.0)
    fill(lane, 1)
    lane.drain(0.0)
    lane.take(0.0)

    lane.recall(1.0)

    counts = lane.counts()
    assert (counts.unknown, counts.waiting, counts.sending) == (1, 1, 0)
    assert lane.due(1.0) == 1.0


def test_systems_of_one_name_are_numbered():
    assert list(lanes_for([System(), System(), System()])) == [
        "local",
        "local-2",
        "local-3",
    ]


# All of it, in any order

OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Verdict),
    after=st.none() | st.floats(-1, 50),
    split=st.booleans(),
    misconfigured=st.booleans(),
)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, the counts add up."""

    loading = Bundle("loading")
    flying = Bundle("flying")

    @initialize(
        attempts=st.integers(0, 3),
        idempotent=st.booleans(),
        hits=st.integers(1, 5),
        drop_oldest=st.booleans(),
    )
    def begin(self, attempts, idempotent, hits, drop_oldest):
        self.lane = lane_of(
            {
                "attempts": attempts,
                "max_hits": 30,
                "max_bytes": 2500,
                "failures": 2,
                "drop_oldest": drop_oldest,
            },
            chance=0.5,
            idempotent=idempotent,
            hits=hits,
            max_age=60.0,
        )
        self.now = 0.0
        self.offered = 0
        self.marks = []

    @rule(number=st.integers(1, 8), age=st.sampled_from([0.0, 0.0, 0.0, 70.0]))
    def offer(self, number, age):
        for _ in range(number):
            self.lane.offer((hit(), 100, self.now - age), self.now)
            self.offered += 1

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.0, 40.0]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(target=loading)
    def take(self):
        return self.lane.take(self.now)

    @rule(parcel=consumes(loading), lose=st.booleans())
    def load(self, parcel, lose):
        if parcel is None:
            return
        result = one_call(parcel)
        if lose:
            result = Packed([], [(Reason.UNSUPPORTED, parcel.entries)])
        self.lane.loaded(parcel, result)

    @rule(target=flying)
    def launch(self):
        return self.lane.launch(self.now)

    @rule(parcel=consumes(flying), outcome=OUTCOMES, own=st.none() | OUTCOMES)
    def land(self, parcel, outcome, own):
        if parcel is None:
            return
        if own is not None:
            first = parcel.entries[0][0].id
            outcome = Outcome(
                outcome.verdict, split=outcome.split, exceptions={first: own}
            )
        self.lane.landed(parcel, outcome, self.now)

    @rule()
    def drain(self):
        self.lane.drain(self.now)

    @rule()
    def mark(self):
        # All that was accepted so far, and how much of it has an end.
        counts = self.lane.counts()
        self.marks.append((self.lane.mark(), counts.accepted))

    @rule()
    @precondition(lambda self: self.offered > 10)
    def give_up(self):
        self.lane.give_up()

    @rule()
    def recall(self):
        self.lane.recall(self.now)

    @invariant()
    def adds_up(self):
        if not hasattr(self, "lane"):
            return
        counts = self.lane.counts()
        held = counts.queued + counts.waiting + counts.sending
        ended = (
            counts.delivered
            + sum(counts.rejected.values())
            + sum(counts.dropped_by_system.values())
            + counts.unknown
            + counts.expired
            + counts.abandoned
            + counts.lost
        )
        assert counts.submitted == self.offered
        assert counts.submitted == counts.accepted + sum(counts.refused.values())
        assert counts.accepted == ended + held
        assert self.lane.held == held
        assert self.lane.bytes == 100 * held
        assert held <= 30

    @invariant()
    def a_flush_means_what_it_says(self):
        if not hasattr(self, "lane"):
            return
        counts = self.lane.counts()
        held = counts.queued + counts.waiting + counts.sending
        ended = counts.accepted - held
        for mark, accepted in self.marks:
            if self.lane.settled(mark):
                assert ended >= accepted
            elif not held:
                pytest.fail("nothing is held, and yet something is waited for")


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestAnyOrder = AnyOrder.TestCase
