"""Why a request is tracked or not: each decision, with what it went by."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from server_tracking.browser_tags import recognized
from server_tracking.consent import ConsentState, Decision
from server_tracking.cookies import cookie_value
from server_tracking.exchange import Request, Response
from server_tracking.extractor import Extractor, Recognition, get_title
from server_tracking.filters import refusal_of_response
from server_tracking.hits import Context, PageView
from server_tracking.reasons import Reason
from server_tracking.scrubbing import scrubbed_text
from server_tracking.settings import Settings
from server_tracking.systems import System, may_be_told
from server_tracking.traits import device_of

__all__ = ["Explanation", "Step", "explanation_of"]


class Step(msgspec.Struct, frozen=True):
    """One decision: what was asked, what came out, and what it went by."""

    question: str
    answer: str
    source: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """What becomes of a request.

    *page_view* is True if it counts as one (given an answer, or if its answer is
    HTML with status 200 or 304), *reason* says why not. *events* tells whether an
    event in it would be sent. *context* is what its hits would say, or None.
    """

    page_view: bool
    events: bool
    reason: Reason | None
    steps: tuple[Step, ...]
    context: Context | None = None

    def __str__(self) -> str:
        if self.page_view:
            head = "A page view."
        else:
            head = f"No page view: {self.reason}. " if self.reason else "No page view. "
            head += self.reason.meaning if self.reason else ""
        width = max((len(step.question) for step in self.steps), default=0)
        lines = [
            f"  {step.question:{width}}  {step.answer}"
            + (f"  ({step.source})" if step.source else "")
            for step in self.steps
        ]
        return "\n".join([head, *lines])


def explanation_of(
    request: Request,
    response: Response | None,
    extractor: Extractor,
    systems: Iterable[System],
) -> Explanation:
    """Decide for *request* as the middleware does, and write down how."""
    now = time.time()
    steps: list[Step] = []
    reason = _page_refusal(request, response, extractor, steps)
    systems = tuple(systems)
    recognition = recognized(extractor, systems, request)
    steps += _consent_steps(request, recognition, extractor)
    if recognition.refusal is not None:
        meaning = recognition.refusal.meaning
        steps.append(Step("may be told", f"nothing: {recognition.refusal}", meaning))
        return Explanation(False, False, recognition.refusal, tuple(steps))
    title = get_title(response) if response is not None else None
    context = extractor.context(request, recognition, title=title)
    steps += _context_steps(request, context, recognition, extractor)
    steps += _system_steps(systems, context, now)
    return Explanation(reason is None, True, reason, tuple(steps), context)


def _page_refusal(
    request: Request,
    response: Response | None,
    extractor: Extractor,
    steps: list[Step],
) -> Reason | None:
    header = request.headers.get
    reason = extractor.page_refusal(request)
    said = ", ".join(
        f"{name}: {value}" for name in _REQUEST_HEADERS if (value := header(name))
    )
    said = scrubbed_text(said, _LONGEST_SOURCE)
    steps.append(
        Step("request", "may be a page view" if reason is None else str(reason), said)
    )
    if response is None or reason is not None:
        return reason
    reason = refusal_of_response(
        response.status,
        response.header("content-type"),
        response.header("content-disposition"),
        extractor.settings.page_view_rules,
        inertia=response.header("x-inertia") == "true",
    )
    said = f"status {response.status}, {response.header('content-type')}"
    answer = "a page" if reason is None else str(reason)
    steps.append(Step("answer", answer, said))
    return reason


_LONGEST_SOURCE = 500
_REQUEST_HEADERS = (
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-purpose",
    "purpose",
    "x-sec-purpose",
    "x-requested-with",
    "hx-request",
    "turbo-frame",
    "accept",
)


def _consent_steps(
    request: Request, recognition: Recognition, extractor: Extractor
) -> list[Step]:
    settings = extractor.settings
    decided = recognition.decision
    keeps = "for 395 days" if decided.keep else "for this session of the browser"
    stored = f"an id, {keeps}" if decided.stored else "nothing"
    return [
        Step("consent", decided.state, _consent_source(decided, extractor)),
        Step("mode", settings.consent_mode, f"stored: {stored}"),
        Step("user agent", device_of(request.headers.get).user_agent or "none"),
    ]


def _consent_source(decided: Decision, extractor: Extractor) -> str:
    settings = extractor.settings
    if decided.source == "resolver":
        return "consent_resolver"
    if decided.source == "action":
        return f"cookie {settings.cookie_action}"
    if decided.state is ConsentState.UNKNOWN:
        return "nobody has said anything"
    if decided.state is ConsentState.SIGNALLED:
        return "Sec-GPC or DNT"
    return f"cookie {settings.cookie_status}"


def _context_steps(
    request: Request,
    context: Context,
    recognition: Recognition,
    extractor: Extractor,
) -> list[Step]:
    settings = extractor.settings
    session, page = context.session, context.page
    cookies = request.headers.get("cookie")
    had_cookie = cookie_value(cookies, settings.cookie_name) is not None
    known = recognition.session is not None and not (
        recognition.session.is_new and recognition.session.number == 1
    )
    by = f"cookie {settings.cookie_name}"
    if not known:
        by += " is not ours, or too old" if had_cookie else " is not there"
    if not recognition.decision.stored:
        by = "a hash of browser and address, for today; nothing is stored"
    return [
        Step("visitor", "known" if known else "new", by),
        *_tag_steps(context, settings),
        Step("visit", f"no. {session.number}", "new" if session.is_new else "goes on"),
        Step("address", context.address or "not told", _address_source(extractor)),
        Step("url", page.url or "unknown", "without what may be personal"),
        Step("title", page.title or "unknown"),
        Step("referrer", page.referrer or "none"),
        Step("language", context.device.language or "unknown", "accept-language"),
        Step("campaign", context.campaign.source or "none"),
    ]


def _tag_steps(context: Context, settings: Settings) -> list[Step]:
    if not settings.adopt_browser_ids:
        return []
    named = ", ".join(ids.system for ids in context.visitor.browser_ids)
    return [Step("ids of browser tags", named or "none", "adopt_browser_ids")]


def _address_source(extractor: Extractor) -> str:
    settings = extractor.settings
    if settings.trusted_proxies or settings.trusted_hops:
        return f"by trusted proxies, from {settings.forwarded_header}"
    return "the peer; no proxy is trusted"


def _system_steps(
    systems: Iterable[System], context: Context, now: float
) -> Iterable[Step]:
    hit = PageView(context=context, time=now)
    for system in systems:
        if not may_be_told(system, context.consent):
            why = "it uses data for ends of its own, and the visitor has not agreed"
            yield Step(system.name, "is told nothing", why)
            continue
        told = any(call.hits for call in system.encode([hit], now))
        problems = "; ".join(
            f"{problem.field}: {problem.message}" for problem in system.problems(hit)
        )
        yield Step(system.name, "is told" if told else "cannot be told", problems)
