"""The commands ``flask tracking check`` and ``flask tracking explain``."""

from __future__ import annotations

import time

import click
from flask import current_app
from flask.cli import AppGroup

from server_tracking import Tracker, request_from

__all__ = ["commands_for"]

_BROWSER = {
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


def commands_for(tracker: Tracker) -> AppGroup:
    """Make the commands of an application that *tracker* tracks."""
    group = AppGroup("tracking", help="Check the tracking, or explain a request.")

    @group.command()
    @click.option("--online", is_flag=True, help="Ask the systems' validators.")
    @click.option("--send", is_flag=True, help="Send a test event; it is counted.")
    @click.option("--page", default="https://example.com/server-tracking-check")
    @click.pass_context
    def check(context: click.Context, *, online: bool, send: bool, page: str) -> None:
        """Ask each system about sample hits; fails if hits would be lost."""
        from server_tracking.checking.inquiry import Inquiry, report_of
        from server_tracking.checking.installation import Installation
        from server_tracking.checking.report import as_text

        if not tracker.systems:
            raise click.UsageError("No analytics system is configured.")
        settings = tracker.settings
        report = report_of(
            Installation(tracker.systems, settings, settings.secret_keys),
            Inquiry(online=online, send=send, page=page, timeout=settings.timeout),
            time.time(),
        )
        click.echo(as_text(report))
        context.exit(0 if report.fine else 1)

    @group.command()
    @click.argument("path")
    def explain(path: str) -> None:
        """Say what becomes of a browser's request for PATH, and why."""
        asked = current_app.test_request_context(path, headers=_BROWSER).request
        request = request_from(asked.environ, settings=tracker.settings)
        click.echo(str(tracker.explain(request)))

    return group
