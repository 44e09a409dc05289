"""Personal data out of URLs, referrers, titles, events and other strings.

URLs are built anew from what may stay; in every piece of text that stays, what
looks like a mail address, a token, a card or account number, a phone number or an
IP address gives way to a placeholder that says what it was.
"""

from server_tracking.scrubbing.events import scrubbed_hit, scrubbed_user_id
from server_tracking.scrubbing.own import (
    Scrubber,
    own_scrubber_from,
    scrubbed_campaign,
    scrubbed_page,
)
from server_tracking.scrubbing.pages import Narrowing, narrowed
from server_tracking.scrubbing.texts import scrubbed_text
from server_tracking.scrubbing.urls import (
    DEFAULT_KEEP,
    scrubbed_referrer,
    scrubbed_url,
)

__all__ = [
    "DEFAULT_KEEP",
    "Narrowing",
    "Scrubber",
    "narrowed",
    "own_scrubber_from",
    "scrubbed_campaign",
    "scrubbed_hit",
    "scrubbed_page",
    "scrubbed_referrer",
    "scrubbed_text",
    "scrubbed_url",
    "scrubbed_user_id",
]
