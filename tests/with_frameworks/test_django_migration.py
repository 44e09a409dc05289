"""A site on 1.0's documented configuration runs after following docs/migrating.md."""

import re
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import path
from django.utils.module_loading import import_string
from django.views.generic import TemplateView, View

from server_tracking import ConfigurationError
from server_tracking.settings import Settings
from server_tracking.systems import UniversalAnalytics
from server_tracking_django import conf, get_tracker
from tests.with_frameworks.sites_django import site

PAGE = "<!doctype html><title>In the HTML</title>"
GUIDE = Path(__file__).parents[2] / "docs" / "migrating.md"
# As the README of 1.0 has it.
GA = {"property": "UA-xxxxxxxx-x"}
EXTRACTORS = (
    "server_tracking.django.utils.ContextTitleExtractor",
    "server_tracking.django.utils.ViewTitleExtractor",
)
# All options of 1.0 with their defaults, but the life of the cookie.
OPTIONS = {
    "cookie_name": "vn",
    "cookie_action": "cookie_action",
    "cookie_status": "cookie_status",
    "cookie_status_refused": 0,
    "cookie_status_accepted": 1,
    "cookie_path": "/",
    "cookie_salt": "the secret key of the site",
    "cookie_httponly": True,
    "cookie_secure": True,
    "debug": False,
    "send_method": "POST",
    "post_fallback": True,
    "timeout": 10,
    "defer": None,
    "anonymize_ip": True,
    "pageview_exclude": ("admin/",),
    "pageview_na_exceptions": False,
    "pageview_server_exceptions": False,
    "pageview_ajax_responses": False,
    "pageview_ajax_exceptions": False,
    "own_cookie_name": "its_me",
    "django_title_extractors": EXTRACTORS,
}
GA_OPTIONS = {
    "ssl": True,
    "ping_category": "Non-interaction",
    "ping_action": "Ping",
    "ping_label": None,
}


def migrated(value):
    """Do what the guide says: replace the old prefix by the new one."""
    if isinstance(value, str):
        return value.replace("server_tracking.django.", "server_tracking_django.")
    return tuple(map(migrated, value))


def rows(heading):
    """Return the rows of the first two columns in a section of the guide."""
    section = GUIDE.read_text("utf-8").partition(f"## {heading}\n")[2]
    section = section.partition("\n## ")[0]
    return re.findall(r"^\| (.+?) \| (.+?) \|", section, re.MULTILINE)[1:]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
def client(browser):
    return Client(headers=browser)


def served(*patterns, sender, middleware=(), options=None):
    return site(
        *patterns,
        middleware=migrated(middleware),
        SERVER_SIDE_TRACKING={"sender": sender, **(options or {})},
        SERVER_SIDE_TRACKING_GA=GA,
    )


MIDDLEWARE = ("server_tracking.django.middleware.PageViewMiddleware",)


def page(request):
    return HttpResponse(PAGE)


# The snippets of its README


def test_the_middleware_with_a_property(sender, client):
    with served(path("", page), sender=sender, middleware=MIDDLEWARE):
        client.get("/")

        assert get_tracker().systems == (UniversalAnalytics("UA-xxxxxxxx-x"),)
    assert len(sender.hits) == 1


def test_the_mixin(sender, client):
    mixin = import_string(migrated("server_tracking.django.mixins.PageViewMixin"))

    class Tracked(mixin, View):
        def get(self, request):
            return HttpResponse(PAGE)

    with served(path("", Tracked.as_view()), path("other", page), sender=sender):
        client.get("/")
        client.get("/other")

    assert [hit.context.page.path for hit in sender.hits] == ["/"]


def test_the_exclusions(sender, client):
    patterns = [path("admin/login", page), path("", page)]
    options = {"pageview_exclude": ("admin/",)}
    with served(*patterns, sender=sender, middleware=MIDDLEWARE, options=options):
        client.get("/admin/login")
        client.get("/")

    assert [hit.context.page.path for hit in sender.hits] == ["/"]


def test_the_decorator(sender, client):
    track_event = import_string(
        migrated("server_tracking.django.decorators.track_event")
    )

    class TransactionView(View):
        @track_event("Transaction", "Get")
        def get(self, request):
            return HttpResponse(PAGE)

    with served(path("", TransactionView.as_view()), sender=sender):
        client.get("/")

    [event] = sender.hits
    assert (event.category, event.action) == ("Transaction", "Get")


def test_the_helpers(sender, client):
    utils = migrated("server_tracking.django.utils.")
    get_default_parameters = import_string(f"{utils}get_default_parameters")
    get_title = import_string(f"{utils}get_title")
    found = []

    def view(request):
        response = HttpResponse(PAGE)
        found.append((get_default_parameters(request, response), get_title(response)))
        return response

    with served(path("", view), sender=sender):
        response = client.get("/")

    [(context, title)] = found
    assert context.page.title == title == "In the HTML"
    assert "vn" in response.cookies


class Plants(TemplateView):
    title = "On the view"

    def render_to_response(self, context, **kwargs):
        template = engines["django"].from_string(PAGE)
        return TemplateResponse(self.request, template, context)


def test_the_title_extractors(sender, client):
    options = {"django_title_extractors": migrated(EXTRACTORS)}
    with served(
        path("", Plants.as_view()),
        path("context", Plants.as_view(extra_context={"title": "In the context"})),
        path("html", page),
        sender=sender,
        middleware=MIDDLEWARE,
        options=options,
    ):
        for where in ("/", "/context", "/html"):
            client.get(where)

    titles = [hit.context.page.title for hit in sender.hits]
    assert titles == ["On the view", "In the context", "In the HTML"]


# All its options


def test_all_options_with_their_defaults_are_accepted():
    options = {**OPTIONS, "django_title_extractors": migrated(EXTRACTORS)}
    configuration = conf.configuration_from(options, {**GA, **GA_OPTIONS})

    settings = configuration.tracker.settings
    assert settings.cookie_status_refused == "0"
    assert settings.defer is None
    assert settings.cookie_secure is True


def test_a_life_of_two_years_is_refused_with_what_is_accepted():
    with pytest.raises(ConfigurationError, match="400 days"):
        conf.configuration_from({"cookie_max_age": 63072000}, GA)


def test_a_missing_property_stops_the_start_as_it_did():
    with pytest.raises(ConfigurationError, match="SERVER_SIDE_TRACKING_GA needs"):
        conf.configuration_from({}, {})


# The guide itself


def test_every_new_path_of_the_guide_is_there():
    paths = rows("Paths")

    assert len(paths) >= 13
    for old, new in paths:
        assert import_string(names(new)[0]), old


def test_the_guide_tells_of_every_option_of_1_0():
    told = {name for old, _ in rows("Settings") for name in names(old)}

    assert told >= {*OPTIONS, *GA_OPTIONS, "property", "cookie_max_age"}
    known = {*Settings.__struct_fields__, *OPTIONS, *GA_OPTIONS}
    assert told <= known | {"property", "api_secret", "option"}


def test_what_the_guide_calls_the_same_is_the_same():
    for name in ("cookie_name", "cookie_action", "cookie_status", "own_cookie_name"):
        assert getattr(Settings(), name) == OPTIONS[name]
