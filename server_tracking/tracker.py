"""Tracker: what an application configures once and keeps."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Protocol, Self

from msgspec.structs import replace

from server_tracking.agents import check_routes
from server_tracking.errors import ConfigurationError, whereabouts
from server_tracking.exchange import Request, Response
from server_tracking.explanation import Explanation, explanation_of
from server_tracking.extractor import Extractor, extractor_from
from server_tracking.hits import (
    Consent,
    Context,
    Event,
    ExceptionHit,
    Hit,
    Item,
    PageView,
    ProductAction,
    ProductStep,
    Purchase,
    Refund,
    Scalar,
    ScreenView,
    Session,
    Social,
    Timing,
    Visitor,
)
from server_tracking.reasons import Reason
from server_tracking.scrubbing import scrubbed_hit, scrubbed_text
from server_tracking.senders import Draft, Sender, Stats
from server_tracking.senders.hooks import FAILURES
from server_tracking.senders.thread import ThreadSender
from server_tracking.settings import ENVIRONMENT_PREFIX, Settings
from server_tracking.systems import System, system_from_url
from server_tracking.visitors import new_client_id

__all__ = ["HitCollector", "Tracker", "collector"]

logger = logging.getLogger("server_tracking")

Params = Mapping[str, Scalar]
Extra = Mapping[str, Mapping[str, Any]]


class HitCollector(Protocol):
    """Where hits that are made during a request wait for its end."""

    tracker: Tracker

    def pageview(self, title: str | None, params: Params | None) -> None:
        """Count the request as a page view."""
        ...

    def add(self, kind: type[Hit], fields: Mapping[str, Any]) -> None:
        """Keep a hit of *kind* until its context is complete."""
        ...

    def context_for(self, tracker: Tracker) -> Context | None:
        """Make the context of a hit now; None if nothing may be sent."""
        ...


collector: ContextVar[HitCollector | None] = ContextVar(
    "server_tracking.collector", default=None
)
"""The collector of the request that is being served, set anew for each request."""


class Tracker:
    """Send hits to *systems* through *sender*, by *settings*.

    *agents* is another tracker, for the AI agents that settings route there.

    *sender* is a `ThreadSender` if not given (an `InlineSender` with
    ``defer=None``). *options* are fields of `Settings`, and win over *settings*.
    Raises `ConfigurationError` for whatever is wrong. Nothing is started before
    the first hit.
    """

    def __init__(
        self,
        *systems: System,
        sender: Sender | None = None,
        settings: Settings | None = None,
        agents: Tracker | None = None,
        **options: Any,
    ) -> None:
        for system in systems:
            if not isinstance(system, System):
                raise ConfigurationError(
                    f"Tracker takes analytics systems, not {type(system).__name__}; "
                    "other options go by name.",
                    option="systems",
                )
        if len(set(systems)) < len(systems):
            raise ConfigurationError(
                "The same analytics system is given twice; it would count all twice.",
                option="systems",
            )
        self.systems = systems
        self.settings = _settings_from(settings, options)
        self.agents = agents
        check_routes(self.settings.agent_policies, isinstance(agents, Tracker))
        self.extractor: Extractor = extractor_from(self.settings)
        self.sender: Sender = sender or _sender_from(self.settings)
        self.sender.bind(systems)
        at_once = getattr(self.sender, "blocking", False)
        self.blocks = at_once or self.settings.defer == "request"
        """Whether a request waits for what it sends."""
        self._takes_drafts = getattr(self.sender, "takes_drafts", False)
        self._lock = threading.Lock()
        self._not_tracked: Counter[str] = Counter()
        self._errors = 0
        self._server = _server_context()
        if not self.settings.secret_keys:
            logger.warning(
                "No secret_key is set: visitors will be new after each restart and to "
                "each worker process."
            )

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Self:
        """Make a tracker from one mapping.

        ``systems`` is a list of systems or of their URLs, ``sender`` a sender,
        ``agents`` the tracker of AI agents; all else are fields of `Settings`.
        """
        rest = dict(options)
        systems = rest.pop("systems", ())
        sender = rest.pop("sender", None)
        agents = rest.pop("agents", None)
        made = [
            system_from_url(system) if isinstance(system, str) else system
            for system in (systems.split() if isinstance(systems, str) else systems)
        ]
        settings = Settings.from_mapping(rest)
        return cls(*made, sender=sender, settings=settings, agents=agents)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] = os.environ, *, sender: Sender | None = None
    ) -> Self:
        """Make a tracker from environment variables: ``SERVER_TRACKING_<NAME>``.

        ``SERVER_TRACKING_SYSTEMS`` is a space-separated list of system URLs.
        """
        urls = environ.get(f"{ENVIRONMENT_PREFIX}SYSTEMS", "").split()
        return cls(
            *map(system_from_url, urls),
            sender=sender,
            settings=Settings.from_env(environ),
        )

    def __repr__(self) -> str:
        names = ", ".join(system.name for system in self.systems)
        return f"<Tracker of {names or 'no system'} by {type(self.sender).__name__}>"

    # What happened. Each method takes the context of the request that is being
    # served; outside of one, hits are those of the server itself.

    def pageview(
        self,
        *,
        title: str | None = None,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track a page view.

        Without *context*, the request that is being served counts as a page view,
        whatever the rules say of it, and once.
        """
        here = collector.get()
        if context is None and here is not None and here.tracker is self:
            here.pageview(title, params)
            return
        if context is None:
            context = self._context()
        if context is not None and title is not None:
            page = replace(context.page, title=scrubbed_text(title, 512))
            context = replace(context, page=page)
        if context is not None:
            self._track(PageView, {}, params, extra, context)

    def screenview(
        self,
        name: str,
        *,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track that the screen *name* of an application was shown."""
        self._track(ScreenView, {"name": name}, params, extra, context)

    def event(
        self,
        category: str,
        action: str | None = None,
        label: str | None = None,
        value: float | None = None,
        *,
        params: Params | None = None,
        extra: Extra | None = None,
        non_interaction: bool = False,
        context: Context | None = None,
    ) -> None:
        """Track an event."""
        fields = {
            "category": category,
            "action": action,
            "label": label,
            "value": value,
            "non_interaction": non_interaction,
        }
        self._track(Event, fields, params, extra, context)

    def exception(
        self,
        description: str | None = None,
        *,
        fatal: bool = True,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track an error. Put nothing personal into *description*."""
        fields = {"description": description, "fatal": fatal}
        self._track(ExceptionHit, fields, params, extra, context)

    def timing(
        self,
        category: str,
        variable: str,
        value: float,
        label: str | None = None,
        *,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track that something took *value* milliseconds."""
        fields = {
            "category": category,
            "variable": variable,
            "value": value,
            "label": label,
        }
        self._track(Timing, fields, params, extra, context)

    def social(
        self,
        network: str,
        action: str,
        target: str,
        *,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track *action* (like, share) with *target* on a social *network*."""
        fields = {"network": network, "action": action, "target": target}
        self._track(Social, fields, params, extra, context)

    def purchase(
        self,
        transaction_id: str,
        items: Sequence[Item] = (),
        *,
        revenue: Decimal | None = None,
        tax: Decimal | None = None,
        shipping: Decimal | None = None,
        currency: str | None = None,
        coupon: str | None = None,
        affiliation: str | None = None,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track an order; see `Purchase` for its fields."""
        fields = {
            "transaction_id": transaction_id,
            "items": tuple(items),
            "revenue": revenue,
            "tax": tax,
            "shipping": shipping,
            "currency": currency,
            "coupon": coupon,
            "affiliation": affiliation,
        }
        self._track(Purchase, fields, params, extra, context)

    def refund(
        self,
        transaction_id: str,
        items: Sequence[Item] = (),
        *,
        revenue: Decimal | None = None,
        currency: str | None = None,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track that an order was paid back: wholly, or *items* of it."""
        fields = {
            "transaction_id": transaction_id,
            "items": tuple(items),
            "revenue": revenue,
            "currency": currency,
        }
        self._track(Refund, fields, params, extra, context)

    def product_action(
        self,
        action: ProductStep,
        items: Sequence[Item] = (),
        *,
        list_name: str | None = None,
        step: int | None = None,
        option: str | None = None,
        currency: str | None = None,
        params: Params | None = None,
        extra: Extra | None = None,
        context: Context | None = None,
    ) -> None:
        """Track what a visitor did with *items*; see `ProductAction`."""
        fields = {
            "action": action,
            "items": tuple(items),
            "list_name": list_name,
            "step": step,
            "option": option,
            "currency": currency,
        }
        self._track(ProductAction, fields, params, extra, context)

    def send(self, hit: Hit) -> bool:
        """Hand a complete *hit* to the sender; True if every system's lane took it.

        Its texts are scrubbed of personal data. One whose consent says no goes nowhere.
        """
        if hit.context.consent.analytics is False:
            self.count(Reason.DENIED)
            return False
        try:
            clean = scrubbed_hit(hit, self.settings.own_scrubber)
        except FAILURES as error:  # of the site's own scrubber: nothing raw leaves
            if self.settings.strict:
                raise
            self.note_error(error)
            return False
        return self.sender.send(clean)

    def submit(self, draft: Draft) -> bool:
        """Hand a *draft* to a sender that takes one, or else its hit.

        Whoever makes it has seen that the visitor allows it.
        """
        given = draft if self._takes_drafts else draft.hit()
        return self.sender.send(given)  # type: ignore[arg-type]

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait at most *timeout* seconds until all hits so far have an end."""
        return self.sender.flush(timeout)

    async def aflush(self, timeout: float = 10.0) -> bool:  # noqa: ASYNC109 - as flush
        """Flush without holding up the event loop."""
        from anyio import to_thread  # when needed: it takes 5 ms

        return await to_thread.run_sync(self.flush, timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Refuse further hits, flush, and free what the sender holds."""
        return self.sender.close(timeout)

    async def aclose(self, timeout: float = 10.0) -> bool:  # noqa: ASYNC109 - as close
        """Close without holding up the event loop."""
        from anyio import to_thread

        return await to_thread.run_sync(self.close, timeout)

    def stats(self) -> Stats:
        """Count what became of all hits in this process."""
        systems = self.sender.stats()
        with self._lock:
            untracked, errors = dict(self._not_tracked), self._errors
        return Stats(systems=systems, not_tracked=untracked, errors=errors)

    def explain(
        self, request: Request, response: Response | None = None
    ) -> Explanation:
        """Say what becomes of *request* (and its *response*), and why; sends nothing."""
        return explanation_of(request, response, self.extractor, self.systems)

    def own_cookie(self, request: Request, *, marked: bool = True) -> str:
        """Write the Set-Cookie value of who is never tracked, or is again."""
        return self.extractor.own_cookie(request, time.time(), marked=marked)

    def count(self, reason: Reason) -> None:
        """Count a request or a hit that was not tracked."""
        with self._lock:
            self._not_tracked[reason] += 1

    def note_error(self, error: BaseException) -> None:
        """Count and log an *error* of our own that was kept from the site."""
        with self._lock:
            self._errors = count = self._errors + 1
        # The 1st, 2nd, 4th, 8th ... error: never a line for each request. Messages of
        # errors may hold personal data: strict=True shows them, no log does.
        if count & (count - 1) == 0:
            name = type(error).__name__
            logger.warning("Tracking failed with %s, error no. %d", name, count)
            logger.debug("It came from %s", whereabouts(error))

    def _track(
        self,
        kind: type[Hit],
        fields: dict[str, Any],
        params: Params | None,
        extra: Extra | None,
        context: Context | None,
    ) -> None:
        if params:
            fields["params"] = dict(params)
        if extra:
            fields["extra"] = dict(extra)
        if context is None:
            here = collector.get()
            if here is not None and here.tracker is self:
                here.add(kind, fields)
                return
            context = self._context()
            if context is None:
                return
        self.send(kind(context=context, **fields))

    def _context(self) -> Context | None:
        here = collector.get()
        return self._server if here is None else here.context_for(self)


def _settings_from(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    if settings is None:
        return Settings.from_mapping(options)
    if not options:
        return settings
    given = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Settings.from_mapping({**given, **options})


def _sender_from(settings: Settings) -> Sender:
    if settings.defer is None:
        from server_tracking.senders.inline import InlineSender

        return InlineSender(timeout=settings.timeout)
    return ThreadSender(timeout=settings.timeout)


def _server_context() -> Context:
    """Make the context of hits outside of a request: the server itself, no person."""
    now = time.time()
    return Context(
        Visitor(new_client_id(now)),
        Session(id=int(now)),
        consent=Consent(analytics=True),
    )
