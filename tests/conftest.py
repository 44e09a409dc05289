"""What most tests need: a tracker that records, and the headers of a browser."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite(
    "server_tracking.testing.frameworks",
    "server_tracking.testing.senders",
    "server_tracking.testing.systems",
)

from server_tracking import Tracker  # noqa: E402
from server_tracking.testing import RecordingSender  # noqa: E402
from server_tracking.tracker import collector  # noqa: E402

# The first text takes 4 s in a fresh clone, for a table of Unicode is made; and any
# example may wait for a processor.
settings.register_profile(
    "any machine",
    parent=settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")

SECRET = "a secret key for tests"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-GB;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}


@pytest.fixture(autouse=True)
def _outside_of_a_request():
    """Begin without the observation of an answer that an earlier test left unread."""
    collector.set(None)


@pytest.fixture
def sender():
    return RecordingSender()


@pytest.fixture
def make_tracker(sender):
    """Make trackers that record into `sender`; they raise their own errors."""

    def make(*systems, **options):
        return Tracker(
            *systems, sender=sender, **{"secret_key": SECRET, "strict": True, **options}
        )

    return make


@pytest.fixture
def tracker(make_tracker):
    return make_tracker()


@pytest.fixture
def browser():
    """The headers of a browser that opens a page."""
    return dict(BROWSER)
