"""Steps of a thread that drives lanes: what is held becomes calls, and they begin."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic, time

from server_tracking.calls import Outcome, Verdict
from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.lanes import Lane
from server_tracking.senders.options import Options
from server_tracking.senders.packing import packed
from server_tracking.senders.transports import Transport, transport_from

__all__ = ["launch", "load", "transport_for"]


def transport_for(lanes: Sequence[Lane], options: Options) -> Transport:
    """Make the transport that *options* name, and share it out among *lanes*."""
    number = max(1, len(lanes))
    transport = transport_from(options.transport, options.timeout, number)
    if transport.capacity is not None:
        # One lane's calls must not keep the others' out.
        share = max(1, transport.capacity // number)
        for lane in lanes:
            lane.concurrency = min(lane.concurrency, share)
    return transport


def load(lane: Lane, lock: threading.RLock, hooks: Hooks) -> bool:
    """Encode what is due in *lane*; tells whether anything was.

    *lock* guards the lane, and is not held meanwhile.
    """
    loaded = False
    while True:
        with lock:
            parcel = lane.take(monotonic())
        if parcel is None:
            return loaded
        loaded = True
        content = packed(lane.system, parcel.entries, time(), hooks)
        with lock:
            lane.loaded(parcel, content)


def launch(
    lane: Lane, lock: threading.RLock, transport: Transport, hooks: Hooks
) -> None:
    """Begin the calls of *lane* that may begin, each with its lane and parcel as token."""
    while True:
        with lock:
            parcel = lane.launch(monotonic())
        if parcel is None:
            return
        try:
            transport.start(parcel.call, (lane, parcel))
        except FAILURES as error:
            hooks.failed(error)
            with lock:
                refused = Outcome(Verdict.REJECTED, "not_sendable")
                lane.landed(parcel, refused, monotonic())
