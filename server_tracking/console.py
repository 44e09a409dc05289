"""What commands share: options of the same meaning, and how long work is ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["told_to_stop", "with_timeout"]

with_timeout = click.option(
    "--timeout",
    type=click.FloatRange(0, 600, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds that one call may take.",
)
"""Give a command the option ``--timeout``."""


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Give an event that is set by Ctrl-C and SIGTERM, which end nothing meanwhile.

    Outside of the main thread, which alone can hear signals, it is never set.
    """
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    before = {
        number: signal.signal(number, lambda *_: told.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
