"""Observation: one request while it is served, without any I/O.

A shell (WSGI, ASGI, a framework's middleware) drives it: `respond` with the head
of the answer, `feed` with pieces of the body, `fail` with an error, `close` at the
end. Handlers reach it with `current()`. This is the one place that keeps errors of
ours from the site.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from server_tracking.agents import Agent
from server_tracking.browser_tags import recognized
from server_tracking.cookies import may_carry_cookie
from server_tracking.drafts import ContextDraft, HitDraft
from server_tracking.exchange import AddressRule, Request
from server_tracking.extractor import UNRECOGNIZED, Recognition
from server_tracking.filters import is_probe, refusal_of_response
from server_tracking.hits import (
    Context,
    Event,
    ExceptionHit,
    Hit,
    PageView,
    Scalar,
)
from server_tracking.notices import HEADER, notice_of, wants_notice
from server_tracking.reasons import Reason
from server_tracking.titles import TitleReader, content_charset
from server_tracking.tracker import Tracker, collector
from server_tracking.withdrawals import tell_withdrawal

__all__ = ["OBSERVED", "Observation", "current", "guarded"]

OBSERVED = "server_tracking.observed"
"""Key in an environ or a scope that marks a request which some shell observes."""

logger = logging.getLogger("server_tracking")

T = TypeVar("T")
Source = TypeVar("Source")


def current() -> Observation | None:
    """Return the observation of the request that is being served, if there is one."""
    here = collector.get()
    return here if isinstance(here, Observation) else None


def guarded(tracker: Tracker, default: T, step: Callable[..., T], *args: Any) -> T:
    """Do *step*; if it fails, count and log the error and return *default*.

    With ``strict=True`` the error is raised instead.
    """
    try:
        return step(*args) if args else step()
    except Exception as error:
        if tracker.settings.strict:
            raise
        tracker.note_error(error)
        return default


class Observation:
    """One request while it is served.

    Handlers may set *title*, put properties of the page view into `params`, call
    `event`, `pageview`, `identify` and `skip`, and read `context`.
    """

    # Most requests change few of these; class attributes cost nothing to "set".
    title: str | None = None
    status: int | None = None
    closed: bool = False
    attentive: bool = True
    """Whether the head of the answer matters: for a page view or an event."""
    wants_body: bool = False
    events_only: bool = False  # the rules make no page view of it, and no exception
    _page_refusal: Reason | None = None
    _is_page: bool = False
    _page_by_hand: bool = False
    _skipped: bool = False
    _noted_title: str | None = None
    _route: str | None = None
    _user_id: str | None = None
    _encoding: str | None = None
    _server_ms: float | None = None
    _failure: Mapping[str, Any] | None = None
    _error_type: str | None = None
    _reader: TitleReader | None = None
    _request: Request | None = None
    _recognition: Recognition | None = None
    _draft: ContextDraft | None = None
    _params: dict[str, Scalar] | None = None
    _hits: list[tuple[type[Hit], Mapping[str, Any]]] | None = None

    def __init__(
        self,
        tracker: Tracker,
        source: Source,
        request_from: Callable[[Source, AddressRule], Request],
    ) -> None:
        self.tracker = tracker
        self._source: Source | None = source
        self._request_from: Callable[..., Request] = request_from
        self._begun = time.perf_counter()
        # Where the site's own rule fails, nothing counts.
        self._page_refusal = Reason.UNRESOLVED
        guarded(tracker, None, self._judge)

    # For handlers.

    @property
    def request(self) -> Request:
        """The request as it came; most of it is read when it is first asked for."""
        if self._request is None:
            rule = self.tracker.extractor.address_rule
            self._request = self._request_from(self._source, rule)
        return self._request

    @property
    def params(self) -> dict[str, Scalar]:
        """Properties that go into the page view."""
        if self._params is None:
            self._params = {}
        return self._params

    @property
    def context(self) -> Context:
        """The context of a hit made now, with the title as far as it is known."""
        draft = self._draft
        return self._make_context() if draft is None else draft.context

    def event(
        self,
        category: str,
        action: str | None = None,
        label: str | None = None,
        value: float | None = None,
        *,
        params: Mapping[str, Scalar] | None = None,
        extra: Mapping[str, Mapping[str, Any]] | None = None,
        non_interaction: bool = False,
    ) -> None:
        """Track an event in this request."""
        fields: dict[str, Any] = {
            "category": category,
            "action": action,
            "label": label,
            "value": value,
            "non_interaction": non_interaction,
        }
        if params:
            fields["params"] = dict(params)
        if extra:
            fields["extra"] = dict(extra)
        self.add(Event, fields)

    def pageview(
        self, title: str | None = None, params: Mapping[str, Scalar] | None = None
    ) -> None:
        """Count this request as a page view, whatever the rules say of it; once."""
        self._page_by_hand = self.attentive = True
        if title is not None:
            self.title = title
        if params:
            self.params.update(params)

    def identify(self, user_id: str | None) -> None:
        """Name the visitor to the systems: an opaque id, never a mail address."""
        self._user_id = user_id

    def skip(self) -> None:
        """Send nothing of this request."""
        self._skipped = True

    # For adapters.

    def note(self, *, title: str | None = None, route: str | None = None) -> None:
        """Note what only the framework knows.

        *title* wins over the one in the HTML, and loses to one set by a handler.
        """
        if title is not None:
            self._noted_title = title
        if route is not None:
            self._route = route

    def add(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:
        """Keep a hit until the end of the request, or send it if that has passed."""
        guarded(self.tracker, None, self._add, kind, fields)

    def context_for(self, tracker: Tracker) -> Context | None:
        """Make the context of a hit of *tracker*; None if nothing may be sent."""
        return guarded(self.tracker, None, self._context_for, tracker)

    # For shells.

    def respond(
        self, status: int, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Take the head of the answer; return the headers to add to it.

        May be called again if the application begins its answer anew.
        """
        nothing: list[tuple[str, str]] = []
        added = guarded(self.tracker, nothing, self._respond, status, headers)
        if not self.tracker.settings.explain_header:
            return added
        told = guarded(self.tracker, nothing, self._notices, status, headers)
        return [*added, *told]

    def feed(self, chunk: bytes) -> None:
        """Look at a piece of the body, while `wants_body` is true."""
        guarded(self.tracker, None, self._feed, chunk)

    def fail(self, error: BaseException) -> None:
        """Take the *error* that the application raised, or made an answer of."""
        # Messages of errors are full of personal data; their types are not.
        self._error_type = type(error).__name__
        if isinstance(error, Exception):
            guarded(self.tracker, None, self._note_failure, 500)

    def close(self) -> None:
        """Make the page view and hand all hits to the sender, exactly once.

        Events that come later, from background tasks, are sent at once.
        """
        if not self.closed:
            self.closed = True
            tracker = self.tracker
            if logger.isEnabledFor(logging.DEBUG):
                guarded(tracker, None, self._tell)
            if self.attentive:
                guarded(tracker, None, self._close)
            else:
                self._count_no_page()
            if tracker.blocks and tracker.settings.defer == "request":
                tracker.flush(tracker.settings.timeout)

    def release(self) -> None:
        """Let go of the source of the request: its server may use it again."""
        self._source = self._request = self._reader = None
        if collector.get() is self:
            collector.set(None)

    # The work itself; raises freely.

    def _judge(self) -> None:
        # Read now: for what is mounted, frameworks rewrite the path in the source
        # (Bottle, Starlette, Werkzeug's dispatcher).
        tracker = self.tracker
        extractor = tracker.extractor
        request = self._request_from(self._source, extractor.address_rule)
        self._request = request
        self._page_refusal = refusal = extractor.page_refusal(request, robots=True)
        if refusal is not None:
            self.attentive = tracker.settings.heeds_every_answer

    def _respond(
        self, status: int, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        self.status = status
        self._server_ms = (time.perf_counter() - self._begun) * 1000
        head = {name.lower(): value for name, value in headers}
        self._judge_answer(status, head)
        self._failure = None
        if status >= 400:
            self._note_failure(status)
        # Whoever was recognised for a handler has to be known the next time.
        if not (self._is_page or self._hits or self._recognition is not None):
            return []
        recognition = self._recognize()
        if recognition.refusal is not None:
            self.wants_body = False
        cookies = self.tracker.extractor.cookies(self.request, recognition, time.time())
        if not (cookies and may_carry_cookie(status, head.get("cache-control"))):
            return []
        if recognition.refusal is Reason.DENIED:
            said = (self.tracker.extractor, self.request, recognition)
            guarded(self.tracker, None, tell_withdrawal, *said)
        return [("Set-Cookie", cookie) for cookie in cookies]

    def _judge_answer(self, status: int, head: Mapping[str, str]) -> None:
        content_type = head.get("content-type")
        if self._page_refusal is None or self._page_refusal in _BY_ANSWER:
            self._page_refusal = refusal_of_response(
                status,
                content_type,
                head.get("content-disposition"),
                self.tracker.settings.page_view_rules,
                inertia=head.get("x-inertia") == "true",
            )
        by_rule = self._page_refusal is None and not self.events_only
        self._is_page = by_rule or self._page_by_hand
        self._encoding = content_charset(content_type) if content_type else None
        self._reader = None
        if (
            self._is_page
            and status != 304
            and not (self.title or self._noted_title)
            and self.tracker.settings.read_titles
        ):
            self._reader = TitleReader(head.get("content-encoding"), self._encoding)
        self.wants_body = self._reader is not None and not self._reader.done

    def _notices(
        self, status: int, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Say what was decided, to one of the site's own people who asks for it."""
        head = {name.lower(): value for name, value in headers}
        if not (
            may_carry_cookie(status, head.get("cache-control"))
            and wants_notice(self.tracker.settings, self.request)
        ):
            return []
        recognition = self._recognize()
        return [(HEADER, notice_of(self._page_refusal, self._is_page, recognition))]

    def _note_failure(self, status: int) -> None:
        """Keep one exception for an answer, or an error, that the settings name."""
        settings = self.tracker.settings
        if not settings.tracks_errors or self.events_only:
            return
        wanted = (
            settings.pageview_na_exceptions
            if status == 404
            else settings.pageview_server_exceptions
        )
        if wanted and (
            settings.pageview_ajax_exceptions or self._page_refusal in _NAVIGATIONS
        ):
            if (
                status == 404
                and settings.collapse_scanners
                and is_probe(self.request.path_info)
            ):
                self.tracker.count(Reason.SCANNER)
                return
            description = self._error_type or f"HTTP {status}"
            self._failure = {"description": description, "fatal": status >= 500}

    def _feed(self, chunk: bytes) -> None:
        if self._reader is not None:
            self._reader.feed(chunk)
            self.wants_body = not self._reader.done

    def _recognize(self) -> Recognition:
        if self._recognition is None:
            self.attentive = True
            # Whoever cannot be asked what they allow has allowed nothing.
            self._recognition = guarded(
                self.tracker,
                UNRECOGNIZED,
                recognized,
                self.tracker.extractor,
                self.tracker.systems,
                self.request,
            )
        return self._recognition

    def _refusal(self) -> Reason | None:
        if self._skipped:
            return Reason.SKIPPED
        if self._recognition is None and self._source is None:
            return Reason.CLOSED
        return self._recognize().refusal

    def _make_context(self) -> Context:
        return self.tracker.extractor.context(
            self.request,
            self._recognize(),
            title=self._told_title,
            route=self._route,
            encoding=self._encoding,
            user_id=self._user_id,
        )

    @property
    def _told_title(self) -> str | None:
        read = self._reader.title if self._reader is not None else None
        return self.title or self._noted_title or read

    def _context_for(self, tracker: Tracker) -> Context | None:
        refusal = self._refusal()
        if refusal is not None:
            tracker.count(refusal)
            return None
        return self.context

    def _add(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:
        if not self.closed:
            self._keep(kind, fields)
            return
        context = self._context_for(self.tracker)
        if context is None:
            return
        tracker, agent = self.tracker, self._recognize().agent
        told = tracker if agent is None else _tracker_of(agent, tracker)
        told.send(kind(context=context, **_marked(fields, agent)))

    def _tell(self) -> None:
        """Log what was decided; nothing of it is personal."""
        notice = notice_of(self._page_refusal, self._is_page, self._recognition)
        logger.debug("A request: %s; events=%d", notice, len(self._hits or ()))

    def _close(self) -> None:
        if self._failure is not None:
            self._keep(ExceptionHit, self._failure)
        if not (self._is_page or self._hits):
            self._count_no_page()
            return
        refusal = self._refusal()
        if refusal is not None:
            self.tracker.count(refusal)
            return
        self._submit()

    def _submit(self) -> None:
        tracker, recognition = self.tracker, self._recognize()
        self._draft = draft = ContextDraft(
            tracker.extractor,
            self.request,
            recognition,
            title=self._told_title,
            route=self._route,
            encoding=self._encoding,
            user_id=self._user_id,
        )
        agent = recognition.agent
        told = tracker if agent is None else _tracker_of(agent, tracker)
        if self._is_page:
            fields: dict[str, Any] = {"time": time.time(), "server_ms": self._server_ms}
            if self._params:
                fields["params"] = dict(self._params)
            told.submit(HitDraft(PageView, _marked(fields, agent), draft))
        else:
            self._count_no_page()
        for kind, fields_of_hit in self._hits or ():
            told.submit(HitDraft(kind, _marked(fields_of_hit, agent), draft))

    def _count_no_page(self) -> None:
        if not self.events_only:
            self.tracker.count(self._page_refusal or Reason.UNANSWERED)

    def _keep(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:
        if self._hits is None:
            self._hits = []
            self.attentive = True
        self._hits.append((kind, {"time": time.time(), **fields}))


_BY_ANSWER = frozenset({Reason.STATUS, Reason.NOT_HTML, Reason.DOWNLOAD})
_NAVIGATIONS = frozenset({None, Reason.METHOD, *_BY_ANSWER})


def _marked(fields: Mapping[str, Any], agent: Agent | None) -> Mapping[str, Any]:
    """Say in the properties of a hit which AI agent made it, if one did."""
    if agent is None:
        return fields
    marks = {"ai_agent": agent.name, "ai_agent_kind": agent.kind}
    return {**fields, "params": {**fields.get("params", {}), **marks}}


def _tracker_of(agent: Agent, tracker: Tracker) -> Tracker:
    """Return the tracker to tell: that of AI agents if *agent* is routed there."""
    routed = tracker.settings.agent_policies[agent.kind] == "route"
    return tracker.agents if routed and tracker.agents is not None else tracker
