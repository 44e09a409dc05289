"""Personal data planted in every input: none of it is in a message of the broker."""

import logging

import pytest

from server_tracking import Tracker
from server_tracking.demo.systems import demo_systems
from tests.test_canary import CANARIES, KEY, holds, serve, shown

celery = pytest.importorskip("celery")

from server_tracking.senders.celery import CelerySender  # noqa: E402


def test_no_message_holds_any(browser, caplog):
    caplog.set_level(logging.DEBUG)
    app = celery.Celery(set_as_current=False)
    app.conf.update(broker_url="memory://", task_default_queue="of canaries")
    tracker = Tracker(
        *demo_systems("http://127.0.0.1:9"),
        sender=CelerySender(app),
        secret_key=KEY,
        strict=True,
    )
    later = [serve(tracker, canary, browser) for canary in CANARIES.values()]
    assert tracker.flush(20)

    messages = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue, no_ack=True)
        while queue.qsize():
            messages.append(queue.get(timeout=5))
        queue.close()
    tracker.close(0.0)
    app.close()

    told = [f"{m.headers} {m.properties} {m.body!r}" for m in messages]
    assert any("Screen [" in text for text in told)
    for canary in CANARIES.values():
        assert not any(holds(text, canary) for text in [*told, *later, shown(caplog)])
