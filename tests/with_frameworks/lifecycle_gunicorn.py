"""Settings of gunicorn for `test_lifecycle.py`: each worker says when it can be told to end.

One that gets SIGTERM earlier does not hear it: its arbiter's handlers are still in
place. It then goes on to serve, and is killed after `graceful_timeout`, with what it holds.
"""

import os
from pathlib import Path


def post_worker_init(worker):
    """Called when the worker has its own signal handlers."""
    (Path(os.environ["LEDGER"]) / f"{worker.pid}.ready").touch()
