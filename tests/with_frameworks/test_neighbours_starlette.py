"""Starlette's middleware beside others, and what users of other libraries complained of.

The numbers are rows of `peers.md`, section 3: reports from other projects' trackers.
"""

import contextvars
import gzip
import threading

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from server_tracking import current
from server_tracking.testing.frameworks import Client
from server_tracking_starlette import TrackingMiddleware, track_event

PAGE = "<!doctype html><title>Boston fern</title>" + "<p>Water it weekly." * 40


class Passing(BaseHTTPMiddleware):
    """The kind of middleware that many sites have: it hands requests on."""

    async def dispatch(self, request, call_next):
        return await call_next(request)


class Reading(BaseHTTPMiddleware):
    """One that looks at what is posted."""

    async def dispatch(self, request, call_next):
        await request.body()
        return await call_next(request)


class OfOtherRequests(BaseHTTPMiddleware):
    """One that makes the answer itself."""

    async def dispatch(self, request, call_next):
        await call_next(request)
        return HTMLResponse("<!doctype html><title>Another</title>")


@pytest.fixture(params=["outside", "inside"])
def open_site(request, tracker):
    """Make a browser at a site with a middleware: ours outside of it, or inside."""

    def open_site(neighbour, *routes):
        ours, theirs = Middleware(TrackingMiddleware, tracker=tracker), neighbour
        order = [ours, theirs] if request.param == "outside" else [theirs, ours]
        return Client("asgi", Starlette(routes=routes, middleware=order))

    return open_site


def page(request):
    return HTMLResponse(PAGE)


def titles(sender):
    return [hit.context.page.title for hit in sender.hits]


def test_a_page_counts_once_with_title_and_route(open_site, sender):
    browser = open_site(Middleware(Passing), Route("/plants/{name}", page))

    answer = browser.get("/plants/fern")

    assert list(answer.cookies) == ["vn"]
    assert titles(sender) == ["Boston fern"]
    assert [hit.context.page.route for hit in sender.hits] == ["/plants/{name}"]


def test_a_stream_goes_out_piece_by_piece(open_site, sender):
    # Row 19: the class of Starlette's held whole streams in memory.
    made, arrived = [], []

    async def pieces():
        for number in range(3):
            made.append(number)
            yield f"<!doctype html><title>Stream {number}</title>"

    def streamed(request):
        return StreamingResponse(pieces(), media_type="text/html")

    browser = open_site(Middleware(Passing), Route("/", streamed))
    browser.get("/", on_piece=lambda _: arrived.append(len(made)))

    assert arrived[0] < 3
    assert len(arrived) == 3
    assert titles(sender) == ["Stream 0"]


def test_background_work_is_done_and_counted(open_site, sender):
    # Row 20: with that class, background work held up or lost answers.
    done = []

    @track_event("Mail", "Sent")
    async def mail():
        done.append(current() is not None)

    def posted(request):
        return PlainTextResponse("", background=BackgroundTask(mail))

    browser = open_site(Middleware(Passing), Route("/", posted, methods=["POST"]))
    browser.post("/")

    assert done == [True]
    assert [hit.category for hit in sender.hits] == ["Mail"]


def test_what_a_handler_notes_is_seen_outside(open_site, sender):
    # Row 21: variables of the context that an endpoint sets are not.
    async def noting(request):
        current().title = "By hand"
        current().params["plant"] = "fern"
        return HTMLResponse(PAGE)

    open_site(Middleware(Passing), Route("/", noting)).get("/")

    assert titles(sender) == ["By hand"]
    assert [hit.params for hit in sender.hits] == [{"plant": "fern"}]


def test_a_thread_of_the_sites_own_counts_with_the_context_it_is_given(
    open_site, sender
):
    # Row 21: threads that a handler starts have no context unless they are given it.
    @track_event("Report", "Made")
    def report():
        pass

    def starting(request):
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(report,))
        thread.start()
        thread.join()
        return HTMLResponse(PAGE)

    open_site(Middleware(Passing), Route("/", starting)).get("/")

    assert [type(hit).__name__ for hit in sender.hits] == ["PageView", "Event"]
    assert len({hit.context.visitor.client_id for hit in sender.hits}) == 1


def test_an_upload_arrives_whole_beside_one_that_reads_it(open_site, sender):
    # Rows 23 and 24: whoever reads the body in a middleware makes the site hang.
    @track_event("Upload", "Done", label=lambda response: response.body.decode())
    async def upload(request):
        return PlainTextResponse(str(len(await request.body())))

    browser = open_site(Middleware(Reading), Route("/", upload, methods=["POST"]))
    body = bytes(range(256)) * 300

    assert browser.post("/", body=body).body == str(len(body)).encode()
    assert [hit.label for hit in sender.hits] == [str(len(body))]


def test_a_page_is_compressed_once_and_its_title_read(open_site, sender):
    browser = open_site(Middleware(GZipMiddleware), Route("/", page))

    answer = browser.get("/", headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(answer.body) == PAGE.encode()
    assert titles(sender) == ["Boston fern"]


def test_a_streamed_page_is_compressed_on_its_way(open_site, sender):
    async def pieces():
        yield PAGE[:20]
        yield PAGE[20:]

    def streamed(request):
        return StreamingResponse(pieces(), media_type="text/html")

    browser = open_site(Middleware(GZipMiddleware), Route("/", streamed))
    answer = browser.get("/", headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(answer.body) == PAGE.encode()
    assert titles(sender) == ["Boston fern"]


def test_an_answer_that_another_replaces_still_counts_once(open_site, sender, request):
    open_site(Middleware(OfOtherRequests), Route("/", page)).get("/")

    [title] = titles(sender)
    outside = "outside" in request.node.name
    assert title == ("Another" if outside else "Boston fern")


def test_a_site_in_a_site_is_tracked_once(open_site, sender, tracker):
    part = Starlette(
        routes=[Route("/page", page)],
        middleware=[Middleware(TrackingMiddleware, tracker=tracker)],
    )

    open_site(Middleware(Passing), Mount("/part", part)).get("/part/page")

    [hit] = sender.hits
    assert (hit.context.page.path, hit.context.page.route) == (
        "/part/page",
        "/part/page",
    )


def test_a_peer_without_an_address_is_a_visitor_without_one(tracker, sender):
    # Row 33: behind a unix socket there is none.
    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(TrackingMiddleware, tracker=tracker)

    async def without_peer(scope, receive, send):
        await app({**scope, "client": None}, receive, send)

    Client("asgi", without_peer).get("/")

    assert [hit.context.address for hit in sender.hits] == [None]


def test_a_request_never_has_the_observation_of_the_last(tracker, sender):
    # Row 22: servers hand the context of one request on to the next.
    seen = []

    async def noting(request):
        seen.append(current())
        current().params["number"] = len(seen)
        return HTMLResponse(PAGE)

    app = Starlette(routes=[Route("/", noting)])
    app.add_middleware(TrackingMiddleware, tracker=tracker)

    async def twice(scope, receive, send):
        async def nowhere(message):
            pass

        await app(dict(scope), receive, nowhere)
        await app(dict(scope), receive, send)

    Client("asgi", twice).get("/")

    assert seen[0] is not seen[1]
    assert [hit.params for hit in sender.hits] == [{"number": 1}, {"number": 2}]
