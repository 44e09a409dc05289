"""A collector that is stopped, hangs or fails: the site answers as if it were not there."""

import statistics
import threading
import time
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults

import pytest

from server_tracking import Tracker
from server_tracking.systems import GoogleAnalytics4, Matomo, Plausible, PostHog
from server_tracking.wsgi import TrackingMiddleware

PAGE = b"<!doctype html><title>A page</title>" + b"<p>Text.</p>" * 2000
ROUNDS = 300


def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("X-Own", "1")])
    return [PAGE]


def environ_of(browser):
    environ = {"REMOTE_ADDR": "203.0.113.7", "HTTP_HOST": "example.com"}
    for name, value in browser.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    setup_testing_defaults(environ)
    return environ


def serve(app, browser):
    """Serve one request; returns the answer without our cookie, and the seconds."""
    environ = environ_of(browser)
    heads = []
    begun = time.perf_counter()
    body = app(environ, lambda status, headers, *_: heads.append((status, headers)))
    answer = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    seconds = time.perf_counter() - begun
    [(status, headers)] = heads
    kept = [pair for pair in headers if not pair[1].startswith("vn=")]
    return (status, kept, answer), seconds


@pytest.mark.parametrize("behaviour", ["stopped", "hanging", "500"])
def test_every_answer_is_the_same_and_as_fast(behaviour, browser, collector):
    if behaviour == "stopped":
        collector.close()
    else:
        collector.script(
            collector.hang if behaviour == "hanging" else collector.status(500)
        )
    url = f"http://127.0.0.1:{collector.port}"
    tracker = Tracker(
        GoogleAnalytics4("G-XXXX", "made-up", endpoint=url),
        Plausible("example.com", url=url),
        secret_key="a secret key for tests",
        strict=True,
    )
    tracked = TrackingMiddleware(site, tracker)
    plain = [serve(site, browser) for _ in range(ROUNDS)]
    watched = [serve(tracked, browser) for _ in range(ROUNDS)]
    tracker.close(0.2)

    assert {repr(answer) for answer, _ in watched} == {repr(plain[0][0])}
    # No wait of any kind fits into this: a connection attempt alone takes longer.
    assert statistics.median(s for _, s in watched) < 0.001
    assert sorted(s for _, s in watched)[-ROUNDS // 20] < 0.02
    for counts in tracker.stats().systems.values():
        assert counts.submitted == ROUNDS
        assert counts.delivered == 0


class SilentHandler(WSGIRequestHandler):
    def log_message(self, *args):
        """Print nothing."""


def test_a_site_that_is_its_own_collector_does_not_track_our_calls(browser):
    """[95] Each call that it gets from us is a request to it, and is no page view."""
    asked = []

    def site(environ, start_response):
        asked.append(environ["PATH_INFO"])
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<!doctype html><title>A page</title>"]  # to our calls as well

    with make_server("127.0.0.1", 0, site, handler_class=SilentHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        tracker = Tracker(
            GoogleAnalytics4("G-XXXX", "made-up", endpoint=f"{url}/ga4"),
            Matomo(f"{url}/matomo/", 1),
            PostHog("phc_made_up", host=f"{url}/posthog"),
            secret_key="a secret key for tests",
            strict=True,
        )
        server.set_app(TrackingMiddleware(site, tracker))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            page = urllib.request.Request(f"{url}/page", headers=browser)
            with urllib.request.urlopen(page) as answer:
                assert answer.status == 200
            assert tracker.flush(10.0)
            assert tracker.flush(10.0)
        finally:
            server.shutdown()
            thread.join()
            tracker.close(1.0)

    assert asked[0] == "/page"
    assert len(asked) == 1 + 3
    for counts in tracker.stats().systems.values():
        assert (counts.submitted, counts.queued) == (1, 0)
