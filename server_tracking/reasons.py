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
    UNRESOLVED = "unresolved"
    OWN = "own"
    BOT = "bot"
    AGENT = "agent"
    SPAM = "spam"
    FOREIGN = "foreign"
    SAMPLED = "sampled"
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
    SCANNER = "scanner"

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
    TEST_RUN = "test_run"

    @property
    def meaning(self) -> str:
        """Say in one sentence what it means, and where it comes from."""
        return _MEANINGS[self]


_MEANINGS = {
    Reason.DENIED: "The visitor refused (cookie_action or cookie_status).",
    Reason.UNDECIDED: "The visitor has not agreed yet, and consent_mode asks for that.",
    Reason.SIGNALLED: "The browser objects, by Sec-GPC or DNT.",
    Reason.UNRESOLVED: "Reading who it is or what they allow failed (consent_resolver?); "
    "stats() counts the error.",
    Reason.OWN: "The site's own people, marked by the own cookie.",
    Reason.BOT: "The user agent is that of a robot, or there is none.",
    Reason.AGENT: "An AI agent of a class that ai_training, ai_search or ai_assistant "
    "drops.",
    Reason.SPAM: "The referrer is a site that only wants to be seen in reports.",
    Reason.FOREIGN: "The request names a host that is not in allowed_hosts.",
    Reason.SAMPLED: "The visitor is not in the sample (sample_rate).",
    Reason.SKIPPED: "A handler called current().skip().",
    Reason.METHOD: "Only GET requests are page views (pageview_methods).",
    Reason.EXCLUDED: "The path is in pageview_exclude, or a common one such as /health, "
    "or another pageview_exclude option says so.",
    Reason.SPECULATIVE: "A prefetched or prerendered page, which nobody has seen yet.",
    Reason.SUBRESOURCE: "An image, a script, a frame or a fetch, by Fetch Metadata or "
    "for want of HTML in Accept.",
    Reason.AJAX: "A script asked for a part of a page (X-Requested-With, HX-Request "
    "and the like).",
    Reason.NOT_HTML: "The answer is not HTML.",
    Reason.STATUS: "The answer has another status than 200 or 304 (pageview_statuses).",
    Reason.DOWNLOAD: "The answer is to be saved (Content-Disposition: attachment).",
    Reason.UNANSWERED: "The application never began an answer.",
    Reason.SCANNER: "Status 404 for a path that only scanners for holes ask for: no "
    "exception.",
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
    Reason.TEST_RUN: "A test runs, and the system is on another machine "
    "(SERVER_TRACKING_ALLOW_SEND=1 allows it).",
}
