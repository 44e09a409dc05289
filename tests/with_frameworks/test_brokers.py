"""Real brokers and real workers: what is accepted arrives, whatever dies meanwhile."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("celery")
pytest.importorskip("redis")

from server_tracking.hits import decode_hits, encode_hits
from server_tracking.tasks import tracking_in
from server_tracking.testing.senders import SenderContract, adds_up

sys.path.insert(0, str(Path(__file__).parent))
import celery_shop

sys.path.pop(0)

HERE = Path(__file__).parent
PATIENCE = 40.0  # seconds for what takes a few
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # as Debian has it
VISITOR = "7.1790000000"
event = SenderContract().event


def missing(what):
    """Skip a test for want of *what*; on CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed, and CI has to have it")
    pytest.skip(f"{what} is not installed: apt-get install {what}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def until(condition, what="it"):
    pause = threading.Event()
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        pause.wait(0.02)


# Brokers


class Service:
    """A server in a process group of its own, on a port that it keeps."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None

    def start(self):
        command, environ = self.command()
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(self.is_open, "the start of a broker")

    def is_open(self):
        assert self.process.poll() is None, (self.folder / "output").read_text()
        with socket.socket() as trial:
            trial.settimeout(1)
            return trial.connect_ex(("127.0.0.1", self.port)) == 0

    def tell(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.tell(signal.SIGKILL)
        self.process.wait(PATIENCE)


class Redis(Service):
    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self):
        options = f"--port {self.port} --bind 127.0.0.1 --dir {self.folder}"
        durable = "--appendonly yes --appendfsync always"
        return ["redis-server", *options.split(), *durable.split(), "--save", ""], {}


class RabbitMQ(Service):
    """A node that knows nothing of another one on this machine, nor touches it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.epmd_port = free_port()
        self.dist_port = free_port()
        (folder / "plugins").write_text("[].\n")
        (folder / "env.conf").touch()
        (folder / "rabbit.conf").write_text("disk_free_limit.absolute = 50MB\n")

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self):
        folder = str(self.folder)
        # Not /usr/sbin/rabbitmq-server, which would become the user rabbitmq.
        return [str(RABBITMQ)], {
            "HOME": folder,  # for the cookie
            "RABBITMQ_NODENAME": f"tracking-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbit",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1}"
            ),
            **self.epmd_environ,
        }

    @property
    def epmd_environ(self):
        return {"ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}

    def kill(self):
        super().kill()
        # Erlang's port mapper has left the group. It goes when it is asked to, but
        # not before it has seen that its node is gone.
        until(lambda: b"living nodes" not in self.epmd("-kill"), "the end of epmd")

    def epmd(self, option):
        environ = {**os.environ, **self.epmd_environ}
        done = subprocess.run(
            ["epmd", option], env=environ, capture_output=True, check=False
        )
        return done.stdout + done.stderr


def running(kind, folder):
    service = kind(folder)
    service.start()
    try:
        yield service
    finally:
        service.tell(signal.SIGCONT)
        service.kill()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    if shutil.which("redis-server") is None:
        missing("redis-server")
    yield from running(Redis, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory):
    if not RABBITMQ.exists():
        missing("rabbitmq-server")
    yield from running(RabbitMQ, tmp_path_factory.mktemp("rabbitmq"))


@pytest.fixture(params=["redis", "rabbitmq"], ids=str)
def broker(request):
    return request.getfixturevalue(request.param)


# A collector, the web process, and workers


class Collector(ThreadingHTTPServer):
    """Note what comes; answer when it is released."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.released = threading.Event()
        self.released.set()
        self.came = Counter()

    def handle_error(self, request, client_address):
        """Say nothing of workers that were killed."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.update(json.loads(body))
        self.server.released.wait(PATIENCE)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


class Shop:
    """The web process is this one; workers are started as a site does."""

    def __init__(self, broker, collector, queue, folder):
        self.app = celery_shop.made_app(broker.url, queue)
        self.tracker = celery_shop.made_tracker(self.app, collector.url)
        self.collector = collector
        self.output = folder / "worker"
        self._workers = []
        self.environ = {
            **os.environ,
            "SHOP_BROKER": broker.url,
            "SHOP_QUEUE": queue,
            "SHOP_COLLECTOR": collector.url,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }

    def start_worker(self, **environ):
        command = (
            "-A celery_shop worker --concurrency 2 --loglevel INFO "
            "--without-mingle --without-gossip"
        )
        with self.output.open("ab") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *command.split()],
                cwd=HERE,
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._workers.append(worker)
        return worker

    def send(self, number, prefix="hit"):
        """Send events; the longest that one of them has taken is returned."""
        longest = 0.0
        for n in range(number):
            begun = time.perf_counter()
            assert self.tracker.send(event(f"{prefix} {n}"))
            longest = max(longest, time.perf_counter() - begun)
        return longest

    def wait_for(self, number):
        until(lambda: len(self.collector.came) >= number, f"arrival of {number} hits")

    @property
    def counts(self):
        counts = self.tracker.stats().systems["contract"]
        assert adds_up(counts)
        return counts

    def close(self):
        self.tracker.close(1.0)
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(PATIENCE)
        self.app.close()


@pytest.fixture
def shop(broker, collector, tmp_path, request):
    queue = f"queue-{request.node.originalname}"
    shop = Shop(broker, collector, queue, tmp_path)
    yield shop
    shop.close()


