"""The context of a hit that is made by hand, with the middleware or without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from server_tracking.browser_tags import recognized
from server_tracking.cookies import may_carry_cookie
from server_tracking.exchange import Request, Response
from server_tracking.extractor import (
    UNRECOGNIZED,
    Extractor,
    extractor_from,
    get_title,
)
from server_tracking.hits import Consent, Context
from server_tracking.observation import guarded
from server_tracking.reasons import Reason
from server_tracking.recognition import Recognition, nobody
from server_tracking.settings import Settings
from server_tracking.systems import System
from server_tracking.titles import content_charset
from server_tracking.tracker import Tracker
from server_tracking.withdrawals import tell_withdrawal

__all__ = ["get_default_parameters"]

T = TypeVar("T")


def get_default_parameters(
    request: Request,
    response: Response | None = None,
    *,
    title: str | None = None,
    settings: Settings | None = None,
    tracker: Tracker | None = None,
) -> Context:
    """Extract all that *request* tells about a hit.

    Given the *response* too, its title is found (unless *title* is what a framework
    knows of it), and the cookies that identity and session need are appended to its
    headers, where it may carry cookies. If nothing may be sent for the request, the
    context says so in its consent, and no system tells anything made with it.

    The settings of *tracker* count, and ids that tags of its systems have given the
    visitor are adopted where those want it. What a function of the site's own fails
    with is counted there, and nothing may be sent then. Without a tracker *settings*
    count, or the defaults, and such an error is raised.
    """
    if tracker is not None and settings is not None:
        raise TypeError("A tracker has settings of its own: give one of the two.")
    systems: Sequence[System] = ()
    if tracker is None:
        extractor = extractor_from(settings or Settings())
    else:
        extractor, systems = tracker.extractor, tracker.systems
    recognize = partial(recognized, extractor, systems, request)
    recognition = _done(tracker, UNRECOGNIZED, recognize)
    encoding = None
    if response is not None:
        title = title or get_title(response)
        encoding = content_charset(response.header("content-type") or "")
        _set_cookies(extractor, request, response, recognition, tracker)
    tell = partial(
        extractor.context, request, recognition, title=title, encoding=encoding
    )
    untold = Context(*nobody(time.time(), None), consent=Consent(analytics=False))
    return _done(tracker, untold, tell)


def _set_cookies(
    extractor: Extractor,
    request: Request,
    response: Response,
    recognition: Recognition,
    tracker: Tracker | None,
) -> None:
    cookies = extractor.cookies(request, recognition, time.time())
    if not (
        cookies and may_carry_cookie(response.status, response.header("cache-control"))
    ):
        return
    response.headers += [("Set-Cookie", value) for value in cookies]
    if recognition.refusal is Reason.DENIED:
        tell = partial(tell_withdrawal, extractor, request, recognition)
        _done(tracker, None, tell)


def _done(tracker: Tracker | None, default: T, step: Callable[[], T]) -> T:
    """Do *step*; what fails is counted by *tracker*, if there is one."""
    return step() if tracker is None else guarded(tracker, default, step)
