"""Forks at the worst moments: the thread is away, the calls under way are not lost.

Each script runs in a process of its own, where warnings are errors: Python 3.12 and
later warn of a fork in a process with threads.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")

PRELUDE = """
import os, signal, sys, threading, time
there = []
# Of hooks before a fork, the first to be registered runs last.
os.register_at_fork(
    before=lambda: there.append([t.name for t in threading.enumerate()])
)
sys.path.insert(0, {folder!r})
from conftest import LocalSystem, event
from server_tracking.senders.thread import ThreadSender

TRANSPORT = {transport!r}

def make(url={url!r}, fields={{}}, **options):
    sender = ThreadSender(**{{"transport": {transport!r}, **options}})
    sender.bind([LocalSystem(url, **fields)])
    return sender

def fork(work):
    child = os.fork()
    if child:
        return child
    signal.alarm(20)
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)

def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)
"""


@pytest.fixture
def run(collector, transport_name):
    """Run a script; it must end well, and be silent."""

    def run(script, url=None, **environ):
        prelude = PRELUDE.format(
            folder=str(Path(__file__).parents[1] / "senders"),
            url=url or collector.url,
            transport=transport_name,
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", prelude + script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environ},
        )
        assert (done.returncode, done.stderr) == (0, "")

    return run


def arrived(collector):
    return sorted(one for seen in collector.requests for one in seen.json["categories"])


def test_no_thread_is_there_when_a_process_forks(run, collector):
    """[41] 25 forks, a hit before and after each: no warning, none lost or doubled."""
    run(
        """
sender = make()

def work():
    sender.send(event("child"))
    assert sender.flush(15)

for _ in range(25):
    sender.send(event("parent"))
    assert sender.flush(10)
    assert code_of(fork(work)) == 0
sender.send(event("parent"))
assert sender.flush(10)
assert sender.stats()["local"].delivered == 26
assert there == [["MainThread"]] * 25, there
"""
    )

    assert arrived(collector) == ["child"] * 25 + ["parent"] * 26


def test_no_thread_of_a_spool_is_there_either(run, collector, tmp_path):
    """Its store is locked after its threads have ended, not before."""
    run(
        f"""
from server_tracking.senders.spool import SpoolSender
sender = SpoolSender({str(tmp_path / "spool")!r}, transport=TRANSPORT)
sender.bind([LocalSystem({collector.url!r})])

def work():
    sender.send(event("child"))
    assert sender.close(15)  # else it may be sent again

for _ in range(10):
    sender.send(event("parent"))
    child = fork(work)
    sender.send(event("parent"))
    assert code_of(child) == 0
assert sender.flush(10)
assert sender.stats()["local"].delivered == 20
assert there == [["MainThread"]] * 10, there
"""
    )

    assert arrived(collector) == ["child"] * 10 + ["parent"] * 20


def test_a_call_that_is_under_way_goes_on_after_the_fork(
    run, collector, transport_name
):
    """[42] It is neither broken off nor made twice, and needs no hit to go on."""
    if transport_name == "requests":
        pytest.skip("a thread that waits for an answer stays; the next test has it")
    collector.script(collector.after(0.5, collector.status(204)))
    run(
        """
sender = make(fields={"hits": 1})
sender.send(event("under way"))
sender.send(event("under way too"))
until(lambda: sender.stats()["local"].sending == 2)
child = fork(lambda: None)
assert sender.stats()["local"].sending == 2
until(lambda: sender.stats()["local"].delivered == 2)
assert code_of(child) == 0
assert there == [["MainThread"]], there
"""
    )

    assert arrived(collector) == ["under way", "under way too"]
    assert len(collector.requests) == 2


def test_a_fork_does_not_wait_for_an_answer(run, collector):
    """[42] Nor for the requests that are made by threads."""
    collector.script(collector.after(3.0, collector.status(204)))
    run(
        """
import warnings
warnings.simplefilter("ignore")  # by requests, a thread is in the middle of a call
sender = make(fields={"hits": 1}, timeout=20.0)
sender.send(event("slow"))
until(lambda: sender.stats()["local"].sending == 1)
begun = time.monotonic()
child = fork(lambda: None)
assert time.monotonic() - begun < 2
assert sender.flush(20)
assert sender.stats()["local"].delivered == 1
code_of(child)
"""
    )

    assert arrived(collector) == ["slow"]


def test_a_hook_that_takes_long_holds_a_fork_up_for_half_a_second(run, collector):
    """The child is as well off as ever: it begins anew."""
    run(
        """
import warnings
warnings.simplefilter("ignore")  # the thread cannot be ended
busy, free = threading.Event(), threading.Event()

def before_send(hit):
    if hit.category == "slow":
        busy.set()
        free.wait(10)
    return hit

sender = make(before_send=before_send)
sender.send(event("slow"))
assert busy.wait(10)
begun = time.monotonic()

def work():
    sender.send(event("child"))
    assert sender.flush(15)

child = fork(work)
assert time.monotonic() - begun < 3
assert code_of(child) == 0
free.set()
assert sender.flush(10)
assert sender.stats()["local"].delivered == 1
"""
    )

    assert arrived(collector) == ["child", "slow"]


def test_a_hook_may_fork(run, collector):
    """The thread that forks cannot wait for itself."""
    run(
        """
import warnings
warnings.simplefilter("ignore")

def before_send(hit):
    code_of(fork(lambda: None))
    return hit

sender = make(before_send=before_send)
sender.send(event("one"))
assert sender.flush(10)
assert sender.stats()["local"].delivered == 1
"""
    )

    assert arrived(collector) == ["one"]


def test_a_fork_waits_for_a_tls_handshake(
    collector, transport_name, run, tls_url, tls_certificate
):
    """[42] For two seconds at most; the answer is not waited for."""
    if transport_name == "curl":
        pytest.skip("libcurl's thread does it in short steps")
    wrap = collector.wrap

    def slow(sock):
        collector.released.wait(1.0)  # longer than a fork waits for a thread's end
        return wrap(sock)

    collector.wrap = slow
    run(
        """
import warnings
warnings.simplefilter("ignore")
under_way = []
from server_tracking.senders import handshakes
from server_tracking.senders.processes import guard_forks
guard_forks(lambda: under_way.append(handshakes.number()), int, int)
sender = make(fields={"hits": 1, "linger": 0.0})

def work():
    sender.send(event("child"))
    assert sender.flush(15)

sender.send(event("parent"))
until(lambda: handshakes.number() == 1)
child = fork(work)
assert under_way == [0], under_way
assert code_of(child) == 0
assert sender.flush(20)
""",
        url=tls_url,
        REQUESTS_CA_BUNDLE=str(tls_certificate),
    )

    assert arrived(collector) == ["child", "parent"]


def test_forks_amid_tls_handshakes_lock_nothing_up(
    run, collector, tls_url, tls_certificate
):
    """[42] Locks of OpenSSL that a thread holds at the fork stay locked in the child."""
    collector.script(collector.status(204, keep=False))
    run(
        """
import warnings
warnings.simplefilter("ignore")
sender = make(fields={"hits": 1, "linger": 0.0})

def work():
    sender.send(event("child"))
    assert sender.flush(15)

children = []
for _ in range(20):
    for _ in range(5):
        sender.send(event("parent"))
    children.append(fork(work))
codes = [code_of(child) for child in children]
assert codes == [0] * 20, codes
assert sender.flush(20)
assert sender.stats()["local"].delivered == 100, sender.stats()
""",
        url=tls_url,
        REQUESTS_CA_BUNDLE=str(tls_certificate),
    )

    assert arrived(collector) == ["child"] * 20 + ["parent"] * 100
