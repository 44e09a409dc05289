"""The same requests give the same hits, in every framework, through every server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.server import LocalServer
from server_tracking.inspector.store import HitStore

HERE = Path(__file__).parent
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-GB;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "X-Forwarded-For": "203.0.113.77",
}
FETCH = {
    **BROWSER,
    "Accept": "*/*",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
}
EXPECTED = [
    # kind, path, title, category of an event
    ("pageview", "/", "Plants & more", ""),
    ("pageview", "/plants/fern", "Boston fern, 日本", ""),
    ("event", "/basket", "", "basket_add"),
    ("pageview", "/", "Plants & more", ""),
    ("pageview", "/care", "How to care", ""),
]
WSGI_SITES = ("plain_wsgi", "bottle", "pyramid")
ASGI_SITES = ("plain_asgi", "starlette", "fastapi")
SERVERS = {
    "gunicorn": "-m gunicorn --workers 2 --bind 127.0.0.1:{port} sites:{site}",
    "gunicorn gthread, preload": (
        "-m gunicorn --worker-class gthread --threads 4 --preload "
        "--bind 127.0.0.1:{port} sites:{site}"
    ),
    # It takes forwarded headers away unless it is told whom to trust.
    "waitress": (
        "-m waitress --listen=127.0.0.1:{port} --trusted-proxy=127.0.0.1 "
        "--trusted-proxy-headers=x-forwarded-for sites:{site}"
    ),
    "uvicorn": "-m uvicorn --lifespan off --port {port} sites:{site}",
}
PAIRS = [
    *((server, site) for server in list(SERVERS)[:3] for site in WSGI_SITES),
    *(("uvicorn", site) for site in ASGI_SITES),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def wait_until_open(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read().decode()
        with socket.socket() as trial:
            trial.settimeout(1)
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    pytest.fail("the server did not open its port")


class Served:
    """A site in a process of its own."""

    def __init__(self, server, site, collector):
        port = free_port()
        environ = {
            **os.environ,
            "SERVER_TRACKING_SYSTEMS": f"ga4://made-up@G-XXXX?endpoint={collector}",
            "SERVER_TRACKING_SECRET_KEY": "a secret key for tests",
            "SERVER_TRACKING_TRUSTED_PROXIES": "private",
            "PYTHONWARNINGS": "default",
        }
        command = SERVERS[server].format(port=port, site=site).split()
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=HERE,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_until_open(port, self.process)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        """End it as a supervisor does; what it said on standard error is returned."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        return said.decode()


def walk(url):
    """Make the journey's requests; returns what was answered."""
    with requests.Session() as browser:
        browser.trust_env = False
        browser.headers = BROWSER

        def get(path, **more):
            return browser.get(f"{url}{path}", timeout=30, **more)

        answers = [
            get("/?utm_source=mail&utm_medium=email&token=hush"),
            get("/plants/fern"),
            browser.post(f"{url}/basket?plant=fern", timeout=30),  # redirected to /
            get("/data.json", headers=FETCH),
            get("/missing"),
            get("/care"),
        ]
        return [(answer.status_code, answer.content) for answer in answers]


def told(stored):
    hit = stored.hit
    title = hit.title if hit.kind == "pageview" else ""
    return hit.kind, hit.path, title, hit.name if hit.kind == "event" else ""


@pytest.mark.parametrize(("server", "site"), PAIRS)
def test_every_pair_gives_the_same_hits(server, site):
    store = HitStore()
    with LocalServer(inspector_app(store)) as inspector:
        served = Served(server, site, inspector.url)
        try:
            answers = walk(served.url)
            store.wait_for(lambda hits: len(hits) >= len(EXPECTED), 20)
        finally:
            said = served.stop()
        stored = store.hits()

    assert [status for status, _ in answers] == [200, 200, 200, 200, 404, 200]
    assert answers[5][1].decode().startswith("<!doctype html><title>How to care")
    # The queue is read by one thread, but two workers send side by side.
    assert sorted(map(told, stored)) == sorted(EXPECTED)
    assert all(one.valid for one in stored), [one.hit.problems for one in stored]
    assert len({one.hit.client_id for one in stored}) == 1
    assert len({one.hit.session_id for one in stored}) == 1
    assert {one.hit.address for one in stored} == {"203.0.113.0"}
    assert "hush" not in str(stored)
    assert "Traceback" not in said
