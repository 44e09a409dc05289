"""The one thread of a sender, and forks that come at a bad moment."""

import os
import subprocess
import sys
import threading
from time import monotonic

import pytest

from server_tracking.senders.driver import Driver
from server_tracking.senders.hooks import Hooks


class Clockwork:
    """Work that is never done, over a way out that goes nowhere."""

    def make_transport(self):
        return Nowhere()

    def turn(self, transport, deadline):
        transport.bell.wait(1)
        transport.bell.clear()

    def is_done(self):
        return False

    def retire(self):
        pass


class Nowhere:
    def __init__(self):
        self.bell = threading.Event()

    def wake(self):
        self.bell.set()

    def close(self):
        pass


def test_a_fork_while_the_thread_is_being_started_waits_for_it(monkeypatch):
    driver = Driver(Clockwork(), "driver", threading.RLock(), Hooks())
    start = threading.Thread.start
    left = []

    def pause():
        driver.pause(10)
        left.append(driver.driven)

    forking = threading.Thread(target=pause)

    def start_late(thread):
        if thread.name == "driver":
            start(forking)
            forking.join(0.05)  # it has time enough to come too early
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_late)
    begun = monotonic()
    driver.start()
    forking.join(10)

    assert left == [False]
    assert monotonic() - begun < 5
    driver.stop()


def test_no_thread_starts_between_the_pause_and_the_fork():
    driver = Driver(Clockwork(), "driver", threading.RLock(), Hooks())
    driver.pause(10)  # there is none yet

    driver.start()

    assert not driver.driven
    assert driver.resume()  # it was wanted meanwhile
    driver.start()
    assert driver.driven
    driver.stop()


def test_a_driver_that_nobody_wanted_is_not_wanted_after_a_fork():
    driver = Driver(Clockwork(), "driver", threading.RLock(), Hooks())
    driver.pause(10)

    assert not driver.resume()


def test_a_driver_that_is_closed_while_the_process_forks_stays_closed():
    driver = Driver(Clockwork(), "driver", threading.RLock(), Hooks())
    driver.start()
    driver.pause(10)
    driver.stop()

    driver.resume()
    driver.start()

    assert not driver.driven
    driver.free()


TWO_FORKS = """
import os, threading
from server_tracking.senders.processes import PerProcess

events = []
meeting = threading.Barrier(2)

def forked():
    events.append("forked")

os.register_at_fork(after_in_parent=forked)
state = PerProcess(
    lambda: "a value",
    pause=lambda value, patience: meeting.wait(30),  # both are about to fork now
    resume=lambda value: events.append("resumed"),
)
state.get()

def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

threads = [threading.Thread(target=fork) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert events == ["forked", "resumed", "forked"], events
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_of_two_threads_that_fork_at_once_the_second_resumes_for_both():
    # Its resumption comes before its own "forked", for our hook is the older one.
    # Python 3.12 warns of forks in a process with threads, as these are.
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
    subprocess.run([*command, TWO_FORKS], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_what_is_made_while_another_thread_is_about_to_fork_is_paused_too():
    script = """
import os, threading
from server_tracking.senders.processes import PerProcess

events = []
late = PerProcess(
    lambda: "a value",
    pause=lambda value, patience: events.append("paused"),
    resume=lambda value: events.append("resumed"),
)

def make_it(value, patience):
    thread = threading.Thread(target=late.get)
    thread.start()
    thread.join()

early = PerProcess(lambda: "a value", pause=make_it)
early.get()
pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
# Twice if `late` was looked for only then.
assert events in (["paused", "resumed"], ["paused", "paused", "resumed"]), events
"""
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
    subprocess.run([*command, script], check=True, timeout=60)
