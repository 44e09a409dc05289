"""What PostHog's answers mean."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.wire import json_object_from

__all__ = ["outcome_of"]


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what an answer means.

    A call that failed with 500 or 502 may be repeated. A 200 that names a used-up
    quota has thrown those events away; one that names none may have, too.
    """
    if status == 200:
        return _of_quota(call, body)
    outcome = Outcome.of_status(status, headers)
    if outcome.verdict is Verdict.UNKNOWN and status >= 500:
        return Outcome(Verdict.RETRY, outcome.reason)
    return outcome


def _of_quota(call: Call, body: bytes) -> Outcome:
    """Read a 200. The quota of events spares exceptions, which have one of their own."""
    limited = json_object_from(body).get("quota_limited")
    words = limited if isinstance(limited, list) else []
    dropped = Outcome(Verdict.DROPPED, "quota_limited")
    events, exceptions = (
        dropped if word in words else Outcome(Verdict.DELIVERED)
        for word in ("events", "exceptions")
    )
    if events == exceptions:
        return events
    batch = json_object_from(call.body)["batch"]
    others = {
        key: exceptions
        for key, event in zip(call.hits, batch, strict=True)
        if event["event"] == "$exception"
    }
    return msgspec.structs.replace(events, exceptions=others)
