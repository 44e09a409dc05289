"""Processes that stop, fork for each request, or are frozen behind their answer."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PRELUDE = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
from conftest import LocalSystem, event
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.thread import ThreadSender

def bound(sender, **fields):
    sender.bind([LocalSystem({url!r}, **fields)])
    return sender
"""


@pytest.fixture
def begin(collector):
    """Start a script in a process of its own."""
    processes = []

    def begin(script):
        folder = Path(__file__).parents[1] / "senders"
        prelude = PRELUDE.format(folder=str(folder), url=collector.url)
        process = subprocess.Popen(
            [sys.executable, "-c", prelude + script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def arrived(collector):
    return sorted(one for seen in collector.requests for one in seen.json["categories"])


def ended(process, code=0):
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize(
    ("sender", "last_words", "kept"),
    [
        ("InlineSender()", "", 5),
        ("ThreadSender()", "sender.flush(5)", 5),
        ("ThreadSender()", "", 0),  # and so it says in docs/delivery.md
    ],
)
def test_a_process_for_each_request_needs_a_sender_that_does_not_wait(
    begin, collector, sender, last_words, kept
):
    """[57] Such a child runs neither atexit nor our thread to its end."""
    process = begin(
        f"""
sender = bound({sender}, linger=60.0)
for number in range(5):
    child = os.fork()
    if child == 0:
        sender.send(event(f"n{{number}}"))
        {last_words or "pass"}
        os._exit(0)
    os.waitpid(child, 0)
"""
    )

    ended(process)
    assert len(arrived(collector)) == kept


def test_a_flush_at_the_end_of_each_call_suits_a_process_that_is_frozen(
    begin, collector
):
    """Serverless: all hits of an invocation go in one call, before its answer."""
    process = begin(
        """
sender = bound(ThreadSender(), linger=60.0)

def handler(number):
    try:
        sender.send(event(f"a{number}"))
        sender.send(event(f"b{number}"))
        return "answer"
    finally:
        sender.flush(2)

for number in range(3):
    handler(number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    )

    ended(process, -signal.SIGKILL)
    assert [seen.json["categories"] for seen in collector.requests] == [
        ["a0", "b0"],
        ["a1", "b1"],
        ["a2", "b2"],
    ]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP")
def test_a_process_that_is_suspended_goes_on_where_it_was(begin, collector, until):
    """[58] Stopped with calls under way, and continued."""
    collector.script(collector.after(0.1, collector.status(204)))
    process = begin(
        """
sender = bound(ThreadSender(timeout=20.0), hits=2)
for number in range(80):
    sender.send(event("some"))
assert sender.flush(20)
counts = sender.stats()["local"]
assert counts.delivered == 80, counts
"""
    )
    collector.wait_for(5)
    process.send_signal(signal.SIGSTOP)
    before = len(collector.requests)
    until(lambda: collector.requests[-1].time < time.monotonic() - 0.5)
    process.send_signal(signal.SIGCONT)

    ended(process)
    assert len(arrived(collector)) == 80
    assert len(collector.requests) > before


def test_interrupts_during_the_last_flush_end_it(begin, collector):
    """[49] Ctrl-C again and again: a collector that hangs is not waited for."""
    collector.script(collector.hang)
    process = begin(
        """
import atexit
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job's may be ignored
sender = bound(ThreadSender(exit_timeout=60.0, timeout=60.0))
sender.send(event("some"))
atexit.register(lambda: print("ending", flush=True))  # runs before the sender's own
sys.stdin.read()
"""
    )
    collector.wait_for(1)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ending\n"
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() - begun < 8:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)

    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_crash_loses_what_memory_held_and_nothing_else(
    begin, collector, until, signal_number
):
    """[60, without a spool] At most what was accepted within the linger."""
    process = begin(
        """
sender = bound(ThreadSender(), linger=0.05)
number = 0
while True:
    sender.send(event(f"n{number}"))
    print(number, flush=True)
    number += 1
    time.sleep(0.001)
"""
    )
    collector.wait_for(5)
    process.send_signal(signal_number)
    out, _ = process.communicate(timeout=30)
    accepted = len(out.split())
    until(lambda: all(seen.body for seen in collector.requests))

    there = arrived(collector)
    assert len(set(there)) == len(there)
    # 50 ms of linger and the calls under way, at a hit each millisecond.
    assert accepted - 1 - len(there) <= 150
