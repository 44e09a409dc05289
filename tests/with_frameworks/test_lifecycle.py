"""Real servers that reload and end under load: every hit is sent once, and counted.

The sites' sender lingers for a minute, so that whatever arrives was flushed by the end
of a process: its `atexit`, or the lifespan shutdown. A client asks all the while; what
it got an answer for must have arrived.
"""

import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from server_tracking.testing import Collector

HERE = Path(__file__).parent
PATIENCE = 30.0
GUNICORN = (
    "{python} -m gunicorn --config lifecycle_gunicorn.py --workers 2 "
    "--graceful-timeout 10 --bind 127.0.0.1:{port} {options} lifecycle_site:wsgi"
)
# Told to end at once (die-on-term), uWSGI runs no atexit in a worker that serves.
UWSGI = (
    "{uwsgi} --master --processes 2 --disable-logging --home {prefix} "
    "--hook-master-start 'unix_signal:15 gracefully_kill_them_all' "
    "--http-socket 127.0.0.1:{port} {options} --module lifecycle_site:wsgi"
)
UVICORN = "{python} -m uvicorn --port {port} {options} lifecycle_site:asgi"
SERVERS = {
    "gunicorn, sync": (GUNICORN, "", 0),
    "gunicorn, gthread": (GUNICORN, "--worker-class gthread --threads 4", 0),
    "gunicorn, gevent, a reload": (GUNICORN, "--worker-class gevent", 1),
    "gunicorn, preload, three reloads": (GUNICORN, "--preload", 3),
    "gunicorn, three reloads": (GUNICORN, "", 3),
    "uwsgi, enable-threads": (UWSGI, "--enable-threads", 0),
    "uwsgi, no option": (UWSGI, "", 0),
    "uwsgi, a reload": (UWSGI, "--enable-threads", 1),
    "uvicorn": (UVICORN, "", 0),
    "uvicorn, two workers": (UVICORN, "--workers 2", 0),
    "uvicorn, two workers, two reloads": (UVICORN, "--workers 2", 2),
}


def uwsgi_binary():
    beside = Path(sys.executable).parent / "uwsgi"
    return str(beside) if beside.exists() else shutil.which("uwsgi")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Client(threading.Thread):
    """Ask without pause; keep what was answered apart from what may have been served."""

    numbers = count()

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.answered = []
        self.asked = []
        self.served_by = set()  # process ids
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            name = f"hit{next(self.numbers)}"
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            with contextlib.closing(connection):
                try:
                    connection.connect()
                    self.asked.append(name)
                    connection.request("GET", f"/?{name}")
                    response = connection.getresponse()
                    process = response.read()
                    if response.status == 200:
                        self.served_by.add(process)
                        self.answered.append(name)
                except (OSError, http.client.HTTPException):
                    self.over.wait(0.02)


