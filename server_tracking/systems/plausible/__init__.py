"""Plausible Analytics: its events API (``POST /api/event``).

A visitor is known by the headers of the call, so that each hit needs a call of its
own, and a hit bears the time at which it arrives. Facts are from Plausible's "Events
API reference" and from the source of its collector (``lib/plausible/ingestion``).
"""

from server_tracking.systems.plausible.system import Plausible

__all__ = ["Plausible"]
