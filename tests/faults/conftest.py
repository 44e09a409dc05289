"""The scriptable collector and its system, as in tests/senders."""

import importlib.util
import os
from pathlib import Path

import pytest

from server_tracking.senders.tail import FOLDER
from server_tracking.senders.thread import ThreadSender

_path = Path(__file__).parents[1] / "senders" / "conftest.py"
_spec = importlib.util.spec_from_file_location("sender_fixtures", _path)
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

adds_up = _fixtures.adds_up
collector = _fixtures.collector
dead_url = _fixtures.dead_url
make_event = _fixtures.make_event
make_system = _fixtures.make_system
tls_certificate = _fixtures.tls_certificate
tls_url = _fixtures.tls_url
transport_name = _fixtures.transport_name
until = _fixtures.until


@pytest.fixture(scope="session")
def memory_outlives_us():
    """Tell whether there is tmpfs, for what is on its way to the disk."""
    try:
        os.close(os.open(FOLDER, os.O_RDWR | os.O_TMPFILE, 0o600))
    except (OSError, AttributeError):
        return False
    return True


@pytest.fixture
def bind(transport_name, adds_up):
    """Make senders for systems; at the end, the counts of each must add up."""
    senders = []

    def bind(*systems, sender=None, **options):
        made = sender or ThreadSender(
            **{"transport": transport_name, "timeout": 5.0, **options}
        )
        made.bind(systems)
        senders.append(made)
        return made

    yield bind
    for made in senders:
        made.close(0.0)
        for counts in made.stats().values():
            adds_up(counts)
            assert counts.queued == counts.waiting == counts.sending == 0
