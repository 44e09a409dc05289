"""The own cookie in the frameworks: given to the site's people, and taken away again."""

import pytest
from django.test import Client as DjangoClient
from django.urls import include, path
from flask import Flask, request
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from server_tracking import Reason
from server_tracking.testing.frameworks import Client
from server_tracking_flask import ServerTracking, own
from server_tracking_starlette import TrackingMiddleware, own_route
from tests.with_frameworks.sites_django import MIDDLEWARE, site

POST = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}


def flask_shop(tracker):
    app = Flask("shop")
    app.get("/")(lambda: "<title>shop</title>")
    ServerTracking(app, tracker)
    app.register_blueprint(own(lambda: request.headers.get("X-Staff") == "yes"))
    return Client("wsgi", app)


def starlette_shop(tracker):
    def is_staff(scope):
        return (b"x-staff", b"yes") in scope["headers"]

    page = Route("/", lambda request: HTMLResponse("<title>shop</title>"))
    app = Starlette(routes=[page, own_route(tracker, is_staff)])
    app.add_middleware(TrackingMiddleware, tracker=tracker)
    return Client("asgi", app)


@pytest.mark.parametrize("shop_of", [flask_shop, starlette_shop])
def test_people_of_the_site_mark_themselves_and_take_the_mark_away(
    shop_of, tracker, sender
):
    shop = shop_of(tracker)

    def post(query="", **headers):
        path = "/own"
        return shop.post(path, query=query, headers={**POST, **headers}).status

    assert post() == 403
    assert post(**{"X-Staff": "yes", "Sec-Fetch-Site": "cross-site"}) == 403
    assert post(**{"X-Staff": "yes"}) == 204
    shop.get("/")
    assert sender.hits == []
    assert tracker.stats().not_tracked[Reason.OWN] == 1

    assert post("unmark", **{"Sec-Fetch-Site": "cross-site"}) == 403
    shop.get("/")
    assert sender.hits == []
    assert post("unmark") == 204
    shop.get("/")
    assert len(sender.hits) == 1


def test_a_browser_takes_the_mark_away_in_django(sender, browser):
    client = DjangoClient(headers={**browser, **POST})
    with site(
        path("tracking/", include("server_tracking_django.urls")),
        middleware=[MIDDLEWARE],
        SERVER_SIDE_TRACKING={"sender": sender},
    ):
        answer = client.post("/tracking/own?unmark")
        foreign = client.post(
            "/tracking/own?unmark", headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 204
    assert answer.cookies["its_me"]["max-age"] == "0"
    assert answer.cookies["its_me"].value == ""
    assert foreign.status_code == 403
