"""What GoatCounter's answers mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.wire import json_object_from

__all__ = ["outcome_of"]


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what an answer means.

    A 400 with errors by number has stored all the others. Ignored addresses are
    named in a header; bots and spam leave no trace.
    """
    answer = json_object_from(body)
    outcome = Outcome.of_status(status, headers)
    if outcome.verdict is Verdict.RETRY and outcome.after is None:
        reset = headers.get("x-rate-limit-reset", "")
        if status == 429 and re.fullmatch("[0-9]{1,6}", reset):
            return msgspec.structs.replace(outcome, after=float(reset))
    if outcome.verdict is Verdict.DELIVERED and "error" in answer:
        return Outcome(Verdict.REJECTED, "refused", split=True)
    errors = answer.get("errors")
    refused = _numbered(call, errors if isinstance(errors, dict) else ())
    if outcome.verdict is not Verdict.DELIVERED and (status != 400 or not refused):
        return outcome
    ignored = _numbered(call, headers.get("x-goatcounter-filter", "").split(","))
    others = {
        **dict.fromkeys(ignored, Outcome(Verdict.DROPPED, "ignored_address")),
        **dict.fromkeys(refused, Outcome(Verdict.REJECTED, "invalid")),
    }
    return Outcome(Verdict.DELIVERED, exceptions=others)


def _numbered(call: Call, numbers: Iterable[str]) -> list[UUID]:
    """Return the hits of *call* that *numbers*, written in digits, name."""
    places = [int(n) for n in numbers if re.fullmatch(r"\s*[0-9]{1,6}\s*", n)]
    return [call.hits[place] for place in places if place < len(call.hits)]
