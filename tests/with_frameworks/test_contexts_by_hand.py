"""Each adapter's parameters by hand, without the middleware, know what it would know."""

import time

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from flask import Flask
from flask import request as flask_request
from starlette.requests import Request
from starlette.responses import HTMLResponse

import server_tracking_django.utils
import server_tracking_flask
import server_tracking_starlette
from server_tracking.cookies import CookieSigner
from server_tracking.systems import Matomo
from server_tracking.visitors import Identity
from tests.with_frameworks.sites_django import site

KEY = "a secret key for tests"
NOW = int(time.time())
PAGE = "<title>A page</title>"
TAG_ID = "0123456789abcdef"
TAGGED = f"_pk_id.7.1fff={TAG_ID}.{NOW - 86_400}."
ACCEPTED = "vn=" + CookieSigner((KEY,), "visitor").sign(
    Identity("7.1780000000", NOW - 3600, 1, NOW - 60, NOW - 3600).cookie
)


def with_flask(tracker, headers):
    app = Flask("by hand")
    with app.test_request_context("/", headers=headers):
        response = app.make_response(PAGE)
        context = server_tracking_flask.get_default_parameters(
            flask_request, response, tracker=tracker
        )
    return context, response.headers.getlist("Set-Cookie")


def with_starlette(tracker, headers):
    pairs = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    pairs.append((b"host", b"example.com"))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": pairs}
    scope |= {"query_string": b"", "scheme": "http", "client": ("203.0.113.9", 1)}
    response = HTMLResponse(PAGE)
    context = server_tracking_starlette.get_default_parameters(
        Request(scope), response, tracker=tracker
    )
    return context, response.headers.getlist("Set-Cookie")


def with_django(tracker, headers):
    with site(middleware=(), SERVER_SIDE_TRACKING=tracker):
        request = RequestFactory().get("/", headers=headers)
        response = HttpResponse(PAGE)
        context = server_tracking_django.utils.get_default_parameters(request, response)
    return context, [morsel.OutputString() for morsel in response.cookies.values()]


FRAMEWORKS = [with_flask, with_starlette, with_django]


@pytest.mark.parametrize("by_hand", FRAMEWORKS)
def test_ids_of_tags_are_adopted(by_hand, make_tracker, browser):
    matomo = Matomo("https://stats.example.com/", site_id=7)
    tracker = make_tracker(matomo, adopt_browser_ids=True)

    context, cookies = by_hand(tracker, {**browser, "Cookie": TAGGED})

    assert [ids.visitor for ids in context.visitor.browser_ids] == [TAG_ID]
    assert context.page.title == "A page"
    assert [cookie.partition("=")[0] for cookie in cookies] == ["vn"]


@pytest.mark.parametrize("by_hand", FRAMEWORKS)
def test_the_site_hears_of_a_withdrawal(by_hand, make_tracker, browser):
    told = []
    tracker = make_tracker(on_withdraw=told.append)
    cookie = f"{ACCEPTED}; cookie_action=withdraw"

    context, cookies = by_hand(tracker, {**browser, "Cookie": cookie})

    assert told == ["7.1780000000"]
    assert context.consent.analytics is False
    names = {cookie.partition("=")[0] for cookie in cookies}
    assert names == {"cookie_status", "cookie_action", "vn"}
