"""Disks that hang, break or are full, and files that others touch: real ones, of root."""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from server_tracking.hits import Context, Event, Session, Visitor, encode_hits
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.tail import names_of_tails
from server_tracking.testing.senders import ContractSystem, adds_up

PATIENCE = 30.0
CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))
MANY = int(os.environ.get("SERVER_TRACKING_MANY", "20000"))


@pytest.fixture
def make_sender():
    made = []

    def make(path, url, **options):
        sender = SpoolSender(path, **options)
        sender.bind([ContractSystem(url)])
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(5.0)
        [counts] = sender.stats().values()
        assert adds_up(counts)


def send(sender, *names):
    """Send events; returns the seconds that the slowest took."""
    slowest = 0.0
    for name in names:
        begun = time.monotonic()
        assert sender.send(Event(context=CONTEXT, category=name))
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


def seen(collector):
    return Counter(one for request in collector.requests for one in request.json)


def root(*command):
    """Run what only root may."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, in a file."""
    image, mount = tmp_path / "image", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(30_000_000)
    try:
        root("mkfs.ext4", "-q", "-F", str(image))
        root("mount", "-o", "loop", str(image), str(mount))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield mount
    subprocess.run(["fsfreeze", "-u", str(mount)], capture_output=True, check=False)
    subprocess.run(["umount", "-l", str(mount)], check=True)


def names(start, number):
    return [f"hit{n}" for n in range(start, start + number)]


def test_71_a_disk_that_hangs_holds_up_no_caller(collector, disk, make_sender, until):
    """Nothing can be written for a while, as with a network volume that is moved."""
    sender = make_sender(disk / "spool", collector.url)
    send(sender, *names(0, 10))
    until(lambda: len(seen(collector)) == 10)
    root("fsfreeze", "-f", str(disk))
    begun = time.monotonic()
    slowest = send(sender, *names(10, 200))
    taken = time.monotonic() - begun
    root("fsfreeze", "-u", str(disk))
    print(f"200 hits took {taken * 1000:.1f} ms, the slowest {slowest * 1000:.1f} ms")

    assert taken < 5.0  # else it waited for the disk, which was thawed only then
    until(lambda: len(seen(collector)) == 210)
    assert set(seen(collector).values()) == {1}


VICTIM = """
import sys
from server_tracking.hits import Context, Event, Session, Visitor
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.tail import names_of_tails
from server_tracking.testing.senders import ContractSystem

sender = SpoolSender(sys.argv[2], durable=sys.argv[3] == "durable")
sender.bind([ContractSystem(sys.argv[1])])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
number = 0
for line in sys.stdin:
    for _ in range(int(line)):
        assert sender.send(Event(context=context, category=f"hit{number}"))
        number += 1
    print("sent", flush=True)
"""


