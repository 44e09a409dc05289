"""A collector on loopback that does as it is told, and a system that speaks to it."""

import contextlib
import importlib.util
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from typing import ClassVar, NamedTuple

import msgspec
import pytest

from server_tracking.calls import Call, Limits, Outcome
from server_tracking.hits import Context, Event, ScreenView, Session, Visitor

PATIENCE = 10.0  # seconds that a test may wait for what must happen at once
CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))


class Seen(NamedTuple):
    """A request as it arrived; *connection* counts from 1."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def ids(self):
        return json.loads(self.body)["ids"]


class Collector:
    """An HTTP server on a raw socket. `script` says what each request gets.

    A step of the script is called with the socket and the request, and returns
    whether the connection stays open. The last step is repeated.
    """

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.read_bodies = True
        self.wrap = lambda sock: sock
        self.released = threading.Event()
        self._script = [self.status(204)]
        self._changed = threading.Condition()
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/collect?secret=s3cr3t"
        self._threads = [self._thread(self._accept)]

    def script(self, *steps):
        self._script = list(steps)

    def wait_for(self, number):
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.requests) >= number, PATIENCE
            ), f"only {len(self.requests)} requests came"

    def close(self):
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    # Steps

    @staticmethod
    def raw(data, keep=True):
        def step(sock, request):
            sock.sendall(data)
            return keep

        return step

    def status(self, status, body=b"", headers=(), keep=True):
        lines = [f"HTTP/1.1 {status} Whatever", *headers]
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join([*lines, "", ""]).encode() + body, keep)

    def hang(self, sock, request):
        self.released.wait(PATIENCE)
        return False

    def drip(self, head):
        """Send *head*, and then a byte every 50 ms."""

        def step(sock, request):
            sock.sendall(head)
            while not self.released.wait(0.05):
                try:
                    sock.sendall(b"x")
                except OSError:
                    break
            return False

        return step

    @staticmethod
    def hang_up(sock, request):
        return False

    @staticmethod
    def reset(sock, request):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    # Inside

    def _thread(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(self._thread(self._serve, sock, self.connections))

    def _serve(self, plain, number):
        with contextlib.suppress(OSError), plain, self.wrap(plain) as sock:
            self._sockets.add(sock)
            try:
                self._converse(sock, number)
            finally:
                self._sockets.discard(sock)

    def _converse(self, sock, number):
        rest = b""
        keep = True
        while keep:
            request, rest = self._read(sock, rest, number)
            if request is None:
                return
            with self._changed:
                self.requests.append(request)
                step = self._script[0]
                if len(self._script) > 1:
                    self._script.pop(0)
                self._changed.notify_all()
            keep = step(sock, request)

    def _read(self, sock, data, number):
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return None, b""
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0)) if self.read_bodies else 0
        while len(rest) < length:
            piece = sock.recv(65536)
            if not piece:
                return None, b""
            rest += piece
        return Seen(method, target, headers, rest[:length], number), rest[length:]


class LocalSystem(msgspec.Struct, frozen=True):
    """A system without meaning: the ids of hits as JSON.

    It has no words for screen views; an event of the category ``raise`` makes it
    fail, and so does an answer with status 299.
    """

    url: str
    name: str = "local"
    hits: int = 10
    concurrency: int = 2
    linger: float = 0.01
    max_age: float = 3600.0
    idempotent: bool = False
    scheme: ClassVar[str] = "local"

    @property
    def limits(self):
        return Limits(
            hits=self.hits,
            max_age=self.max_age,
            idempotent=self.idempotent,
            concurrency=self.concurrency,
            linger=self.linger,
            mixed_visitors=True,
        )

    def encode(self, hits, now):
        told = [hit for hit in hits if not isinstance(hit, ScreenView)]
        for start in range(0, len(told), self.hits):
            part = told[start : start + self.hits]
            if any(getattr(hit, "category", "") == "raise" for hit in part):
                raise LookupError("a bug of the system")
            body = {
                "ids": [str(hit.id) for hit in part],
                "categories": [hit.category for hit in part],
            }
            yield Call(
                "POST",
                self.url,
                {"Content-Type": "application/json"},
                json.dumps(body).encode(),
                tuple(hit.id for hit in part),
            )

    def outcome(self, call, status, headers, body):
        if status == 299:
            raise LookupError("a bug of the system")
        return Outcome.of_status(status, headers)

    def problems(self, hit):
        return ()

    @classmethod
    def example(cls):
        return cls("http://127.0.0.1:9/")

    @classmethod
    def from_url(cls, url):
        return cls(url.geturl())


def event(category="test", **fields):
    return Event(context=CONTEXT, category=category, **fields)


def assert_adds_up(counts):
    """Hold *counts* to the identity in the docstring of `Counts`."""
    assert counts.submitted == sum(counts.refused.values()) + counts.accepted
    assert counts.accepted == (
        counts.delivered
        + sum(counts.rejected.values())
        + sum(counts.dropped_by_system.values())
        + counts.unknown
        + counts.expired
        + counts.abandoned
        + counts.lost
        + counts.queued
        + counts.waiting
        + counts.sending
    )


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def dead_url():
    """The URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/collect?secret=s3cr3t"


@pytest.fixture(
    params=[
        pytest.param(
            "curl",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("pycurl") is None, reason="no pycurl"
            ),
        ),
        "requests",
    ]
)
def transport_name(request):
    return request.param


@pytest.fixture
def make_event():
    return event


@pytest.fixture
def make_screenview():
    return lambda: ScreenView(context=CONTEXT, name="Start")


@pytest.fixture
def make_system():
    return LocalSystem


@pytest.fixture
def adds_up():
    return assert_adds_up


@pytest.fixture
def until():
    """Wait until a condition holds; for what has no event of its own."""
    pause = threading.Event()

    def until(condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            pause.wait(0.005)

    return until


@pytest.fixture(scope="session")
def tls_certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    key = path.with_suffix(".key")
    subprocess.run(
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {path}".split(),
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def tls_url(collector, tls_certificate):
    """The collector behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate, tls_certificate.with_suffix(".key"))
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    return f"https://127.0.0.1:{collector.port}/collect"
