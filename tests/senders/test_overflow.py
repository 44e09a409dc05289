"""`overflow="spool"`: what finds no room in memory goes to disk, and on from there."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from server_tracking.errors import ConfigurationError
from server_tracking.senders.lanes import Rules
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing.senders import SenderContract

PATIENCE = 10.0
QUICK = Rules(backoff=0.01, pause=0.01, pause_cap=0.01)
PATIENT = {"linger": 60.0, "hits": 50}  # so that what is queued stays queued


class TestTheContract(SenderContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path

    def make_sender(self):
        return ThreadSender(max_hits=3, overflow="spool", spool=self.path / "spool")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make_sender(make_system, path):
    made = []

    def make(*urls, fields=None, **options):
        sender = ThreadSender(
            **{
                "max_hits": 5,
                "overflow": "spool",
                "spool": path,
                "rules": QUICK,
                "timeout": 5.0,
                **options,
            }
        )
        names = ["local", "other"]
        sender.bind(
            [
                make_system(url, name=name, **fields or {})
                for url, name in zip(urls, names, strict=False)
            ]
        )
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(0.0)


def arrived(collector):
    return Counter(name for request in collector.requests for name in request.ids)


def test_what_finds_no_room_in_memory_is_delivered_from_disk(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(collector.url, fields=PATIENT)
    hits = [make_event() for _ in range(20)]

    assert all(sender.send(hit) for hit in hits)

    assert counts_of(sender).accepted == 20
    assert sender.flush(PATIENCE)
    assert counts_of(sender).delivered == 20
    assert arrived(collector) == Counter(str(hit.id) for hit in hits)


def test_nothing_goes_to_disk_while_there_is_room(
    make_sender, collector, make_event, path
):
    sender = make_sender(collector.url, fields=PATIENT)

    assert all(sender.send(make_event()) for _ in range(5))

    assert list(path.glob("*.spool")) == []


def test_each_system_gets_a_hit_once_however_full_the_lane_of_another_is(
    make_sender, collector, dead_url, make_event, counts_of, until
):
    sender = make_sender(dead_url, collector.url)
    hits = [make_event() for _ in range(60)]

    assert all(sender.send(hit) for hit in hits)

    until(lambda: counts_of(sender, "other").delivered == 60)
    assert arrived(collector) == Counter(str(hit.id) for hit in hits)
    counts = counts_of(sender)
    assert (counts.accepted, counts.delivered) == (60, 0)


def test_what_is_on_disk_at_the_end_is_sent_by_the_next_process(
    make_sender, collector, dead_url, make_event, until, counts_of
):
    first = make_sender(dead_url, fields=PATIENT)
    hits = [make_event() for _ in range(20)]
    assert all(first.send(hit) for hit in hits)
    first.close(0.0)
    counts = counts_of(first)
    assert counts.abandoned + counts.unknown == 5  # what memory held
    assert counts.queued == 15

    second = make_sender(collector.url)
    hits.append(make_event())
    second.send(hits[-1])

    until(lambda: len(arrived(collector)) == 16)
    assert arrived(collector) == Counter(str(hit.id) for hit in hits[5:])


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
from conftest import LocalSystem, event
from server_tracking.senders.thread import ThreadSender

sender = ThreadSender(max_hits=5, overflow="spool", spool={path!r}, timeout=1.0)
sender.bind([LocalSystem({url!r}, linger=60.0, hits=50)])
assert all(sender.send(event()) for _ in range(20))
sender.flush(0.0)  # has put all on disk when it comes back
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks of another kind")
def test_what_is_on_disk_survives_a_kill(
    make_sender, collector, dead_url, make_event, path, until
):
    script = KILLED.format(
        folder=str(Path(__file__).parent), path=str(path), url=dead_url
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL

    make_sender(collector.url).send(make_event())

    until(lambda: len(arrived(collector)) == 16)


class Draft:
    """A hit that is still to be written out."""

    size = 900

    def __init__(self, made):
        self.made, self.id, self.time = made, made.id, made.time

    def hit(self):
        return self.made


class OddDraft(Draft):
    """One that cannot be."""

    def hit(self):
        raise LookupError("a bug of the extractor")


def test_drafts_are_written_out_for_the_disk(make_sender, collector, make_event):
    sender = make_sender(collector.url, fields=PATIENT)
    hits = [make_event() for _ in range(12)]

    assert all(sender.send(Draft(hit)) for hit in hits)

    assert sender.flush(PATIENCE)
    assert arrived(collector) == Counter(str(hit.id) for hit in hits)


def test_a_draft_that_cannot_be_written_out_is_counted_as_invalid(
    make_sender, collector, make_event, counts_of
):
    sender = make_sender(collector.url, fields=PATIENT)
    for _ in range(5):
        sender.send(make_event())

    assert not sender.send(OddDraft(make_event()))

    assert counts_of(sender).refused == {"invalid": 1}


@pytest.mark.parametrize(
    "options", [{"overflow": "spool"}, {"spool": "/tmp/spool"}], ids=str
)
def test_a_directory_and_its_use_belong_together(options):
    with pytest.raises(ConfigurationError, match="'spool'"):
        ThreadSender(**options)


def test_a_sender_without_a_spool_does_not_load_sqlite():
    script = (
        "import sys; import server_tracking; "
        "from server_tracking.senders.thread import ThreadSender; ThreadSender(); "
        "assert 'sqlite3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