def begin(url, path, mode="quick", **options):
    return subprocess.Popen(
        [sys.executable, "-c", VICTIM, url, str(path), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def tell(process, number):
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "sent\n"


def test_71_a_kill_while_the_disk_hangs_takes_nothing(
    collector, dead_url, disk, make_sender, until, memory_outlives_us
):
    """What waits for the disk is in memory that outlives the process."""
    if not memory_outlives_us:
        pytest.skip("no tmpfs at its place")
    with begin(dead_url, disk / "spool") as victim:
        tell(victim, 10)
        until(lambda: any(SpoolDirectory(disk / "spool").path.glob("*.spool")))
        root("fsfreeze", "-f", str(disk))
        try:
            tell(victim, 100)
        finally:
            victim.kill()
            root("fsfreeze", "-u", str(disk))
        victim.stdin.close()
        victim.wait(PATIENCE)

    make_sender(disk / "spool", collector.url).adopt()
    until(lambda: set(seen(collector)) == set(names(0, 110)))


def test_70_a_disk_that_breaks_costs_no_hit(collector, disk, make_sender):
    """Its end is cut off under a file system that is in use: errors of the device."""
    sender = make_sender(disk / "spool", collector.url)
    send(sender, *names(0, 50))
    assert sender.flush(PATIENCE)
    device = root("findmnt", "-no", "SOURCE", str(disk))
    os.truncate(disk.parent / "image", 65536)
    root("losetup", "-c", device)
    for start in range(50, 450, 20):
        send(sender, *names(start, 20))
        sender.flush(1.0)

    deadline = time.monotonic() + PATIENCE
    while not sender.flush(1.0):
        assert time.monotonic() < deadline
    assert seen(collector) == Counter(names(0, 450))
    assert sender.stats()["contract"].delivered == 450


def test_66_a_disk_that_is_full_from_the_first_byte_on(
    collector, tmp_path, make_sender, caplog
):
    """One line in the log, and hits go on from memory."""
    root("mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(tmp_path))
    try:
        sender = make_sender(tmp_path / "spool", collector.url)
        for start in range(0, 100, 10):
            send(sender, *names(start, 10))
            assert sender.flush(PATIENCE)
        sender.close(PATIENCE)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)

    assert seen(collector) == Counter(names(0, 100))
    assert sum(sender.unkept().values()) == 100
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_74_a_child_that_outlives_its_parent_does_not_keep_the_file(
    collector, dead_url, tmp_path, make_sender, until
):
    script = VICTIM.replace(
        'print("sent", flush=True)',
        'print("sent", flush=True)\n    import os\n    if os.fork() == 0: os.read(0, 1)',
    )
    path = tmp_path / "spool"
    with subprocess.Popen(
        [sys.executable, "-c", script, dead_url, str(path), "durable"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        tell(parent, 20)
        parent.kill()
        parent.wait(PATIENCE)
        make_sender(path, collector.url).adopt()
        until(lambda: len(seen(collector)) == 20)
        parent.stdin.close()  # and now the child ends

    assert set(seen(collector).values()) == {1}


LOOK = """
import sys
from server_tracking.senders.claims import SpoolDirectory
print([claim.name for claim in SpoolDirectory(sys.argv[1]).orphans()])
"""


def test_75_a_file_that_others_open_and_close_stays_ours(
    collector, dead_url, tmp_path, make_sender
):
    """A backup does that from within the process; SQLite's own locks are lost by it."""
    path = tmp_path / "spool"
    sender = make_sender(path, dead_url, durable=True)
    send(sender, "one")
    for file in path.iterdir():
        if file.suffix != ".lock":
            file.open("rb").close()

    found = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[]\n"
    send(sender, "two")
    assert sender.stats()["contract"].accepted == 2


def test_77_a_great_backlog_holds_up_nobody_at_the_start(
    collector, tmp_path, make_sender
):
    path = tmp_path / "spool"
    claim = SpoolDirectory(path).make(["contract"])
    now = time.time()
    for start in range(0, MANY, 1000):
        hits = [
            Event(context=CONTEXT, category=name, time=now)
            for name in names(start, min(1000, MANY - start))
        ]
        claim.store.append((hit.time, encode_hits((hit,))) for hit in hits)
    claim.release()

    sender = SpoolSender(path)
    sender.bind([ContractSystem(collector.url, hits_per_call=500)])
    begun = time.monotonic()
    send(sender, "first")
    ready = time.monotonic() - begun
    while len(seen(collector)) <= MANY:
        assert time.monotonic() < begun + 10 * PATIENCE
        sender.flush(1.0)
    taken = time.monotonic() - begun
    sender.close(PATIENCE)
    print(f"{MANY} hits: ready in {ready * 1000:.1f} ms, {MANY / taken:.0f} hits/s")

    assert ready < 5.0
    assert set(seen(collector).values()) == {1}


def test_79_nothing_of_a_hit_is_left_when_all_is_sent(collector, tmp_path, make_sender):
    """Not in the files, nor in the memory that outlives a process, once it has ended."""
    path = tmp_path / "spool"
    script = VICTIM.replace('category=f"hit', 'category=f"anna@example.org')
    with subprocess.Popen(
        [sys.executable, "-c", script, collector.url, str(path), "quick"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        tell(process, 50)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0

    assert len(seen(collector)) == 50
    assert not list(path.iterdir())
    assert names_of_tails(SpoolDirectory(path).tail_stem()) == []
