"""Ten thousand requests at once, and two hundred threads: nothing mixes, nothing is lost."""

import asyncio
import threading
from collections import Counter
from wsgiref.util import setup_testing_defaults

import msgspec
import pytest

from server_tracking import Tracker, current
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware
from server_tracking.calls import Call
from server_tracking.senders.thread import ThreadSender
from server_tracking.wsgi import TrackingMiddleware as WSGIMiddleware

PATIENCE = 60.0
REQUESTS = 10_000
THREADS, EACH = 200, 50
HTML = "text/html; charset=utf-8"


def page(number):
    """Make a page whose title is that of one request alone."""
    return f"<!doctype html><title>Page {number}</title><p>Text.".encode()


@pytest.fixture
def told(collector, make_system):
    """A tracker that really sends, and what arrived: path, title and event of each hit."""

    class Told(make_system, frozen=True):
        def encode(self, hits, now):
            for start in range(0, len(hits), self.hits):
                part = hits[start : start + self.hits]
                lines = [
                    [
                        str(hit.id),
                        hit.context.page.path,
                        hit.context.page.title,
                        getattr(hit, "category", None),
                        hit.context.visitor.client_id,
                    ]
                    for hit in part
                ]
                body = msgspec.json.encode(lines)
                ids = tuple(hit.id for hit in part)
                yield Call("POST", self.url, {}, body, ids)

    tracker = Tracker(
        Told(collector.url, hits=100, concurrency=4),
        sender=ThreadSender(max_hits=100_000, max_bytes=200_000_000),
        secret_key="a secret key for tests",
        strict=True,
    )

    def arrived():
        assert tracker.flush(PATIENCE)
        [counts] = tracker.stats().systems.values()
        assert counts.delivered == counts.submitted
        return [line for seen in collector.requests for line in seen.json]

    yield tracker, arrived
    tracker.close(0.0)


def check(lines, paths):
    """Each page came once with its own title, each event once with its own page."""
    assert len({line[0] for line in lines}) == len(lines) == 2 * len(paths)
    pages = [line for line in lines if line[3] is None]
    events = [line for line in lines if line[3] is not None]
    assert Counter(line[1] for line in pages) == Counter(paths)
    assert all(line[2] == f"Page {line[1][1:]}" for line in pages)
    assert all(line[3] == f"event {line[1][1:]}" for line in events)
    visitors = {line[1]: line[4] for line in pages}
    assert len(set(visitors.values())) == len(paths)
    assert all(visitors[line[1]] == line[4] for line in events)


def test_ten_thousand_requests_of_one_event_loop_do_not_mix(told, browser):
    """[6] All wait in their handlers at the same time."""
    tracker, arrived = told

    async def crowd():
        inside, all_in = 0, asyncio.Event()

        async def site(scope, receive, send):
            nonlocal inside
            name = scope["path"][1:]
            inside += 1
            if inside == REQUESTS:
                all_in.set()
            await all_in.wait()
            current().event(f"event {name}")
            head = [(b"content-type", HTML.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await asyncio.sleep(0)  # others come in between
            await send({"type": "http.response.body", "body": page(name)})

        app = ASGIMiddleware(site, tracker)

        async def ask(number):
            headers = [(k.lower().encode(), v.encode()) for k, v in browser.items()]
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "GET",
                "scheme": "https",
                "path": f"/{number}",
                "raw_path": f"/{number}".encode(),
                "root_path": "",
                "query_string": b"",
                "headers": [(b"host", b"example.com"), *headers],
                "client": ("203.0.113.77", 40000),
                "server": ("127.0.0.1", 8000),
            }
            bodies = []

            async def send(message):
                bodies.append(message.get("body"))

            await app(scope, None, send)
            assert bodies[-1] == page(number)

        await asyncio.gather(*(ask(number) for number in range(REQUESTS)))

    asyncio.run(crowd(), debug=False)  # that looks at each of 10,000 tasks

    check(arrived(), [f"/{number}" for number in range(REQUESTS)])


def test_two_hundred_threads_do_not_mix(told, browser):
    """[7] 200 x 50 requests."""
    tracker, arrived = told
    ready = threading.Barrier(THREADS)
    wrong = []

    def site(environ, start_response):
        name = environ["PATH_INFO"][1:]
        current().event(f"event {name}")
        start_response("200 OK", [("Content-Type", HTML)])
        return [page(name)]

    app = WSGIMiddleware(site, tracker)

    def work(thread):
        ready.wait()
        for number in range(thread * EACH, (thread + 1) * EACH):
            environ = {"REMOTE_ADDR": "203.0.113.7", "HTTP_HOST": "example.com"}
            for name, value in browser.items():
                environ["HTTP_" + name.upper().replace("-", "_")] = value
            environ["PATH_INFO"] = f"/{number}"
            setup_testing_defaults(environ)
            body = app(environ, lambda status, headers, *_: None)
            if b"".join(body) != page(number):
                wrong.append(number)
            if hasattr(body, "close"):
                body.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    check(arrived(), [f"/{number}" for number in range(THREADS * EACH)])
