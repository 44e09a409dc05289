"""The command `server-tracking check`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from server_tracking.console import with_timeout

if TYPE_CHECKING:
    from server_tracking.checking.findings import Fact

__all__ = ["check"]

_USUAL_PAGE = "https://example.com/server-tracking-check"


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option(
    "--online",
    is_flag=True,
    help="Ask the validators of those systems that have one. Nothing is counted.",
)
@click.option(
    "--send",
    is_flag=True,
    help="Send a test event to each system. It is counted like any other.",
)
@click.option(
    "--page",
    default=_USUAL_PAGE,
    show_default=True,
    help="Address of a page of your site, on which the test event happens.",
)
@click.option(
    "--uwsgi",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="INI",
    help="Check the options of uWSGI in this file too.",
)
@with_timeout
@click.option("--json", "machine", is_flag=True, help="Print it for machines.")
def check(
    urls: tuple[str, ...],
    *,
    online: bool,
    send: bool,
    page: str,
    uwsgi: Path | None,
    timeout: float,
    machine: bool,
) -> int:
    """Check an installation before a visitor does.

    Without URLs, what Tracker.from_env() would read is checked: the variables
    SERVER_TRACKING_SYSTEMS and SERVER_TRACKING_<OPTION>. With URLs such as
    ga4://API_SECRET@G-XXXX, those systems are. Each is asked about a sample hit of
    every kind, and through which proxy of the environment it is called. Without
    --online and --send nothing leaves this machine; with them, the names of hosts
    are looked up first.

    The exit code is 0 if all is fine, 1 if hits would be lost, a host has no address
    or the test event was not delivered, 2 if the configuration is wrong.
    """
    from server_tracking.checking.inquiry import Inquiry, report_of
    from server_tracking.checking.installation import installation_from
    from server_tracking.checking.report import as_json, as_text, error_as_json
    from server_tracking.errors import ConfigurationError

    if not page.startswith(("https://", "http://")):
        raise click.BadParameter("it is not a web address", param_hint="--page")
    try:
        installation = installation_from(urls, os.environ)
    except ConfigurationError as error:
        if machine:
            click.echo(error_as_json(error))
        else:
            click.echo(f"Error: {error} [option {error.option}]", err=True)
        return 2
    inquiry = Inquiry(online=online, send=send, page=page, timeout=timeout)
    report = report_of(installation, inquiry, time.time(), _server_facts(uwsgi))
    click.echo((as_json if machine else as_text)(report))
    return 0 if report.fine else 1


def _server_facts(uwsgi: Path | None) -> tuple[Fact, ...]:
    from server_tracking.checking.serving import facts_of_uwsgi, uwsgi_options_from

    if uwsgi is None:
        return ()
    try:
        return tuple(facts_of_uwsgi(uwsgi_options_from(uwsgi)))
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--uwsgi") from None
