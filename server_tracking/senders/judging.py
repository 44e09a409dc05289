"""What came of a call: the system's own reading of the answer, or ours."""

from __future__ import annotations

from server_tracking.calls import Call, Outcome, Verdict
from server_tracking.errors import TransportError
from server_tracking.senders.hooks import FAILURES, Hooks
from server_tracking.senders.quiet import KeptBackError
from server_tracking.senders.transports import Answer, UntrustedError
from server_tracking.systems import System

__all__ = ["judged"]


def judged(
    system: System, call: Call, answer: Answer | TransportError, hooks: Hooks
) -> Outcome:
    """Tell what *answer* to *call* means; never raises.

    A system that fails at it gets what the status alone says.
    """
    if isinstance(answer, KeptBackError):  # it would be kept back again and again
        return Outcome(Verdict.REJECTED, str(answer))
    if isinstance(answer, TransportError):
        verdict = Verdict.UNKNOWN if answer.processed else Verdict.RETRY
        untrusted = isinstance(answer, UntrustedError)
        return Outcome(verdict, str(answer), misconfigured=untrusted)
    try:
        outcome = system.outcome(call, *answer)
        if isinstance(outcome, Outcome):
            return outcome
        raise TypeError(f"outcome() gave {type(outcome).__name__}")
    except FAILURES as error:
        hooks.failed(error)
        return Outcome.of_status(answer.status, answer.headers)
