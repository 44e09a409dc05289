"""The command `server-tracking drain`: what is left goes out, from another process."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from server_tracking.hits import Context, Device, Page, PageView, Session, Visitor
from server_tracking.senders.claims import SpoolDirectory
from server_tracking.senders.drain import RULES, Drain
from server_tracking.senders.hooks import NO_HOOKS
from server_tracking.senders.options import Options
from server_tracking.senders.spool import SpoolSender
from server_tracking.systems import system_from_url

PATIENCE = 60.0  # of a process that shares the machine with many
CONTEXT = Context(
    Visitor("7.1790000000"),
    Session(id=1790000000),
    page=Page(url="https://shop.example/", host="shop.example", path="/"),
    device=Device(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"),
    address="192.0.2.0",
)

pytest.importorskip("click")


# A shell's job ignores Ctrl-C, and hands that on to all that it starts.
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from server_tracking.cli import main; sys.exit(main())"
)


def url_for(url):
    return f"plausible+{url.partition('/collect')[0]}/?domain=shop.example"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def leave(path):
    """Leave hits for the system at a URL, as a site that sends nothing itself."""

    def leave(url, number):
        sender = SpoolSender(path, drain=False, durable=True)
        sender.bind([system_from_url(url)])
        for _ in range(number):
            assert sender.send(PageView(context=CONTEXT))
        sender.close()

    return leave


@pytest.fixture
def drain():
    """Start the command for the system at a URL; what still runs is killed."""
    begun = []

    def drain(url, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "drain", *map(str, arguments)],
            env={**os.environ, "SERVER_TRACKING_SYSTEMS": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield drain
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def drained(drain):
    """Run it to its end: exit code, output and errors."""

    def drained(*arguments):
        process = drain(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    return drained


def test_it_sends_what_is_there_and_ends(collector, path, leave, drained):
    leave(url_for(collector.url), 7)

    code, out, err = drained(url_for(collector.url), path)

    assert (code, err) == (0, "")
    assert "plausible: 7 delivered\n" in out
    assert len(collector.requests) == 7
    assert not list(path.glob("*.spool"))


def test_what_cannot_be_sent_stays_and_the_exit_code_says_so(
    collector, dead_url, path, leave, drained
):
    dead = url_for(dead_url)
    leave(dead, 3)

    code, _, err = drained(dead, path, "--patience", 0.2)
    assert code == 1
    assert f"3 are left in {path}" in err

    assert drained(url_for(collector.url), path)[0] == 0
    assert len(collector.requests) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_watch_it_stays_until_it_is_told_to_end(
    collector, path, leave, drain, until, number
):
    url = url_for(collector.url)
    process = drain(url, path, "--watch")
    leave(url, 2)
    collector.wait_for(2)
    leave(url, 3)
    collector.wait_for(5)
    until(lambda: not list(path.glob("*.spool")))  # the answers are noted too
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, err) == (0, "")
    assert "plausible: 5 delivered" in out


def test_told_to_end_it_waits_for_the_calls_under_way_and_begins_none(
    collector, path, leave, drain, drained
):
    url = url_for(collector.url)
    leave(url, 40)
    answer = collector.after(0.3, collector.status(202))
    collector.script(*[answer] * 40)
    process = drain(url, path, "--watch")
    collector.wait_for(1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE)

    number = len(collector.requests)
    assert f"plausible: {number} delivered" in out
    assert number < 40
    assert process.returncode == 1  # something is left
    assert drained(url, path)[0] == 0
    assert len(collector.requests) == 40  # nothing came twice


def test_two_that_drain_one_directory_send_nothing_twice(collector, path, leave, drain):
    url = url_for(collector.url)
    for _ in range(4):
        leave(url, 5)

    both = [drain(url, path), drain(url, path)]
    outs = [process.communicate(timeout=PATIENCE) for process in both]

    assert [err for _, err in outs] == ["", ""]
    assert len(collector.requests) == 20
    assert not list(path.glob("*.spool"))


@pytest.mark.parametrize("url", ["", "nothing://x"])
def test_without_a_system_it_says_what_to_set(path, drained, url):
    path.mkdir()
    code, _, err = drained(url, path)

    assert code == 2
    assert "SERVER_TRACKING_SYSTEMS" in err


def test_a_directory_that_is_not_there_is_named(collector, path, drained):
    code, _, err = drained(url_for(collector.url), path)

    assert code == 2
    assert str(path) in err


class SlowDirectory(SpoolDirectory):
    """Take a while to open what it holds, as a big file on a busy disk does."""

    def __init__(self, path):
        super().__init__(path)
        self.asked, self.opened = threading.Event(), threading.Event()

    def orphans(self):
        self.asked.set()
        assert self.opened.wait(PATIENCE)
        return super().orphans()


def test_a_drain_is_not_done_while_it_opens_what_it_has_found(
    collector, path, leave, until
):
    url = url_for(collector.url)
    leave(url, 3)
    directory = SlowDirectory(path)
    options = Options(5.0, 0.0, "auto", RULES, NO_HOOKS)
    drain = Drain([system_from_url(url)], options, directory, max_age=86400.0)
    try:
        drain.adopt()
        assert directory.asked.wait(PATIENCE)
        assert not drain.is_empty()
        directory.opened.set()
        until(drain.is_empty)
    finally:
        directory.opened.set()
        drain.stop()

    assert len(collector.requests) == 3
