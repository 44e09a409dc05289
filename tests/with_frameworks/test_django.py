"""The middleware, the mixin, the decorator and the helpers, beyond the contract."""

import asyncio
import logging
import subprocess
import sys

import pytest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path, re_path
from django.utils.functional import lazystr
from django.views.decorators.cache import cache_page
from django.views.generic import TemplateView, View

from server_tracking import current
from server_tracking.wsgi import TrackingMiddleware
from server_tracking_django import get_tracker
from server_tracking_django.decorators import track_event
from server_tracking_django.middleware import PageViewMiddleware
from server_tracking_django.mixins import PageViewMixin
from server_tracking_django.utils import (
    ContextTitleExtractor,
    ViewTitleExtractor,
    get_default_parameters,
    get_title,
)
from tests.with_frameworks.sites_django import MIDDLEWARE, site

PAGE = "<!doctype html><title>In the HTML</title>"
NO_MIDDLEWARE = ()


@pytest.fixture
def serve(sender):
    """Serve a site of URL patterns, with the middleware unless others are given."""
    overrides = []

    def serve(*patterns, middleware=(MIDDLEWARE,), django=None, **options):
        tracking = {"sender": sender, **options}
        override = site(
            *patterns,
            middleware=middleware,
            SERVER_SIDE_TRACKING=tracking,
            **(django or {}),
        )
        override.enable()
        overrides.append(override)

    yield serve
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def client(browser):
    return Client(headers=browser)


def page(request, **_):
    return HttpResponse(PAGE)


def template(text=PAGE):
    return engines["django"].from_string(text)


def titles(sender):
    return [hit.context.page.title for hit in sender.hits]


def kinds(sender):
    return [type(hit).__name__ for hit in sender.hits]


# Sync and async


async def async_page(request):
    assert current() is not None
    return HttpResponse(PAGE)


def test_the_middleware_is_asynchronous_only_where_the_rest_is(serve):
    serve()

    async def answer(request):
        return HttpResponse()

    assert asyncio.iscoroutinefunction(PageViewMiddleware(answer))
    assert not asyncio.iscoroutinefunction(PageViewMiddleware(page))


def test_an_async_client_sees_the_same_as_a_sync_one(serve, sender, browser, client):
    serve(path("", async_page))
    client.get("/")

    async def ask():
        return await AsyncClient().get("/", headers=browser)

    response = asyncio.run(ask())

    assert "vn" in response.cookies
    assert titles(sender) == ["In the HTML", "In the HTML"]


def test_a_cancelled_view_is_closed_once_and_nothing_stays(serve, sender, browser):
    serve(pageview_server_exceptions=True)

    async def never(request):
        current().event("Waiting", "Begun")
        await asyncio.Event().wait()

    async def leave():
        request = RequestFactory().get("/", headers=browser)
        task = asyncio.ensure_future(PageViewMiddleware(never)(request))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return current()

    assert asyncio.run(leave()) is None
    assert kinds(sender) == ["Event"]


# Titles


class Fern(TemplateView):
    title = "On the view"

    def render_to_response(self, context, **kwargs):
        return TemplateResponse(self.request, template(), context)


def test_a_title_on_the_view_is_taken(serve, sender, client):
    serve(path("", Fern.as_view()))
    client.get("/")

    assert titles(sender) == ["On the view"]


def test_a_title_in_the_context_wins_over_that_on_the_view(serve, sender, client):
    serve(path("", Fern.as_view(extra_context={"title": "In the context"})))
    client.get("/")

    assert titles(sender) == ["In the context"]


def test_a_title_that_is_translated_late_is_text(serve, sender, client):
    serve(path("", Fern.as_view(extra_context={"title": lazystr("Farn")})))
    client.get("/")

    assert titles(sender) == ["Farn"]


@pytest.mark.parametrize("context", [None, {}, {"title": None}, {"title": 7}])
def test_without_a_title_in_the_context_the_html_is_read(
    serve, sender, client, context
):
    serve(path("", lambda r: TemplateResponse(r, template(), context)))
    client.get("/")

    assert titles(sender) == ["In the HTML"]


