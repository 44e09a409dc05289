"""What an answer of a v1 collector means."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from server_tracking.calls import Call, Outcome, Problem, Verdict

__all__ = ["outcome_of", "problems_of_answer"]

_SOURCE = "Measurement Protocol v1, debug endpoint"


class _Message(msgspec.Struct):
    description: str = ""
    message_type: str = msgspec.field(name="messageType", default="")
    message_code: str | None = msgspec.field(name="messageCode", default=None)
    parameter: str | None = None


class _Result(msgspec.Struct):
    valid: bool
    messages: list[_Message] = msgspec.field(name="parserMessage", default_factory=list)


class _Validation(msgspec.Struct):
    results: list[_Result] = msgspec.field(name="hitParsingResult")


_decoder = msgspec.json.Decoder(_Validation)


def outcome_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Tell what an answer means.

    A collector says yes to whatever arrives, so delivered means received, never
    recorded (protocol reference, "response codes"). The debug endpoint records
    nothing and tells which hits are valid ("validating hits").
    """
    outcome = Outcome.of_status(status, headers)
    if outcome.verdict is not Verdict.DELIVERED:
        return outcome
    if not urlsplit(call.url).path.startswith("/debug/"):
        return outcome
    try:
        results = _decoder.decode(body).results
    except (ValueError, RecursionError):
        return Outcome(Verdict.UNKNOWN, "unreadable_answer")
    verdicts = [_verdict(result) for result in results]
    if len(verdicts) != len(call.hits):
        return Outcome(Verdict.UNKNOWN, "unreadable_answer")
    if all(verdict == verdicts[0] for verdict in verdicts):
        return verdicts[0]
    return Outcome(
        Verdict.DELIVERED,
        "validated",
        exceptions={
            hit: verdict
            for hit, verdict in zip(call.hits, verdicts, strict=True)
            if verdict.verdict is Verdict.REJECTED
        },
    )


def problems_of_answer(body: bytes) -> tuple[Problem, ...]:
    """Read what the debug endpoint found wrong with a hit; empty if all is well."""
    try:
        results = _decoder.decode(body).results
    except (ValueError, RecursionError):
        message = "The validator gave no answer that can be read."
        return (Problem("(hit)", message, _SOURCE, fatal=True),)
    found = [
        _problem(message)
        for result in results
        for message in result.messages
        if message.message_type != "INFO"
    ]
    if not all(result.valid for result in results) and not any(p.fatal for p in found):
        found.append(Problem("(hit)", "It is not valid.", _SOURCE, fatal=True))
    return tuple(found)


def _problem(message: _Message) -> Problem:
    code = message.message_code or "no code"
    text = f"{message.description} ({code})".strip()
    fatal = message.message_type == "ERROR"
    return Problem(message.parameter or "(hit)", text, _SOURCE, fatal=fatal)


def _verdict(result: _Result) -> Outcome:
    if result.valid:
        return Outcome(Verdict.DELIVERED, "validated")
    for message in result.messages:
        if message.message_type == "ERROR":
            code = (message.message_code or "invalid").lower()
            where = f" {message.parameter}" if message.parameter else ""
            return Outcome(Verdict.REJECTED, f"{code}{where}"[:60])
    return Outcome(Verdict.REJECTED, "invalid")
