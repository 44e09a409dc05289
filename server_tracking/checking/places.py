"""Where each system shows what arrives, and what its answer cannot tell."""

from __future__ import annotations

from typing import NamedTuple

from server_tracking.systems import System

__all__ = ["Place", "place_of"]


class Place(NamedTuple):
    """Where to look for a hit (*seen*), and what an accepted one does not prove."""

    seen: str
    caveat: str = ""


_PLACES = {
    "goatcounter": Place(
        "on the site's dashboard, among the events",
        "GoatCounter says yes to what it takes for a bot, and keeps it apart.",
    ),
    "google_analytics_4": Place(
        "in Reports > Realtime; with debug in Admin > DebugView. It may take minutes.",
        "Google says yes to whatever arrives: a wrong API secret or measurement id "
        "shows only by nothing coming up there.",
    ),
    "matomo": Place(
        "in Visitors > Real-time",
        "Matomo says yes to hits of visitors that the site leaves out, by address or "
        "user agent.",
    ),
    "plausible": Place("on the dashboard, in Realtime; by name once it is a goal"),
    "posthog": Place("in Activity"),
    "umami": Place("on the website's page, in Realtime"),
    "universal_analytics": Place(
        "in the log of the collector, or what is behind it",
        "Collectors of this protocol say yes to whatever arrives. Google's own has "
        "thrown all away since July 2024.",
    ),
}


def place_of(system: System) -> Place:
    """Say where *system* shows its hits.

    A system that is not one of ours may say so itself, as `live_view`.
    """
    own = getattr(system, "live_view", "")
    return _PLACES.get(system.name, Place(str(own) or "its live view"))
