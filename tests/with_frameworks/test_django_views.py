"""What the site's own scripts talk to."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template import engines
from django.test import Client, override_settings
from django.test.utils import override_script_prefix
from django.urls import include, path

from server_tracking.testing import RecordingSender
from server_tracking_django import get_tracker
from tests.with_frameworks.sites_django import MIDDLEWARE, site

PAGE = "https://testserver/plants/fern?utm_source=mail"
SCREEN = {"r": "1920x1080", "v": "1200x800", "c": "24"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}


@pytest.fixture(params=[(), (MIDDLEWARE,)], ids=["alone", "with the middleware"])
def tracking(request, sender):
    """A site with the views, once without and once with the middleware."""
    given = {"sender": sender}
    with site(
        path("tracking/", include("server_tracking_django.urls")),
        middleware=request.param,
        SERVER_SIDE_TRACKING=given,
        SERVER_SIDE_TRACKING_GA=None,
    ):
        yield


@pytest.fixture
def client(browser):
    scripts = {**browser, "Sec-Fetch-Dest": "empty", **SAME_ORIGIN}
    return Client(headers=scripts, enforce_csrf_checks=True)


def cookies(response):
    return {name: morsel.value for name, morsel in response.cookies.items()}


# The ping


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_ping_is_an_event_on_the_page_that_the_browser_shows(
    tracking, sender, client, method
):
    response = getattr(client, method)(
        "/tracking/ping", SCREEN, headers={"Referer": PAGE}, secure=True
    )

    assert (response.status_code, response.content) == (204, b"")
    assert "no-store" in response.headers["Cache-Control"]
    assert list(response.cookies) == ["vn"]
    [hit] = sender.hits
    assert (hit.category, hit.action, hit.label) == ("Non-interaction", "Ping", None)
    assert hit.non_interaction
    device, page = hit.context.device, hit.context.page
    assert device.screen_resolution == "1920x1080"
    assert device.viewport_size == "1200x800"
    assert device.screen_colors == "24-bit"
    assert (page.url, page.referrer) == (PAGE, None)
    assert hit.context.campaign.source == "mail"


def test_pings_of_a_visitor_belong_together(tracking, sender, client):
    for _ in range(2):
        client.post("/tracking/ping", SCREEN, headers={"Referer": PAGE})

    assert len({hit.context.visitor.client_id for hit in sender.hits}) == 1


def test_the_property_names_the_event_of_a_ping(tracking, sender, client):
    google = {
        "property": "UA-1-1",
        "ping_category": "Screen",
        "ping_action": "Told",
        "ping_label": "once",
    }
    with override_settings(SERVER_SIDE_TRACKING_GA=google):
        client.post("/tracking/ping", SCREEN, headers={"Referer": PAGE})

    [hit] = sender.hits
    assert (hit.category, hit.action, hit.label) == ("Screen", "Told", "once")


@pytest.mark.parametrize(
    ("told", "referrer"),
    [
        (SCREEN, ""),
        (SCREEN, "https://elsewhere.example/"),
        (SCREEN, "//["),
        ({}, PAGE),
        ({"r": "<script>", "v": "0x0", "c": "many", "x": "y"}, PAGE),
    ],
)
def test_a_ping_without_a_page_or_a_size_is_nothing(
    tracking, sender, client, told, referrer
):
    response = client.post("/tracking/ping", told, headers={"Referer": referrer})

    assert response.status_code == 204
    assert sender.hits == []
    assert cookies(response) == {}


def test_a_visitor_who_refused_is_not_told_of(tracking, sender, client):
    client.cookies["cookie_status"] = "0"
    response = client.post("/tracking/ping", SCREEN, headers={"Referer": PAGE})

    assert response.status_code == 204
    assert sender.hits == []
    assert cookies(response) == {}


# Consent


def test_a_visitor_who_accepts_is_known_for_long(tracking, client):
    response = client.post("/tracking/consent", {"action": "accept"})

    assert response.status_code == 204
    assert response.cookies["cookie_status"].value == "1"
    assert response.cookies["vn"]["max-age"] == str(395 * 24 * 3600)
    assert response.cookies["vn"]["httponly"]


@pytest.mark.parametrize("action", ["refuse", "withdraw"])
def test_a_visitor_who_refuses_is_forgotten(tracking, client, action):
    client.post("/tracking/consent", {"action": "accept"})
    response = client.post("/tracking/consent", {"action": action})

    assert response.cookies["cookie_status"].value == "0"
    assert response.cookies["vn"].value == ""
    assert response.cookies["vn"]["max-age"] == "0"


@pytest.mark.parametrize("action", ["", "yes", "ACCEPT"])
def test_what_is_no_decision_is_refused(tracking, client, action):
    response = client.post("/tracking/consent", {"action": action})

    assert response.status_code == 400
    assert cookies(response) == {}


# The site's own people


class Staff:
    is_active = is_staff = True


class Somebody:
    is_active, is_staff = True, False


def as_user(user):
    """Make a middleware that logs *user* in."""

    def middleware(get_response):
        def serve(request):
            request.user = user()
            return get_response(request)

        return serve

    return middleware


as_staff, as_somebody = as_user(Staff), as_user(Somebody)


@pytest.mark.parametrize(
    ("user", "status"),
    [([f"{__name__}.as_staff"], 204), ([f"{__name__}.as_somebody"], 403), ([], 403)],
)
def test_only_staff_may_mark_their_browsers(sender, browser, user, status):
    client = Client(headers={**browser, **SAME_ORIGIN})
    with site(
        path("tracking/", include("server_tracking_django.urls")),
        middleware=[MIDDLEWARE, *user],
        SERVER_SIDE_TRACKING={"sender": sender},
    ):
        response = client.post("/tracking/own")

        assert response.status_code == status
        assert list(response.cookies) == (["its_me"] if status == 204 else [])
        client.post("/tracking/ping", SCREEN, headers={"Referer": PAGE})

    assert len(sender.hits) == (0 if status == 204 else 1)


def test_djangos_protection_from_forged_forms_holds_for_the_mark(sender, client):
    with site(
        path("tracking/", include("server_tracking_django.urls")),
        middleware=[CSRF, f"{__name__}.as_staff"],
        SERVER_SIDE_TRACKING={"sender": sender},
    ):
        assert client.post("/tracking/own").status_code == 403
        assert client.post("/tracking/consent", {"action": "accept"}).status_code == 204


CSRF = "django.middleware.csrf.CsrfViewMiddleware"

# Other sites


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ({"Origin": "http://testserver"}, True),
        ({"Origin": "http://testserver:80"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://testserver.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({}, True),  # no browser at all
    ],
)
@pytest.mark.parametrize("name", ["ping", "consent", "own"])
def test_other_sites_change_nothing(tracking, sender, name, headers, allowed):
    told = {"action": "accept", **SCREEN}
    response = Client(headers=headers).post(f"/tracking/{name}", told)

    if not allowed:
        assert response.status_code == 403
        assert cookies(response) == {}
        assert sender.hits == []
    elif name != "own":
        assert response.status_code == 204


@pytest.mark.parametrize("name", ["consent", "own"])
def test_links_change_nothing(tracking, client, name):
    assert client.get(f"/tracking/{name}").status_code == 405


# The tags


def test_the_tags_are_scripts_of_the_site_with_no_code_in_the_page(tracking):
    template = engines["django"].from_string(
        "{% load server_tracking %}{% tracking_ping %}{% tracking_consent %}"
    )
    with override_script_prefix("/"):  # else that of the thread's last request
        html = template.render({})

    assert html == (
        '<script src="/static/server_tracking/ping.js"'
        ' data-url="/tracking/ping" defer></script>'
        '<script src="/static/server_tracking/consent.js"'
        ' data-url="/tracking/consent" data-cookie="cookie_status" defer></script>'
    )
    for name in re.findall(r"/static/([^\"]+)", html):
        script = Path(finders.find(name)).read_text("utf-8")
        assert "eval" not in script
        assert "innerHTML" not in script


class Failing(RecordingSender):
    def send(self, hit):
        raise LookupError


def test_an_error_of_ours_is_kept_from_the_script(client):
    given = {"strict": False, "sender": Failing()}
    with site(
        path("tracking/", include("server_tracking_django.urls")),
        SERVER_SIDE_TRACKING=given,
    ):
        response = client.post("/tracking/ping", SCREEN, headers={"Referer": PAGE})

        assert response.status_code == 204
        assert get_tracker().stats().errors == 1
