"""Tie server-tracking to Django: a middleware, a mixin, a decorator, views and checks."""

from server_tracking_django.conf import get_tracker

__all__ = ["get_tracker"]
