"""A site with a Celery app: the web process of a test, and the workers it starts.

Configured by SHOP_BROKER, SHOP_QUEUE, SHOP_COLLECTOR, and SHOP_LINGER in seconds.
"""

import os

from celery import Celery

from server_tracking import Tracker, current
from server_tracking.senders.celery import CelerySender
from server_tracking.tasks import propagate_context
from server_tracking.testing.senders import ContractSystem


def made_app(broker, queue):
    app = Celery("shop", set_as_current=False)
    app.conf.update(
        broker_url=broker,
        task_default_queue=queue,
        broker_connection_retry_on_startup=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_prefetch_multiplier=1,
        broker_transport_options=(
            # Redis brings again what was not acknowledged for so long, by default
            # after an hour; how often a worker looks for it is new in kombu 5.7.
            {
                "visibility_timeout": 4,
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
            }
            if broker.startswith("redis")
            else {}
        ),
    )
    return app


def made_tracker(app, collector, **options):
    tracker = Tracker(
        ContractSystem(collector, hits_per_call=20),
        sender=CelerySender(app, **options),
        secret_key="a secret for tests",
    )
    propagate_context(app, tracker)
    return tracker


if "SHOP_BROKER" in os.environ:
    app = made_app(os.environ["SHOP_BROKER"], os.environ["SHOP_QUEUE"])
    linger = float(os.environ.get("SHOP_LINGER", "0.01"))
    tracker = made_tracker(app, os.environ["SHOP_COLLECTOR"], linger=linger)

    @app.task(name="ship")
    def ship():
        here = current()
        who = here.context.visitor.client_id if here else "nobody"
        tracker.event(f"shipped for {who}")
