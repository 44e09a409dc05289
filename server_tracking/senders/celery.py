"""CelerySender: hand hits to the broker of a Celery app; its workers deliver them.

    web process                              worker
    send ──► lane ──► its thread ──► broker ──► task ──► system
                          └── fallback="direct" ───────────►

A message is a task whose keyword arguments are plain JSON: the version of the
format, the name of the system, the hits as `encode_hits` writes them, and which
try this is. Credentials stay in the processes that are configured with them.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakSet, finalize

import msgspec
from celery import Celery
from celery.exceptions import Reject
from celery.signals import worker_process_shutdown, worker_shutdown

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Hit, decode_hits, encode_hits
from server_tracking.senders import Counts
from server_tracking.senders.broker import BrokerDispatch, Publisher, Route
from server_tracking.senders.courier import FIRST_WAIT, Courier
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.lanes import Rules
from server_tracking.senders.options import Options, bound_once, check_numbers
from server_tracking.senders.processes import PerProcess
from server_tracking.senders.transports import TransportName, check_transport
from server_tracking.systems import System

__all__ = ["CelerySender"]

logger = logging.getLogger("server_tracking")

VERSION = 1
TASK_NAME = "server_tracking.deliver"
WORKER = "@worker"  # behind a system's name in `stats()`
LATER_VERSION_WAIT = 60.0  # seconds until a newer worker may have come
LONGEST_COUNTDOWN = 900.0  # seconds
TASK_LIMIT = 120  # seconds; a courier keeps within 40 of ours

# What waits for the broker ends by its age or for want of room, not by tries.
RULES = Rules(attempts=10**9, backoff_cap=5.0, pause=1.0, pause_cap=10.0)


class CelerySender:
    """Send through the workers of *app*.

    One background thread hands the hits of a process to the broker, up to 100 in a
    message, by *queue* (None: as the app routes the task *name*). What the broker
    does not take within *broker_timeout* seconds is published again later; if only
    its word is missing, a message may arrive twice. While the broker is away,
    ``fallback="wait"`` keeps hits in memory until they are too old for their
    system: *max_hits* and *max_bytes* for each, what comes then is refused.
    ``"direct"`` sends them from here meanwhile.

    A process that makes a tracker with this sender can be a worker: the task is
    registered with *app*. A worker makes each call within *timeout* seconds, and
    puts back what may be tried again. In `stats()`, the name of a system counts
    what this process has sent: delivered is what the broker has confirmed (or the
    system, if sent directly). ``name@worker`` counts what tasks in this process
    have brought to an end: delivered is what the system has taken.

    *linger*, *transport*, *exit_timeout* and the hooks are those of `ThreadSender`;
    *before_send* sees a hit before the broker does, *on_drop* and *on_error* are
    called on both sides. Raises `ConfigurationError` for wrong options.
    """

    blocking = False

    def __init__(
        self,
        app: Celery,
        *,
        queue: str | None = None,
        name: str = TASK_NAME,
        fallback: Literal["wait", "direct"] = "wait",
        broker_timeout: float = 1.0,
        timeout: float = 10.0,
        max_hits: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        linger: float | None = None,
        transport: TransportName = "auto",
        exit_timeout: float = 2.0,
        before_send: Callable[[Hit], Hit | None] | None = None,
        on_drop: Callable[[str, str, int], object] | None = None,
        on_error: Callable[[BaseException], object] | None = None,
    ) -> None:
        check_transport(transport)
        known = fallback in ("wait", "direct")
        _check("app", app, "a Celery app", isinstance(app, Celery))
        _check("fallback", fallback, "'wait' or 'direct'", known)
        check_numbers(
            ("broker_timeout", broker_timeout, 0.001),
            ("timeout", timeout, 0.001),
            ("max_hits", max_hits, 1),
            ("max_bytes", max_bytes, 1),
            ("linger", linger or 0, 0),
            ("exit_timeout", exit_timeout, 0),
        )
        self._app = app
        self._task = name
        self._queue = queue
        self._broker_timeout = broker_timeout
        self._options = Options(
            timeout=timeout,
            exit_timeout=exit_timeout,
            transport=transport,
            rules=msgspec.structs.replace(
                RULES, max_hits=max_hits, max_bytes=max_bytes, linger=linger
            ),
            hooks=Hooks(before_send, on_drop, on_error),
        )
        self._route = Route(may_be_direct=fallback == "direct")
        self._systems: tuple[System, ...] | None = None
        self._couriers: PerProcess[Courier] | None = None
        self._closed = False
        self._process = PerProcess(
            self._begin, pause=BrokerDispatch.pause, resume=BrokerDispatch.resume
        )

    def bind(self, systems: Sequence[System]) -> None:
        """Take the systems to send to, and register the task that delivers to them.

        Raises `ConfigurationError` the second time, or if the app has that task for
        other systems.
        """
        bound = bound_once(self._systems, systems)
        self._couriers = _couriers_for(
            self._app, self._task, self._queue, bound, self._options
        )
        self._systems = bound

    def send(self, hit: Hit) -> bool:
        """Queue *hit*; True if there was room for it in every system's lane.

        Takes a few microseconds, and never raises.
        """
        return self._process.get().offer(hit)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the broker has all hits accepted before; True if it has."""
        return self._process.get().flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse new hits, flush, give up the rest, and stop the thread."""
        self._closed = True
        courier = self._courier()
        if courier is not None:
            courier.close()
        return self._process.get().close(timeout)

    def stats(self) -> Mapping[str, Counts]:
        """Count what became of the hits in this process, by the system's name."""
        courier = self._courier()
        ended = courier.counts() if courier is not None else {}
        return {
            **self._process.get().counts(),
            **{f"{key}{WORKER}": counts for key, counts in ended.items()},
        }

    def _courier(self) -> Courier | None:
        """Return the courier of this process, if a task has run here."""
        return None if self._couriers is None else self._couriers.peek()

    def _begin(self) -> BrokerDispatch:
        app, task, queue = self._app, self._task, self._queue
        timeout = self._broker_timeout

        def make_publisher() -> Publisher:
            return _CeleryPublisher(app, task, queue, timeout)

        dispatch = BrokerDispatch(
            self._systems or (),
            self._options,
            make_publisher,
            self._route,
            closed=self._closed,
        )
        _dispatches.add(dispatch)
        finalize(self, dispatch.orphan).atexit = False
        _finish_with_multiprocessing()
        return dispatch


