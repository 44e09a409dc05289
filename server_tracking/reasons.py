"""Why something was not sent: one enum, counted in `stats()`, shown by `explain`."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Name why a page view was not made, or a hit not delivered."""

    # Nothing at all may be sent for this request.
    DENIED = "denied"
    UNDECIDED = "undecided"
    SIGNALLED = "signalled"
    OWN = "own"
    BOT = "bot"
    SKIPPED = "skipped"

    # The request is no page view (events in it still count).
    METHOD = "method"
    EXCLUDED = "excluded"
    SPECULATIVE = "speculative"
    SUBRESOURCE = "subresource"
    AJAX = "ajax"
    NOT_HTML = "not_html"
    STATUS = "status"
    DOWNLOAD = "download"
    UNANSWERED = "unanswered"

    # The sender did not take the hit.
    QUEUE_FULL = "queue_full"
    TOO_BIG = "too_big"
    INVALID = "invalid"
    CLOSED = "closed"
    REENTRANT = "reentrant"

    # The sender took it, the system did not.
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ABANDONED = "abandoned"
    HOOK = "hook"

    @property
    def meaning(self) -> str:
        """Say in one sentence what it means, and where it comes from."""
        return _MEANINGS[self]


_MEANINGS = {
    Reason.DENIED: "The visitor refused (cookie_action or cookie_status).",
    Reason.UNDECIDED: "The visitor has not agreed yet, and consent_mode asks for that.",
    Reason.SIGNALLED: "The browser objects, by Sec-GPC or DNT.",
    Reason.OWN: "The site's own people, marked by the own cookie.",
    Reason.BOT: "The user agent is that of a robot, or there is none.",
    Reason.SKIPPED: "A handler called current().skip().",
    Reason.METHOD: "Only GET requests are page views.",
    Reason.EXCLUDED: "The path is in pageview_exclude, or a common one such as /health.",
    Reason.SPECULATIVE: "A prefetched or prerendered page, which nobody has seen yet.",
    Reason.SUBRESOURCE: "An image, a script, a frame or a fetch, by Fetch Metadata or "
    "for want of HTML in Accept.",
    Reason.AJAX: "A script asked for a part of a page (X-Requested-With, HX-Request "
    "and the like).",
    Reason.NOT_HTML: "The answer is not HTML.",
    Reason.STATUS: "The answer has another status than 200 or 304.",
    Reason.DOWNLOAD: "The answer is to be saved (Content-Disposition: attachment).",
    Reason.UNANSWERED: "The application never began an answer.",
    Reason.QUEUE_FULL: "The sender holds as many hits as it may.",
    Reason.TOO_BIG: "The hit is larger than one may be.",
    Reason.INVALID: "The hit cannot be encoded.",
    Reason.CLOSED: "The tracker was closed before, or the request was over.",
    Reason.REENTRANT: "The hit was made by code that the sender itself runs.",
    Reason.UNSUPPORTED: "The system has no words for this kind of hit.",
    Reason.REFUSED: "The system answered with a final error.",
    Reason.DROPPED: "The system said yes, and threw the hit away.",
    Reason.UNKNOWN: "Sent whole, but not answered; a second try could double it.",
    Reason.EXPIRED: "Older than the system takes.",
    Reason.ABANDONED: "All tries used up, or the process ended first.",
    Reason.HOOK: "before_send kept the hit back, or failed.",
}