def test_hits_arrive_and_tasks_are_in_the_request_that_sent_them(shop):
    shop.start_worker()
    shop.send(500)
    context = json.dumps(
        {
            "version": 1,
            "context": {
                "visitor": {"client_id": VISITOR},
                "session": {"id": 1790000000},
                "consent": {},
            },
        }
    )
    with tracking_in(shop.tracker, context):
        shop.app.send_task("ship")

    assert shop.tracker.flush(PATIENCE)
    shop.wait_for(501)

    assert set(shop.collector.came.values()) == {1}
    assert shop.collector.came[f"shipped for {VISITOR}"] == 1
    assert shop.counts.delivered == 500


def test_a_worker_that_is_killed_loses_nothing(shop):
    shop.collector.released.clear()
    worker = shop.start_worker()
    shop.send(1000)
    assert shop.tracker.flush(PATIENCE)
    shop.wait_for(80)  # two calls of twenty, in two processes, have no answer

    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(PATIENCE)
    shop.collector.released.set()
    shop.start_worker()
    shop.wait_for(1000)

    twice = sum(times - 1 for times in shop.collector.came.values())
    # What two processes had under way: two calls of twenty each, and at most the rest
    # of their tasks, of a hundred hits each.
    assert 80 <= twice <= 200


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_a_worker_process_that_is_killed_is_no_loss_either(shop):
    shop.collector.released.clear()
    worker = shop.start_worker()
    shop.send(300)
    assert shop.tracker.flush(PATIENCE)
    shop.wait_for(40)

    for child in children_of(worker.pid):
        os.kill(child, signal.SIGKILL)
    shop.collector.released.set()
    shop.wait_for(300)

    assert sum(times - 1 for times in shop.collector.came.values()) <= 200


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert found
    return [int(child) for child in found]


def test_a_broker_that_is_killed_and_comes_back_loses_nothing(shop, broker):
    shop.send(200, "before")
    assert shop.tracker.flush(PATIENCE)
    shop.send(200, "at")
    broker.kill()

    longest = shop.send(600, "after")
    assert not shop.tracker.flush(0.5)
    held = shop.counts

    broker.start()
    until(lambda: shop.tracker.flush(1.0), "the return of the broker")
    shop.start_worker()
    shop.wait_for(1000)

    assert longest < 0.1  # the thread's share of the CPU, not the broker
    assert held.accepted == 1000
    assert held.refused == {}
    assert shop.counts.delivered == 1000


def test_a_broker_that_hangs_holds_up_nobody(shop, broker):
    shop.start_worker()
    shop.send(100, "before")
    assert shop.tracker.flush(PATIENCE)
    shop.wait_for(100)
    broker.tell(signal.SIGSTOP)
    try:
        longest = shop.send(200, "while")
        begun = time.monotonic()
        assert not shop.tracker.flush(0.5)
        assert time.monotonic() - begun < 2
    finally:
        broker.tell(signal.SIGCONT)
    until(lambda: shop.tracker.flush(1.0))
    shop.wait_for(300)

    assert longest < 0.1
    # A message whose confirmation did not come in time was sent again.
    assert max(shop.collector.came.values()) <= 2


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_a_worker_that_ends_sends_its_own_hits_first(shop):
    worker = shop.start_worker(SHOP_LINGER="60")
    shop.app.send_task("ship")
    until(lambda: b"succeeded" in shop.output.read_bytes(), "the task")

    worker.send_signal(signal.SIGTERM)
    worker.wait(PATIENCE)
    assert not shop.collector.came
    shop.start_worker()

    shop.wait_for(1)
    assert shop.collector.came == {"shipped for nobody": 1}


FORK = """
import os, celery_shop
from test_brokers import event

app = celery_shop.made_app({broker!r}, {queue!r})
tracker = celery_shop.made_tracker(app, {collector!r}, linger=60.0)
tracker.send(event("parent before"))
assert tracker.flush(10)
tracker.send(event("parent queued"))
child = os.fork()
if child == 0:
    assert tracker.stats().systems["contract"].submitted == 0
    tracker.send(event("child"))
    os._exit(0 if tracker.flush(10) else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
tracker.send(event("parent after"))
"""


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_parent_and_child_each_publish_their_own_hits(shop, broker, collector):
    queue = shop.app.conf.task_default_queue
    script = FORK.format(broker=broker.url, queue=queue, collector=collector.url)
    # Python 3.12 warns of forks in a process with threads, as this one is.
    flags = ["-X", "dev", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *flags, "-c", script],
        cwd=HERE,
        env=shop.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shop.start_worker()

    shop.wait_for(4)
    expected = ("child", "parent after", "parent before", "parent queued")
    assert shop.collector.came == dict.fromkeys(expected, 1)


# Recipes


def test_the_recipe_for_rq(redis, collector):
    rq = pytest.importorskip("rq")
    from redis import Redis as Client

    shop = celery_shop.ContractSystem(collector.url)
    with Client(port=redis.port) as connection:
        queue = rq.Queue("tracking", connection=connection)
        hits = [event("by rq"), event("by rq, too")]

        queue.enqueue(deliver, encode_hits(hits).decode(), collector.url)
        rq.SimpleWorker([queue], connection=connection).work(
            burst=True, logging_level="ERROR"
        )

    assert shop.url == collector.url
    assert collector.came == {"by rq": 1, "by rq, too": 1}


def deliver(data, url):
    """Do the job of docs/celery.md."""
    from server_tracking import Tracker
    from server_tracking.senders.inline import InlineSender

    tracker = Tracker(
        celery_shop.ContractSystem(url), sender=InlineSender(), secret_key="x" * 8
    )
    for hit in decode_hits(data.encode()):
        tracker.send(hit)
    tracker.close()