def _check(option: str, value: object, accepted: str, is_right: bool) -> None:
    if not is_right:
        raise ConfigurationError(
            f"Option {option!r}: {value!r} was given; accepted is {accepted}.",
            option=option,
        )


class _CeleryPublisher:
    """Publish over a connection of its own, each step within *timeout* seconds.

    Celery's pools are the site's: they wait 4 seconds for a broker that hangs, and
    for one that is away as long as their options say.
    """

    def __init__(
        self, app: Celery, task: str, queue: str | None, timeout: float
    ) -> None:
        self._app = app
        self._task = task
        self._queue = queue
        self._timeout = timeout
        self._connection: Any = None
        self._producer: Any = None
        # Loads what kombu needs for it, while forks wait for that.
        driver = app.connection_for_write().transport.driver_type
        self._transport_options: dict[str, Any] = {
            "amqp": {
                "confirm_publish": True,
                "read_timeout": timeout,
                "write_timeout": timeout,
            },
            "redis": {"socket_timeout": timeout, "socket_connect_timeout": timeout},
        }.get(driver, {})

    def publish(self, system: str, hits: str) -> None:
        """Publish; an old connection may be a dead one, so it is renewed once."""
        message = _message(system, hits, 1)
        if self._app.conf.task_always_eager:
            self._app.tasks[self._task].apply(kwargs=message)
            return
        if self._producer is not None:
            with suppress(Exception):
                self._publish(message)
                return
            self._drop()
        try:
            self._connect()
            self._publish(message)
        except Exception:
            self._drop()
            raise

    def close(self) -> None:
        """Say goodbye, if the broker is there to hear it."""
        with suppress(Exception):
            if self._connection is not None:
                self._connection.release()
        self._connection = self._producer = None

    def _publish(self, message: Mapping[str, Any]) -> None:
        producer = self._producer
        _publish(self._app, self._task, self._queue, message, producer=producer)

    def _connect(self) -> None:
        self._connection = connection = self._app.connection_for_write(
            connect_timeout=self._timeout,
            heartbeat=0,  # nobody would send them while there are no hits
            transport_options=self._transport_options,
        )
        connection.ensure_connection(
            max_retries=max(1, len(connection.alt)),  # one for each failover broker
            interval_start=0,
            interval_step=0,
            timeout=self._timeout,
        )
        channel = connection.channel()
        self._producer = self._app.amqp.Producer(channel, auto_declare=False)

    def _drop(self) -> None:
        """Forget the connection, without a word to a broker that may hang."""
        with suppress(Exception):
            if self._connection is not None:
                self._connection.collect(socket_timeout=0.1)
        self._connection = self._producer = None


def _message(system: str, hits: str, attempt: int) -> dict[str, Any]:
    return {"version": VERSION, "system": system, "hits": hits, "attempt": attempt}


