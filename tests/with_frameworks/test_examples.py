"""The examples run, and their hits arrive at the inspector."""

import importlib.util
from pathlib import Path

import pytest
import requests
from webtest import TestApp

from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.server import LocalServer
from server_tracking.inspector.store import HitStore

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(
        f"example_{name}", EXAMPLES / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def inspector(monkeypatch):
    """An inspector that the examples find through the environment."""
    store = HitStore()
    with LocalServer(inspector_app(store)) as server:
        url = f"ga4://made-up-secret@G-EXAMPLE?endpoint={server.url}"
        monkeypatch.setenv("SERVER_TRACKING_SYSTEMS", url)
        yield store


def walk_wsgi(app, browser):
    client = TestApp(app)
    for path in ("/", "/about"):
        client.get(path, headers=browser)
    client.post("/vote", headers=browser, status=303)


def walk_asgi(app, browser):
    with LocalServer(app) as server, requests.Session() as client:
        client.trust_env = False
        client.headers = browser
        for path in ("/", "/about"):
            client.get(f"{server.url}{path}", timeout=10)
        client.post(f"{server.url}/vote", allow_redirects=False, timeout=10)


WALKS = {
    "wsgi_app": walk_wsgi,
    "asgi_app": walk_asgi,
    "flask_app": walk_wsgi,
    "starlette_app": walk_asgi,
    "fastapi_app": walk_asgi,
}


@pytest.mark.parametrize(("name", "walk"), WALKS.items())
def test_an_example_tracks_pages_and_an_event(inspector, browser, name, walk):
    example = load(name)
    try:
        walk(example.app, browser)
        assert example.tracker.flush(10)
    finally:
        example.tracker.close()

    hits = [(one.hit.kind, one.hit.path, one.hit.title) for one in inspector.hits()]
    assert [hit for hit in hits if hit[0] == "pageview"] == [
        ("pageview", "/", "Home"),
        ("pageview", "/about", "About"),
    ]
    assert [hit[0] for hit in hits].count("event") == 1
    assert all(one.valid for one in inspector.hits())


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(WALKS)
