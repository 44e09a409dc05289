"""The demo as a newcomer runs it: every hit of the sample visit arrives."""

import re
import signal
import subprocess
import sys

import pytest
import requests

from server_tracking.calls import Problem
from server_tracking.demo.command import show_once
from server_tracking.demo.report import complaints, table
from server_tracking.demo.stage import stage
from server_tracking.demo.systems import demo_systems
from server_tracking.demo.visit import EXPECTED
from server_tracking.inspector.protocols import Answer, DecodedHit, Received
from server_tracking.inspector.server import listening_socket, url_of
from server_tracking.inspector.store import HitStore
from server_tracking.systems import Plausible

SYSTEMS = [system.name for system in demo_systems("http://127.0.0.1:1")]
TITLE = "How to keep them alive | Fern & Fig"
# A shell's job ignores Ctrl-C, and hands that on to all that it starts.
RUN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from server_tracking.cli import main; sys.exit(main(sys.argv[1:]))"
)
# Not in development mode: on a busy machine it complains of slow steps.
PYTHON = [sys.executable, "-W", "default::ResourceWarning", "-c", RUN]


@pytest.fixture
def on_stage():
    """Serve the shop and the inspector, for systems that a function makes."""
    with listening_socket() as shop, listening_socket() as inspector:
        yield lambda systems=demo_systems, **how: stage(systems, shop, inspector, **how)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--asgi"],
        ["--framework=django"],
        ["--framework=flask"],
        ["--framework=starlette"],
    ],
    ids=lambda options: options[0] if options else "wsgi",
)
def test_every_hit_arrives_and_is_shown(options):
    done = subprocess.run(
        [*PYTHON, "demo", "--once", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        *("System", "Type", "Page", "Title", "Client", "id", "Campaign")
    ]
    for system in SYSTEMS:
        rows = [line for line in lines if line.startswith(f"{system} ")]
        assert len(rows) == len(EXPECTED), system
        assert any("newsletter / " in row for row in rows), system


def test_a_collector_that_cannot_be_reached_is_code_1(on_stage, capsys):
    with listening_socket() as closed:
        nowhere = url_of(closed)

    def systems(inspector):
        return [*demo_systems(inspector)[:1], Plausible("x.org", url=nowhere)]

    with on_stage(systems) as here:
        assert show_once(here, patience=0.5) == 1

    said = capsys.readouterr().err
    assert "plausible: missing: all 8 hits" in said
    assert "google_analytics_4" not in said


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (["demo", "--port=0", "--inspector-port=0"], signal.SIGINT),
        (["demo", "--port=0", "--inspector-port=0", "--asgi"], signal.SIGTERM),
        (["inspect", "--port=0"], signal.SIGINT),
        (["inspect", "--port=0"], signal.SIGTERM),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value.name,
)
def test_it_serves_until_it_is_told_to_end_and_ends_quietly(command, ending):
    with subprocess.Popen(
        [*PYTHON, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        urls = re.findall(r"http://\S+", "".join(lines))
        with requests.Session() as http:
            http.trust_env = False
            shown = [http.get(url, timeout=10).text for url in urls]
            process.send_signal(ending)
            said, complained = process.communicate(timeout=20)

    assert all("<title>" in page for page in shown)
    assert len(urls) == (2 if command[0] == "demo" else 1)
    assert process.returncode == 0
    assert (said, complained) == ("", "")


@pytest.mark.parametrize("framework", ["wsgi", "asgi", "flask", "starlette"])
def test_a_browser_without_a_proxy_is_heard_by_every_system(on_stage, framework):
    browser = {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
        "Firefox/140.0",
        "Accept": "text/html",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
    }
    with on_stage(framework=framework) as here, requests.Session() as http:
        http.trust_env = False
        answer = http.get(f"{here.shop}/care", headers=browser, timeout=10)
        hits = here.arrived(len(SYSTEMS), 10)

        assert answer.status_code == 200
        assert {stored.hit.system for stored in hits} == set(SYSTEMS)


def stored(*hits):
    """Keep hits as the inspector does."""
    store = HitStore()
    store.add(Received("POST", "/x", "", {}, b"", time=1.0), hits, Answer(200))
    return store.hits()


def hit(**fields):
    return DecodedHit(system="matomo", **fields)


def test_what_is_missing_is_named():
    assert complaints([], ["matomo"]) == ["matomo: missing: all 8 hits"]
    care = hit(kind="pageview", path="/care", title=TITLE)
    assert complaints(stored(care), ["matomo"]) == [
        f"matomo: missing: {expected.kind} of {expected.path}"
        for expected in EXPECTED
        if expected.path != "/care"
    ]


def test_what_nobody_expects_is_named():
    said = complaints(
        stored(
            hit(kind="pageview", path="/care", title=TITLE),
            hit(kind="pageview", path="/care", title=TITLE),
            hit(kind="pageview", path="/stock.json"),
        ),
        ["matomo"],
    )

    assert "matomo: unexpected: pageview of /care" in said
    assert "matomo: unexpected: pageview of /stock.json" in said
    assert "matomo: missing: pageview of /care" not in said


def test_a_wrong_title_is_no_match():
    said = complaints(stored(hit(kind="pageview", path="/care")), ["matomo"])

    assert "matomo: missing: pageview of /care" in said


def test_a_refused_hit_is_named_with_the_reason():
    problem = Problem("idsite", "is not a number", fatal=True)
    care = hit(kind="pageview", path="/care", title=TITLE, problems=[problem])

    said = complaints(stored(care), ["matomo"])

    assert "matomo: refused: pageview of /care: is not a number" in said


def test_hits_of_a_visit_are_of_one_visitor():
    said = complaints(
        stored(
            hit(kind="pageview", path="/care", title=TITLE, client_id="1"),
            hit(kind="exception", path="/broken", client_id="2"),
        ),
        ["matomo"],
    )

    assert "matomo: took one visitor for 2" in said


def test_a_system_that_nobody_sends_to_is_named():
    [*_, said] = complaints(stored(hit(kind="other", name="POST /x")), [])

    assert said == "matomo: unexpected: POST /x"


def test_the_table_is_aligned():
    lines = table(
        stored(
            hit(kind="pageview", path="/care"),
            hit(kind="event", path="/", name="Basket: Add"),
        )
    ).splitlines()

    assert lines == [
        "System  Type      Page   Title        Client id  Campaign",
        "------  --------  -----  -----------  ---------  --------",
        "matomo  pageview  /care",
        "matomo  event     /      Basket: Add",
    ]