def _publish(
    app: Celery, task: str, queue: str | None, message: Mapping[str, Any], **how: Any
) -> None:
    if queue is not None:
        how["queue"] = queue
    app.send_task(
        task,
        kwargs=message,
        serializer="json",
        ignore_result=True,
        retry=False,  # Celery would sleep between its tries
        # For logs, events and flower: not what visitors have done.
        kwargsrepr=f"{message['system']}, {len(message['hits'])} characters",
        **how,
    )


# The worker's side

_tasks: WeakKeyDictionary[
    Celery, dict[str, tuple[tuple[System, ...], PerProcess[Courier]]]
] = WeakKeyDictionary()


def _couriers_for(
    app: Celery,
    task: str,
    queue: str | None,
    systems: tuple[System, ...],
    options: Options,
) -> PerProcess[Courier]:
    """Register *task* with *app*, or share it if another sender has done so."""
    tasks = _tasks.setdefault(app, {})
    if task in tasks:
        known, couriers = tasks[task]
        if known == systems:
            return couriers
        raise ConfigurationError(
            f"The Celery app has the task {task!r} for other systems; give this "
            "sender another name.",
            option="name",
        )
    hooks = Hooks(None, options.hooks.on_drop, options.hooks.on_error)

    def make() -> Courier:
        return Courier(
            systems, transport=options.transport, timeout=options.timeout, hooks=hooks
        )

    couriers = PerProcess(make)
    tasks[task] = systems, couriers
    app.task(
        name=task,
        bind=True,
        shared=False,
        acks_late=True,
        reject_on_worker_lost=True,
        acks_on_failure_or_timeout=False,
        ignore_result=True,
        time_limit=TASK_LIMIT,
        soft_time_limit=TASK_LIMIT - 10,
    )(_deliverer(queue, couriers, hooks))
    return couriers


def _deliverer(
    queue: str | None, couriers: PerProcess[Courier], hooks: Hooks
) -> Callable[..., None]:
    """Make the body of the task; its message is acknowledged when it returns."""

    def deliver(
        task: Any,
        version: int,
        system: str,
        hits: str,
        attempt: int = 1,
        **newer: object,
    ) -> None:
        if version != VERSION:
            same = {"version": version, "system": system, "hits": hits, **newer}
            _put_back(task, queue, {**same, "attempt": attempt}, LATER_VERSION_WAIT)
            return
        courier = couriers.get()
        try:
            batch = decode_hits(hits.encode())
        except (ValueError, AttributeError):
            courier.refuse(system)
            return
        try:
            rest = courier.deliver(system, batch, attempt)
            left, wait = rest or ((), 0.0)
        except Exception as error:  # noqa: BLE001 - whatever it is, hits are kept
            hooks.failed(error)
            left, wait = batch, FIRST_WAIT * attempt
        if left and task.request.is_eager:  # nobody would bring them again
            courier.give_up(system, len(left))
        elif left:
            text = encode_hits(left).decode()
            _put_back(task, queue, _message(system, text, attempt + 1), wait)

    return deliver


def _put_back(
    task: Any, queue: str | None, message: Mapping[str, Any], wait: float
) -> None:
    """Publish what is left of a message; if that fails, keep the message."""
    app = task.app
    # Redis brings a message again that was not acknowledged for this long.
    seen = (app.conf.broker_transport_options or {}).get("visibility_timeout", 3600)
    countdown = min(wait, LONGEST_COUNTDOWN, seen / 2)
    try:
        _publish(app, task.name, queue, message, countdown=countdown or None)
    except Exception:  # noqa: BLE001 - each broker has its own
        logger.warning("Hits could not be put back; the broker will bring them again.")
        raise Reject("not put back", requeue=True) from None


# The end

_dispatches: WeakSet[BrokerDispatch] = WeakSet()


def _own_dispatches() -> list[BrokerDispatch]:
    pid = os.getpid()
    return [dispatch for dispatch in list(_dispatches) if dispatch.pid == pid]


def _at_exit(**_: object) -> None:
    """Publish what is left, within one deadline for all senders."""
    begun = monotonic()
    for dispatch in _own_dispatches():
        dispatch.drain()
    for dispatch in _own_dispatches():
        left = begun + dispatch.options.exit_timeout - monotonic()
        dispatch.close(max(0.0, left))


def _at_shutdown(**_: object) -> None:
    """Publish what the worker's own process has; it may go on for a while."""
    for dispatch in _own_dispatches():
        dispatch.flush(dispatch.options.exit_timeout)


def _finish_with_multiprocessing() -> None:
    """Flush at the end of a child of `multiprocessing`, which skips `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process():
        util.Finalize(None, _at_exit, exitpriority=100)


atexit.register(_at_exit)
worker_process_shutdown.connect(_at_exit, weak=False)  # a prefork child skips atexit
worker_shutdown.connect(_at_shutdown, weak=False)
