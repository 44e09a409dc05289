"""The example runs by its own command, under WSGI and ASGI, and is told of."""

import contextlib
import os
import re
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

SITE = Path(__file__).parents[2] / "examples" / "django_site"
COMMANDS = {
    "wsgi": "manage.py runserver --noreload 127.0.0.1:{port}",
    "asgi": "-m uvicorn --port {port} garden.asgi:application",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def running(kind, collector):
    port = free_port()
    environ = {
        **os.environ,
        "SERVER_TRACKING_SYSTEMS": f"ga4://made-up@G-XXXX?endpoint={collector}",
        "SERVER_TRACKING_ALLOW_SEND": "1",  # the environment names the test
    }
    process = subprocess.Popen(
        [sys.executable, *COMMANDS[kind].format(port=port).split()],
        cwd=SITE,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert process.poll() is None
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(store, number):
    deadline = time.monotonic() + 20
    while len(store.hits()) < number and time.monotonic() < deadline:
        time.sleep(0.02)  # the hits come from another process
    return sorted(store.hits(), key=lambda stored: stored.hit.time or 0)


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_shop_is_tracked(kind, browser):
    store = HitStore()
    with (
        LocalServer(inspector_app(store)) as collector,
        running(kind, collector.url) as url,
        requests.Session() as visitor,
    ):
        visitor.trust_env = False
        visitor.headers = browser
        assert visitor.get(f"{url}/", timeout=30).status_code == 200
        html = visitor.get(f"{url}/plants/fern/", timeout=30).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', html)[1]
        form = {"plant": "fern", "csrfmiddlewaretoken": token}
        basket = visitor.post(f"{url}/basket/", form, timeout=30)
        assert "Boston fern" in basket.text
        assert visitor.get(f"{url}/care/", timeout=30).status_code == 200
        script = re.search(r'src="([^"]+ping\.js)" data-url="([^"]+)"', html)
        if kind == "wsgi":  # where `runserver` serves the files
            assert visitor.get(f"{url}{script[1]}", timeout=30).ok
        ping = visitor.post(
            f"{url}{script[2]}",
            {"r": "1920x1080"},
            headers={"Referer": f"{url}/", "Sec-Fetch-Site": "same-origin"},
            timeout=30,
        )
        assert ping.status_code == 204
        consent = visitor.post(
            f"{url}/tracking/consent", {"action": "accept"}, timeout=30
        )
        assert consent.cookies["cookie_status"] == "1"
        hits = wait_for(store, 6)

    assert all(stored.valid for stored in hits)
    pages = {(s.hit.path, s.hit.title) for s in hits if s.hit.kind == "pageview"}
    assert pages == {
        ("/", "Plants"),
        ("/plants/fern/", "Boston fern"),
        ("/basket/", "Basket"),
        ("/care/", "How to care"),
    }
    assert sorted(s.hit.name for s in hits if s.hit.kind == "event") == [
        "basket_add",
        "non_interaction_ping",
    ]


def test_the_shop_passes_its_checks():
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=SITE,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
