"""Processes that are killed at any moment: what the spool had accepted is not lost.

Three rounds of each by default; SERVER_TRACKING_KILLS=100 is the full measure. The
figures are printed (pytest -s) and stand in docs/spool.md.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.lanes import Rules
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.tail import names_of_tails
from server_tracking.testing.senders import ContractSystem, adds_up

KILLS = int(os.environ.get("SERVER_TRACKING_KILLS", "3"))
# Seconds that a hit may be old when a kill takes it, where nothing but the disk outlives
# a process: milliseconds, if the thread that writes gets a processor.
MOST_LOST = 2.0
PATIENCE = 30.0
RECORD = 24  # bytes: an id, and when `send` had returned, in monotonic nanoseconds
AT_ONCE = 2 * 10  # hits that the contract's system has under way: calls by hits
# A call that has landed is noted before the next two are begun.
MOST_TWICE = 2 * AT_ONCE

RULES = Rules(backoff=0.05, pause=0.05, pause_cap=0.2, attempts=10**9)

WORKER = """
import os, struct, sys, threading, time
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem

url, directory, durable, threads, pause = sys.argv[1:]
sender = SpoolSender(directory, durable=durable == "durable")
sender.bind([ContractSystem(url), ContractSystem(url + "/second")])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))

def work():
    while True:
        hit = Event(context=context, category=os.urandom(16).hex())
        if sender.send(hit):
            # One write below PIPE_BUF is whole or not there at all.
            record = struct.pack("<q", time.monotonic_ns())
            os.write(1, bytes.fromhex(hit.category) + record)
        if float(pause):
            time.sleep(float(pause))

for _ in range(int(threads)):
    threading.Thread(target=work).start()
"""


class Collector(ThreadingHTTPServer):
    """Count what arrives, by path."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = {"/": Counter(), "/second": Counter()}
        self.lock = threading.Lock()
        self.refusals = 0.0  # the share of calls that get a 503
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Say nothing of clients that were killed."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if random.random() < self.server.refusals:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with self.server.lock:
            self.server.seen[self.path].update(json.loads(body))
        time.sleep(random.uniform(0, 0.01))  # so that kills find calls under way
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        """Print nothing."""


@pytest.fixture
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def killed_worker(collector, directory, mode, threads, pause, moment):
    """Run a worker, kill it *moment* seconds after its first hit.

    Returns what it had accepted, each with the seconds it came before the kill.
    """
    arguments = [collector.url, str(directory), mode, str(threads), str(pause)]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE
    ) as worker:
        records = bytearray(os.read(worker.stdout.fileno(), 65536))
        reader = threading.Thread(
            target=lambda: records.extend(worker.stdout.read()), daemon=True
        )
        reader.start()
        threading.Event().wait(moment)
        at = time.monotonic_ns()
        worker.kill()
        reader.join(PATIENCE)
    accepted = {}
    for start in range(0, len(records) - RECORD + 1, RECORD):
        name = records[start : start + 16].hex()
        came = int.from_bytes(records[start + 16 : start + RECORD], "little")
        accepted[name] = (at - came) / 1e9
    return accepted


def drained(collector, directory):
    """Send what is left, and return the counts of the process that did."""
    sender = SpoolSender(directory, rules=RULES)
    sender.bind(
        [ContractSystem(collector.url), ContractSystem(collector.url + "/second")]
    )
    try:
        deadline = time.monotonic() + PATIENCE + 3 * KILLS
        stem = SpoolDirectory(directory).tail_stem()
        while any(directory.glob("*.lock")) or names_of_tails(stem):
            assert time.monotonic() < deadline, list(directory.iterdir())
            sender.adopt()
            sender.flush(1.0)
        return sender.stats()
    finally:
        sender.close()


def run(collector, directory, mode, threads, pause, workers=1):
    draw = random.Random()
    accepted = {}

    def kill(_):
        moment = draw.uniform(0.0, 0.3)
        return killed_worker(collector, directory, mode, threads, pause, moment)

    with ThreadPoolExecutor(workers) as pool:
        for more in pool.map(kill, range(KILLS)):
            accepted |= more
    collector.refusals = 0.0
    counts = drained(collector, directory)
    assert all(adds_up(count) for count in counts.values())
    assert all(count.lost == 0 for count in counts.values())

    lost, twice = set(), 0
    for seen in collector.seen.values():
        lost |= set(accepted) - set(seen)
        twice += sum(number - 1 for number in seen.values())
        assert sum(number - 1 for number in seen.values()) <= MOST_TWICE * KILLS
        # Whoever is killed between the commit and our pipe has sent one more.
        assert len(set(seen) - set(accepted)) <= threads * KILLS + len(lost) or (
            mode != "durable"
        )
    print(
        f"\n{mode}, {workers} processes, {threads} threads: {KILLS} kills, {len(accepted)} accepted, "
        f"{len(lost)} lost, {twice} of {2 * len(accepted)} sent twice; the oldest "
        f"lost {max((accepted[name] for name in lost), default=0) * 1000:.1f} ms"
    )
    return accepted, lost


@pytest.mark.parametrize("threads", [1, 8])
def test_nothing_is_lost_that_a_durable_send_has_accepted(collector, tmp_path, threads):
    accepted, lost = run(collector, tmp_path / "spool", "durable", threads, 0.0005)

    assert len(accepted) > KILLS
    assert lost == set()


def test_a_kill_takes_nothing_of_what_was_sent_without_waiting_either(
    collector, tmp_path, memory_outlives_us
):
    """[63] Where there is tmpfs; elsewhere the last moment."""
    accepted, lost = run(collector, tmp_path / "spool", "quick", 2, 0.0005)

    assert len(accepted) > KILLS
    assert not (memory_outlives_us and lost)
    assert all(accepted[name] <= MOST_LOST for name in lost)


def test_processes_that_adopt_from_each_other_and_are_killed_lose_nothing(
    collector, tmp_path
):
    """[61] Three at once, and a twentieth of all calls gets a no for now."""
    collector.refusals = 0.05
    accepted, lost = run(collector, tmp_path / "spool", "durable", 2, 0.0005, workers=3)

    assert len(accepted) > KILLS
    assert lost == set()
