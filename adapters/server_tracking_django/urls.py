"""Where the site's scripts find the views: ``include("server_tracking_django.urls")``."""

from __future__ import annotations

from django.urls import path

from server_tracking_django.views import (
    AnalyticsSessionParameterView,
    ConsentView,
    OwnCookieView,
)

__all__ = ["app_name", "urlpatterns"]

app_name = "server_tracking"
urlpatterns = [
    path("ping", AnalyticsSessionParameterView.as_view(), name="ping"),
    path("consent", ConsentView.as_view(), name="consent"),
    path("own", OwnCookieView.as_view(), name="own"),
]
