"""The spool: what it keeps, for whom, and what it does when the disk will not have it."""

import gc
import json
import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Context, Session, Visitor
from server_tracking.senders import Counts
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.lanes import Rules
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.store import MEMORY, Store
from server_tracking.testing.senders import SenderContract

PATIENCE = 10.0
QUICK = Rules(attempts=10**9, backoff=0.01, pause=0.01, pause_cap=0.01)
CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))


class TestTheContract(SenderContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path

    def make_sender(self):
        return SpoolSender(self.path / "spool")


class TestTheContractWhenSendWaits(SenderContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path

    def make_sender(self):
        return SpoolSender(self.path / "spool", durable=True, transport="requests")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make_sender(make_system, path):
    made = []

    def make(*urls, fields=None, directory=path, names=(), **options):
        sender = SpoolSender(directory, **{"rules": QUICK, "timeout": 5.0, **options})
        names = names or ["local"] * len(urls)
        sender.bind(
            [
                make_system(url, name=name, **fields or {})
                for url, name in zip(urls, names, strict=True)
            ]
        )
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(0.0)


def stores(path):
    return sorted(path.glob("*.spool"))


def ids_in(requests):
    return Counter(name for request in requests for name in request.ids)


def drain_of(path, make_sender, *urls, **options):
    """Make a sender that takes over whatever is free, now."""
    sender = make_sender(*urls, **options)
    sender.adopt()
    return sender


# The store, against a model of it

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5)),
        st.tuples(
            st.just("mark"),
            st.dictionaries(st.integers(1, 12), st.integers(1, 7), max_size=4),
        ),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_a_store_holds_what_some_system_has_not_had(tmp_path_factory, steps):
    file = tmp_path_factory.mktemp("store") / "one.spool"
    store = Store(file, ["a", "b", "c"])
    left, last = {}, 0
    for step, value in steps:
        if step == "append":
            ids = store.append((float(n), b"%d" % n) for n in range(value))
            assert list(ids) == list(range(last + 1, last + value + 1))
            last += value
            left.update(dict.fromkeys(ids, 0))
        elif step == "mark":
            # What has an end is never marked again, nor is what is not there.
            known = {hit: bits for hit, bits in value.items() if hit in left}
            store.mark(known)
            for hit, bits in known.items():
                left[hit] |= bits
            left = {hit: bits for hit, bits in left.items() if bits != 7}
        else:
            store.close()
            store = Store(file)
        assert store.pending == len(left)
        assert store.last == last
        assert store.first() == min(left, default=last + 1)
        for key, bit in (("a", 1), ("b", 2), ("c", 4)):
            assert store.bits[key] == bit
            waiting = [hit for hit in sorted(left) if not left[hit] & bit]
            assert store.count(bit) == len(waiting)
            assert [row.id for row in store.read(0, bit, 100)] == waiting
            assert [row.id for row in store.read(3, bit, 2)] == [
                hit for hit in waiting if hit > 3
            ][:2]
    store.close()


def test_a_store_in_memory_does_the_same():
    store = Store(MEMORY, ["a"])
    store.append([(1.0, b"x"), (2.0, b"y")])
    store.mark({1: 1})

    assert [row.body for row in store.read(0, 1, 9)] == [b"y"]
    store.close()


def test_old_hits_are_dropped_with_all_that_is_known_of_them():
    store = Store(MEMORY, ["a", "b"])
    store.append([(1.0, b"x"), (5.0, b"y")])
    store.mark({1: 1})

    assert store.drop_older(5.0) == 1
    assert store.pending == 1
    store.close()
    store.close()  # twice does no harm


# One process


def test_nothing_is_made_before_the_first_hit(make_sender, collector, path, make_event):
    sender = make_sender(collector.url)
    assert sender.flush(1.0)
    assert sender.stats() == {"local": Counts()}
    assert not path.exists()

    assert sender.send(make_event())
    assert sender.flush(PATIENCE)
    assert len(stores(path)) == 1


