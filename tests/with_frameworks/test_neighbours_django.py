"""Django's middleware beside others, and what users of other libraries complained of.

The numbers are rows of `peers.md`, section 3: reports from other projects' trackers.
"""

import asyncio
import gc
import gzip
import weakref
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import sync_and_async_middleware

from server_tracking import current
from server_tracking.testing.frameworks import Client
from server_tracking_django.middleware import PageViewMiddleware
from tests.with_frameworks.sites_django import MIDDLEWARE, site

GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
ORDERS = pytest.mark.parametrize("first", [True, False], ids=["outside", "inside"])
# Long enough to be worth compressing.
PAGE = f"<!doctype html><title>Boston fern</title>{'<p>Water it weekly.' * 40}".encode()
HANDLERS = {"wsgi": WSGIHandler, "asgi": ASGIHandler}


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request):
    return request.param


@pytest.fixture
def open_site(kind, sender):
    """Make a browser at a site of one view, at `/`, under WSGI or ASGI."""
    overrides = []

    def open_site(view, middleware=(MIDDLEWARE,), **options):
        tracking = {"sender": sender, "trusted_hops": 0, **options}
        override = site(
            path("", view), middleware=middleware, SERVER_SIDE_TRACKING=tracking
        )
        override.enable()
        overrides.append(override)
        return Client(kind, HANDLERS[kind]())

    yield open_site
    for override in overrides:
        override.disable()


def page(request):
    return HttpResponse(PAGE)


async def async_page(request):
    return HttpResponse(PAGE)


def around(middleware, first):
    """List the middleware of ours first or last."""
    return [MIDDLEWARE, *middleware] if first else [*middleware, MIDDLEWARE]


def titles(sender):
    return [hit.context.page.title for hit in sender.hits]


# Compression, before and after us


@ORDERS
def test_a_page_is_counted_with_its_title_and_compressed_once(open_site, sender, first):
    browser = open_site(page, around([GZIP], first))

    answer = browser.get(headers={"Accept-Encoding": "gzip"})

    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body) == PAGE
    assert titles(sender) == ["Boston fern"]


@ORDERS
def test_a_streamed_page_is_compressed_on_its_way(open_site, sender, kind, first):
    # Row 34: middleware that asks a stream for its `content` breaks the page.
    def pieces():
        yield PAGE[:20]
        yield PAGE[20:]

    async def async_pieces():
        yield PAGE[:20]
        yield PAGE[20:]

    made = async_pieces if kind == "asgi" else pieces
    browser = open_site(lambda _: StreamingHttpResponse(made()), around([GZIP], first))

    answer = browser.get(headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(answer.body) == PAGE
    assert titles(sender) == ["Boston fern"]


# Caches and sessions


@ORDERS
def test_a_page_that_the_browser_has_counts_each_time(open_site, sender, first):
    browser = open_site(page, around([CONDITIONAL], first))
    tag = browser.get().header("etag")

    answer = browser.get(headers={"If-None-Match": tag})

    assert (answer.status, answer.body, answer.cookies) == (304, b"", {})
    assert len(sender.hits) == 2
    assert len({hit.context.visitor.client_id for hit in sender.hits}) == 1


@ORDERS
def test_the_usual_middleware_changes_nothing(open_site, sender, first):
    browser = open_site(page, around([SESSIONS, COMMON], first))

    answer = browser.get()

    # Row 26: whoever looks at the session or the user makes the page vary by cookie.
    assert answer.header("vary") is None
    assert list(answer.cookies) == ["vn"]
    assert answer.header("content-length") == str(len(PAGE))
    assert titles(sender) == ["Boston fern"]


@sync_and_async_middleware
def minifier(get_response):
    """A middleware that writes the answer anew."""
    if iscoroutinefunction(get_response):

        async def middleware(request):
            return _minified(await get_response(request))
    else:

        def middleware(request):
            return _minified(get_response(request))

    return middleware


def _minified(response):
    response.content = response.content.replace(b"Boston fern", b"fern")
    return response


@pytest.mark.parametrize(("first", "title"), [(True, "fern"), (False, "Boston fern")])
def test_the_title_is_that_of_the_answer_as_it_passes(open_site, sender, first, title):
    browser = open_site(page, around([f"{__name__}.minifier"], first))

    assert b"<title>fern<" in browser.get().body
    assert titles(sender) == [title]


# Files


def test_a_file_keeps_the_servers_own_means(sender, browser):
    # Row 31: an iterator around it would switch off sendfile.
    with site(
        path("", lambda _: FileResponse(Path(__file__).open("rb"))),
        SERVER_SIDE_TRACKING={"sender": sender},
    ):
        client = Client("wsgi", _keeping_bodies(WSGIHandler(), kept := []))
        answer = client.get()

    assert answer.body == Path(__file__).read_bytes()
    assert isinstance(kept[0], FileWrapper)


def _keeping_bodies(app, kept):
    def keeping(environ, start_response):
        kept.append(app(environ, start_response))
        return kept[-1]

    return keeping


# What stays behind


@pytest.mark.parametrize("view", [page, async_page])
def test_a_response_is_freed_without_the_garbage_collector(sender, browser, view):
    # A cycle between a response and its `close` would keep pages until a collection.
    with site(path("", view), SERVER_SIDE_TRACKING={"sender": sender}):
        answer = PageViewMiddleware(view)
        response = answer(RequestFactory().get("/", headers=browser))
        if view is async_page:
            response = asyncio.run(response)
        gc.disable()
        try:
            response.close()
            kept = weakref.ref(response)
            del response
            gone = kept() is None
        finally:
            gc.enable()

    assert gone
    assert len(sender.hits) == 1


def test_an_observation_of_another_request_is_never_inherited(open_site, sender):
    # Row 22: servers hand the context of one request on to the next.
    seen = []

    def view(request):
        seen.append(current())
        current().params["number"] = len(seen)
        return HttpResponse(PAGE)

    browser = open_site(view)
    browser.get()
    assert current() is None
    browser.get()

    assert seen[0] is not seen[1]
    assert [hit.params for hit in sender.hits] == [{"number": 1}, {"number": 2}]


# Addresses


@pytest.mark.parametrize("peer", ["", "b''", "unix:", "not an address"])
def test_a_peer_without_an_address_is_a_visitor_without_one(open_site, sender, peer):
    # Row 33: behind a unix socket there is none, or a text that is none.
    open_site(page).get(peer=peer)

    assert [hit.context.address for hit in sender.hits] == [None]


@pytest.mark.parametrize("root", ["", "/shop"])
def test_the_prefix_of_the_server_is_in_the_address_once(open_site, sender, root):
    # Row 32: `root_path` and SCRIPT_NAME counted twice, or not at all.
    open_site(page).get(f"{root}/", root=root)

    assert [hit.context.page.path for hit in sender.hits] == [f"{root}/"]


def test_the_body_of_a_request_is_left_to_the_view(open_site, sender):
    # Rows 23 and 24: reading it for an event makes uploads hang.
    def view(request):
        current().event("Upload", "Done")
        return HttpResponse(str(len(request.read())))

    body = bytes(range(256)) * 300
    answer = open_site(view).post("/", body=body, headers={})

    assert answer.body == str(len(body)).encode()
    assert [hit.category for hit in sender.hits] == ["Upload"]
