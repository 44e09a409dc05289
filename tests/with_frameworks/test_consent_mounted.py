"""The consent endpoint in the frameworks, as docs/consent.md mounts it."""

import trio
from flask import Flask
from starlette.applications import Starlette
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from server_tracking.consent_endpoint import ConsentASGI, ConsentWSGI, consent_script

FORM = "application/x-www-form-urlencoded"


def test_the_endpoint_stands_beside_a_flask_application(tracker, browser):
    app = Flask("shop")
    app.wsgi_app = DispatcherMiddleware(
        app.wsgi_app, {"/consent": ConsentWSGI(tracker)}
    )
    client = app.test_client()

    def post(site):
        headers = {**browser, "Sec-Fetch-Site": site}
        return client.post("/consent", data={"action": "refuse"}, headers=headers)

    assert client.get("/consent").data == consent_script()
    assert post("cross-site").status_code == 403
    answer = post("same-origin")
    assert answer.status_code == 204
    assert answer.headers["Set-Cookie"].startswith("cookie_status=0; ")


def test_the_endpoint_is_a_route_of_a_starlette_application(tracker):
    app = Starlette()
    app.add_route("/consent", ConsentASGI(tracker))

    def ask(method, body=b"", site="same-origin"):
        sent = []
        headers = {"content-type": FORM, "sec-fetch-site": site}
        scope = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": "/consent",
            "root_path": "",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            sent.append(message)

        trio.run(app, scope, receive, send)
        return sent

    assert ask("GET")[1]["body"] == consent_script()
    assert ask("POST", b"action=refuse", "cross-site")[0]["status"] == 403
    start = ask("POST", b"action=refuse")[0]
    assert start["status"] == 204
    assert dict(start["headers"])[b"set-cookie"].startswith(b"cookie_")
