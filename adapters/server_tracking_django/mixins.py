"""Track the page views of single class-based views."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest

from server_tracking_django.shell import aserve, serve

__all__ = ["PageViewMixin"]


class PageViewMixin:
    """Put it first among a view's bases; its pages count by the settings' rules.

    Without the middleware, only views with the mixin are tracked. With it, the mixin
    changes nothing: a page counts once.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer *request*, observed."""
        dispatch = partial(super().dispatch, request, *args, **kwargs)  # type: ignore[misc]
        if getattr(self, "view_is_async", False):
            return aserve(request, dispatch)
        return serve(request, dispatch)
