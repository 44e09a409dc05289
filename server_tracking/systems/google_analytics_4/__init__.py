"""Google Analytics 4, by its Measurement Protocol."""

from server_tracking.systems.google_analytics_4.system import GoogleAnalytics4

__all__ = ["GoogleAnalytics4"]
