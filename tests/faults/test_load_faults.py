"""More hits than can be sent, or bigger ones, or in bad company."""

import gc
import os
import threading
import time
import weakref
from pathlib import Path

import pytest

from server_tracking.senders.lanes import Rules
from server_tracking.senders.thread import ThreadSender

PATIENCE = 10.0


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_four_threads_at_full_speed_lose_nothing_unnamed(
    bind, collector, make_system, make_event
):
    """[1] 4 x 5,000 hits, through a queue of 1,000."""
    sender = bind(make_system(collector.url, hits=100), max_hits=1000)

    def work():
        for _ in range(5000):
            sender.send(make_event())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.flush(PATIENCE)

    counts = sender.stats()["local"]
    assert counts.submitted == 20_000
    assert counts.delivered == counts.accepted
    assert counts.accepted + sum(counts.refused.values()) == 20_000
    ids = [one for seen in collector.requests for one in seen.ids]
    assert len(ids) == len(set(ids)) == counts.delivered


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_does_not_grow_with_the_hits(bind, collector, make_system, make_event):
    """[2, 3] A collector that hangs; the second 30,000 hits take no more than 3 MB."""
    collector.script(collector.hang)
    sender = bind(make_system(collector.url), max_hits=2000)
    for _ in range(30_000):
        sender.send(make_event())
    gc.collect()
    before = resident()
    for _ in range(30_000):
        sender.send(make_event())
    gc.collect()

    assert resident() - before < 3_000_000
    counts = sender.stats()["local"]
    assert counts.refused == {"queue_full": 60_000 - counts.accepted}
    # A call that times out, on a busy machine, has left its place to others.
    kept = counts.queued + counts.waiting + counts.sending
    assert kept <= 2000 <= counts.accepted


def test_big_hits_are_bounded_by_their_bytes(bind, collector, make_system, make_event):
    """[4] 16 MiB hold some 540 hits of 30,000 letters, and no more."""
    collector.script(collector.hang)
    sender = bind(make_system(collector.url))
    accepted = sum(sender.send(make_event(label="x" * 30_000)) for _ in range(700))

    assert 16 * 2**20 // 32_000 < accepted <= 16 * 2**20 // 30_000
    assert sender.stats()["local"].refused == {"queue_full": 700 - accepted}


def test_a_hit_that_is_too_big_does_not_hold_up_a_flush(
    bind, collector, make_system, make_event
):
    """[5] Other libraries hang there."""
    sender = bind(make_system(collector.url, linger=60.0))
    sender.send(make_event())
    assert not sender.send(make_event(label="x" * 33_000))
    begun = time.monotonic()

    assert sender.flush(PATIENCE)

    assert time.monotonic() - begun < PATIENCE / 2
    assert sender.stats()["local"].refused == {"too_big": 1}


def test_a_burst_goes_out_at_once(bind, collector, make_system, make_event):
    """[8] 5,000 hits after silence: all accepted, the first call within 1.2 seconds."""
    sender = bind(make_system(collector.url, hits=100))
    sender.send(make_event())
    assert sender.flush(PATIENCE)
    begun = time.monotonic()

    assert all(sender.send(make_event()) for _ in range(5000))

    collector.wait_for(2)
    assert collector.requests[1].time - begun < 1.2
    assert sender.flush(PATIENCE)


def test_hits_are_sent_while_another_thread_takes_all_the_time(
    bind, collector, make_system, make_event
):
    """[9] A thread that computes without end."""
    over = threading.Event()

    def compute():
        while not over.is_set():
            sum(range(1000))

    busy = threading.Thread(target=compute)
    busy.start()
    try:
        sender = bind(make_system(collector.url))
        for _ in range(100):
            sender.send(make_event())
        assert sender.flush(PATIENCE)
    finally:
        over.set()
        busy.join()

    assert sender.stats()["local"].delivered == 100


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_senders_that_come_and_go_leave_nothing_behind(
    collector, make_system, make_event, transport_name, until
):
    """[11] A hundred of them, with a hit each."""

    def come_and_go(number):
        gone = []
        for _ in range(number):
            sender = ThreadSender(transport=transport_name)
            sender.bind([make_system(collector.url)])
            sender.send(make_event())
            assert sender.close(PATIENCE)
            gone.append(weakref.ref(sender))
        return gone

    def counted():
        collector.drop_connections()  # its own ends are no leak of ours
        names = [thread.name for thread in threading.enumerate()]
        return sum(n.startswith("server-tracking") for n in names), len(
            os.listdir("/proc/self/fd")
        )

    come_and_go(3)
    until(lambda: counted()[0] == 0)
    files = counted()[1]
    gone = come_and_go(100)
    gc.collect()

    assert not any(reference() for reference in gone)
    until(lambda: counted()[0] == 0)
    until(lambda: counted()[1] <= files + 3)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_a_collector_that_comes_and_goes_for_long_leaves_no_trace(
    bind, collector, make_system, make_event, until
):
    """[10] Well, failing, hanging, well again: four rounds, or FAULTS_SOAK seconds."""
    seconds = float(os.environ.get("FAULTS_SOAK", "0"))
    length = 15.0 if seconds else 0.2
    rules = Rules(backoff=0.05, pause=0.05, pause_cap=0.2)
    sender = bind(make_system(collector.url), timeout=0.5, rules=rules)
    sent = 0
    weighed = []

    def weigh():
        names = [thread.name for thread in threading.enumerate()]
        ours = sum(name.startswith("server-tracking") for name in names)
        return ours, len(os.listdir("/proc/self/fd")), resident()

    begun = time.monotonic()
    while len(weighed) < 4 or time.monotonic() - begun < seconds:
        for step in (
            collector.status(204),
            collector.status(500),
            collector.hang,
            collector.status(204),
        ):
            collector.script(step)
            until_then = time.monotonic() + length
            while time.monotonic() < until_then:
                for _ in range(5):
                    sender.send(make_event())
                    sent += 1
                until_next = threading.Event()
                until_next.wait(0.025)  # 200 hits in a second
        until(lambda: sender.flush(1.0))
        collector.drop_connections()  # its own ends are no leak of ours
        collector.requests.clear()
        weighed.append(weigh())

    print(
        f"{sent} hits in {time.monotonic() - begun:.0f} s; {weighed[0]} {weighed[-1]}"
    )
    counts = sender.stats()["local"]
    assert counts.submitted == sent
    assert counts.delivered + counts.unknown == counts.accepted
    assert max(threads for threads, _, _ in weighed) <= 1 + 4
    files = [files for _, files, _ in weighed]
    assert max(files) - min(files) <= 2 * 5
