"""Universal Analytics: Measurement Protocol v1, which others than Google take today."""

from server_tracking.systems.universal_analytics.system import UniversalAnalytics

__all__ = ["UniversalAnalytics"]
