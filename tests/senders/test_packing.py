"""Hits into calls: whatever a system does, each hit is somewhere once."""

import itertools
from types import SimpleNamespace

import pytest

from server_tracking.calls import Call
from server_tracking.reasons import Reason
from server_tracking.senders import packing
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.packing import packed

URL = "https://stats.example/collect"


@pytest.fixture
def entries_of(make_event):
    """Make entries for the lanes, one for each category."""

    def entries_of(*categories):
        return [(make_event(category), 700, 0.0) for category in categories]

    return entries_of


class Scripted:
    """A system that makes the calls it is told to make."""

    def __init__(self, make):
        self.make = make

    def encode(self, hits, now):
        return self.make(hits)


def call_of(hits, method="POST", url=URL, headers=None, body=b""):
    return Call(method, url, headers or {}, body, tuple(hit.id for hit in hits))


def pack(make, entries, hooks=None):
    return packed(Scripted(make), entries, 0.0, hooks or Hooks())


def test_each_hit_goes_with_the_call_that_carries_it(entries_of):
    entries = entries_of("a", "b", "c")

    result = pack(lambda hits: [call_of(hits[:2]), call_of(hits[2:])], entries)

    assert [group for _, group in result.loads] == [entries[:2], entries[2:]]
    assert result.losses == []


def test_a_hit_that_no_call_carries_is_unsupported(entries_of):
    entries = entries_of("a", "b")

    result = pack(lambda hits: [call_of(hits[:1])], entries)

    assert result.losses == [(Reason.UNSUPPORTED, entries[1:])]


def test_a_hit_in_two_calls_ends_with_the_last(entries_of):
    entries = entries_of("a")

    result = pack(lambda hits: [call_of(hits), call_of(hits)], entries)

    assert [group for _, group in result.loads] == [[], entries]


def test_a_hit_that_came_twice_is_counted_twice(entries_of):
    entries = entries_of("a") * 2

    result = pack(lambda hits: [call_of(hits)], entries)

    assert [group for _, group in result.loads] == [entries]


def test_a_hit_that_breaks_the_system_is_lost_alone(entries_of):
    entries = entries_of("a", "bad", "c")
    told = []

    def make(hits):
        if any(hit.category == "bad" for hit in hits):
            raise LookupError
        return [call_of(hits)]

    result = pack(make, entries, Hooks(on_error=told.append))

    assert [group for _, group in result.loads] == [entries[:1], entries[2:]]
    assert result.losses == [(Reason.INVALID, entries[1:2])]
    assert [type(error) for error in told] == [LookupError]


@pytest.mark.parametrize("nonsense", [None, 5, ["no call"], [None]])
def test_a_system_that_makes_no_calls_at_all_loses_its_hits(entries_of, nonsense):
    entries = entries_of("a", "b")

    result = pack(lambda hits: nonsense, entries)

    assert result.loads == []
    assert [reason for reason, _ in result.losses] == [Reason.INVALID] * 2


UNSOUND = [
    {"method": "PO ST"},
    {"method": ""},
    {"url": "ftp://stats.example/"},
    {"url": "https://stats.example/a b"},
    {"url": "https://stats.example/\r\nX: y"},
    {"url": "https://stats.example/\xe4"},
    {"headers": {"X\r\nY": "z"}},
    {"headers": {"X": "y\r\nZ: z"}},
    {"headers": {"X": "y\x00"}},
    {"headers": {"X": "y\n"}},
    {"headers": {"X": "\u20ac"}},
    {"headers": {"X": " y"}},
    {"headers": {"X": "y "}},
    {"headers": {"": "y"}},
    {"body": "text"},
]


@pytest.mark.parametrize("fields", UNSOUND)
def test_a_call_that_would_be_written_otherwise_than_meant_is_not_made(
    entries_of, fields
):
    entries = entries_of("a", "b")

    result = pack(
        lambda hits: [call_of(hits[:1], **fields), call_of(hits[1:])], entries
    )

    assert [group for _, group in result.loads] == [entries[1:]]
    assert result.losses == [(Reason.INVALID, entries[:1])]


@pytest.mark.parametrize("value", ["", "x", "a b\tc", "gr\xfc\xdfe"])
def test_headers_of_latin_1_are_sound(entries_of, value):
    result = pack(lambda hits: [call_of(hits, headers={"X": value})], entries_of("a"))

    assert len(result.loads) == 1


def changed(hit):
    """Keep hits of one category back, fail for another, change the rest."""
    if hit.category == "private":
        return None
    if hit.category == "broken":
        raise LookupError
    return type(hit)(context=hit.context, category=hit.category.upper())


@pytest.fixture
def pauses(monkeypatch):
    """Note the pauses of a thread for which each look at the clock is a second later."""
    made = []
    clock = SimpleNamespace(perf_counter=itertools.count().__next__, sleep=made.append)
    monkeypatch.setattr(packing, "time", clock)
    return made


def test_other_threads_get_their_turn_between_the_hits(entries_of, pauses):
    entries = entries_of("a", "b")

    result = pack(lambda hits: [call_of(list(hits))], entries)

    assert pauses == [0] * 4  # when each hit is written, and when it is read
    assert [group for _, group in result.loads] == [entries]


def test_who_is_behind_does_not_pause(entries_of, pauses):
    entries = entries_of(*map(str, range(packing.FEW + 1)))

    result = pack(lambda hits: [call_of(list(hits))], entries)

    assert pauses == []
    assert [group for _, group in result.loads] == [entries]


def test_a_hook_changes_withholds_and_fails_closed(entries_of):
    entries = entries_of("a", "private", "broken")
    seen = []

    def make(hits):
        seen.extend(hits)
        return [call_of(hits)]

    result = pack(make, entries, Hooks(before_send=changed))

    [hit] = seen
    assert hit.category == "A"
    assert hit.id == entries[0][0].id  # whatever the hook has made of it
    assert [group for _, group in result.loads] == [entries[:1]]
    assert result.losses == [(Reason.HOOK, entries[1:])]


def test_a_hook_that_withholds_all_leaves_nothing_to_encode(entries_of):
    result = pack(None, entries_of("a"), Hooks(before_send=lambda hit: None))

    assert [reason for reason, _ in result.losses] == [Reason.HOOK]


def test_hooks_that_fail_are_kept_from_the_sender():
    def fail(*args):
        raise SystemExit

    hooks = Hooks(on_drop=fail, on_error=fail)

    hooks.dropped("matomo", "expired", 1)
    hooks.failed(LookupError())
