"""The background sender: threads, forks, the end of the process, and hooks."""

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref
from pathlib import Path

import anyio
import pytest

from server_tracking.errors import ConfigurationError
from server_tracking.senders import Counts
from server_tracking.senders.lanes import Rules
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing.senders import SenderContract

PATIENCE = 10.0
QUICK = Rules(backoff=0.01, pause=0.01, pause_cap=0.01)


class TestTheContractWithRequests(SenderContract):
    def make_sender(self):
        return ThreadSender(transport="requests")


class TestTheContractWithTheBestTransport(SenderContract):
    def make_sender(self):
        return ThreadSender()


@pytest.fixture
def make_sender(make_system, transport_name):
    made = []

    def make(*urls, fields=None, **options):
        sender = ThreadSender(
            **{"transport": transport_name, "timeout": 5.0, **options}
        )
        sender.bind([make_system(url, **fields or {}) for url in urls])
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(0.0)


def own_threads():
    return [t for t in threading.enumerate() if t.name.startswith("server-tracking")]


# Threads


def test_nothing_is_started_before_the_first_hit(make_sender, collector, make_event):
    before = own_threads()
    sender = make_sender(collector.url)
    sender.stats()
    assert sender.flush(1.0)
    assert own_threads() == before

    sender.send(make_event())

    assert len(own_threads()) > len(before)
    assert all(thread.daemon for thread in own_threads())


def test_there_are_few_threads_however_many_systems_and_hits(
    make_sender, collector, make_event, transport_name
):
    before = len(own_threads())
    sender = make_sender(*[collector.url] * 6)
    for _ in range(200):
        sender.send(make_event())

    assert sender.flush(PATIENCE)

    assert len(own_threads()) - before <= (1 if transport_name == "curl" else 7)
    assert all(counts.delivered == 200 for counts in sender.stats().values())


def test_closing_ends_the_thread(make_sender, collector, make_event, until):
    before = own_threads()
    sender = make_sender(collector.url)
    sender.send(make_event())

    assert sender.close(PATIENCE)

    until(lambda: set(own_threads()) <= set(before))


def test_a_sender_that_nobody_has_any_more_sends_what_is_left_and_ends(
    make_system, collector, make_event, until
):
    before = own_threads()
    sender = ThreadSender()
    sender.bind([make_system(collector.url)])
    sender.send(make_event())
    gone = weakref.ref(sender)

    del sender
    gc.collect()

    assert gone() is None
    collector.wait_for(1)
    until(lambda: set(own_threads()) <= set(before))