class Site:
    """The site in processes of its own, with two clients."""

    def __init__(self, command, options, folder, collector):
        self.port = free_port()
        self.folder = folder
        line = command.format(
            python=sys.executable,
            uwsgi=uwsgi_binary(),
            prefix=sys.prefix,
            port=self.port,
            options=options,
        )
        self.log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            shlex.split(line),
            cwd=HERE,
            env={
                **os.environ,
                "LEDGER": str(folder),
                "COLLECTOR": collector.url,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONWARNINGS": "default",
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.clients = [Client(self.port) for _ in range(2)]
        for client in self.clients:
            client.start()

    def serve(self, number):
        """Wait until so many more requests were answered."""
        goal = len(self.answered) + number
        self._wait(lambda: len(self.answered) >= goal)

    def reload(self):
        """Reload, and wait until somebody new answers."""
        earlier = self.pids()
        self.process.send_signal(signal.SIGHUP)
        self._wait(lambda: self.pids() - earlier)

    def wait_for_workers(self, number):
        """Wait until so many processes of gunicorn's have begun, ever.

        To have answered says as much, but a busy one may keep all connections.
        """
        self._wait(lambda: len(list(self.folder.glob("*.ready"))) >= number)

    def pids(self):
        return set().union(*(client.served_by.copy() for client in self.clients))

    def _wait(self, is_over):
        deadline = time.monotonic() + PATIENCE
        while not is_over():
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        for client in self.clients:
            client.over.set()
            client.join(PATIENCE)

    def kill(self):
        for client in self.clients:
            client.over.set()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.log.close()

    @property
    def answered(self):
        return [name for client in self.clients for name in client.answered]

    @property
    def asked(self):
        return [name for client in self.clients for name in client.asked]

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def ledgers(self):
        return [json.loads(file.read_text()) for file in self.folder.glob("*.json")]


@pytest.fixture
def serve(tmp_path):
    sites = []
    with Collector() as collector:

        def serve(name):
            command, options, _ = SERVERS[name]
            if "gevent" in name and not find_spec("gevent"):
                pytest.skip("gevent is not installed")
            if command is UWSGI and not uwsgi_binary():
                pytest.skip("no uwsgi: pip install pyuwsgi")
            site = Site(command, options, tmp_path, collector)
            sites.append(site)
            return site, collector

        yield serve
        for site in sites:
            site.kill()


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_ends_under_load_loses_and_doubles_nothing(serve, name):
    site, collector = serve(name)
    reloads = SERVERS[name][2]

    site.serve(100)
    for number in range(reloads + 1):
        if number and name.startswith("gunicorn"):
            site.reload()
        elif number:  # uvicorn keeps the old ones if the new are slow
            site.process.send_signal(signal.SIGHUP)
        if name.startswith("gunicorn"):
            site.wait_for_workers(2 * (number + 1))
        site.serve(100)
    site.stop()

    arrived = [category for seen in collector.requests for category in seen.json]
    assert len(set(arrived)) == len(arrived)
    assert not set(site.answered) - set(arrived), site.said()
    assert set(arrived) <= set(site.asked)
    ledgers = site.ledgers()
    assert sum(ledger.get("submitted", 0) for ledger in ledgers) == len(arrived)
    assert sum(ledger.get("delivered", 0) for ledger in ledgers) == len(arrived)
    assert "Traceback" not in site.said()
    assert "enable-threads" not in site.said()


def run_script(script, collector):
    """Run a script in a process of its own."""
    environ = {
        **os.environ,
        "COLLECTOR": collector.url,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


GEVENT = """
import os, sys
{before}
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing.senders import ContractSystem
from server_tracking.hits import Context, Event, Session, Visitor
{after}
sender = ThreadSender(transport={transport!r})
sender.bind([ContractSystem(os.environ["COLLECTOR"], hits_per_call=100)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))

def work(number):
    for n in range(50):
        sender.send(Event(context=context, category=f"hit{{number}}-{{n}}"))

import threading
threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sender.flush(20)
assert sender.stats()["contract"].delivered == 500
sender.send(Event(context=context, category="last"))  # atexit sends it
"""
PATCH = "from gevent import monkey; monkey.patch_all()"


@pytest.mark.parametrize("transport", ["auto", "requests"])
@pytest.mark.parametrize(
    ("before", "after"), [(PATCH, ""), ("", PATCH)], ids=["first", "late"]
)
def test_gevent_may_patch_early_or_late(before, after, transport):
    if not find_spec("gevent"):
        pytest.skip("gevent is not installed")
    script = GEVENT.format(before=before, after=after, transport=transport)
    with Collector() as collector:
        done = run_script(script, collector)

    assert done.returncode == 0, done.stderr
    arrived = [category for seen in collector.requests for category in seen.json]
    assert len(arrived) == len(set(arrived)) == 501


GEVENT_FORK = """
import os
from gevent import monkey; monkey.patch_all()
import gevent
from server_tracking.senders.thread import ThreadSender
from server_tracking.testing.senders import ContractSystem
from server_tracking.hits import Context, Event, Session, Visitor
sender = ThreadSender(transport={transport!r}, linger=0.3)
sender.bind([ContractSystem(os.environ["COLLECTOR"], hits_per_call=100)])
context = Context(Visitor("7.1790000000"), Session(id=1790000000))
sender.send(Event(context=context, category="parent"))
gevent.sleep(0.05)
child = os.fork()
if child == 0:
    gevent.sleep(1.0)  # greenlets of the parent go on in the child
    sender.send(Event(context=context, category="child"))
    assert sender.flush(10)
    os._exit(0)
for _ in range(1000):
    if sender.stats()["contract"].delivered == 1:
        break
    gevent.sleep(0.01)
else:
    raise AssertionError(sender.stats())
_, status = os.waitpid(child, 0)
assert status == 0, status
"""


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_a_greenlet_of_ours_does_not_go_on_in_a_child(transport):
    if not find_spec("gevent"):
        pytest.skip("gevent is not installed")
    with Collector() as collector:
        done = run_script(GEVENT_FORK.format(transport=transport), collector)

    assert done.returncode == 0, done.stderr
    arrived = [category for seen in collector.requests for category in seen.json]
    assert sorted(arrived) == ["child", "parent"]
