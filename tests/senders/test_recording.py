"""The recording sender: what a test may look at."""

import pytest

from server_tracking.testing import RecordingSender


@pytest.fixture
def recording(make_system):
    sender = RecordingSender()
    sender.bind([make_system("http://127.0.0.1:9/", hits=2)])
    return sender


def test_hits_are_kept_in_order(recording, make_event):
    events = [make_event(f"n{n}") for n in range(3)]

    assert all(recording.send(event) for event in events)

    assert recording.hits == events
    assert recording.calls == []


def test_calls_are_there_after_a_flush_and_only_once(recording, make_event):
    events = [make_event() for _ in range(3)]
    for event in events:
        recording.send(event)

    assert recording.flush()
    assert recording.flush()

    assert [call.hits for call in recording.calls] == [
        (events[0].id, events[1].id),
        (events[2].id,),
    ]
    recording.send(events[0])
    recording.flush()
    assert len(recording.calls) == 3


def test_each_system_makes_its_calls(make_system, make_event):
    sender = RecordingSender()
    sender.bind([make_system("http://127.0.0.1:9/a"), make_system("http://x/b")])
    sender.send(make_event())
    sender.close()

    assert [call.url for call in sender.calls] == ["http://127.0.0.1:9/a", "http://x/b"]
    assert set(sender.stats()) == {"local", "local-2"}


def test_every_hit_counts_as_delivered(recording, make_event, adds_up):
    recording.send(make_event())
    recording.close()
    assert not recording.send(make_event())

    counts = recording.stats()["local"]
    adds_up(counts)
    assert (counts.delivered, counts.refused) == (1, {"closed": 1})
    assert len(recording.hits) == 1


def test_clearing_forgets_hits_and_calls(recording, make_event):
    recording.send(make_event())
    recording.flush()

    recording.clear()
    recording.flush()

    assert (recording.hits, recording.calls) == ([], [])
    assert recording.stats()["local"].delivered == 1


def test_what_a_system_raises_is_seen(recording, make_event):
    recording.send(make_event("raise"))

    with pytest.raises(LookupError):
        recording.flush()


def test_it_works_without_a_system(make_event):
    sender = RecordingSender()

    assert sender.send(make_event())
    assert sender.flush()
    assert sender.stats() == {}
    assert len(sender.hits) == 1
