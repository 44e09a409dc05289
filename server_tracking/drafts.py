"""Drafts: what a request told, kept until the sender's thread has time to write hits.

On the serving thread a page view costs what cannot wait: identity, consent, filters
and the anonymous address. URL, campaign, device and scrubbing are most of the work,
and need nothing but texts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from server_tracking.exchange import Request
from server_tracking.extractor import Extractor, Recognition
from server_tracking.hits import Context, Hit
from server_tracking.scrubbing import scrubbed_hit
from server_tracking.senders.sizes import FRAME, weight_of

__all__ = ["ContextDraft", "HitDraft"]


class ContextDraft:
    """The context of all hits of one request, written when it is first asked for.

    *request* is let go of: what a server may use again is not looked at later.
    """

    __slots__ = (
        "_context",
        "_encoding",
        "_extractor",
        "_recognition",
        "_request",
        "_route",
        "_title",
        "_user_id",
        "size",
    )

    def __init__(
        self,
        extractor: Extractor,
        request: Request,
        recognition: Recognition,
        *,
        title: str | None,
        route: str | None,
        encoding: str | None,
        user_id: str | None,
    ) -> None:
        self._extractor = extractor
        self._request = request
        self._recognition = recognition
        self._title = title
        self._route = route
        self._encoding = encoding
        self._user_id = user_id
        self._context: Context | None = None
        self.size = request.detach() + (len(title) if title else 0)

    @property
    def scrub(self) -> Callable[[str], str] | None:
        """What the site scrubs beside what is scrubbed always."""
        return self._extractor.settings.own_scrubber

    @property
    def context(self) -> Context:
        """The context; personal data is taken out of all strings."""
        if self._context is None:
            self._context = self._extractor.context(
                self._request,
                self._recognition,
                title=self._title,
                route=self._route,
                encoding=self._encoding,
                user_id=self._user_id,
            )
        return self._context


class HitDraft:
    """A hit of *kind* with *fields*, written when it is first asked for."""

    __slots__ = ("_draft", "_fields", "_hit", "_kind", "size", "time")

    def __init__(
        self, kind: type[Hit], fields: Mapping[str, Any], draft: ContextDraft
    ) -> None:
        self._kind = kind
        self._fields = fields
        self._draft = draft
        self._hit: Hit | None = None
        self.time: float = fields.get("time") or time.time()
        self.size = FRAME + draft.size + (weight_of(fields) if len(fields) > 2 else 0)

    def __repr__(self) -> str:
        return f"<HitDraft of {self._kind.__name__}>"

    @property
    def id(self) -> UUID:
        """The id of the hit."""
        return self.hit().id

    def hit(self) -> Hit:
        """Write the hit out, once, its texts scrubbed of personal data."""
        if self._hit is None:
            fields = {**self._fields, "time": self.time}
            hit = self._kind(context=self._draft.context, **fields)
            self._hit = scrubbed_hit(hit, self._draft.scrub)
        return self._hit
