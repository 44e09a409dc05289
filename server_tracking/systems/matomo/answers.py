"""What the answers of Matomo's tracker mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.patterns import pattern_from
from server_tracking.wire import json_object_from

__all__ = ["outcome_of"]

# A tracker that logs (debug=1) writes its log around the answer.
_ANSWER = pattern_from(rb'\{"status":"[^{}]*\}')


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, *, bulk: bool
) -> Outcome:
    """Tell what an answer means, to many hits in *bulk* or to one."""
    if bulk:
        return _of_bulk(call, status, headers, body)
    return _of_single(status, headers, body)


def _of_single(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Tell what the answer to one hit means: an empty one, or a picture, is a yes.

    A page with status 200 comes from something else than Matomo's tracker, or from
    one that logs; nothing tells whether the hit was kept.
    """
    if status == 200 and "html" in headers.get("content-type", "") and body.strip():
        return Outcome(Verdict.UNKNOWN, "not_matomo")
    return Outcome.of_status(status, headers)


def _of_bulk(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what the answer to many hits means.

    Matomo keeps them in one transaction, so that a 500 has kept none. Hits that it
    calls invalid it would never take, and the others it has: nothing is sent again.
    """
    if status == 500:
        return Outcome(Verdict.RETRY, "http_500")
    if status != 200:
        return Outcome.of_status(status, headers)
    answer = _answer_from(body)
    if answer is None:
        return Outcome(Verdict.RETRY, "not_matomo", misconfigured=True)
    sent = len(call.hits)
    invalid = min(_count(answer, "invalid"), sent)
    tracked = min(_count(answer, "tracked"), sent - invalid)
    if tracked == invalid == 0:
        return Outcome(Verdict.RETRY, "skipped")
    if sent > 1 and invalid == sent:
        # A site that is not there, or a token that is not taken; going on would
        # lock this server out (Matomo counts failed logins by address).
        return Outcome(Verdict.RETRY, "all_invalid", misconfigured=True)
    return _told_apart(call, answer, tracked, invalid)


def _told_apart(
    call: Call, answer: Mapping[str, Any], tracked: int, invalid: int
) -> Outcome:
    """Name what became of each hit.

    Matomo says which are invalid only to a super user's token. For all others the
    last hits stand for them, so that at least the numbers are right; as they do for
    hits that it skipped, and counted nowhere, while its database was locked.
    """
    keys = call.hits
    named = answer.get("invalid_indices")
    places = [
        place
        for place in (named if isinstance(named, list) else ())
        if isinstance(place, int) and 0 <= place < len(keys)
    ]
    if len(set(places)) == invalid:
        wrong = {keys[place] for place in places}
    else:
        wrong = set(keys[len(keys) - invalid :])
    rest = [key for key in keys if key not in wrong]
    rejected = Outcome(Verdict.REJECTED, "invalid")
    skipped = Outcome(Verdict.UNKNOWN, "skipped")
    exceptions = dict.fromkeys(wrong, rejected)
    exceptions.update(dict.fromkeys(rest[tracked:], skipped))
    if len(exceptions) == len(keys) == 1:
        return next(iter(exceptions.values()))
    return Outcome(Verdict.DELIVERED, exceptions=exceptions)


def _answer_from(body: bytes) -> dict[str, Any] | None:
    answers = map(json_object_from, (body, *reversed(_ANSWER.findall(body))))
    return next((answer for answer in answers if "tracked" in answer), None)


def _count(answer: Mapping[str, Any], name: str) -> int:
    value = answer.get(name)
    return max(value, 0) if isinstance(value, int) else 0
