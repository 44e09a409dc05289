"""What the answers of Google's collector and of its validation server mean.

The collector answers 2xx to whatever arrives. The validation server takes the same
request, and answers what is wrong with its shape; it looks neither at the API secret
nor at the measurement id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from server_tracking.calls import Call, Outcome, Problem, Verdict
from server_tracking.wire import json_object_from

__all__ = ["outcome_of", "problems_of_answer", "validation_endpoint"]

_PATH = "/debug/mp/collect"
_SOURCE = "GA4 validation server"
_FATAL = {"NAME_INVALID", "NAME_RESERVED", "VALUE_REQUIRED"}


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what an answer means: a 2xx only that the call has arrived.

    Google asks not to repeat unchanged what it answered otherwise (reference,
    transport): what it finds bad is split or given up, and only what it had no
    time for (429, 503) comes again.
    """
    outcome = Outcome.of_status(status, headers)
    validated = urlsplit(call.url).path.endswith(_PATH)
    if not validated or outcome.verdict is not Verdict.DELIVERED:
        return outcome
    if problems_of_answer(body):
        return Outcome(Verdict.REJECTED, "invalid", split=True)
    return Outcome(Verdict.DROPPED, "validated_only")


def validation_endpoint(endpoint: str) -> str:
    """Return the address that validates what *endpoint* collects."""
    if endpoint.endswith(_PATH):
        return endpoint
    return endpoint.removesuffix("/mp/collect").rstrip("/") + _PATH


def problems_of_answer(body: bytes) -> tuple[Problem, ...]:
    """Read the answer of the validation server; empty if all is well."""
    messages = json_object_from(body).get("validationMessages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        message = "The validation server gave no answer that can be read."
        return (Problem("", message, _SOURCE, fatal=True),)
    return tuple(map(_problem, messages))


def _problem(message: dict[str, Any]) -> Problem:
    code = str(message.get("validationCode", ""))
    field = str(message.get("fieldPath", ""))
    text = str(message.get("description", ""))
    return Problem(field, f"{text} ({code})", _SOURCE, code in _FATAL or not field)
