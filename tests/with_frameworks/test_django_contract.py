"""The contract: Django under WSGI and ASGI, with sync and with async views."""

import functools
import gc
from pathlib import Path

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.utils.decorators import sync_and_async_middleware
from django.views.generic import View

from server_tracking import current
from server_tracking.testing import FrameworkContract
from server_tracking.testing.frameworks import HandledError, SiteError
from server_tracking_django.decorators import track_event
from tests.with_frameworks.sites_django import MIDDLEWARE, site

# What Django says of any file under ASGI.
pytestmark = pytest.mark.filterwarnings(
    "ignore:StreamingHttpResponse must consume synchronous iterators:Warning"
)


@sync_and_async_middleware
def handled_errors(get_response):
    """The site's own handler of one kind of error."""
    if iscoroutinefunction(get_response):

        async def middleware(request):
            return await get_response(request)
    else:

        def middleware(request):
            return get_response(request)

    def process_exception(request, exception):
        if isinstance(exception, HandledError):
            return HttpResponse(FrameworkContract.sorry, status=500)
        return None

    middleware.process_exception = process_exception
    return middleware


class Later(HttpResponse):
    """A response with work that is done when it is out."""

    def close(self):
        super().close()
        self.work()


class DjangoContract(FrameworkContract):
    handler: type
    async_views: bool
    route = "/plants/<str:name>"

    def setup_method(self):
        super().setup_method()
        self.overrides = []

    def teardown_method(self):
        for override in reversed(self.overrides):
            override.disable()

    def make_app(self, tracker):
        override = site(
            *self.patterns(),
            middleware=[MIDDLEWARE, f"{__name__}.handled_errors"],
            SERVER_SIDE_TRACKING=tracker,
        )
        override.enable()
        self.overrides.append(override)
        return self.handler()

    def patterns(self):
        view = _async if self.async_views else (lambda sync_view: sync_view)
        page = lambda request: HttpResponse(self.page)  # noqa: E731
        return [
            path("", view(page)),
            path("template", view(self._template)),
            path("by-hand", view(self._by_hand)),
            path("plants/<str:name>", view(lambda _, name: self._html(name))),
            path("streamed/<str:name>", view(lambda _, name: self._streamed(name))),
            path("file", view(lambda _: FileResponse(Path(self.file).open("rb")))),
            path("gzip", view(lambda _: _with(self.zipped, content_encoding="gzip"))),
            path("empty", view(lambda _: HttpResponse(status=204))),
            path("unchanged", view(lambda _: HttpResponse(status=304))),
            path("redirect", view(lambda _: HttpResponseRedirect("/"))),
            path("data", view(lambda _: JsonResponse({"fern": 4}))),
            path(
                "cached",
                view(lambda _: _with(self.page, cache_control="public, max-age=600")),
            ),
            path("cookie", view(self._cookie)),
            path("echo", view(self._echo)),
            path("error", view(_raising(SiteError))),
            path("handled", view(_raising(HandledError))),
            path("part/", include([path("page", view(page))])),
            *self._events(),
        ]

    def _html(self, name):
        return HttpResponse(self.named(name))

    def _template(self, request):
        template = engines["django"].from_string(self.template)
        return TemplateResponse(request, template, {"title": self.template_title})

    def _by_hand(self, request):
        current().title = "By hand"
        return self._template(request)

    def _streamed(self, name):
        make = self.async_pieces if self.kind == "asgi" else self.pieces
        return StreamingHttpResponse(make(name))

    def _cookie(self, request):
        response = HttpResponse(self.page)
        response.set_cookie("theirs", "1")
        return response

    def _echo(self, request):
        return HttpResponse(request.body, content_type="text/plain")

    def _events(self):
        page = self.page

        @track_event("Basket", "function")
        def function(request):
            return HttpResponse(page)

        @track_event("Basket", "coroutine")
        async def coroutine(request):
            return HttpResponse(page)

        class Shop:
            @track_event("Basket", "method")
            def method(self):
                return page

        class Basket(View):
            if self.async_views:

                @track_event("Basket", "class")
                async def get(self, request):
                    return HttpResponse(page)
            else:

                @track_event("Basket", "class")
                def get(self, request):
                    return HttpResponse(page)

        @track_event("Basket", "generator")
        def pieces():
            yield page[:9]
            yield page[9:]

        @track_event("Basket", "generator")
        async def async_pieces():
            yield page[:9]
            yield page[9:]

        generator = async_pieces if self.kind == "asgi" else pieces

        def background(request):
            response = Later(page)
            response.work = track_event("Basket", "background")(lambda: None)
            return response

        return [
            path("events/function", function),
            path("events/coroutine", coroutine),
            path("events/method", lambda request: HttpResponse(Shop().method())),
            path("events/class", Basket.as_view()),
            path("events/generator", lambda _: StreamingHttpResponse(generator())),
            path("events/background", background),
        ]

    # Django writes a cookie's attributes in the order of the alphabet.

    def test_a_new_visitor_gets_a_signed_session_cookie(self):
        cookies = self.open().get("/").cookies

        assert list(cookies) == ["vn"]
        value, *attributes = cookies["vn"].split("; ")
        assert value.startswith("vn=1.")
        assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax"]
        assert self.hits[0].context.visitor.is_new


class TestWSGI(DjangoContract):
    kind, handler, async_views = "wsgi", WSGIHandler, False


class TestWSGIWithAsyncViews(DjangoContract):
    kind, handler, async_views = "wsgi", WSGIHandler, True


# Django itself leaves the request's body open when a visitor has left.
leaves_a_file_open = pytest.mark.filterwarnings(
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"
)


class ASGIContract(DjangoContract):
    kind, handler = "asgi", ASGIHandler

    @leaves_a_file_open
    def test_a_visitor_who_leaves_has_seen_the_page(self):
        super().test_a_visitor_who_leaves_has_seen_the_page()
        gc.collect()

    @leaves_a_file_open
    def test_the_makers_of_pages_are_closed_once(self):
        super().test_the_makers_of_pages_are_closed_once()
        gc.collect()


class TestASGI(ASGIContract):
    async_views = True


class TestASGIWithSyncViews(ASGIContract):
    async_views = False


def _async(view):
    @functools.wraps(view)
    async def async_view(*args, **kwargs):
        return view(*args, **kwargs)

    return async_view


def _raising(error):
    def view(request):
        raise error("a message with jane@example.com")

    return view


def _with(body, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(body, headers=named)
