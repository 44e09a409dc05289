"""The inspector, over real HTTP: it takes what systems take, and shows it live."""

import gzip
import json
import re
import socket
import time
import tracemalloc
import zlib

import pytest
import requests

from server_tracking.inspector.protocols import Answer, DecodedHit, Received
from server_tracking.inspector.receiving import LARGEST_BODY, decompressed
from server_tracking.inspector.server import (
    listening_socket,
    serving_inspector,
    url_of,
)
from server_tracking.inspector.store import HitStore

VISITOR = {"User-Agent": "Mozilla/5.0 Firefox/140.0", "X-Forwarded-For": "203.0.113.7"}
PAGE_VIEW = {"name": "pageview", "url": "http://example.com/fern", "domain": "x.org"}


@pytest.fixture
def store():
    return HitStore()


@pytest.fixture
def inspector(store):
    with listening_socket() as listening, serving_inspector(store, listening) as url:
        yield url


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def report(http, inspector):
    """Report a page view as Plausible is told."""

    def send(**changes):
        return http.post(
            f"{inspector}/api/event",
            json={**PAGE_VIEW, **changes},
            headers=VISITOR,
            timeout=10,
        )

    return send


def events_of(response):
    """Read server-sent events as (event, id, data)."""
    event = {}
    for line in response.iter_lines(chunk_size=1):
        if not line:
            if "data" in event:
                yield event.get("event", "message"), event.get("id"), event["data"]
            event = {}
            continue
        name, _, value = line.decode().partition(": ")
        event[name] = value


@pytest.fixture
def listen(http, inspector):
    """Open the stream, as a browser does, and again if it was broken."""
    opened = []

    def open_stream(last=None):
        headers = {} if last is None else {"Last-Event-ID": last}
        response = http.get(
            f"{inspector}/stream", headers=headers, stream=True, timeout=10
        )
        opened.append(response)
        return events_of(response)

    yield open_stream
    for response in opened:
        response.close()


def test_a_hit_is_taken_decoded_and_answered_as_its_system_does(report, store):
    answer = report()

    assert answer.status_code == 202
    [stored] = store.hits()
    assert (stored.hit.system, stored.hit.kind) == ("plausible", "pageview")
    assert stored.hit.path == "/fern"
    assert stored.valid
    assert (stored.number, stored.status) == (1, 202)


def test_a_hit_that_its_system_refuses_is_shown_as_refused(http, inspector, store):
    answer = http.post(f"{inspector}/api/event", data=b"{", headers=VISITOR, timeout=10)

    assert answer.status_code == 400
    [stored] = store.hits()
    assert not stored.valid
    assert any(problem.fatal for problem in stored.hit.problems)


def test_the_feed_lists_hits_as_json(report, http, inspector):
    report(url="http://example.com/1")
    report(url="http://example.com/2")

    def feed(query=""):
        return http.get(f"{inspector}/hits.json{query}", timeout=10).json()

    assert [one["hit"]["path"] for one in feed()] == ["/1", "/2"]
    assert [one["number"] for one in feed("?after=1")] == [2]
    assert feed("?after=2") == []
    assert len(feed("?after=nonsense")) == 2


def test_the_feed_is_for_no_other_site(report, http, inspector):
    report()

    answer = http.get(
        f"{inspector}/hits.json", headers={"Origin": "https://evil.test"}, timeout=10
    )

    assert "access-control-allow-origin" not in answer.headers


def test_the_stream_tells_of_hits_before_and_after(report, listen):
    report(url="http://example.com/before")
    events = listen()

    assert next(events)[0] == "run"
    assert json.loads(next(events)[2])["hit"]["path"] == "/before"
    report(url="http://example.com/after")
    assert json.loads(next(events)[2])["hit"]["path"] == "/after"


def test_a_broken_stream_goes_on_where_it_ended(report, listen):
    report(url="http://example.com/1")
    report(url="http://example.com/2")
    events = listen()
    next(events)
    _, last, _ = next(events)

    again = listen(last)

    next(again)
    assert json.loads(next(again)[2])["hit"]["path"] == "/2"


def test_a_page_that_knew_another_inspector_gets_all_hits(report, listen, store):
    report()

    events = listen("0000-7000")

    assert next(events) == ("run", None, store.run)
    assert json.loads(next(events)[2])["number"] == 1


def test_a_search_among_some_hits_says_how_far_it_looked(report, http, inspector):
    for number in range(4):
        report(url=f"http://example.com/{number}")

    def looked(query):
        answer = http.get(f"{inspector}/hits.json?{query}", timeout=10)
        return [one["number"] for one in answer.json()], answer.headers

    assert looked("reach=2")[0] == [3, 4]
    assert looked("reach=2")[1]["X-Searched-After"] == "2"
    assert looked("reach=2&before=3")[0] == [1, 2]
    assert looked("reach=9")[1]["X-Searched-After"] == "0"


def test_clearing_forgets_hits_and_tells_every_page(report, listen, http, inspector):
    report()
    events = listen()
    next(events), next(events)

    assert http.post(f"{inspector}/clear", timeout=10).status_code == 204

    assert next(events) == ("clear", None, "1")
    assert http.get(f"{inspector}/hits.json", timeout=10).json() == []
    report()
    assert json.loads(next(events)[2])["number"] == 2


def test_what_comes_to_a_wrong_path_is_shown(http, inspector, store):
    answer = http.post(f"{inspector}/api/evnet?a=b", data=b"{}", timeout=10)

    assert answer.status_code == 404
    [stored] = store.hits()
    assert stored.hit.kind == "other"
    assert stored.hit.name == "POST /api/evnet"
    assert not stored.valid
    [problem] = stored.hit.problems
    assert "/api/event" in problem.message
    values = {p.name: p.value for p in stored.hit.parameters}
    assert (values["query"], values["body"]) == ("a=b", "{}")


