"""Read and write the times of hits."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from server_tracking.hits import Hit

__all__ = ["moment_of", "time_from", "utc_time"]

_LATEST = 253402300799.0  # the last second of the year 9999


def moment_of(hit: Hit, now: float) -> float:
    """Return when *hit* happened in Unix seconds; *now* if that is yet to come."""
    return now if math.isnan(hit.time) else min(hit.time, now)


def utc_time(moment: float) -> datetime:
    """Return *moment* (Unix seconds) in UTC, within the years 1970 to 9999."""
    if not 0.0 <= moment <= _LATEST:
        moment = 0.0 if math.isnan(moment) else min(max(moment, 0.0), _LATEST)
    return datetime.fromtimestamp(moment, UTC)


def time_from(text: str) -> float | None:
    """Read an ISO 8601 time as Unix seconds, in UTC unless it names a zone."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
