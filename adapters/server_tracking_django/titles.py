"""Titles that Django knows of: in a template's context, or on a view."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.utils.functional import Promise

from server_tracking_django.conf import get_configuration

__all__ = ["ContextTitleExtractor", "ViewTitleExtractor", "title_told"]


_TEXTS = (str, Promise)


class ContextTitleExtractor:
    """Take ``title`` from the context of a `TemplateResponse`."""

    def get_title(self, response: HttpResponseBase, /) -> str | None:
        """Return the title; None if the response has no context, or that no title."""
        context = _context_of(response)
        return _text(context.get("title")) if context else None


class ViewTitleExtractor:
    """Take the attribute ``title`` of the class-based view that made a response."""

    def get_title(self, response: HttpResponseBase, /) -> str | None:
        """Return the title; None if the response's context names no such view."""
        context = _context_of(response)
        return _text(getattr(context.get("view"), "title", None)) if context else None


def title_told(response: HttpResponseBase) -> str | None:
    """Ask the extractors of the settings in turn; the first title found wins."""
    for extractor in get_configuration().title_extractors:
        try:
            title = extractor.get_title(response)
        except AttributeError:
            # As in 1.0: extractors may take a context for granted.
            continue
        if title:
            return str(title)
    return None


def _context_of(response: HttpResponseBase) -> dict[str, Any] | None:
    return getattr(response, "context_data", None)


def _text(title: object) -> str | None:
    return str(title) if isinstance(title, _TEXTS) else None