def test_a_thread_that_cannot_be_started_is_done_without(
    make_sender, collector, make_event, counts_of, monkeypatch
):
    start = threading.Thread.start

    def refuse(self):
        if self.name.startswith("server-tracking"):
            raise RuntimeError("can't start new thread")
        start(self)

    sender = make_sender(collector.url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert sender.send(make_event())
        assert counts_of(sender).queued == 1
        # The calling thread does the work.
        threads = own_threads()
        assert sender.flush(PATIENCE)
        assert own_threads() == threads

    assert counts_of(sender).delivered == 1


def test_a_sender_that_breaks_down_starts_again(
    make_sender, collector, make_event, counts_of, caplog, until, monkeypatch
):
    sender = make_sender(collector.url)
    [lane] = sender._process.get()._in_order
    with monkeypatch.context() as patch:
        patch.setattr(lane, "launch", sys.exit)
        sender.send(make_event())
        until(lambda: "broke down" in caplog.text)

    assert sender.flush(PATIENCE)
    assert counts_of(sender).delivered == 1


UWSGI = [
    # version, options, whether its threads run between requests
    (b"2.0.26", {}, False),
    (b"2.0.26", {"enable-threads": True}, True),
    (b"2.0.26", {"threads": b"4"}, True),
    (b"1.9.21.1", {"master": True}, False),
    (b"2.0.27", {}, True),
    (b"2.1-dev-abc", {}, True),
]


@pytest.mark.parametrize(("version", "options", "runs"), UWSGI)
def test_a_uwsgi_without_threads_is_warned_of_once(
    make_sender, collector, make_event, monkeypatch, caplog, version, options, runs
):
    uwsgi = types.ModuleType("uwsgi")
    uwsgi.version, uwsgi.opt = version, options
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    sender = make_sender(collector.url)

    for _ in range(3):
        sender.send(make_event())

    said = [text for text in caplog.messages if "enable-threads" in text]
    assert len(said) == (0 if runs else 1)


# What waits, and for how long


def test_hits_wait_for_company(make_sender, collector, make_event):
    sender = make_sender(collector.url, fields={"linger": 0.1})

    for _ in range(5):
        sender.send(make_event())
    collector.wait_for(1)

    assert [len(seen.ids) for seen in collector.requests] == [5]


def test_a_full_call_does_not_wait(make_sender, collector, make_event):
    sender = make_sender(collector.url, fields={"linger": 60.0, "hits": 3})

    for _ in range(3):
        sender.send(make_event())
    collector.wait_for(1)

    assert [len(seen.ids) for seen in collector.requests] == [3]


def test_the_senders_own_linger_wins(make_sender, collector, make_event):
    sender = make_sender(collector.url, fields={"linger": 60.0}, linger=0.01)

    sender.send(make_event())

    collector.wait_for(1)


def test_a_flush_does_not_linger(make_sender, collector, make_event):
    sender = make_sender(collector.url, fields={"linger": 60.0})
    sender.send(make_event())

    assert sender.flush(PATIENCE)
    sender.send(make_event())  # while the thread naps
    assert sender.flush(PATIENCE)

    assert len(collector.requests) == 2


def test_hits_that_keep_coming_do_not_wake_the_thread(
    make_sender, collector, make_event
):
    sender = make_sender(collector.url, fields={"linger": 0.5, "hits": 1000})
    sender.send(make_event())
    collector.wait_for(1)
    sender.flush(PATIENCE)
    woken = []
    transport = sender._process.get()._driver.transport
    wake, transport.wake = transport.wake, lambda: woken.append(1)

    for _ in range(100):
        sender.send(make_event())

    transport.wake = wake
    assert len(woken) <= 1
    assert sender.flush(PATIENCE)


def test_a_failure_is_tried_again(make_sender, collector, make_event, counts_of):
    collector.script(collector.status(503), collector.status(204))
    sender = make_sender(collector.url, rules=QUICK)
    event = make_event()

    sender.send(event)
    collector.wait_for(2)
    sender.flush(PATIENCE)

    assert [seen.ids for seen in collector.requests] == [[str(event.id)]] * 2
    assert counts_of(sender).delivered == 1


def test_what_may_have_been_processed_is_not_sent_twice(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang_up)
    sender = make_sender(collector.url, rules=QUICK)

    sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert counts_of(sender).unknown == 1
    assert len(collector.requests) == 1


def test_an_idempotent_system_gets_it_again(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang_up, collector.status(204))
    sender = make_sender(collector.url, fields={"idempotent": True}, rules=QUICK)

    sender.send(make_event())
    collector.wait_for(2)

    assert sender.flush(PATIENCE)
    assert counts_of(sender).delivered == 1


def test_a_system_that_hangs_holds_up_no_other(
    make_sender, collector, make_event, counts_of, until
):
    def step(sock, request):
        slow = "slow" in request.target
        return (collector.hang if slow else collector.status(204))(sock, request)

    collector.script(step)
    sender = make_sender(
        collector.url + "&slow",
        collector.url + "&slow2",
        collector.url,
        fields={"concurrency": 20, "hits": 1},
    )
    for _ in range(60):
        sender.send(make_event())

    until(lambda: counts_of(sender, "local-3").delivered == 60)
    assert counts_of(sender).delivered == 0


def test_a_flush_comes_back_early_if_nothing_can_get_through(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.status(401))
    sender = make_sender(collector.url)
    sender.send(make_event())
    collector.wait_for(1)
    begun = time.monotonic()

    assert not sender.flush(60.0)

    assert time.monotonic() - begun < PATIENCE
    assert counts_of(sender).waiting == 1


def test_an_old_hit_expires(make_sender, collector, make_event, counts_of):
    sender = make_sender(collector.url, fields={"max_age": 60.0})

    sender.send(make_event(time=time.time() - 61))
    sender.send(make_event(time=time.time() + 3600))  # made by a clock that is wrong

    assert sender.flush(PATIENCE)
    counts = counts_of(sender)
    assert (counts.expired, counts.delivered) == (1, 1)


def test_a_full_queue_refuses_the_newest_and_never_blocks(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, max_hits=10)

    assert [sender.send(make_event()) for _ in range(15)] == [True] * 10 + [False] * 5

    assert counts_of(sender).refused == {"queue_full": 5}


def test_the_oldest_gives_way_if_one_says_so(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(
        collector.url, fields={"linger": 60.0}, max_hits=9, overflow="drop_oldest"
    )

    assert all(sender.send(make_event(f"n{n}")) for n in range(12))

    assert sender.flush(PATIENCE)
    counts = counts_of(sender)
    assert (counts.accepted, counts.delivered, counts.lost) == (12, 9, 3)
    body = json.loads(collector.requests[0].body)
    assert body["categories"] == [f"n{n}" for n in range(3, 12)]


def test_a_caller_may_wait_for_room(make_sender, collector, make_event, counts_of):
    sender = make_sender(
        collector.url, max_hits=5, overflow="block", block_ms=PATIENCE * 1000
    )

    assert all(sender.send(make_event()) for _ in range(50))

    assert sender.flush(PATIENCE)
    assert counts_of(sender).delivered == 50


def test_a_caller_waits_no_longer_than_it_was_told(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, max_hits=1, overflow="block", block_ms=30)
    sender.send(make_event())
    begun = time.monotonic()

    assert not sender.send(make_event())

    assert 0.03 <= time.monotonic() - begun < PATIENCE
    assert counts_of(sender).refused == {"queue_full": 1}


def test_nobody_waits_for_a_system_that_is_down(
    make_sender, collector, make_event, counts_of, until
):
    collector.script(collector.status(401))
    sender = make_sender(collector.url, max_hits=1, overflow="block", block_ms=9999)
    sender.send(make_event())
    until(lambda: counts_of(sender).waiting == 1)
    begun = time.monotonic()

    assert not sender.send(make_event())

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_an_event_loop_is_never_held_up(
    make_sender, collector, make_event, counts_of, library
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, max_hits=1, overflow="block", block_ms=9999)
    sender.send(make_event())
    begun = time.monotonic()

    async def send():
        return sender.send(make_event())

    assert not anyio.run(send, backend=library)

    assert time.monotonic() - begun < 5
    assert counts_of(sender).refused == {"queue_full": 1}


def test_closing_ends_the_wait_for_room(make_sender, collector, make_event, counts_of):
    collector.script(collector.hang)
    sender = make_sender(collector.url, max_hits=1, overflow="block", block_ms=9999)
    sender.send(make_event())
    results = []
    caller = threading.Thread(target=lambda: results.append(sender.send(make_event())))
    caller.start()

    sender.close(0.05)
    caller.join(PATIENCE)

    assert results == [False]


# Closing


def test_closing_gives_up_what_cannot_be_sent_in_time(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, fields={"hits": 1, "concurrency": 1})
    sender.send(make_event())
    collector.wait_for(1)
    sender.send(make_event())

    begun = time.monotonic()
    assert not sender.close(0.1)

    assert time.monotonic() - begun < 2
    counts = counts_of(sender)
    assert (counts.unknown, counts.abandoned) == (1, 1)


def test_a_dead_system_is_not_waited_for(make_sender, dead_url, make_event, counts_of):
    sender = make_sender(dead_url)
    sender.send(make_event())

    assert not sender.close(0.2)

    assert counts_of(sender).abandoned == 1


# Hooks


def test_before_send_changes_or_withholds(
    make_sender, collector, make_event, counts_of
):
    def before_send(hit):
        if hit.category == "broken":
            raise LookupError
        return None if hit.category == "private" else hit

    sender = make_sender(collector.url, before_send=before_send)
    for category in ("fine", "private", "broken"):
        sender.send(make_event(category))

    assert sender.flush(PATIENCE)
    counts = counts_of(sender)
    assert (counts.delivered, counts.rejected) == (1, {"hook": 2})
    assert b"private" not in collector.requests[0].body


def test_a_hook_cannot_send_flush_or_close(
    make_sender, collector, make_event, counts_of
):
    results = []

    def before_send(hit):
        results.append((sender.send(make_event()), sender.flush(5), sender.close(5)))
        return hit

    sender = make_sender(collector.url, before_send=before_send)
    sender.send(make_event())

    assert sender.flush(PATIENCE)
    assert results == [(False, False, False)]
    counts = counts_of(sender)
    assert (counts.delivered, counts.refused) == (1, {"reentrant": 1})
    assert sender.send(make_event())  # it was not closed


def test_what_is_lost_is_told(make_sender, collector, make_event, until):
    drops, errors = [], []
    collector.script(collector.status(410))
    sender = make_sender(
        collector.url,
        on_drop=lambda *what: drops.append(what),
        on_error=errors.append,
    )
    sender.send(make_event())
    sender.flush(PATIENCE)
    sender.send(make_event("raise"))
    sender.flush(PATIENCE)

    until(lambda: len(drops) == 2)
    assert drops == [("local", "refused", 1), ("local", "invalid", 1)]
    assert [type(error) for error in errors] == [LookupError]


def test_hooks_that_exit_do_not_end_the_thread(
    make_sender, collector, make_event, counts_of
):
    def leave(*args):
        raise SystemExit

    sender = make_sender(
        collector.url, before_send=leave, on_drop=leave, on_error=leave
    )
    for _ in range(2):
        sender.send(make_event())
        assert sender.flush(PATIENCE)

    assert counts_of(sender).rejected == {"hook": 2}


def test_losses_are_logged_once_in_a_while_and_without_secrets(
    make_sender, collector, make_event, caplog
):
    collector.script(collector.status(410))
    sender = make_sender(collector.url, fields={"hits": 1})
    with caplog.at_level(logging.DEBUG):
        for _ in range(20):
            sender.send(make_event())
            sender.flush(PATIENCE)

    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == ["Hits for local were lost: 1 refused."]
    assert "s3cr3t" not in caplog.text
    assert str(collector.port) not in caplog.text


def test_a_system_that_somebody_has_to_mend_is_named_once(
    make_sender, collector, make_event, caplog
):
    collector.script(collector.status(401))
    sender = make_sender(
        collector.url, rules=Rules(misconfigured_pause=0.01, pause_cap=0.01)
    )
    with caplog.at_level(logging.WARNING):
        sender.send(make_event())
        collector.wait_for(5)

    assert [record.getMessage() for record in caplog.records] == [
        "local takes no hits until somebody acts: http_401. It is tried again in 0 s."
    ]


def test_a_log_handler_that_makes_hits_comes_to_an_end(
    make_sender, collector, make_event, counts_of
):
    class Handler(logging.Handler):
        def emit(self, record):
            sender.send(make_event())

    collector.script(collector.status(410))
    sender = make_sender(collector.url)
    handler = Handler()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        sender.send(make_event())
        assert sender.flush(PATIENCE)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert len(collector.requests) == 1
    assert counts_of(sender).accepted == 1


def test_a_signal_handler_that_comes_in_between_does_not_lock_up(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(collector.url)
    sender.send(make_event())
    before = signal.signal(signal.SIGALRM, lambda *_: sender.send(make_event()))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for _ in range(3000):
            sender.send(make_event())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert sender.flush(PATIENCE)
    counts = counts_of(sender)
    assert counts.submitted > 3001
    assert counts.delivered == counts.accepted


# Several, and forks


def test_senders_do_not_know_each_other(make_sender, collector, make_event, counts_of):
    one, two = make_sender(collector.url), make_sender(collector.url)
    one.send(make_event())
    one.close(PATIENCE)
    two.send(make_event())
    two.flush(PATIENCE)

    assert counts_of(one).delivered == counts_of(two).delivered == 1


def test_a_sender_belongs_to_one_tracker(make_sender, collector):
    with pytest.raises(ConfigurationError, match="one tracker"):
        make_sender(collector.url).bind([])


WRONG = [
    {"timeout": 0},
    {"timeout": float("inf")},
    {"max_hits": 0},
    {"max_bytes": 0},
    {"linger": -1},
    {"exit_timeout": float("nan")},
    {"transport": "pigeon"},
    {"overflow": "weep"},
    {"block_ms": 0},
]


@pytest.mark.parametrize("options", WRONG)
def test_a_wrong_option_is_named(options):
    with pytest.raises(ConfigurationError, match=f"'{next(iter(options))}'"):
        ThreadSender(**options)


# Python 3.12 warns of forks in a process with threads, as these are.
COMMAND = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
PRELUDE = """
import json, os, signal, sys, threading, time
sys.path.insert(0, {folder!r})
from conftest import LocalSystem, event
from server_tracking.senders.thread import ThreadSender

def make(url={url!r}, **options):
    sender = ThreadSender(**{{"transport": {transport!r}, **options}})
    sender.bind([LocalSystem(url, linger=60.0)])
    return sender
"""


@pytest.fixture
def run_script(collector, transport_name):
    """Run a script in a process of its own; it must be silent, and end with *code*."""

    def run_script(script, code=0, **variables):
        prelude = PRELUDE.format(
            folder=str(Path(__file__).parent),
            url=variables.get("url", collector.url),
            transport=transport_name,
        )
        done = subprocess.run(
            [*COMMAND, prelude + script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return run_script


@pytest.fixture
def arrived(collector):
    """List the categories of all hits that have come."""

    def arrived():
        return sorted(
            category
            for seen in collector.requests
            for category in json.loads(seen.body)["categories"]
        )

    return arrived


FORKS = {
    "hooks": "os.fork",
    "no hooks": "__import__('ctypes').PyDLL(None).fork",  # as uWSGI forks
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("fork", FORKS.values(), ids=FORKS)
def test_parent_and_child_each_send_their_own_hits(run_script, arrived, fork):
    run_script(
        f"""
sender = make()
sender.send(event("parent before"))
sender.flush(10)
sender.send(event("parent queued"))
child = {fork}()
if child == 0:
    counts = sender.stats()["local"]
    assert counts.submitted == counts.queued == 0, counts
    sender.send(event("child"))
    assert sender.flush(10)
    assert sender.stats()["local"].delivered == 1
    sender.close(10)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
sender.send(event("parent after"))
assert sender.flush(10)
assert sender.stats()["local"].delivered == 3
"""
    )

    assert arrived() == ["child", "parent after", "parent before", "parent queued"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_amid_the_traffic_of_threads_lock_nothing_up(run_script, arrived):
    run_script(
        """
sender = make()
over = threading.Event()

def work():
    while not over.is_set():
        sender.send(event("parent"))
        over.wait(0.0005)

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for _ in range(30):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        sender.send(event("child"))
        os._exit(0 if sender.flush(15) else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
over.set()
for thread in threads:
    thread.join()
assert codes == [0] * 30, codes
assert sender.flush(10)
counts = sender.stats()["local"]
assert counts.delivered == counts.submitted, counts
"""
    )

    assert arrived().count("child") == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_multiprocessing_sends_before_it_ends(run_script, arrived):
    run_script(
        """
import multiprocessing
sender = make()

def work():
    sender.send(event("child"))

process = multiprocessing.get_context("fork").Process(target=work)
process.start()
process.join()
assert process.exitcode == 0
"""
    )

    assert arrived() == ["child"]


# The end


def test_a_short_script_sends_its_hits(run_script, arrived):
    done = run_script("sender = make(); sender.send(event('last'))")

    assert arrived() == ["last"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("last_words", "code"),
    [("sys.exit(3)", 3), ("raise LookupError", 1)],
)
def test_the_way_out_is_not_changed(run_script, arrived, last_words, code):
    run_script(f"sender = make(); sender.send(event('last'))\n{last_words}", code=code)

    assert arrived() == ["last"]


def test_sigterm_ends_the_process_as_ever_unless_it_is_handled(run_script, arrived):
    run_script(
        """
sender = make()
sender.send(event("lost"))
os.kill(os.getpid(), signal.SIGTERM)
""",
        code=-signal.SIGTERM,
    )
    assert arrived() == []

    run_script(
        """
sender = make()
sender.send(event("kept"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.kill(os.getpid(), signal.SIGTERM)
"""
    )
    assert arrived() == ["kept"]


def test_the_end_is_not_held_up_by_a_system_that_hangs(run_script, collector):
    collector.script(collector.hang)
    begun = time.monotonic()

    done = run_script(
        """
senders = [make(exit_timeout=0.5) for _ in range(3)]
for sender in senders:
    sender.send(event())
"""
    )

    assert time.monotonic() - begun < 8
    assert "Hits for local were lost: 1 unknown" in done.stderr
    assert "s3cr3t" not in done.stderr
    assert "Traceback" not in done.stderr


def test_hits_at_the_very_end_do_no_harm(run_script, arrived):
    done = run_script(
        """
import atexit
sender = make()

class Late:
    def __del__(self):
        sender.send(event("late"))
        sender.flush(1)

late = Late()
atexit.register(lambda: sender.send(event("at exit")))  # runs before ours
sender.send(event("before"))
"""
    )

    assert arrived() == ["at exit", "before"]
    assert done.stderr == ""


def test_a_first_hit_at_the_very_end_is_sent(run_script, arrived):
    done = run_script(
        """
import atexit
sender = make()
atexit.register(lambda: sender.send(event("at exit")))
"""
    )

    assert arrived() == ["at exit"]
    assert done.stderr == ""


def test_importing_the_sender_imports_no_http_client():
    script = (
        "import sys, server_tracking.senders.thread as t, server_tracking.senders.inline;"
        "t.ThreadSender();"
        "sys.exit(str({'requests', 'urllib3', 'pycurl'} & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stderr.strip() == ""


def test_counts_before_the_first_hit_are_zero(make_sender, collector):
    assert make_sender(collector.url).stats() == {"local": Counts()}
