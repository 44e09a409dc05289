"""PostHog: events for its capture API (`POST /batch/`).

Facts are from PostHog's documentation of the capture API and from the source of its
collector (``rust/capture`` in PostHog/posthog).
"""

from server_tracking.systems.posthog.system import PostHog

__all__ = ["PostHog"]
