"""The command `server-tracking parameters`."""

from __future__ import annotations

import click

__all__ = ["parameters"]


@click.command()
@click.argument("system", required=False)
@click.option("--json", "form", flag_value="json", help="Print it for machines.")
@click.option(
    "--markdown", "form", flag_value="markdown", help="Print it for the docs."
)
def parameters(system: str | None, form: str | None) -> None:
    """List every parameter of SYSTEM's protocol, and what says it.

    SYSTEM is a name such as google_analytics_4, or the scheme of its URL (ga4);
    without it, all are listed.
    """
    from server_tracking.reference.report import as_json, as_markdown, as_text
    from server_tracking.reference.rows import rows_of
    from server_tracking.systems import discovered_systems

    known = {kind.name: kind for _, kind in sorted(discovered_systems().items())}
    wanted = {
        name: kind
        for name, kind in known.items()
        if system in (None, name, kind.scheme)
    }
    if not wanted:
        names = ", ".join(sorted(known))
        raise click.UsageError(f"No system is called {system!r}; known are {names}.")
    tables = {name: rows_of(wanted[name]) for name in sorted(wanted)}
    write = {"json": as_json, "markdown": as_markdown}.get(form or "", as_text)
    click.echo(write(tables), nl=form == "json")
