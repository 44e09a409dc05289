"""A network that loses packets, swallows all of them, or has a resolver that hangs.

Each script runs in a network namespace of its own, where a device of ours carries the
packets: what is sent to 10.9.0.2 comes back to 10.9.0.1, if it does. (netem would do
the same, where the kernel has it.) Only root can make such a network.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import fcntl, heapq, os, random, select, socket, struct, subprocess, sys, threading, time
from unittest import mock
sys.path.insert(0, {folder!r})
from conftest import LocalSystem, assert_adds_up, event
from server_tracking.senders.lanes import Rules
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing import Collector

class Network(threading.Thread):
    # Swapping the two addresses leaves the checksums right.
    def __init__(self):
        super().__init__(daemon=True)
        self.loss = self.delay = 0.0
        self.file = os.open("/dev/net/tun", os.O_RDWR)
        TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
        request = struct.pack("16sH", b"test0", IFF_TUN | IFF_NO_PI)
        fcntl.ioctl(self.file, TUNSETIFF, request)
        for line in ("addr add 10.9.0.1/24 dev test0", "link set test0 up",
                     "link set lo up"):
            subprocess.run(["ip", *line.split()], check=True)
        self.lost = 0
        self.start()

    def run(self):
        late = []
        while True:
            wait = max(0.0, late[0][0] - time.monotonic()) if late else None
            if select.select([self.file], [], [], wait)[0]:
                packet = bytearray(os.read(self.file, 65536))
                if packet[0] >> 4 != 4 or random.random() < self.loss:
                    self.lost += 1
                    continue
                packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
                when = time.monotonic() + random.uniform(0, self.delay)
                heapq.heappush(late, (when, bytes(packet)))
            while late and late[0][0] <= time.monotonic():
                os.write(self.file, heapq.heappop(late)[1])

network = Network()
create = socket.create_server
with mock.patch("socket.create_server", lambda at, **how: create(("", at[1]), **how)):
    collector = Collector()
far = f"http://10.9.0.2:{{collector.port}}/collect"
near = f"http://127.0.0.1:{{collector.port}}/collect"

def make(*urls, rules=Rules(backoff=0.2, pause=0.2, pause_cap=0.5), **fields):
    sender = ThreadSender(transport={transport!r}, timeout=6.0, rules=rules)
    sender.bind([LocalSystem(url, **fields) for url in urls])
    return sender

def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)

def arrived():
    return [one for seen in collector.requests for one in seen.ids]
"""
NAMESPACES = ["unshare", "--net", "--mount"]


@pytest.fixture
def run(transport_name):
    """Run a script in a network of its own; it must end well, and be silent."""
    tried = subprocess.run(
        [*NAMESPACES, "test", "-w", "/dev/net/tun"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"no network of our own: {tried.stderr.decode()}")

    def run(script):
        folder = str(Path(__file__).parents[1] / "senders")
        prelude = PRELUDE.format(folder=folder, transport=transport_name)
        done = subprocess.run(
            [*NAMESPACES, sys.executable, "-c", prelude + script],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            # Of 10.9.0.2, nothing leaves the namespace.
            env={**os.environ, "SERVER_TRACKING_ALLOW_SEND": "1"},
        )
        assert done.returncode == 0, done.stderr
        print(done.stdout)

    return run


@pytest.fixture(autouse=True)
def _linux_and_unshare():
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun")


@pytest.mark.parametrize("idempotent", [False, True])
def test_39_a_network_that_loses_a_fifth_of_all_packets(run, idempotent):
    """And delays the others by up to 100 ms: TCP makes it good, or we say what is not."""
    run(
        f"""
idempotent = {idempotent}
network.loss, network.delay = 0.2, 0.1
sender = make(far, idempotent=idempotent, hits=5, concurrency=4)
for _ in range(100):
    assert sender.send(event())
    time.sleep(0.005)
until(lambda: sender.flush(5.0))
network.loss = 0.0
sender.close(5.0)
counts = sender.stats()["local"]
assert_adds_up(counts)
seen = arrived()
print(network.lost, "packets lost;", counts.delivered, "delivered,", counts.unknown,
      "unknown,", len(seen) - len(set(seen)), "arrived twice")
assert counts.delivered + counts.unknown == counts.accepted == 100, counts
assert network.lost
if idempotent:
    assert len(set(seen)) == counts.delivered == 100
else:
    assert len(seen) == len(set(seen))
    assert counts.delivered <= len(seen) <= counts.delivered + counts.unknown
"""
    )


def test_15_a_network_that_swallows_all_is_waited_for(run):
    """Nothing answers, not even with a no; then it does. Others are not held up."""
    run(
        """
network.loss = 1.0
sender = make(far, near)
sender.send(event())
until(lambda: sender.stats()["local-2"].delivered == 1)
begun = time.monotonic()
until(lambda: sender.stats()["local"].waiting == 1)  # the connection was given up
assert time.monotonic() - begun < 6.0  # 3 seconds, and not the deadline of the call
assert sender.stats()["local"].unknown == 0
network.loss = 0.0
until(lambda: sender.stats()["local"].delivered == 1)
assert len(arrived()) == 2
sender.close(5.0)
"""
    )


def test_31_a_resolver_that_hangs_holds_up_nothing(run, tmp_path):
    """Neither `send`, nor a flush, nor the other system, nor the end of the process."""
    names = tmp_path / "resolv.conf"
    names.write_text("nameserver 10.9.0.2\noptions timeout:30 attempts:1\n")
    run(
        f"""
subprocess.run(["mount", "--bind", {str(names)!r}, "/etc/resolv.conf"], check=True)
network.loss = 1.0
sender = make("http://collector.example:9/", near)
begun = time.monotonic()
sender.send(event())
assert time.monotonic() - begun < 1.0
until(lambda: sender.stats()["local-2"].delivered == 1)
until(lambda: sender.stats()["local"].sending == 1 or sender.stats()["local"].waiting)
begun = time.monotonic()
assert not sender.flush(1.0)
assert 1.0 <= time.monotonic() - begun < 5.0
for _ in range(20):
    sender.send(event())
until(lambda: sender.stats()["local-2"].delivered == 21)
begun = time.monotonic()
assert not sender.close(1.0)
assert time.monotonic() - begun < 5.0
counts = sender.stats()["local"]
assert_adds_up(counts)
assert counts.abandoned + counts.unknown == 21, counts  # given up in mid-call
"""
    )