class HeaderTitle:
    """An extractor of a site's own."""

    def get_title(self, response):
        return response.headers.get("X-Title")


class Careless:
    """An extractor as 1.0 allowed it: it trusts that there is a context."""

    def get_title(self, response):
        return response.context_data["title"]


def test_a_site_may_have_extractors_of_its_own(serve, sender, client):
    serve(
        path("", lambda r: HttpResponse(PAGE, headers={"X-Title": "In a header"})),
        django_title_extractors=(f"{__name__}.Careless", f"{__name__}.HeaderTitle"),
    )
    client.get("/")

    assert titles(sender) == ["In a header"]


def test_get_title_asks_the_extractors_and_then_reads_the_html():
    request = RequestFactory().get("/")
    told = TemplateResponse(request, template(), {"title": "In the context"})
    unrendered = TemplateResponse(request, template(), {})

    assert get_title(told) == "In the context"
    assert get_title(HttpResponse(PAGE)) == "In the HTML"
    assert get_title(HttpResponse("{}", content_type="application/json")) is None
    assert get_title(unrendered) is None
    assert get_title(StreamingHttpResponse(iter([PAGE]))) is None
    assert ContextTitleExtractor().get_title(told) == "In the context"
    assert ViewTitleExtractor().get_title(told) is None


# Imports


def test_importing_the_middleware_loads_nothing_for_tests_and_no_system():
    script = (
        "import sys; from django.conf import settings; settings.configure();"
        "import server_tracking_django.middleware;"
        "heavy = ('server_tracking.testing', 'server_tracking.systems.', 'anyio');"
        "print(*(name for name in sys.modules if name.startswith(heavy)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == []


# Routes and addresses


def test_the_route_is_told_for_regular_expressions_too(serve, sender, client):
    serve(re_path(r"^plants/(?P<name>\w+)/$", page))
    client.get("/plants/fern/")

    [hit] = sender.hits
    assert hit.context.page.route == r"/^plants/(?P<name>\w+)/$"


def test_an_event_in_a_stream_that_is_no_page_view_knows_the_route(
    serve, sender, client
):
    def export(request, number):
        def rows():
            yield b"a row"
            current().event("Export", "End")

        return StreamingHttpResponse(rows())

    serve(path("export/<int:number>/", export), pageview_exclude=["export/"])
    client.get("/export/7/").getvalue()

    [hit] = sender.hits
    assert (hit.category, hit.context.page.route) == ("Export", "/export/<int:number>/")


def test_settings_of_the_address_count_as_soon_as_they_change(serve, sender, client):
    serve(path("", page), django={"ALLOWED_HOSTS": ["*"]})
    headers = {"X-Forwarded-Host": "shop.example"}
    client.get("/", headers=headers)
    with override_settings(USE_X_FORWARDED_HOST=True):
        client.get("/", headers=headers)

    hosts = [hit.context.page.host for hit in sender.hits]
    assert hosts == ["testserver", "shop.example"]


def test_behind_a_proxy_the_address_is_the_public_one(serve, sender, client):
    serve(
        path("", page),
        django={
            "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
            "USE_X_FORWARDED_HOST": True,
            "FORCE_SCRIPT_NAME": "/shop",
        },
    )
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "Shop.example:443"}
    response = client.get("/", headers=headers)

    [hit] = sender.hits
    assert hit.context.page.url == "https://shop.example/shop/"
    assert response.cookies["vn"]["secure"]


def test_a_host_that_django_refuses_is_in_no_hit(serve, sender, client):
    serve(
        path("", page),
        django={"USE_X_FORWARDED_HOST": True, "ALLOWED_HOSTS": ["shop.example"]},
    )
    client.get("/", headers={"X-Forwarded-Host": "evil.example"})

    [hit] = sender.hits
    assert hit.context.page.url is None


# Caches and sessions


