"""The tail: a hit that nobody waits for survives a kill before it is on disk."""

import json
import mmap
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import RLock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_tracking.senders import tail
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.store import MEMORY, Store
from server_tracking.senders.tail import Tail, Wreck, names_of_tails, wreck_at
from server_tracking.testing.senders import ContractSystem

PATIENCE = 10.0


def has_tmpfs():
    try:
        os.close(os.open(tail.FOLDER, os.O_RDWR | os.O_TMPFILE, 0o600))
    except (OSError, AttributeError):
        return False
    return True


pytestmark = pytest.mark.skipif(not has_tmpfs(), reason="no tmpfs at its place")


@pytest.fixture
def directory(tmp_path):
    return SpoolDirectory(tmp_path / "spool")


@pytest.fixture
def make_tail(directory):
    made = []

    def make(stem=directory.tail_stem):
        made.append(Tail(stem, ["local"], RLock()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wreck_of(stem):
    """Look at a tail as another process would that found its owner dead."""
    [name] = names_of_tails(stem)
    file = os.open(stem + name, os.O_RDWR)
    return Wreck(stem + name, file, mmap.mmap(file, 0))


def row(number):
    return float(number), b"hit %d" % number


# What it holds, against a model of it

STEPS = st.lists(
    st.sampled_from(["put", "put", "put", "commit", "committed", "new store"]),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_it_holds_what_the_store_has_not_got(tmp_path_factory, steps):
    directory = SpoolDirectory(tmp_path_factory.mktemp("spool") / "it")
    held, store = Tail(directory.tail_stem, ["local"], RLock()), Store(MEMORY, ["a"])
    held.put(*row(0))
    held.name_store()
    waiting, leaving, number = [row(0)], [], 0
    for step in steps:
        if step == "put":
            number += 1
            held.put(*row(number))
            waiting.append(row(number))
        elif step == "commit" and not leaving and waiting:
            leaving, waiting = waiting, []
            held.turn(len(leaving))
        elif step == "committed" and leaving:
            store.append(leaving)
            # Killed here, both have the hits; the numbers tell.
            assert wreck_of(directory.tail_stem()).rows(store.last) == waiting
            held.settle()
            leaving = []
        elif step == "new store":
            store.close()
            store = Store(MEMORY, ["a"])
            held.name_store()
        wreck = wreck_of(directory.tail_stem())
        assert wreck.rows(store.last) == leaving + waiting
        assert wreck.keys == ["local"]
        wreck.leave()
    held.close()
    store.close()
    assert names_of_tails(directory.tail_stem()) == []


def test_what_does_not_fit_leaves_no_gap(directory, make_tail):
    """A hit in the file without its predecessors would be taken for one of them."""
    held = make_tail()
    held.put(*row(1))
    held.put(2.0, b"x" * 200_000)
    held.put(*row(3))

    assert wreck_of(directory.tail_stem()).rows(0) == [row(1)]
    held.turn(3)
    held.put(*row(4))
    assert wreck_of(directory.tail_stem()).rows(3) == [row(4)]


def test_it_can_be_had_again_after_a_failure(directory, make_tail):
    held = make_tail()
    assert not held.is_missed  # nothing was tried yet
    held.put(*row(1))
    held.close()
    assert held.is_missed

    held.reopen("name", 8, [row(8), row(9)], [row(10)])

    assert names_of_tails(directory.tail_stem()) == ["name"]
    wreck = wreck_of(directory.tail_stem())
    assert wreck.rows(7) == [row(8), row(9), row(10)]
    assert wreck.rows(9) == [row(10)]


@pytest.mark.parametrize("folder", ["/nonexistent", "/proc"])
def test_without_tmpfs_it_holds_nothing(make_tail, monkeypatch, folder):
    monkeypatch.setattr(tail, "FOLDER", folder)
    held = make_tail()
    held.put(*row(1))
    held.turn(1)
    held.settle()

    assert not held.is_missed  # and is not tried again
    assert len(held.name_store()) == 16


def test_one_that_was_cleared_away_is_missed(directory, make_tail):
    held = make_tail()
    held.put(*row(1))
    held.name_store()
    [name] = names_of_tails(directory.tail_stem())
    Path(directory.tail_stem() + name).unlink()
    held.name_store()

    assert held.is_missed


def test_there_are_no_more_than_a_hundred_of_a_directory(directory, make_tail):
    """Those of processes that were killed stay until somebody adopts them."""
    for _ in range(102):
        make_tail().put(*row(1))

    assert len(names_of_tails(directory.tail_stem())) == 100


# Whose it is

READ = """
import sys
from server_tracking.senders.tail import wreck_at
try:
    wreck = wreck_at(sys.argv[1])
    print(None if wreck is None else [body.decode() for _, body in wreck.rows(0)])
except OSError as error:
    print(type(error).__name__)
"""


def as_another_process_sees(path):
    return subprocess.run(
        [sys.executable, "-c", READ, path], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_nobody_takes_that_of_a_living_process(directory, make_tail):
    make_tail().put(*row(1))
    [name] = names_of_tails(directory.tail_stem())
    path = directory.tail_stem() + name

    assert as_another_process_sees(path) == "BlockingIOError"
    with pytest.raises(BlockingIOError):
        wreck_at(path)
    assert list(directory.orphans()) == []
    # To have looked has not opened the lock.
    assert as_another_process_sees(path) == "BlockingIOError"


def test_only_the_user_can_read_it(directory, make_tail):
    make_tail().put(*row(1))
    [name] = names_of_tails(directory.tail_stem())

    assert Path(directory.tail_stem() + name).stat().st_mode & 0o777 == 0o600


def test_something_else_in_its_place_is_left_alone(directory, tmp_path):
    path = directory.tail_stem() + "name"
    Path(path).write_bytes(b"short")
    try:
        assert as_another_process_sees(path) == "PermissionError"
        assert list(directory.orphans()) == []
        Path(path).write_bytes(b"x" * 600_000)
        assert as_another_process_sees(path) == "PermissionError"
        Path(path).unlink()
        Path(path).symlink_to(tmp_path)
        assert as_another_process_sees(path) == "OSError"
    finally:
        Path(path).unlink()


# In a process that is killed

VICTIM = """
import os, signal, sys, time
from pathlib import Path
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders import intake
from server_tracking.senders.spool import SpoolSender
from server_tracking.testing.senders import ContractSystem

url, directory, then = sys.argv[1:]
intake.TROUBLE_PERIOD = 0.0
sender = SpoolSender(directory, drain=then != "sealed")
sender.bind([ContractSystem(url)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))

def send(name):
    assert sender.send(Event(context=context, category=name))

def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)

if then != "first":
    send("kept")
    sender.flush(0.0)
if then == "sealed":
    until(lambda: not list(Path(directory).glob("*-wal")))
if then == "trouble":
    made = intake.Store.append
    def fail(store, rows):
        if store.path != ":memory:":
            raise OSError("a disk that fails")
        return made(store, rows)
    intake.Store.append = fail
    send("in memory")
    sender.flush(0.0)
    intake.Store.append = made
    send("kept again")
    sender.flush(0.0)
intake.GATHER = 3600.0  # nothing is committed any more
for number in range(50):
    send(f"late {number}")
if then == "child":
    if os.fork():
        os.wait()
        sys.exit()
    for number in range(50):
        send(f"child {number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def victim(url, path, then):
    return subprocess.run(
        [sys.executable, "-c", VICTIM, url, str(path), then],
        timeout=30,
        capture_output=True,
        check=False,
    )


def seen(collector):
    return Counter(
        name for request in collector.requests for name in json.loads(request.body)
    )


def test_a_kill_while_the_file_is_made_takes_nothing_either(directory, make_tail):
    """It is there, and has no schema yet."""
    held = make_tail()
    held.put(*row(1))
    wreck = wreck_of(directory.tail_stem())
    (directory.path / f"{held.name_store()}.spool").touch(0o600)
    wreck.leave()
    held.close = lambda: None
    tail._own.clear()
    [claim] = directory.orphans()

    assert claim.store.bits == {"local": 1}
    assert [kept.body for kept in claim.store.read(0, 1, 9)] == [row(1)[1]]
    claim.discard()


@pytest.mark.parametrize("then", ["first", "kept", "sealed", "trouble"])
def test_a_kill_takes_nothing_that_was_accepted(
    collector, dead_url, tmp_path, until, then
):
    path = tmp_path / "spool"
    done = victim(dead_url, path, then)
    assert done.returncode == -9, done.stderr
    expected = {f"late {number}" for number in range(50)}
    if then != "first":
        expected.add("kept")
    if then == "trouble":
        expected.add("kept again")

    sender = SpoolSender(path)
    sender.bind([ContractSystem(collector.url)])
    sender.adopt()
    until(lambda: set(seen(collector)) == expected)
    assert sender.close(PATIENCE)

    assert set(seen(collector).values()) == {1}
    assert sender.stats()["contract"].delivered == len(expected)
    assert sender.stats()["contract"].lost == 0
    assert names_of_tails(SpoolDirectory(path).tail_stem()) == []
    assert not list(path.iterdir())


def test_a_child_leaves_the_hits_of_its_parent_alone(collector, tmp_path, until):
    path = tmp_path / "spool"
    done = victim(collector.url, path, "child")
    assert done.returncode == 0, done.stderr
    sender = SpoolSender(path)
    sender.bind([ContractSystem(collector.url)])
    sender.adopt()
    until(lambda: len(seen(collector)) == 101)
    sender.close(PATIENCE)

    assert set(seen(collector).values()) == {1}
    assert names_of_tails(SpoolDirectory(path).tail_stem()) == []


def test_a_disk_without_room_for_what_was_rescued_gets_it_later(
    directory, make_tail, monkeypatch
):
    claim = directory.make(["local"])
    held = make_tail()
    held.reopen(claim.name, 1, [row(1)], [row(2)])
    claim.store.append([row(1)])  # it is killed before it has settled that
    wreck = wreck_of(directory.tail_stem())

    def full(store, rows):
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", full)
        claim.rescue(wreck)
    assert claim.store.pending == 1

    claim.rescue(wreck_of(directory.tail_stem()))
    assert [kept.body for kept in claim.store.read(0, 1, 9)] == [row(1)[1], row(2)[1]]
    assert names_of_tails(directory.tail_stem()) == []
    claim.discard()