def test_only_the_user_can_read_it(make_sender, collector, path, make_event):
    sender = make_sender(collector.url, durable=True)
    sender.send(make_event())

    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for file in path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("option", "value"),
    [("max_bytes", 5), ("max_age", 0), ("timeout", 0), ("exit_timeout", -1)],
)
def test_wrong_options_are_refused_by_name(path, option, value):
    with pytest.raises(ConfigurationError, match=option):
        SpoolSender(path, **{option: value})


def test_a_sender_belongs_to_one_tracker(make_sender, collector):
    sender = make_sender(collector.url)
    with pytest.raises(ConfigurationError, match="one tracker"):
        sender.bind([])


def test_a_durable_hit_is_on_disk_when_send_returns(
    make_sender, dead_url, path, make_event
):
    sender = make_sender(dead_url, durable=True)
    assert sender.blocking
    for _ in range(3):
        assert sender.send(make_event())

    [file] = stores(path)
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM hit").fetchall() == [(3,)]
    db.close()


def test_a_hit_is_on_disk_soon_without_waiting(
    make_sender, dead_url, path, make_event, until
):
    sender = make_sender(dead_url)
    assert not sender.blocking
    sender.send(make_event())

    until(lambda: stores(path))
    [file] = stores(path)
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    until(lambda: db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    until(lambda: db.execute("SELECT count(*) FROM hit").fetchall() == [(1,)])
    db.close()


def test_a_system_that_is_down_holds_up_no_other(
    make_sender, collector, dead_url, make_event, counts_of
):
    sender = make_sender(dead_url, collector.url, names=["down", "up"])
    for _ in range(5000):  # more than a lane holds
        assert sender.send(make_event())
    assert not sender.flush(0.1)
    collector.wait_for(500)
    for _ in range(100):
        if counts_of(sender, "up").delivered == 5000:
            break
        sender.flush(0.1)

    assert counts_of(sender, "up").delivered == 5000
    down = counts_of(sender, "down")
    assert down.accepted == down.queued + down.waiting + down.sending == 5000


def test_what_is_left_at_the_end_is_sent_the_next_time(
    make_sender, collector, dead_url, path, make_event, counts_of
):
    sender = make_sender(dead_url)
    hits = [make_event() for _ in range(30)]
    assert all(sender.send(hit) for hit in hits)
    assert not sender.close(0.1)
    assert counts_of(sender).queued == 30
    assert not sender.send(make_event())

    second = drain_of(path, make_sender, collector.url)
    collector.wait_for(3)
    assert second.flush(PATIENCE)

    assert ids_in(collector.requests) == Counter(str(hit.id) for hit in hits)
    assert counts_of(second).delivered == counts_of(second).accepted == 30
    assert second.close(PATIENCE)
    assert not stores(path)  # nothing is left of an empty spool


def test_a_hit_that_one_system_has_had_is_not_sent_to_it_again(
    make_sender, collector, dead_url, path, make_event, counts_of
):
    names = ["first", "second"]
    sender = make_sender(collector.url, dead_url, names=names)
    for _ in range(20):
        sender.send(make_event())
    sender.flush(0.5)
    assert counts_of(sender, "first").delivered == 20
    sender.close(0.0)
    before = len(collector.requests)

    second = drain_of(path, make_sender, collector.url, collector.url, names=names)
    collector.wait_for(before + 2)
    assert second.flush(PATIENCE)

    assert counts_of(second, "first").accepted == 0
    assert counts_of(second, "second").delivered == 20
    assert set(ids_in(collector.requests).values()) == {2}


def test_hits_for_a_system_that_is_not_here_wait_for_it(
    make_sender, collector, dead_url, path, make_event, counts_of, until
):
    sender = make_sender(dead_url, dead_url, names=["here", "there"], durable=True)
    sender.send(make_event())
    sender.close(0.0)

    here = drain_of(path, make_sender, collector.url, names=["here"])
    collector.wait_for(1)
    assert here.flush(PATIENCE)
    here.close(PATIENCE)
    assert len(stores(path)) == 1
    there = drain_of(path, make_sender, collector.url, names=["there"])
    collector.wait_for(2)
    assert there.flush(PATIENCE)

    assert counts_of(there, "there").delivered == 1
    until(lambda: not stores(path))


def test_hits_that_are_too_old_expire(
    make_sender, dead_url, collector, path, make_event, counts_of, until
):
    sender = make_sender(dead_url, max_age=60.0)
    sender.send(make_event(time=time.time() - 61))
    sender.send(make_event(time=time.time() - 10))

    until(lambda: counts_of(sender).expired == 1)
    assert counts_of(sender).accepted == 2


def test_a_full_spool_refuses_and_takes_again_when_it_has_sent(
    make_sender, collector, path, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, max_bytes=1024 * 1024, durable=True)
    label = "x" * 10_000
    answers = [sender.send(make_event(label=label)) for _ in range(150)]

    accepted = answers.count(True)
    assert answers == [True] * accepted + [False] * (150 - accepted)
    assert 50 < accepted < 105
    assert counts_of(sender).refused == {"queue_full": 150 - accepted}
    # The log of SQLite comes on top of it.
    assert sum(f.stat().st_size for f in path.iterdir()) < 1024 * 1024 * 1.2 + 4_200_000

    collector.script(collector.status(204))
    collector.released.set()
    assert sender.flush(PATIENCE) or sender.flush(PATIENCE)
    assert sender.send(make_event(label=label))


def test_what_others_keep_counts_against_the_bound(
    make_sender, dead_url, path, make_event
):
    big = make_sender(dead_url, durable=True)
    for _ in range(150):
        assert big.send(make_event(label="x" * 10_000))

    small = make_sender(dead_url, max_bytes=1024 * 1024, durable=True)
    small.send(make_event())

    assert not small.send(make_event())


def test_a_big_file_that_is_empty_is_replaced(
    make_sender, collector, path, make_event, until
):
    sender = make_sender(collector.url, durable=True)
    sender.send(make_event())
    [before] = stores(path)
    for _ in range(900):  # it may be empty, and so be replaced, before the last
        sender.send(make_event(label="x" * 10_000))
    assert sender.flush(PATIENCE)

    def is_replaced():
        sender.send(make_event())  # which may come before the last end was noted
        assert sender.flush(PATIENCE)
        return before not in stores(path)

    until(is_replaced)


def test_a_hit_that_is_too_big_is_refused(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(collector.url)
    assert not sender.send(make_event(label="x" * 40_000))
    assert counts_of(sender).refused == {"too_big": 1}


@pytest.mark.parametrize("fields", [{"label": "\ud800"}, {"time": float("nan")}])
def test_a_hit_that_no_file_can_hold_is_refused(
    make_sender, collector, make_event, counts_of, fields
):
    sender = make_sender(collector.url)
    assert not sender.send(make_event(**fields))
    assert counts_of(sender).refused == {"invalid": 1}


def test_hooks_hear_of_it_and_cannot_send(
    make_sender, collector, make_event, counts_of
):
    answers, dropped = [], []

    def before_send(hit):
        answers.append((sender.send(hit), sender.flush(1.0), sender.close(1.0)))
        return hit if hit.category == "keep" else None

    sender = make_sender(
        collector.url,
        before_send=before_send,
        on_drop=lambda *drop: dropped.append(drop),
    )
    sender.send(make_event("keep"))
    sender.send(make_event("drop"))
    assert sender.flush(PATIENCE)

    assert answers == [(False, False, False)] * 2
    counts = counts_of(sender)
    assert counts.refused == {"reentrant": 2}
    assert counts.rejected == {"hook": 1}
    assert counts.delivered == 1
    assert sorted(dropped) == [
        ("local", "hook", 1),
        ("local", "reentrant", 1),
        ("local", "reentrant", 1),
    ]


def test_a_row_that_cannot_be_read_is_lost_alone(
    make_sender, dead_url, collector, path, make_event, counts_of
):
    sender = make_sender(dead_url, durable=True)
    for _ in range(3):
        sender.send(make_event())
    sender.close(0.0)
    db = sqlite3.connect(stores(path)[0])
    db.execute("UPDATE hit SET body = 'not a hit' WHERE id = 2")
    db.commit()
    db.close()

    second = drain_of(path, make_sender, collector.url)
    collector.wait_for(1)
    assert second.flush(PATIENCE)

    assert counts_of(second).delivered == 2
    assert counts_of(second).lost == 1


def test_a_flush_and_a_close_end_at_their_deadlines(
    make_sender, collector, make_event, counts_of
):
    collector.script(collector.hang)
    sender = make_sender(collector.url)
    sender.send(make_event())
    collector.wait_for(1)
    begun = time.monotonic()
    assert not sender.flush(0.1)
    assert not sender.close(0.1)
    assert time.monotonic() - begun < PATIENCE / 2

    # It may have been counted there; on disk it is safe, and is sent again.
    assert counts_of(sender).queued == 1


def test_a_sender_that_nobody_has_any_more_sends_what_is_left(
    make_system, collector, path, make_event, until
):
    sender = SpoolSender(path)
    sender.bind([make_system(collector.url)])
    sender.send(make_event())
    del sender
    gc.collect()

    collector.wait_for(1)
    names = {"server-tracking-spool", "server-tracking-drain"}
    until(lambda: not names & {thread.name for thread in threading.enumerate()})
    assert not stores(path)


def test_threads_that_cannot_be_started_are_done_without(
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
        assert sender.flush(PATIENCE)

    assert counts_of(sender).delivered == 1


# Handing over


@pytest.fixture
def often(monkeypatch):
    """Hand over ten times as often as it is done: the tests wait for it."""
    monkeypatch.setattr("server_tracking.senders.intake.UPKEEP_PERIOD", 0.1)


@pytest.mark.usefixtures("often")
def test_without_a_drain_files_are_handed_over_one_by_one(
    make_sender, dead_url, collector, path, make_event, counts_of, until
):
    sender = make_sender(dead_url, drain=False)
    hits = [make_event() for _ in range(10)]
    assert all(sender.send(hit) for hit in hits)
    assert sender.flush(PATIENCE)  # it is on disk
    assert counts_of(sender).queued == 10

    second = make_sender(collector.url)

    def is_through():
        second.adopt()
        return counts_of(second).delivered == 10

    until(is_through)
    assert not collector.requests[0].body.count(b"http")
    until(lambda: not stores(path))
    sender.send(make_event())
    sender.close(PATIENCE)
    second.adopt()
    collector.wait_for(2)


@pytest.mark.usefixtures("often")
def test_without_anybody_who_drains_there_are_two_files_at_most(
    make_sender, dead_url, path, make_event, until
):
    sender = make_sender(dead_url, drain=False, durable=True)
    sender.send(make_event())
    until(lambda: not list(path.glob("*-wal")))  # it was closed, and handed over
    sender.send(make_event())
    before = stores(path)
    threading.Event().wait(0.3)  # more than the period of handing over
    sender.send(make_event())

    assert stores(path) == before
    assert len(before) == 2


# Several processes

WORKER = """
import os, signal, sys
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem

url, directory, number, end = sys.argv[1:]
sender = SpoolSender(directory, durable=True, drain=end != "kill")
sender.bind([ContractSystem(url)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
for n in range(int(number)):
    assert sender.send(Event(context=context, category=f"{os.getpid()}-{n}"))
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if end == "stay":
    print("ready", flush=True)
    sys.stdin.read()
"""


def worker(collector, path, number, end, **options):
    arguments = [collector.url, str(path), str(number), end]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )


def categories(requests):
    return Counter(name for request in requests for name in json.loads(request.body))


@pytest.fixture
def contract_drain(path):
    from server_tracking.testing.senders import ContractSystem

    made = []

    def make(url):
        sender = SpoolSender(path, rules=QUICK)
        sender.bind([ContractSystem(url)])
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(0.0)


def test_a_short_script_sends_before_it_ends(collector, path):
    with worker(collector, path, 5, "return") as script:
        script.communicate(timeout=PATIENCE)
        assert script.returncode == 0

    assert sum(categories(collector.requests).values()) == 5
    assert not stores(path)


def test_what_a_killed_process_leaves_is_adopted_once(
    collector, path, contract_drain, until
):
    for _ in range(2):
        with worker(collector, path, 20, "kill") as victim:
            victim.communicate(timeout=PATIENCE)
            assert victim.returncode == -signal.SIGKILL
    assert len(stores(path)) == 2

    senders = [contract_drain(collector.url) for _ in range(3)]
    for sender in senders:
        sender.adopt()
    until(lambda: not stores(path))

    seen = categories(collector.requests)
    assert len(seen) == 40
    assert set(seen.values()) == {1}
    assert sum(sender.stats()["contract"].delivered for sender in senders) == 40


def test_a_living_process_keeps_its_file(collector, path, contract_drain, dead_url):
    collector.script(collector.status(503))
    with worker(collector, path, 3, "stay") as other:
        assert other.stdout.readline() == b"ready\n"
        [file] = stores(path)
        sender = contract_drain(dead_url)
        sender.adopt()
        assert sender.flush(1.0)

        assert sender.stats()["contract"].accepted == 0
        assert stores(path) == [file]
        other.kill()


def test_two_senders_of_one_process_keep_their_files_apart(
    make_sender, dead_url, path, make_event, counts_of
):
    one, two = (make_sender(dead_url, durable=True) for _ in range(2))
    one.send(make_event())
    two.send(make_event())
    two.adopt()
    two.flush(0.2)

    assert len(stores(path)) == 2
    assert counts_of(one).accepted == counts_of(two).accepted == 1


FORKS_SCRIPT = """
import ctypes, os, sys
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem, adds_up

url, directory, fork = sys.argv[1:]
sender = SpoolSender(directory, durable=True)
sender.bind([ContractSystem(url)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
def send(category):
    assert sender.send(Event(context=context, category=category))
children = []
for n in range(5):
    for m in range(10):
        send(f"parent-{n}-{m}")
    if fork == "c":
        assert sender.flush(10)
        sender._process.pause(10)
        pid = ctypes.PyDLL(None).fork()
    else:
        pid = os.fork()
    if not pid:
        code = 1
        try:
            for m in range(10):
                send(f"child-{n}-{m}")
            code = 0 if sender.close(10) else 2
        finally:
            os._exit(code)
    if fork == "c":
        sender._process.resume()
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
assert codes == [0] * 5, codes
assert sender.flush(10)
counts = sender.stats()["contract"]
assert adds_up(counts) and counts.delivered == counts.accepted == 50, counts
"""


@pytest.mark.parametrize("fork", ["os", "c"])
def test_a_fork_doubles_and_loses_nothing(collector, path, fork):
    """With the hooks of Python while all is at work, and as uWSGI forks: without.

    In C only while our threads are away: SQLite's own mutex stays locked in a child if
    one of them has it just then, and so does the lock of the interpreter (children of
    a script without any of our code hung, 6 of 10, on 3.11).
    """
    with subprocess.Popen(
        [sys.executable, "-c", FORKS_SCRIPT, collector.url, str(path), fork],
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as script:
        try:
            _, errors = script.communicate(timeout=PATIENCE * 2)
        except subprocess.TimeoutExpired:
            os.killpg(script.pid, signal.SIGKILL)  # the children that hang too
            raise
    assert script.returncode == 0, errors

    seen = categories(collector.requests)
    assert len(seen) == 100
    assert set(seen.values()) == {1}


FORKING_SCRIPT = """
import os, sys
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem

sender = SpoolSender(sys.argv[2], durable=True)
sender.bind([ContractSystem(sys.argv[1])])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
def send(category):
    assert sender.send(Event(context=context, category=category))
for n in range(30):
    send(f"parent-{n}")
if not os.fork():
    sys.exit()  # with all that Python does at the end
os.wait()
for n in range(30, 60):
    send(f"parent-{n}")
os.kill(os.getpid(), 9)
"""


def test_a_child_that_ends_takes_nothing_from_its_parent(
    collector, dead_url, path, contract_drain, until
):
    collector.script(collector.status(204))
    subprocess.run(
        [sys.executable, "-X", "dev", "-c", FORKING_SCRIPT, dead_url, str(path)],
        check=False,
        timeout=PATIENCE,
    )
    sender = contract_drain(collector.url)
    sender.adopt()
    until(lambda: not stores(path))

    assert categories(collector.requests) == Counter(f"parent-{n}" for n in range(60))


# A disk that fails


def test_a_file_where_the_directory_should_be_leaves_it_in_memory(
    make_sender, collector, path, make_event, counts_of, caplog
):
    path.write_text("something else")
    sender = make_sender(collector.url)
    assert all(sender.send(make_event()) for _ in range(20))
    assert sender.flush(PATIENCE)

    assert counts_of(sender).delivered == 20
    assert sender.unkept() == {"cannot_open": 20}
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    [record] = errors
    assert str(path) in record.getMessage()
    assert path.read_text() == "something else"


def test_a_durable_send_refuses_what_the_disk_does_not_take(
    make_sender, collector, path, make_event, counts_of
):
    path.write_text("something else")
    sender = make_sender(collector.url, durable=True)
    assert not sender.send(make_event())

    assert counts_of(sender).refused == {"storage": 1}
    assert sender.unkept() == {"cannot_open": 1}


def test_a_directory_that_others_can_write_to_is_not_used(
    make_sender, collector, path, make_event, counts_of
):
    path.mkdir()
    path.chmod(0o777)
    sender = make_sender(collector.url)
    sender.send(make_event())
    assert sender.flush(PATIENCE)

    assert counts_of(sender).delivered == 1
    assert sender.unkept() == {"cannot_open": 1}
    assert not list(path.iterdir())


def test_a_link_in_its_place_is_not_followed(
    make_sender, collector, path, tmp_path, make_event
):
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    sender = make_sender(collector.url)
    sender.send(make_event())
    assert sender.flush(PATIENCE)

    assert not list((tmp_path / "elsewhere").iterdir())


def test_without_a_drain_hits_wait_in_memory_for_the_disk(
    make_sender, dead_url, path, make_event, counts_of
):
    path.write_text("something else")
    sender = make_sender(dead_url, drain=False)
    assert sender.send(make_event())
    assert not sender.flush(0.1)

    assert counts_of(sender).queued == 1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(mount)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root can mount a small disk")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_disk_that_is_full_costs_no_hit(
    make_sender, collector, small_disk, make_event, counts_of, until
):
    collector.script(collector.hang)
    sender = make_sender(collector.url, directory=small_disk / "spool")
    sent = 0
    while not sender.unkept():
        assert sender.send(make_event(label="x" * 5000))
        sent += 1
        if sent % 50 == 0:
            sender.flush(0.0)
        assert sent < 2000
    assert set(sender.unkept()) == {"disk_full"}
    for _ in range(50):
        assert sender.send(make_event(label="x" * 5000))
        sent += 1

    collector.script(collector.status(204))
    collector.released.set()
    until(lambda: sender.flush(1.0))

    counts = counts_of(sender)
    assert counts.delivered + counts.unknown == counts.accepted == sent
    assert counts.unknown <= 20  # the calls that hung
    assert set(ids_in(collector.requests).values()) == {1}


def test_a_read_only_disk_leaves_it_in_memory(
    make_sender, collector, small_disk, make_event, counts_of
):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    sender = make_sender(collector.url, directory=small_disk / "spool")
    assert sender.send(make_event())
    assert sender.flush(PATIENCE)

    assert counts_of(sender).delivered == 1
    assert sum(sender.unkept().values()) == 1


LIMITED = """
import resource, sys
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem, adds_up

resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sender = SpoolSender(sys.argv[2])
sender.bind([ContractSystem(sys.argv[1])])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
for n in range(300):
    assert sender.send(Event(context=context, category=f"n{n}", label="x" * 3000))
    if n % 20 == 0:
        sender.flush(0.0)
for _ in range(10):
    if sender.flush(5.0):
        break
counts = sender.stats()["contract"]
assert adds_up(counts), counts
assert counts.delivered == 300, counts
assert sender.unkept(), "the limit was not reached"
"""


def test_a_process_that_may_not_write_more_goes_on_from_memory(collector, path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, collector.url, str(path)],
        check=False,
        timeout=30,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "cannot keep hits" in done.stderr
    assert len(categories(collector.requests)) == 300


# Files that are damaged


@pytest.fixture
def orphan(make_sender, dead_url, path, make_event):
    """A spool with 200 hits that belongs to nobody."""

    def leave(number=200):
        sender = make_sender(dead_url, durable=True)
        for _ in range(number):
            assert sender.send(make_event(label="y" * 200))
        sender.close(0.0)
        [file] = stores(path)
        return file

    return leave


def overwrite(start, data):
    def damage(file):
        with file.open("r+b") as opened:
            opened.seek(start)
            opened.write(data)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(overwrite(0, b"garbage " * 64), id="header"),
        pytest.param(overwrite(8192, b"\xff" * 8192), id="middle"),
        pytest.param(lambda file: os.truncate(file, 30_000), id="cut short"),
        pytest.param(
            lambda file: file.write_bytes(b"no database at all" * 99), id="text"
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_set_aside_and_tracking_goes_on(
    make_sender, collector, path, orphan, make_event, counts_of, caplog, damage, until
):
    file = orphan()
    damage(file)

    sender = make_sender(collector.url)
    assert sender.send(make_event())
    collector.wait_for(1)
    aside = path / "aside" / file.name
    until(aside.exists)
    assert sender.flush(PATIENCE)

    assert counts_of(sender).delivered == 1
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert str(aside) in record.getMessage()
    assert "up to 200 hits" in record.getMessage()
    assert not path.joinpath(file.name).exists()


def test_a_file_that_is_empty_is_a_loss_that_is_counted(
    make_sender, collector, path, orphan, counts_of, until
):
    os.truncate(orphan(), 0)
    sender = drain_of(path, make_sender, collector.url)

    until(lambda: counts_of(sender).lost == 200)
    until(lambda: not stores(path))


def test_a_log_that_is_cut_short_loses_its_end_and_says_so(
    collector, path, contract_drain, until, adds_up
):
    """As after a power failure on a disk that lies."""
    with worker(collector, path, 100, "kill") as victim:
        victim.communicate(timeout=PATIENCE)
    [log] = path.glob("*-wal")
    os.truncate(log, log.stat().st_size // 2)

    sender = contract_drain(collector.url)
    sender.adopt()
    until(lambda: not stores(path))

    counts = sender.stats()["contract"]
    adds_up(counts)
    assert counts.delivered + counts.lost == counts.accepted == 100
    assert 0 < counts.lost < 100
    assert len(categories(collector.requests)) == counts.delivered


@pytest.mark.parametrize(
    "pragma", ["application_id = 77", "user_version = 99"], ids=["other", "later"]
)
def test_a_file_of_another_program_or_a_later_version_is_left_alone(
    make_sender, collector, path, orphan, caplog, pragma, until
):
    file = orphan()
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA {pragma}")
    db.commit()
    db.close()
    before = file.read_bytes()

    sender = drain_of(path, make_sender, collector.url)
    until(lambda: "alone" in caplog.text)
    assert sender.flush(PATIENCE)
    sender.adopt()
    sender.close(PATIENCE)

    assert file.read_bytes() == before
    assert len([r for r in caplog.records if "alone" in r.getMessage()]) == 1


def test_only_a_few_damaged_files_are_kept(tmp_path):
    directory = SpoolDirectory(tmp_path / "spool")
    for _ in range(8):
        claim = directory.make(["a"])
        claim.store.append([(1.0, b"x")])
        claim.release()
    for file in stores(directory.path):
        file.write_bytes(b"garbage" * 999)

    assert list(directory.orphans()) == []
    assert len(stores(directory.path / "aside")) == 5
    assert not list(directory.path.glob("*.lock"))


def test_what_a_crash_while_a_file_was_made_has_left_is_cleared_away(tmp_path):
    directory = SpoolDirectory(tmp_path)
    Path(tmp_path, "0123456789abcdef.lock").touch()

    assert list(directory.orphans()) == []
    assert not list(tmp_path.iterdir())


def test_a_store_has_one_owner_at_a_time(tmp_path):
    directory, other = SpoolDirectory(tmp_path), SpoolDirectory(tmp_path)
    claim = directory.make(["a"])
    claim.store.append([(1.0, b"x")])
    assert list(other.orphans()) == []

    claim.release()
    [adopted] = other.orphans()
    assert list(directory.orphans()) == []
    adopted.discard()
    assert not list(tmp_path.iterdir())