def test_the_middleware_does_not_touch_the_session(serve, client):
    serve(path("", page), middleware=[MIDDLEWARE, SESSIONS])
    response = client.get("/")

    assert list(response.cookies) == ["vn"]
    assert "Vary" not in response.headers


def test_each_visitor_of_a_cached_page_counts_and_keeps_their_own_id(
    serve, sender, browser
):
    serve(
        path("", page),
        middleware=[MIDDLEWARE, UPDATE_CACHE, FETCH_FROM_CACHE],
        django={"CACHE_MIDDLEWARE_SECONDS": 60, "CACHE_MIDDLEWARE_KEY_PREFIX": "a"},
    )
    responses = [Client(headers=browser).get("/") for _ in range(2)]

    # What a shared cache may keep as well carries no cookie at all.
    assert [list(response.cookies) for response in responses] == [[], []]
    assert titles(sender) == ["In the HTML", "In the HTML"]
    ids = {hit.context.visitor.client_id for hit in sender.hits}
    assert len(ids) == 2


def test_a_view_from_the_cache_is_not_asked_again_and_counts(serve, sender, client):
    serve(path("", cache_page(60, key_prefix="b")(page)))
    client.get("/")
    client.get("/")

    assert len(sender.hits) == 2


SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_FROM_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"


# Users


class SomeUser:
    is_authenticated = True
    pk = 4711


def looks_up(request):
    request._cached_user = SomeUser()
    return HttpResponse(PAGE)


def looks_up_later(request):
    request._acached_user = SomeUser()
    return HttpResponse(PAGE)


class Untouchable(SomeUser):
    @property
    def is_authenticated(self):
        raise AssertionError("a query that the site did not make")


def looks_up_nobody(request):
    request.user = Untouchable()
    return HttpResponse(PAGE)


@pytest.mark.parametrize(
    ("view", "options", "expected"),
    [
        (looks_up, {}, None),
        (looks_up, {"django_user_ids": True}, "4711"),
        (looks_up_later, {"django_user_ids": True}, "4711"),
        (looks_up_nobody, {"django_user_ids": True}, None),
    ],
)
def test_a_user_is_told_only_if_wanted_and_known_already(
    serve, sender, client, view, options, expected
):
    # peers.md, row 26: looking a user up costs a query, and fails in async code.
    serve(path("", view), **options)
    client.get("/")

    [hit] = sender.hits
    assert hit.context.visitor.user_id == expected


# Observed from outside


def test_a_wsgi_middleware_around_django_learns_title_and_route(
    serve, make_tracker, browser
):
    from django.core.handlers.wsgi import WSGIHandler
    from webtest import TestApp

    def view(request, name):
        return TemplateResponse(request, template(), {"title": "In the context"})

    serve(path("plants/<slug:name>", view))
    tracker = make_tracker()
    TestApp(TrackingMiddleware(WSGIHandler(), tracker)).get(
        "/plants/fern", headers=browser
    )

    [hit] = tracker.sender.hits
    assert hit.context.page.title == "In the context"
    assert hit.context.page.route == "/plants/<slug:name>"


def test_the_middleware_listed_twice_counts_once(serve, sender, client):
    serve(path("", page), middleware=[MIDDLEWARE, MIDDLEWARE])
    client.get("/")

    assert len(sender.hits) == 1


# The mixin


class Tracked(PageViewMixin, Fern):
    pass


class TrackedAsync(PageViewMixin, View):
    async def get(self, request):
        assert current() is not None
        return HttpResponse(PAGE)


class TrackedAndMissing(PageViewMixin, View):
    def get(self, request):
        raise Http404


class TrackedAndBroken(PageViewMixin, View):
    def get(self, request):
        raise LookupError


class TrackedAndBrokenAsync(PageViewMixin, View):
    async def get(self, request):
        raise LookupError


class TrackedStream(PageViewMixin, View):
    def get(self, request):
        return StreamingHttpResponse(piece for piece in (PAGE, "<p>End"))


