"""A collector on loopback that does as it is told, and a system that speaks to it."""

import importlib.util
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import ClassVar

import msgspec
import pytest

from server_tracking.calls import Call, Limits, Outcome
from server_tracking.hits import Context, Event, ScreenView, Session, Visitor
from server_tracking.testing.collector import Collector

PATIENCE = 10.0  # seconds that a test may wait for what must happen at once
CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))


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
def counts_of(adds_up):
    """Read what became of the hits for one system; it has to add up."""

    def counts_of(sender, name="local"):
        counts = sender.stats()[name]
        adds_up(counts)
        return counts

    return counts_of


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
