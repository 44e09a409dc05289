"""What Plausible's answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

from server_tracking.calls import Outcome, Verdict

__all__ = ["outcome_of"]


def outcome_of(status: int, headers: Mapping[str, str], domains: int) -> Outcome:
    """Tell what the answer to a hit for so many *domains* means.

    A hit that is thrown away is answered with 202 like any other; only a header
    says so, and for how many of the domains. The body says "ok" to all of them.
    """
    outcome = Outcome.of_status(status, headers)
    dropped = headers.get("x-plausible-dropped", "").strip().lstrip("0")
    if outcome.verdict is not Verdict.DELIVERED or not dropped:
        return outcome
    if re.fullmatch("[0-9]{1,9}", dropped) and int(dropped) < domains:
        return Outcome(Verdict.DELIVERED, "dropped_in_part")
    return Outcome(Verdict.DROPPED, "dropped")
