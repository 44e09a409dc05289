"""The inspector as a collector that fails, as part of a site, and its exports."""

import json
import shlex
import time

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount

from server_tracking.inspector.amounts import seconds_from, share_from
from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.faults import Faults
from server_tracking.inspector.server import (
    LocalServer,
    listening_socket,
    serving_inspector,
)
from server_tracking.inspector.store import HitStore

BODY = {"name": "pageview", "url": "http://example.com/fern", "domain": "x.org"}
BROWSER = {"User-Agent": "Mozilla/5.0 Firefox/140.0"}


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def failing():
    """Serve an inspector with the faults given."""
    store = HitStore()
    with listening_socket() as listening:
        yield (
            lambda **faults: serving_inspector(
                store, listening, faults=Faults(**faults)
            ),
            store,
        )


def test_calls_get_the_status_asked_for_and_their_hits_are_shown(failing, http):
    serve, store = failing
    with serve(respond=503) as url:
        answer = http.post(f"{url}/api/event", json=BODY, headers=BROWSER, timeout=10)
        assert http.get(f"{url}/health", timeout=10).status_code == 200

    assert answer.status_code == 503
    [stored] = store.hits()
    assert (stored.status, stored.valid) == (503, True)


def test_answers_come_as_late_as_asked(failing, http):
    serve, _ = failing
    with serve(delay=0.2) as url:
        begun = time.monotonic()
        http.post(f"{url}/api/event", json=BODY, headers=BROWSER, timeout=10)

    assert time.monotonic() - begun >= 0.2


def test_a_dropped_call_gets_no_answer_but_is_shown(failing, http):
    serve, store = failing
    with serve(drop=1.0) as url:
        with pytest.raises(requests.ConnectionError):
            http.post(f"{url}/api/event", json=BODY, headers=BROWSER, timeout=10)
        assert http.get(f"{url}/health", timeout=10).status_code == 200

    assert [stored.status for stored in store.hits()] == [0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("250ms", 0.25), ("1m", 60.0), ("2", 2.0), ("0.5 s", 0.5)],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert seconds_from(text) == seconds


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 0.1), ("0.1", 0.1), ("100%", 1.0), ("0", 0.0)]
)
def test_shares_are_read_as_people_write_them(text, share):
    assert share_from(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "2h", "s", "1e3"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="no duration"):
        seconds_from(text)


@pytest.mark.parametrize("text", ["", "all", "-1", "101%", "1.5", "nan", "%"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ValueError, match="no share"):
        share_from(text)


@pytest.fixture
def mounted():
    """Serve a site that has the inspector below a path of its own."""
    store = HitStore()
    site = Starlette(routes=[Mount("/seen", inspector_app(store))])
    with LocalServer(site) as server:
        yield f"{server.url}/seen", store


def test_it_works_as_a_part_of_another_application(mounted, http):
    url, store = mounted

    answer = http.post(f"{url}/api/event", json=BODY, headers=BROWSER, timeout=10)

    assert answer.status_code == 202
    assert store.hits()[0].path == "/api/event"
    assert "Inspector" in http.get(f"{url}/", timeout=10).text
    assert http.get(f"{url}/main.js", timeout=10).status_code == 200
    command = http.get(f"{url}/call.sh?number=1", timeout=10).text
    assert shlex.split(command)[3] == f"{url}/api/event"


def test_hits_are_exported_as_the_filters_leave_them(mounted, http):
    url, _ = mounted
    for path in ("/fern", "/fig", "/fern/2"):
        body = {**BODY, "url": f"http://example.com{path}"}
        http.post(f"{url}/api/event", json=body, headers=BROWSER, timeout=10)

    lines = http.get(f"{url}/export.jsonl?path=fern", timeout=10)
    script = http.get(f"{url}/export.sh?path=fern", timeout=10).text

    paths = [json.loads(line)["hit"]["path"] for line in lines.text.splitlines()]
    assert paths == ["/fern/2", "/fern"]
    assert "attachment" in lines.headers["content-disposition"]
    bodies = [shlex.split(line)[-1] for line in script.splitlines()]
    assert [json.loads(body)["url"] for body in bodies] == [
        "http://example.com/fern",
        "http://example.com/fern/2",
    ]


def test_the_raw_call_can_be_read(mounted, http):
    url, _ = mounted
    http.post(f"{url}/api/event?a=b", json=BODY, headers=BROWSER, timeout=10)

    call = http.get(f"{url}/call.json?number=1", timeout=10).json()

    assert call["target"] == "/api/event?a=b"
    assert json.loads(call["body"]) == BODY
    assert call["headers"]["user-agent"] == BROWSER["User-Agent"]
    assert http.get(f"{url}/call.json?number=2", timeout=10).status_code == 404


@pytest.mark.parametrize("path", ["clear", "keep?number=1"])
def test_a_page_of_somebody_else_changes_nothing(mounted, http, path):
    url, store = mounted
    http.post(f"{url}/api/event", json=BODY, headers=BROWSER, timeout=10)

    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = http.post(f"{url}/{path}", headers=foreign, timeout=10)

    assert answer.status_code == 403
    assert (len(store.hits()), store.kept) == (1, frozenset())
    assert http.post(f"{url}/{path}", timeout=10).status_code == 204