@pytest.mark.parametrize("middleware", [NO_MIDDLEWARE, (MIDDLEWARE,)])
def test_a_view_with_the_mixin_counts_once(serve, sender, client, middleware):
    serve(path("", Tracked.as_view()), middleware=middleware)
    response = client.get("/")

    assert kinds(sender) == ["PageView"]
    assert titles(sender) == ["On the view"]
    assert "vn" in response.cookies
    assert current() is None


def test_a_view_without_the_mixin_does_not_count(serve, sender, client):
    serve(path("", Tracked.as_view()), path("other", page), middleware=NO_MIDDLEWARE)
    client.get("/other")

    assert sender.hits == []


def test_the_rules_count_for_the_mixin_too(serve, sender, client):
    serve(
        path("internal/a", Tracked.as_view()),
        middleware=NO_MIDDLEWARE,
        pageview_exclude=("internal/",),
    )
    client.get("/internal/a")

    assert sender.hits == []


def test_an_async_view_with_the_mixin_counts(serve, sender, client):
    serve(path("", TrackedAsync.as_view()), middleware=NO_MIDDLEWARE)
    client.get("/")

    assert titles(sender) == ["In the HTML"]


def test_a_streamed_view_with_the_mixin_counts(serve, sender, client):
    serve(path("", TrackedStream.as_view()), middleware=NO_MIDDLEWARE)
    response = client.get("/")

    assert b"".join(response.streaming_content).endswith(b"<p>End")
    response.close()
    assert titles(sender) == ["In the HTML"]
    assert current() is None


@pytest.mark.parametrize(
    ("view", "description", "fatal"),
    [
        (TrackedAndMissing, "Http404", False),
        (TrackedAndBroken, "LookupError", True),
        (TrackedAndBrokenAsync, "LookupError", True),
    ],
)
def test_errors_of_a_view_with_the_mixin_are_told_as_they_are(
    serve, sender, browser, view, description, fatal
):
    serve(
        path("", view.as_view()),
        middleware=NO_MIDDLEWARE,
        pageview_na_exceptions=True,
        pageview_server_exceptions=True,
    )
    client = Client(headers=browser, raise_request_exception=False)
    client.get("/")

    [hit] = sender.hits
    assert (hit.description, hit.fatal) == (description, fatal)
    assert current() is None


# The decorator


class Basket(View):
    @track_event("Basket", "Add", "fern", 19.5)
    def post(self, request):
        return HttpResponse(PAGE)

    @track_event("Basket", "Show", label=lambda response: response.reason_phrase)
    def get(self, request):
        return HttpResponse(PAGE)


class AsyncBasket(View):
    @track_event("Basket", "Add")
    async def post(self, request):
        return HttpResponse(PAGE)


@track_event("Basket", "Add")
def add(request):
    return HttpResponse(PAGE)


class RestRequest:
    """Django REST framework's request, as far as it matters."""

    def __init__(self, request):
        self._request = request


class RestView(View):
    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        self.request = RestRequest(request)

    @track_event("Basket", "Add")
    def post(self, request):
        return HttpResponse(PAGE)


EVENTS = {
    "class": Basket.as_view(),
    "async class": AsyncBasket.as_view(),
    "function": add,
    "the view that as_view() makes": track_event("Basket", "Add")(
        TrackedAsync.as_view()
    ),
    "Django REST framework": RestView.as_view(),
}


@pytest.mark.parametrize("middleware", [NO_MIDDLEWARE, (MIDDLEWARE,)])
@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_needs_no_middleware(serve, sender, client, middleware, kind):
    serve(path("basket", EVENTS[kind]), middleware=middleware)
    if kind.startswith("the view"):
        response = client.get("/basket")
        sender.hits[:] = [hit for hit in sender.hits if hasattr(hit, "category")]
    else:
        response = client.post("/basket")

    [hit] = sender.hits
    assert (hit.category, hit.action) == ("Basket", "Add")
    assert hit.context.page.path == "/basket"
    assert "vn" in response.cookies
    assert current() is None


