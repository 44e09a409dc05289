"""Adopt the ids that systems' own tags keep in the browser, for a site that runs both.

Each system reads its own cookies; of the Cookie header itself nothing gets into hits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec

from server_tracking.cookies import plain_cookies
from server_tracking.exchange import Request
from server_tracking.extractor import Extractor
from server_tracking.hits import BrowserIds
from server_tracking.recognition import Recognition
from server_tracking.systems import System, has_tag, may_be_told

__all__ = ["recognized", "with_browser_ids"]


def recognized(
    extractor: Extractor, systems: Sequence[System], request: Request
) -> Recognition:
    """Recognise who makes *request* now, by tags of *systems* too if settings say so."""
    now = time.time()
    recognition = extractor.recognize(request, now)
    if extractor.settings.adopt_browser_ids:
        return with_browser_ids(recognition, request, systems, now)
    return recognition


def with_browser_ids(
    recognition: Recognition, request: Request, systems: Iterable[System], now: float
) -> Recognition:
    """Add to *recognition* what the tags of *systems* call the visitor.

    Only of a visitor whose id may be stored, and only for systems that may be told of
    them: nothing is read of one who refused, nor in cookieless mode before acceptance.
    """
    decided = recognition.decision
    if recognition.refusal is not None or not decided.stored:
        return recognition
    if recognition.identity is None:  # a robot that is told of; it has no visitor
        return recognition
    tagged = [
        system
        for system in systems
        if may_be_told(system, decided.consent) and has_tag(system)
    ]
    cookies = plain_cookies(request.headers.get("cookie")) if tagged else {}
    if not cookies:
        return recognition
    found: list[BrowserIds] = []
    for system in tagged:
        ids = system.browser_ids(cookies, now)
        if ids is not None:
            found.append(ids)
    return msgspec.structs.replace(recognition, browser_ids=tuple(found))