@pytest.mark.parametrize(
    "path", ["/favicon.ico", "/robots.txt", "/.well-known/security.txt"]
)
def test_what_browsers_ask_by_themselves_is_no_hit(http, inspector, store, path):
    assert http.get(f"{inspector}{path}", timeout=10).status_code == 404
    assert store.hits() == []


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("", gzip.compress), ("deflate", zlib.compress)],
    ids=["gzip", "gzip, not said", "deflate"],
)
def test_packed_bodies_are_read(http, inspector, store, encoding, pack):
    answer = http.post(
        f"{inspector}/api/event",
        data=pack(json.dumps(PAGE_VIEW).encode()),
        headers={**VISITOR, "Content-Encoding": encoding},
        timeout=10,
    )

    assert answer.status_code == 202
    assert store.hits()[0].hit.path == "/fern"


def received(body, encoding="gzip"):
    headers = {"content-encoding": encoding}
    return Received("POST", "/api/event", "", headers, body)


@pytest.mark.parametrize(
    "body", [gzip.compress(b"{}" * 99)[:20], b"\x1f\x8bnonsense", b"nonsense", b""]
)
def test_a_body_that_cannot_be_unpacked_stays_as_it_came(body):
    assert decompressed(received(body)).body == body


def test_a_small_body_cannot_fill_the_memory():
    bomb = gzip.compress(bytes(4 * LARGEST_BODY), compresslevel=1)
    tracemalloc.start()
    try:
        assert decompressed(received(bomb)) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2.5 * LARGEST_BODY


@pytest.mark.parametrize("packed", [True, False])
def test_a_huge_body_is_refused_and_shown(http, inspector, store, packed):
    huge = bytes(LARGEST_BODY + 2)
    body = gzip.compress(huge, compresslevel=1) if packed else huge

    answer = http.post(f"{inspector}/api/event", data=body, timeout=30)

    assert answer.status_code == 413
    [stored] = store.hits()
    assert (stored.hit.system, stored.hit.kind) == ("plausible", "other")
    assert "32 MiB" in stored.hit.problems[0].message
    assert stored.hit.parameters == [] or not any(
        parameter.name == "body" for parameter in stored.hit.parameters
    )


def test_scripts_of_any_site_may_send(http, inspector, store):
    origin = {"Origin": "https://shop.example.com"}

    asked = http.options(
        f"{inspector}/api/event",
        headers={
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        timeout=10,
    )

    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == origin["Origin"]
    assert asked.headers["access-control-allow-headers"] == "content-type"
    assert store.hits() == []
    sent = http.post(
        f"{inspector}/api/event",
        json=PAGE_VIEW,
        headers={**VISITOR, **origin},
        timeout=10,
    )
    assert sent.headers["access-control-allow-origin"] == origin["Origin"]


def test_the_page_loads_nothing_from_elsewhere(http, inspector):
    answer = http.get(f"{inspector}/", timeout=10)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in re.sub(r"xmlns='http\S+'", "", answer.text)
    for name, kind in (("page.css", "text/css"), ("main.js", "text/javascript")):
        assert f'"{name}"' in answer.text
        part = http.get(f"{inspector}/{name}", timeout=10)
        assert part.headers["content-type"].startswith(kind)
        for module in re.findall(r'from "./(\S+)"', part.text):
            assert http.get(f"{inspector}/{module}", timeout=10).ok, module


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/health", "/"])
def test_its_health_can_be_asked(http, inspector, store, method, path):
    assert http.request(method, f"{inspector}{path}", timeout=10).status_code == 200
    assert store.hits() == []


def test_it_ends_at_once_while_pages_are_open(http, store):
    with listening_socket() as listening, serving_inspector(store, listening) as url:
        response = http.get(f"{url}/stream", stream=True, timeout=10)
        next(events_of(response))
        begun = time.monotonic()

    assert time.monotonic() - begun < 0.9, "uvicorn's own deadline is 1 s"
    response.close()


def a_call(number):
    return Received("GET", f"/{number}", "", {}, b"", time=1.0)


def a_hit(**fields):
    return DecodedHit(system="x", kind="event", **fields)


def test_only_the_newest_hits_are_kept():
    store = HitStore(size=3)
    for number in range(1, 6):
        store.add(a_call(number), [a_hit()], Answer(200))

    assert [stored.number for stored in store.hits()] == [3, 4, 5]
    assert [stored.number for stored in store.hits(after=4)] == [5]
    assert store.hits(after=5) == []


def test_whoever_waits_is_woken_until_they_stop():
    store, woken = HitStore(), []
    stop = store.on_change(lambda: woken.append(len(store.hits())))

    store.add(a_call(1), [a_hit(), a_hit()], Answer(200))
    store.clear()
    stop()
    store.add(a_call(2), [a_hit()], Answer(200))

    assert woken == [2, 0]


def test_a_port_that_is_taken_is_told_unless_any_other_will_do():
    with listening_socket() as taken:
        port = taken.getsockname()[1]
        with listening_socket(None, usual=port) as other:
            assert url_of(other) != url_of(taken)
        with pytest.raises(OSError, match="in use"):
            listening_socket(port).close()


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")]
)
def test_the_address_shown_can_be_opened(host, shown):
    with listening_socket(host=host) as listening:
        port = listening.getsockname()[1]
        assert url_of(listening) == f"http://{shown}:{port}"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_the_address_of_ipv6_is_written_in_brackets():
    try:
        listening = listening_socket(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listening:
        assert url_of(listening).startswith("http://[::1]:")
