"""The context of a request in background tasks: `current()` works there.

For Celery, `propagate_context` does all. For other queues, hand what
`tracking_context` returns to the job, and do the job within `tracking_in`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgspec

from server_tracking.exchange import AddressRule, Request
from server_tracking.hits import Context, Hit, PageView, Scalar
from server_tracking.observation import Observation, guarded
from server_tracking.reasons import Reason
from server_tracking.tracker import Tracker, collector

__all__ = ["propagate_context", "tracking_context", "tracking_in"]

VERSION = 1
HEADER = "server_tracking"  # of a Celery message
EXIT_TIMEOUT = 2.0  # seconds for the flush of a worker that ends


class _Carried(msgspec.Struct, frozen=True):
    """What travels: *context* is None if nothing may be sent of the request."""

    version: int
    context: Context | None


_decoder = msgspec.json.Decoder(_Carried)


def tracking_context() -> str | None:
    """Write the context of the request that is being served, as JSON.

    None outside of a request. It holds what hits say of the visitor, and no
    secrets.
    """
    here = collector.get()
    if here is None:
        return None
    context = here.context_for(here.tracker)
    if context is not None:
        context = _later(context)
    return msgspec.json.encode(_Carried(VERSION, context)).decode()


@contextmanager
def tracking_in(tracker: Tracker, context: str | None) -> Iterator[None]:
    """Within the block, be in the request from which *context* came.

    Hits are sent at once through *tracker*. If nothing might be sent of the
    request, nothing is; with None, or what an older or newer release has written,
    the block is in no request.
    """
    token = collector.set(_observation_of(tracker, context))
    try:
        yield
    finally:
        collector.reset(token)


def propagate_context(app: Any, tracker: Tracker) -> None:
    """Have the tasks of a Celery *app* run in the context of their request.

    Call it once in each process that sends or runs tasks. The context travels in a
    header of the message, so that no task sees another argument, and workers that
    do not know it run the task as ever. Tasks that a task sends carry it on. A
    worker that ends flushes *tracker* first, for at most 2 seconds.
    """
    from celery import signals

    running: dict[str, AbstractContextManager[None]] = {}

    def carry(headers: Any = None, **_: Any) -> None:
        if isinstance(headers, dict):
            context = guarded(tracker, None, tracking_context)
            if context is not None:
                headers[HEADER] = context

    def begin(task_id: str, task: Any, **_: Any) -> None:
        context = _header(task.request)
        if task.app is app and context is not None:
            block = tracking_in(tracker, context)
            block.__enter__()
            running[task_id] = block

    def end(task_id: str, **_: Any) -> None:
        block = running.pop(task_id, None)
        if block is not None:
            block.__exit__(None, None, None)

    def leave(**_: Any) -> None:
        tracker.flush(EXIT_TIMEOUT)

    for signal, receiver in (
        (signals.before_task_publish, carry),
        (signals.task_prerun, begin),
        (signals.task_postrun, end),
        (signals.worker_process_shutdown, leave),
        (signals.worker_shutdown, leave),
    ):
        # Done twice, the second replaces the first.
        uid = f"server_tracking.{receiver.__name__}.{id(app)}"
        signal.disconnect(dispatch_uid=uid)
        signal.connect(receiver, weak=False, dispatch_uid=uid)


class _Resumed(Observation):
    """A request in a task: its context is complete, hits are sent at once."""

    closed = True

    def __init__(self, tracker: Tracker, context: Context) -> None:
        super().__init__(tracker, context.page, _request_of)
        self._kept = context
        self._silent = False

    @property
    def context(self) -> Context:
        """The context of the request, with a title that the task has set."""
        if self.title is None:
            return self._kept
        page = msgspec.structs.replace(self._kept.page, title=self.title)
        return msgspec.structs.replace(self._kept, page=page)

    def pageview(
        self, title: str | None = None, params: Mapping[str, Scalar] | None = None
    ) -> None:
        """Send a page view."""
        if title is not None:
            self.title = title
        self.add(PageView, {"params": {**self.params, **(params or {})}})

    def identify(self, user_id: str | None) -> None:
        """Name the visitor in all that follows."""
        visitor = msgspec.structs.replace(self._kept.visitor, user_id=user_id)
        self._kept = msgspec.structs.replace(self._kept, visitor=visitor)

    def skip(self) -> None:
        """Send nothing more of this task."""
        self._silent = True

    def add(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:
        """Send a hit."""
        context = self.context_for(self.tracker)
        if context is not None:
            guarded(self.tracker, None, self._send, kind, context, fields)

    def context_for(self, tracker: Tracker) -> Context | None:
        """Return the context, unless the task was skipped."""
        if self._silent:
            tracker.count(Reason.SKIPPED)
            return None
        return self.context

    def _send(
        self, kind: Callable[..., Hit], context: Context, fields: Mapping[str, Any]
    ) -> None:
        self.tracker.send(kind(context=context, **fields))


class _Refused:
    """A request of which nothing may be sent, in a task."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def pageview(
        self,
        title: str | None,  # noqa: ARG002 - of the protocol
        params: Mapping[str, Scalar] | None,  # noqa: ARG002
    ) -> None:
        """Send nothing."""
        self.context_for(self.tracker)

    def add(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Send nothing."""
        self.context_for(self.tracker)

    def context_for(self, tracker: Tracker) -> Context | None:
        """Count a hit that is not sent."""
        tracker.count(Reason.DENIED)
        return None


def _observation_of(tracker: Tracker, text: str | None) -> _Resumed | _Refused | None:
    if text is None:
        return None
    try:
        carried = _decoder.decode(text)
    except ValueError:
        return None
    if carried.version != VERSION:
        return None
    if carried.context is None:
        return _Refused(tracker)
    return _Resumed(tracker, carried.context)


def _later(context: Context) -> Context:
    """Say that the visit has begun: what the request sent has told that it is new."""
    visitor, session = context.visitor, context.session
    return msgspec.structs.replace(
        context,
        visitor=msgspec.structs.replace(visitor, is_new=False),
        session=msgspec.structs.replace(session, is_new=False),
    )


def _request_of(page: Any, address_rule: AddressRule) -> Request:  # noqa: ARG001
    """Make a request of what is left of it: there is no browser here."""
    return Request(path_info=page.path or "/", host=page.host)


def _header(request: Any) -> str | None:
    """Find our header where the releases of Celery have put it."""
    found = getattr(request, HEADER, None)
    if found is None:
        found = (getattr(request, "headers", None) or {}).get(HEADER)
    return found if isinstance(found, str) else None
