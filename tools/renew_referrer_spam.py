"""Renew the list of referrer spam: python tools/renew_referrer_spam.py [FILE].

Takes the list from FILE, or from the repository that keeps it, and writes
server_tracking/data/referrer_spam.txt with the day in its head.
"""

import datetime as dt
import re
import sys
import urllib.request
from pathlib import Path

SOURCE = (
    "https://raw.githubusercontent.com/matomo-org/referrer-spam-list/"
    "master/spammers.txt"
)
TARGET = Path(__file__).parent.parent / "server_tracking/data/referrer_spam.txt"
HEAD = """\
# Sites that pretend to have sent visitors, one a line.
# Source: https://github.com/matomo-org/referrer-spam-list (public domain)
# Date: {date}
"""
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
FEWEST = 1000  # fewer is a page that says something else


def list_from(text):
    """Read the hosts of *text*, in lower case and Punycode, sorted."""
    found = set()
    for line in text.splitlines():
        host = line.strip().lower()
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        if HOST.fullmatch(host):
            found.add(host)
    return sorted(found)


def main(arguments):
    """Renew the list; returns the exit code."""
    if arguments:
        text = Path(arguments[0]).read_text("utf-8")
    else:
        with urllib.request.urlopen(SOURCE, timeout=30) as answer:
            text = answer.read().decode("utf-8")
    hosts = list_from(text)
    if len(hosts) < FEWEST:
        sys.stderr.write(f"Only {len(hosts)} hosts: the list is kept.\n")
        return 1
    date = dt.datetime.now(dt.UTC).date().isoformat()
    TARGET.write_text(HEAD.format(date=date) + "\n".join(hosts) + "\n", "utf-8")
    sys.stdout.write(f"{len(hosts)} hosts.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
