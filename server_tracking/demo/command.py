"""The command `server-tracking demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from server_tracking.demo.report import complaints, table
from server_tracking.demo.visit import EXPECTED, visit
from server_tracking.inspector.command import listen

if TYPE_CHECKING:
    from server_tracking.demo.shops import Framework
    from server_tracking.demo.stage import Stage
    from server_tracking.inspector.store import StoredHit

__all__ = ["demo", "show_once"]

_PATIENCE = 10.0  # seconds until all hits of the sample visit must have arrived


@click.command()
@click.option(
    "--framework",
    type=click.Choice(["wsgi", "asgi", "django", "flask", "starlette"]),
    help="What the shop is made with.  [default: wsgi]",
)
@click.option("--asgi", is_flag=True, help="The same as --framework asgi.")
@click.option(
    "--once",
    is_flag=True,
    help="Print the hits of one sample visit, on free ports, and end: with 0 if all "
    "arrived and are valid, else with 1.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of the shop; 0 takes a free one.  [default: 8000, or a free one]",
)
@click.option(
    "--inspector-port",
    type=click.IntRange(0, 65535),
    help="Port of the inspector.  [default: 8001, or a free one]",
)
def demo(
    framework: Framework | None,
    asgi: bool,
    *,
    once: bool,
    port: int | None,
    inspector_port: int | None,
) -> int:
    """Show it work: an example shop, and the inspector beside it.

    The shop is tracked, and its hits go to the inspector as to seven analytics
    systems at once. A sample visit begins; then it is yours. Nothing leaves this
    machine. Ctrl-C ends it.
    """
    from server_tracking.demo.shops import missing
    from server_tracking.demo.stage import USUAL_SHOP_PORT, stage
    from server_tracking.demo.systems import demo_systems
    from server_tracking.inspector.server import USUAL_PORT, wait_for_interrupt

    chosen: Framework = framework or ("asgi" if asgi else "wsgi")
    if package := missing(chosen):
        raise click.ClickException(
            f"{package} is not installed: pip install 'server-tracking[{chosen}]'."
        )
    if once:
        port, inspector_port = port or 0, inspector_port or 0
    with (
        listen(port, usual=USUAL_SHOP_PORT) as shop,
        listen(
            inspector_port, usual=USUAL_PORT, option="--inspector-port"
        ) as inspector,
        stage(demo_systems, shop, inspector, framework=chosen) as here,
    ):
        if once:
            return show_once(here)
        _show(here)
        # Some systems want to be told seldom; who watches wants to see at once.
        wait_for_interrupt(lambda: here.tracker.flush(0.2))
    return 0


def show_once(here: Stage, patience: float = _PATIENCE) -> int:
    """Walk the sample visit and print what arrived; returns the exit code.

    *patience* is in seconds.
    """
    hits = _sample(here, patience)
    click.echo(table(hits))
    found = complaints(hits, [system.name for system in here.tracker.systems])
    if errors := here.tracker.stats().errors:
        found.append(f"server-tracking: {errors} errors were kept from the shop")
    for complaint in found:
        click.echo(complaint, err=True)
    if not found:
        click.echo(f"\nAll {len(hits)} hits arrived, and are valid.")
    return 1 if found else 0


def _show(here: Stage) -> None:
    click.echo(f"Example shop: {here.shop}/\nInspector:    {here.inspector}/\n")
    hits = _sample(here, _PATIENCE)
    names = ", ".join(system.name for system in here.tracker.systems)
    click.echo(
        f"A sample visit made {len(hits)} hits, sent as to {names}.\n"
        "Open both addresses side by side. Ctrl-C ends the demo."
    )


def _sample(here: Stage, patience: float) -> list[StoredHit]:
    visit(here.shop)
    return here.arrived(len(EXPECTED) * len(here.tracker.systems), patience)
