"""Processes that are killed at a chosen line of the spool's code, not at a chosen time.

A process counts the lines of `senders/{intake,tail,store,claims,drain,sources}.py` that
its threads go through, and kills itself at one of them. Eight lines by default, spread
over all that it goes through; SERVER_TRACKING_KILL_POINTS=300 takes more of them.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.tail import names_of_tails
from server_tracking.testing.senders import ContractSystem

POINTS = int(os.environ.get("SERVER_TRACKING_KILL_POINTS", "8"))
PATIENCE = 30.0
HITS = 30
AT_ONCE = 2 * 10  # hits that the contract's system has under way: calls by hits
MOST_TWICE = 2 * AT_ONCE

WORKER = """
import os, signal, sys, threading
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders import claims, drain, intake, sources, store, tail
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem

url, directory, mode, at, hits = sys.argv[1:]
files = {module.__file__ for module in (claims, drain, intake, sources, store, tail)}
lines = 0

def look(frame, kind, _):
    global lines
    if frame.f_code.co_filename not in files:
        return None
    if kind == "line":
        lines += 1
        if lines == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
    return look

sender = SpoolSender(directory, durable=mode == "durable")
sender.bind([ContractSystem(url)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
threading.settrace(look)
sys.settrace(look)
for number in range(int(hits)):
    name = f"{at}-{number}"
    if sender.send(Event(context=context, category=name)):
        os.write(1, f"{name}\\n".encode())
    if number % 10 == 9:
        sender.flush(10.0)
sender.close(10.0)
sys.settrace(None)
sys.stderr.write(str(lines))
"""


def run_worker(collector, path, mode, at):
    """Run one that kills itself at its line *at*; returns what it had accepted."""
    arguments = [collector.url, str(path), mode, str(at), str(HITS)]
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return set(done.stdout.split()), done.stderr


@pytest.mark.parametrize("mode", ["durable", "quick"])
def test_a_kill_at_any_line_loses_nothing_that_was_accepted(
    collector, tmp_path, mode, memory_outlives_us
):
    """[62] Nor sends more than what was under way a second time."""
    if mode == "quick" and not memory_outlives_us:
        pytest.skip("no tmpfs at its place")
    path = tmp_path / "spool"
    accepted, lines = run_worker(collector, path, mode, 0)
    assert len(accepted) == HITS
    step = int(lines) / POINTS
    draw = random.Random()
    points = [1 + int(step * (n + draw.random())) for n in range(POINTS)]

    for at in points:
        more, _ = run_worker(collector, path, mode, at)
        accepted |= more
    sender = SpoolSender(path)
    sender.bind([ContractSystem(collector.url)])
    deadline = time.monotonic() + PATIENCE + 3 * POINTS
    stem = SpoolDirectory(path).tail_stem()
    while any(path.glob("*.lock")) or names_of_tails(stem):
        assert time.monotonic() < deadline, (points, list(path.iterdir()))
        sender.adopt()
        sender.flush(1.0)
    counts = sender.stats()["contract"]
    sender.close()

    seen = Counter(name for request in collector.requests for name in request.json)
    assert accepted <= set(seen), points
    assert counts.lost == 0
    twice = sum(seen.values()) - len(seen)
    assert twice <= MOST_TWICE * POINTS, points
    print(
        f"\n{mode}: {POINTS} of {lines} lines, {len(accepted)} accepted, "
        f"{len(accepted - set(seen))} lost, {twice} sent twice"
    )
