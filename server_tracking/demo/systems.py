"""Every analytics system that the library knows, told at one address."""

from __future__ import annotations

from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    System,
    Umami,
    UniversalAnalytics,
)

__all__ = ["demo_systems"]


def demo_systems(inspector: str) -> list[System]:
    """Make each system, with made-up credentials, to be told at *inspector*."""
    return [
        GoogleAnalytics4(
            "G-DEMO123456", "made-up-secret", endpoint=f"{inspector}/mp/collect"
        ),
        UniversalAnalytics("UA-123456-1", endpoint=f"{inspector}/collect"),
        Matomo(f"{inspector}/", 1, token="0123456789abcdef" * 2),
        Plausible("fern-and-fig.example", url=inspector),
        Umami("11111111-2222-4333-8444-555555555555", url=inspector),
        PostHog("phc_0123456789abcdefghijABCDEFGHIJ0123456789abc", host=inspector),
        GoatCounter(inspector, "made-up-token"),
    ]
