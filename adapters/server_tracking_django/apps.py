"""The Django application: it brings system checks, templates tags and the command."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

__all__ = ["ServerTrackingConfig"]


class ServerTrackingConfig(AppConfig):
    """List ``server_tracking_django`` in `INSTALLED_APPS` for checks and tags."""

    name = "server_tracking_django"
    verbose_name = "Server-side tracking"

    def ready(self) -> None:
        """Register the system checks."""
        from server_tracking_django.checks import check_settings

        register(check_settings, "server_tracking")