def test_an_event_without_the_middleware_is_no_page_view(serve, sender, client):
    serve(path("", Basket.as_view()), middleware=NO_MIDDLEWARE)
    client.get("/")

    [event] = sender.hits
    assert (event.action, event.label) == ("Show", "OK")
    assert get_tracker().stats().not_tracked == {}


def test_an_event_of_a_view_that_fails_is_none(serve, sender, browser):
    @track_event("Basket", "Add")
    def fails(request):
        raise LookupError

    @track_event("Basket", "Try", when="always")
    def always(request):
        raise LookupError

    serve(
        path("a", fails),
        path("b", always),
        middleware=NO_MIDDLEWARE,
        pageview_server_exceptions=True,
    )
    client = Client(headers=browser, raise_request_exception=False)
    client.get("/a")
    client.get("/b")

    assert [hit.action for hit in sender.hits] == ["Try"]


def test_a_helper_that_a_request_is_given_to_is_an_event(serve, sender, client):
    @track_event("Basket", "Counted")
    def count(request):
        return 4

    serve(
        path("", lambda request: HttpResponse(str(count(request)))),
        middleware=NO_MIDDLEWARE,
    )
    client.get("/")

    assert kinds(sender) == ["Event"]


def test_functions_that_get_no_request_and_generators_work_within_one(
    serve, sender, client
):
    @track_event("Basket", "Counted")
    def count():
        return "4"

    @track_event("Basket", "Listed")
    def pieces():
        yield count()

    @track_event("Basket", "Awaited")
    async def later():
        return "5"

    async def view(request):
        return HttpResponse([*pieces(), await later()])

    serve(path("", view))
    client.get("/")

    assert [getattr(hit, "action", None) for hit in sender.hits] == [
        None,
        "Counted",
        "Listed",
        "Awaited",
    ]


def test_the_decorator_keeps_name_and_documentation():
    assert Basket.post.__name__ == "post"
    assert add.__wrapped__ is not None


# Hits by hand


def test_parameters_without_the_middleware_set_the_cookies(serve, sender, client):
    def view(request):
        response = TemplateResponse(request, template(), {"title": "In the context"})
        context = get_default_parameters(request, response)
        get_tracker().event("Basket", "Add", context=context)
        return response

    serve(path("", view), middleware=NO_MIDDLEWARE)
    response = client.get("/")
    client.get("/")

    assert "vn" in response.cookies
    assert titles(sender) == ["In the context", "In the context"]
    ids = {hit.context.visitor.client_id for hit in sender.hits}
    assert len(ids) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_parameters_within_the_middleware_are_those_of_the_page(
    serve, sender, client, method
):
    def view(request):
        response = HttpResponse(PAGE)
        context = get_default_parameters(request, response)
        assert context == get_default_parameters(request)
        get_tracker().event("Basket", "Add", context=context)
        return response

    serve(path("", view))
    response = getattr(client, method)("/")

    assert len({hit.context.visitor.client_id for hit in sender.hits}) == 1
    assert "vn" in response.cookies


def test_parameters_of_any_request_can_be_extracted(serve):
    serve()
    request = HttpRequest()
    request.META = {"HTTP_HOST": "example.com", "REMOTE_ADDR": "203.0.113.77"}
    request.path = request.path_info = "/plants"

    context = get_default_parameters(request)

    assert context.page.path == "/plants"
    assert context.address == "203.0.113.0"


# Errors of ours


def test_an_extractor_that_fails_is_kept_from_the_site(serve, client, caplog):
    class Broken:
        def get_title(self, response):
            raise LookupError

    serve(path("", page), django_title_extractors=(Broken(),), strict=False)
    with caplog.at_level(logging.WARNING, "server_tracking"):
        response = client.get("/")

    assert response.status_code == 200
    assert get_tracker().stats().errors == 1
    assert "LookupError" in caplog.text


def test_under_tests_an_extractor_that_fails_is_seen(serve, client):
    class Broken:
        def get_title(self, response):
            raise LookupError

    serve(path("", page), django_title_extractors=(Broken(),))
    with pytest.raises(LookupError):
        client.get("/")
