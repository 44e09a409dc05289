"""The title of a page: from the head of its HTML, read as it goes by.

Browsers take the first ``title`` element of the HTML namespace (HTML standard,
section 3.1.4). The rules of its tokenizer that can hide or fake one are followed
here; the rest of the standard is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from server_tracking.exchange import Response
from server_tracking.titles.charsets import content_charset
from server_tracking.titles.reader import TitleReader

__all__ = [
    "HtmlTitleExtractor",
    "TitleExtractor",
    "TitleReader",
    "content_charset",
    "title_from",
]


class TitleExtractor(Protocol):
    """One way to find the title of a response."""

    def get_title(self, response: Response, /) -> str | None:
        """Return the title, or None if this way finds none."""
        ...


class HtmlTitleExtractor:
    """Read the title in the HTML of a response whose body lies in memory."""

    def get_title(self, response: Response, /) -> str | None:
        """Return the title; None if there is none or the body is not such HTML."""
        body = response.body
        content_type = response.header("content-type")
        if content_type is not None and not _is_html(content_type):
            return None
        charset = content_charset(content_type) if content_type else None
        reader = TitleReader(response.header("content-encoding"), charset)
        if isinstance(body, bytes):
            reader.feed(body)
        elif isinstance(body, list | tuple):
            for chunk in body:
                if reader.done:
                    break
                reader.feed(chunk)
        return reader.title


def title_from(response: Response, extractors: Iterable[TitleExtractor]) -> str | None:
    """Ask *extractors* in turn for the title of *response*; the first found wins."""
    for extractor in extractors:
        title = extractor.get_title(response)
        if title:
            return title
    return None


def _is_html(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")
