"""The inspector as a test of a site uses it."""

import pytest
import requests

from server_tracking import Tracker
from server_tracking.systems import Matomo


@pytest.fixture
def inspector(inspection):
    return inspection


def test_what_a_tracker_sends_arrives(inspection):
    tracker = Tracker(Matomo(inspection.url, 1), secret_key="a secret for tests")
    tracker.event("Basket", "Add")
    tracker.close()

    [stored] = inspection.wait_for(1)
    assert stored.hit.name == "Basket: Add"
    inspection.assert_valid()


def test_hits_are_waited_for_and_checked(inspector):
    body = {"name": "pageview", "url": "http://x.org/fern", "domain": "x.org"}
    headers = {"User-Agent": "Mozilla/5.0 Firefox/140.0"}
    requests.post(
        f"{inspector.url}/api/event", json=body, headers=headers, timeout=10
    ).close()

    [stored] = inspector.wait_for(1)
    assert stored.hit.path == "/fern"
    inspector.assert_valid()


def test_what_is_missing_is_told_with_what_arrived(inspector):
    with pytest.raises(AssertionError, match="1 hits expected; nothing arrived"):
        inspector.wait_for(1, timeout=0.01)


def test_what_is_refused_is_told_with_why(inspector):
    requests.post(f"{inspector.url}/api/event", json={}, timeout=10).close()

    with pytest.raises(AssertionError, match=r"plausible.*domain"):
        inspector.assert_valid()
