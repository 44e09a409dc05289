"""The command `server-tracking report-data`."""

from __future__ import annotations

import os

import click

__all__ = ["report_data"]


@click.command("report-data")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--json", "machine", is_flag=True, help="Print it for machines.")
def report_data(urls: tuple[str, ...], *, machine: bool) -> int:
    """Say which data goes to which company, under which consent.

    Without URLs, the configuration is that of SERVER_TRACKING_SYSTEMS and
    SERVER_TRACKING_<OPTION>; URLs such as ga4://API_SECRET@G-XXXX name other systems.
    It is written as Markdown, to be used in a privacy notice. Nothing is sent to
    anybody. The exit code is 0, or 2 for wrong use.
    """
    from server_tracking.disclosure.flows import flows_of
    from server_tracking.disclosure.report import as_json, as_markdown
    from server_tracking.errors import ConfigurationError
    from server_tracking.settings import Settings
    from server_tracking.systems import system_from_url

    named = urls or os.environ.get("SERVER_TRACKING_SYSTEMS", "").split()
    if not named:
        raise click.UsageError(
            "No analytics system is configured: set SERVER_TRACKING_SYSTEMS, or name "
            "systems by their URLs."
        )
    try:
        systems = [system_from_url(url) for url in named]
        settings = Settings.from_env(os.environ)
    except ConfigurationError as error:
        raise click.UsageError(f"{error} [option {error.option}]") from None
    flows = flows_of(systems, settings)
    click.echo((as_json if machine else as_markdown)(flows), nl=False)
    return 0
