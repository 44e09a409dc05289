"""Why something was not sent: one enum, counted in `stats()`, shown by `explain`."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Name why a page view was not made, or a hit not delivered."""

    # Nothing at all may be sent for this request.
    DENIED = "denied"  # the visitor refused
    UNDECIDED = "undecided"  # the visitor has not agreed, and the mode asks for that
    SIGNALLED = "signalled"  # the browser objects: Sec-GPC or DNT
    OWN = "own"  # the site's own people, marked by the own cookie
    BOT = "bot"  # a robot by its user agent
    SKIPPED = "skipped"  # a handler called `current().skip()`

    # The request is no page view (events in it still count).
    METHOD = "method"  # not GET
    EXCLUDED = "excluded"  # path listed in `pageview_exclude`
    SPECULATIVE = "speculative"  # prefetch or prerender: nobody has seen it yet
    SUBRESOURCE = "subresource"  # image, script, frame, fetch: by Fetch Metadata
    AJAX = "ajax"  # partial update, by X-Requested-With, HX-Request and the like
    NOT_HTML = "not_html"  # the request does not ask for, or the answer is not, HTML
    STATUS = "status"  # answered with neither 200 nor 304
    DOWNLOAD = "download"  # Content-Disposition: attachment
    UNANSWERED = "unanswered"  # the application never began an answer

    # The sender did not take the hit.
    QUEUE_FULL = "queue_full"
    TOO_BIG = "too_big"
    INVALID = "invalid"  # it cannot be encoded
    CLOSED = "closed"  # the tracker was closed before
    REENTRANT = "reentrant"  # made by the sender's own code

    # The sender took it, the system did not.
    UNSUPPORTED = "unsupported"  # the system has no words for this kind of hit
    REFUSED = "refused"  # the system answered with a final error
    DROPPED = "dropped"  # the system said yes and threw it away
    UNKNOWN = "unknown"  # sent whole, no answer, and a second try could double it
    EXPIRED = "expired"  # older than the system's maximal age
    ABANDONED = "abandoned"  # attempts used up, or the process ended first
    HOOK = "hook"  # `before_send` said no, or failed
