"""Referrer spam: sites that pretend to have sent visitors, to be seen in reports.

The list is that of https://github.com/matomo-org/referrer-spam-list, which is in the
public domain; its head says from which day. `tools/renew_referrer_spam.py` renews it.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["is_spam", "spam_hosts"]

_LONGEST = 512


def is_spam(referrer: str | None) -> bool:
    """Tell whether *referrer* is a page of a site on the list, or of one below it."""
    return referrer is not None and _is_spam(referrer[:_LONGEST])


@lru_cache(maxsize=1)
def spam_hosts() -> frozenset[str]:
    """Read the list: 40 kB, when the first referrer is looked at."""
    # A visitor waits: importlib.resources, which brings tempfile, takes 7 ms to import.
    from pkgutil import get_data

    data = get_data("server_tracking", "data/referrer_spam.txt")
    text = (data or b"").decode()  # None of loaders that know modules only
    return frozenset(line for line in text.splitlines() if line and line[0] != "#")


# Most visitors come from the same few pages.
@lru_cache(maxsize=1024)
def _is_spam(referrer: str) -> bool:
    _, mark, rest = referrer.partition("://")
    if not mark:
        return False
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
    hosts = spam_hosts()
    while host:
        # By whole labels: notsemalt.com is not semalt.com.
        if host in hosts:
            return True
        host = host.partition(".")[2]
    return False
