"""One journey gives equal hits in every framework, through every server.

A run takes each framework with one server and each server with one or two frameworks;
``PARITY=all`` takes every pair. `docs/frameworks/support.md` shows them.
"""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import requests

from server_tracking.cookies import CookieSigner
from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.server import LocalServer
from server_tracking.inspector.store import HitStore
from server_tracking.visitors import identity_from

SITES = Path(__file__).with_name("parity")
ROOT = SITES.parents[2]
PROGRAMS = Path(sys.executable).parent
DAY = 24 * 3600
KEY = "a secret key for tests"
HOST = "shop.example"
BROWSER = {
    "Host": HOST,
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-GB;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "X-Forwarded-For": "203.0.113.77",
}
FETCH = {"Accept": "*/*", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}
EXPECTED = [
    # kind, path, title, name of an event, campaign, number of the visit
    ("pageview", "/", "Plants & more", "", "mail / email / spring", "1"),
    ("pageview", "/plants/fern", "Boston fern, 日本", "", "", "1"),
    ("event", "/basket", "", "basket_add", "", "1"),
    ("pageview", "/", "Plants & more", "", "", "1"),
    ("pageview", "/care", "How to care", "", "", "1"),
    ("purchase", "/order", "", "purchase", "", "1"),
    ("pageview", "/", "Plants & more", "", "", "2"),
]
STATUSES = [200, 200, 303, 200, 404, 200, 200, 200, 200]

FRAMEWORKS = {
    "wsgi": {
        "plain WSGI": "plain_wsgi",
        "Django": "django_wsgi",
        "Flask": "flask_site",
        "Bottle": "bottle_site",
        "Pyramid": "pyramid_site",
        "Falcon": "falcon_wsgi",
    },
    "asgi": {
        "plain ASGI": "plain_asgi",
        "Django": "django_asgi",
        "Starlette": "starlette_site",
        "FastAPI": "fastapi_site",
        "Falcon": "falcon_asgi",
        "Quart": "quart_site",
        "Litestar": "litestar_site",
        "BlackSheep": "blacksheep_site",
    },
}
GUNICORN = "{python} -m gunicorn --bind 127.0.0.1:{port} {site}:app"
GRANIAN = "{python} -m granian --host 127.0.0.1 --port {port} {site}:app --interface"
SERVERS = {
    "wsgi": {
        "gunicorn": f"{GUNICORN} --workers 2",
        "gunicorn gthread": f"{GUNICORN} --worker-class gthread --threads 4 --preload",
        "gunicorn gevent": f"{GUNICORN} --worker-class gevent",
        # It takes forwarded headers away unless it is told whom to trust.
        "waitress": (
            "{python} -m waitress --listen=127.0.0.1:{port} --trusted-proxy=127.0.0.1 "
            "--trusted-proxy-headers=x-forwarded-for {site}:app"
        ),
        # It resets the connection of a form that nobody has read, unless it has itself;
        # and it ends each connection, which a browser has to be told.
        "uWSGI": (
            "{programs}/uwsgi --http-socket 127.0.0.1:{port} --master --die-on-term "
            "--enable-threads --post-buffering 4096 --add-header Connection:close "
            "--module {site}:app"
        ),
        "Granian": f"{GRANIAN} wsgi",
        "aiohttp-wsgi": (
            "{programs}/aiohttp-wsgi-serve --host 127.0.0.1 --port {port} {site}:app"
        ),
    },
    "asgi": {
        "uvicorn": "{python} -m uvicorn --port {port} {site}:app",
        "Hypercorn": "{python} -m hypercorn --bind 127.0.0.1:{port} {site}:app",
        "Granian": f"{GRANIAN} asgi",
        "Daphne": "{python} -m daphne --bind 127.0.0.1 --port {port} {site}:app",
    },
}
ALL_PAIRS = [
    (kind, server, framework)
    for kind, servers in SERVERS.items()
    for server in servers
    for framework in FRAMEWORKS[kind]
]


def few_pairs():
    """Take each framework once, and each server; the servers in turn."""
    for kind, frameworks in FRAMEWORKS.items():
        servers = list(SERVERS[kind])
        for turn in range(max(len(frameworks), len(servers))):
            framework = list(frameworks)[turn % len(frameworks)]
            yield kind, servers[turn % len(servers)], framework


