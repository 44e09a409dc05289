"""The command ``manage.py tracking``: check the installation, explain a request."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.test import RequestFactory

from server_tracking import ConfigurationError, Tracker
from server_tracking.checking.inquiry import Inquiry, report_of
from server_tracking.checking.installation import Installation
from server_tracking.checking.report import as_json, as_text
from server_tracking_django.conf import get_tracker
from server_tracking_django.shell import neutral_request

__all__ = ["Command"]

_BROWSER = {
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


class Command(BaseCommand):
    """Check the systems and options of the settings, or explain what becomes of a page."""

    help = "Check the tracking of this site, or explain what becomes of a request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the two commands."""
        commands = parser.add_subparsers(dest="what", required=True)
        check = commands.add_parser("check", help="Ask each system about sample hits.")
        check.add_argument(
            "--online", action="store_true", help="Ask the systems' validators."
        )
        check.add_argument(
            "--send", action="store_true", help="Send a test event; it is counted."
        )
        check.add_argument(
            "--page",
            default="https://example.com/server-tracking-check",
            help="Address of a page of the site, for the test event.",
        )
        check.add_argument("--json", action="store_true", help="Print it for machines.")
        explain = commands.add_parser("explain", help="Say what becomes of a request.")
        explain.add_argument("path", help="Path of the page, such as /plants/fern?a=b")
        explain.add_argument(
            "--header",
            action="append",
            default=[],
            metavar="'NAME: VALUE'",
            help="A header beside those of a browser; may be repeated.",
        )
        explain.add_argument("--host", default="localhost", help="Name of the site.")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do what was asked for; fails if hits would be lost."""
        try:
            tracker = get_tracker()
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from None
        if options["what"] == "explain":
            self.stdout.write(_explanation(tracker, options))
            return
        if not tracker.systems:
            raise CommandError("No analytics system is configured.", returncode=2)
        inquiry = Inquiry(
            online=options["online"],
            send=options["send"],
            page=options["page"],
            timeout=tracker.settings.timeout,
        )
        settings = tracker.settings
        installation = Installation(tracker.systems, settings, settings.secret_keys)
        report = report_of(installation, inquiry, time.time())
        self.stdout.write((as_json if options["json"] else as_text)(report))
        if not report.fine:
            raise CommandError("Hits would be lost.")


def _explanation(tracker: Tracker, options: dict[str, Any]) -> str:
    given = dict(_header_from(line) for line in options["header"])
    headers = {**_BROWSER, "Host": options["host"], **given}
    request = RequestFactory().get(options["path"], headers=headers)
    neutral = neutral_request(request, tracker.extractor.address_rule)
    return str(tracker.explain(neutral))


def _header_from(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not (name and colon):
        raise CommandError(f"--header {line!r}: accepted is 'Name: value'.")
    return name.strip(), value.strip()
