"""What Umami's answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.wire import json_object_from

__all__ = ["outcome_of"]

_NOT_FOUND = "website not found"


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what an answer means.

    A batch is answered with 200 even if all of it failed; which failed it says by
    number. That bots were thrown away it says only of a hit that came alone.
    """
    answer = json_object_from(body)
    outcome = Outcome.of_status(status, headers)
    if outcome.verdict is not Verdict.DELIVERED:
        return _of_error(answer, status) or outcome
    if "beep" in answer:
        return Outcome(Verdict.DROPPED, "bot")
    return _of_details(call, answer.get("details"))


def _of_error(answer: Mapping[str, Any], status: int) -> Outcome | None:
    """Read the error of Umami's own; None if it is somebody else's, or says no more."""
    error = answer.get("error")
    text = error.get("message") if isinstance(error, Mapping) else error
    if status in (400, 404) and _NOT_FOUND in str(text).lower():
        return Outcome(Verdict.RETRY, "website_not_found", misconfigured=True)
    code = error.get("code") if isinstance(error, Mapping) else None
    if status == 403 and code == "forbidden":
        # Not the door: this visitor's address is on the list of ignored ones.
        return Outcome(Verdict.DROPPED, "ignored_address")
    return None


def _of_details(call: Call, details: object) -> Outcome:
    """Tell the hits apart that a batch says have failed."""
    failed: dict[UUID, Outcome] = {}
    for detail in details if isinstance(details, list) else ():
        index = detail.get("index") if isinstance(detail, dict) else None
        if type(index) is int and 0 <= index < len(call.hits):
            failed[call.hits[index]] = _of_detail(detail.get("response"))
    outcomes = list(failed.values())
    if len(failed) == len(call.hits) and all(o == outcomes[0] for o in outcomes):
        return outcomes[0]
    return Outcome(Verdict.DELIVERED, exceptions=failed)


def _of_detail(response: object) -> Outcome:
    answer = response if isinstance(response, dict) else {"error": response}
    error = answer.get("error")
    status = error.get("status") if isinstance(error, dict) else 400
    if known := _of_error(answer, status if isinstance(status, int) else 400):
        return known
    if status == 400:
        return Outcome(Verdict.REJECTED, "invalid")
    # A failure may come after the page was stored, before its data was.
    return Outcome(Verdict.UNKNOWN, "failed")
