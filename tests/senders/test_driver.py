"""The one thread of a sender, and forks that come at a bad moment."""

import threading
from time import monotonic

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