EVERYTHING = os.environ.get("PARITY") == "all"
PAIRS = ALL_PAIRS if EVERYTHING else list(few_pairs())


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

    def __init__(self, command, site, collector):
        port = free_port()
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (SITES, ROOT, ROOT / "adapters"))),
            "SERVER_TRACKING_SYSTEMS": f"ga4://made-up@G-XXXX?endpoint={collector}",
            "SERVER_TRACKING_SECRET_KEY": KEY,
            "SERVER_TRACKING_TRUSTED_PROXIES": "private",
        }
        names = {"python": sys.executable, "programs": PROGRAMS}
        self.process = subprocess.Popen(
            command.format(port=port, site=site, **names).split(),
            cwd=SITES,
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
    """Make the journey; returns the statuses of the answers, and the last cookies."""
    with requests.Session() as browser:
        browser.trust_env = False
        browser.headers = BROWSER

        def get(path, **more):
            return browser.get(f"{url}{path}", timeout=30, **more).status_code

        def post(path):
            # Some frameworks redirect to the name of the host, which does not resolve.
            form, how = {"plant": "fern"}, {"timeout": 30, "allow_redirects": False}
            return browser.post(f"{url}{path}", form, **how).status_code

        spring = "utm_source=mail&utm_medium=email&utm_campaign=spring"
        statuses = [
            get(f"/?{spring}&token=hush"),
            get("/plants/fern"),
            post("/basket"),
            get("/"),  # where it redirects to
            get("/missing"),
            get("/data.json", headers=FETCH),
        ]
        browser.cookies.set("cookie_action", "accept", domain=HOST, path="/")
        statuses += [get("/care"), post("/order")]
        put_back_a_day(browser.cookies)
        statuses += [get("/")]
        return statuses, browser.cookies.get_dict()


def put_back_a_day(cookies):
    """Let a day pass: what the visitor's cookie remembers becomes a day older."""
    signer = CookieSigner((KEY,), "visitor")
    [cookie] = [cookie for cookie in cookies if cookie.name == "vn"]
    known = identity_from(signer.verified(cookie.value))
    older = msgspec.structs.replace(
        known,
        session_start=known.session_start - DAY,
        last_seen=known.last_seen - DAY,
        granted=known.granted - DAY,
    )
    cookie.value = signer.sign(older.cookie)


# Ids and times, and how long the framework took.
VOLATILE = {
    "client_id",
    "engagement_time_msec",
    "server_ms",
    "session_id",
    "timestamp_micros",
}


def told(stored):
    """Tell all of a hit but ids and times, in two parts: what is expected, the rest."""
    hit = stored.hit
    sent = ((one.name, one.value) for one in hit.parameters)
    wire = {name: value for name, value in sent if name not in VOLATILE}
    title = hit.title if hit.kind == "pageview" else ""
    name = "" if hit.kind == "pageview" else hit.name
    short = (hit.kind, hit.path, title, name, hit.campaign, wire["session_number"])
    rest = (hit.url, hit.referrer, hit.language, hit.address, hit.user_agent)
    return short, rest, tuple(sorted(wire.items()))


def journey(kind, server, framework):
    """Make the journey at a site; returns its hits, in an order of their own."""
    store = HitStore()
    command, site = SERVERS[kind][server], FRAMEWORKS[kind][framework]
    with LocalServer(inspector_app(store)) as inspector:
        served = Served(command, site, inspector.url)
        try:
            statuses, cookies = walk(served.url)
            store.wait_for(lambda hits: len(hits) >= len(EXPECTED), 20)
        except Exception as error:
            error.add_note(f"The server said: {served.stop()}")
            raise
        said = served.stop()
        hits = store.hits()
    assert "Traceback" not in said, said
    assert statuses == STATUSES
    assert cookies["cookie_status"] == "1"
    assert "cookie_action" not in cookies
    return hits


@functools.cache
def reference():
    """Make the journey once without a framework, for the others to be compared."""
    return sorted(map(told, journey("wsgi", "waitress", "plain WSGI")))


@pytest.fixture(scope="module")
def equal(request):
    """Keep the pairs that gave equal hits; the matrix of them is printed at the end."""
    pairs = set()
    yield pairs
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n\nEqual hits in {len(pairs)} of {len(PAIRS)} pairs of this run:\n")
        print(parity_matrix(lambda pair: "equal" if pair in pairs else ""))


@pytest.mark.parametrize(("kind", "server", "framework"), PAIRS)
def test_every_pair_gives_equal_hits(kind, server, framework, equal):
    hits = journey(kind, server, framework)

    assert sorted(told(one)[0] for one in hits) == sorted(EXPECTED)
    assert sorted(map(told, hits)) == reference()
    assert all(one.valid for one in hits), [one.hit.problems for one in hits]
    assert len({one.hit.client_id for one in hits}) == 1
    assert {one.hit.address for one in hits} == {"203.0.113.0"}
    assert "hush" not in str(hits)
    equal.add((kind, server, framework))


def test_a_run_leaves_out_no_framework_and_no_server():
    few = set(few_pairs())

    assert few <= set(ALL_PAIRS)
    assert {(kind, server) for kind, server, _ in few} == {
        (kind, server) for kind, server, _ in ALL_PAIRS
    }
    assert {(kind, framework) for kind, _, framework in few} == {
        (kind, framework) for kind, _, framework in ALL_PAIRS
    }


def parity_matrix(cell):
    """Write Markdown tables of all pairs, with what *cell* says of each."""
    lines = []
    for kind, servers in SERVERS.items():
        lines += [
            f"| {kind.upper()} | {' | '.join(servers)} |",
            f"|---|{'|'.join([':-:'] * len(servers))}|",
        ]
        for framework in FRAMEWORKS[kind]:
            cells = (cell((kind, server, framework)) for server in servers)
            lines.append(f"| {framework} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
