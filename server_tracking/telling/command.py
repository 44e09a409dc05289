"""The command `server-tracking send`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from server_tracking.console import with_timeout

if TYPE_CHECKING:
    from server_tracking.telling.single import Result

__all__ = ["send"]

VARIABLE = "SERVER_TRACKING_SYSTEMS"
_KINDS = (
    "pageview screenview event exception timing social purchase refund product_action"
)


# Click leaves a paragraph as it is that begins with a backspace.
_EXAMPLES = """\b
Examples:
  server-tracking send pageview --url https://www.example.com/fern --title Fern
  server-tracking send event category=Deploy action=Done value=3
  server-tracking send purchase transaction_id=T1 revenue=19.90 currency=EUR
"""


@click.command(epilog=_EXAMPLES)
@click.argument("kind", type=click.Choice(_KINDS.split()), metavar="KIND")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--url", help="Address of the page on which it happened.")
@click.option("--title", help="Title of that page.")
@click.option("--client-id", help="Id of the visitor; a new one without it.")
@click.option("--user-id", help="The visitor's own id on the site.")
@click.option("--user-agent", help="User agent of the visitor; some systems need one.")
@click.option("--address", help="The visitor's IP address; it is made anonymous.")
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="A property of your own.",
)
@with_timeout
@click.option("--dry-run", is_flag=True, help="Say what systems make of it; send none.")
@click.option("--json", "machine", is_flag=True, help="Print it for machines.")
def send(
    kind: str,
    fields: tuple[str, ...],
    *,
    url: str | None,
    title: str | None,
    client_id: str | None,
    user_id: str | None,
    user_agent: str | None,
    address: str | None,
    params: tuple[str, ...],
    timeout: float,
    dry_run: bool,
    machine: bool,
) -> int:
    """Send one hit of a KIND to the systems of SERVER_TRACKING_SYSTEMS.

    KIND is pageview, screenview, event, exception, timing, social, purchase, refund
    or product_action. Its fields are named as in the library.

    The exit code is 0 if each system has it, 1 if one has not, 2 for wrong use.
    """
    import msgspec

    from server_tracking.errors import ConfigurationError
    from server_tracking.systems import system_from_url
    from server_tracking.telling.single import context_of, hit_of, told

    if url is not None and not url.startswith(("https://", "http://")):
        raise click.BadParameter("it is not a web address", param_hint="--url")
    context = context_of(
        url=url,
        title=title,
        client_id=client_id,
        user_id=user_id,
        user_agent=user_agent,
        address=address,
    )
    try:
        systems = [system_from_url(one) for one in os.environ.get(VARIABLE, "").split()]
        hit = hit_of(kind, _pairs(fields, "FIELD"), _pairs(params, "--param"), context)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    if not systems:
        raise click.UsageError(f"There is no system to tell: set {VARIABLE}.")
    client = None
    if not dry_run:
        from server_tracking.senders.client import Client

        client = Client(timeout, connections=1)
    results = told(hit, systems, client)
    if machine:
        click.echo(msgspec.json.encode(results))
    else:
        for result in results:
            click.echo(_text(result))
    return 0 if all(result.fine for result in results) else 1


def _pairs(given: tuple[str, ...], where: str) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise click.BadParameter(f"{text!r} has no '='", param_hint=where)
        pairs[name] = value
    return pairs


def _text(result: Result) -> str:
    word = result.verdict or ("not sent" if result.fine else "would be lost")
    reason = f" ({result.reason})" if result.reason else ""
    lines = [f"{result.system:<22}{word}{reason}"]
    lines += [f"{'':<22}{one.field}: {one.message}" for one in result.problems]
    return "\n".join(lines)
