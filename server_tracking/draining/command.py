"""The command `server-tracking drain`."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from server_tracking.console import told_to_stop, with_timeout

if TYPE_CHECKING:
    from server_tracking.draining.emptying import Emptying
    from server_tracking.senders import Counts
    from server_tracking.systems import System

__all__ = ["drain"]

VARIABLE = "SERVER_TRACKING_SYSTEMS"
NEWS_PERIOD = 5.0  # seconds between two lines about the progress
LOOK_PERIOD = 0.05


@click.command()
@click.argument("spool", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--watch", is_flag=True, help="Stay, and send what comes, until a signal."
)
@click.option(
    "--systems",
    metavar="URLS",
    help="The systems, as in SERVER_TRACKING_SYSTEMS. Others can read a command line; "
    "better use the variable.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds without progress after which to give up. Not with --watch.",
)
@with_timeout
@click.option(
    "--max-age",
    type=click.FloatRange(1),
    default=7 * 86400.0,
    show_default=True,
    help="Seconds after which a hit is not sent any more.",
)
def drain(
    *,
    spool: Path,
    watch: bool,
    systems: str | None,
    patience: float,
    timeout: float,
    max_age: float,
) -> int:
    """Send the hits that the directory SPOOL holds.

    That is what processes have left there that have ended, and what those hand
    over that use SpoolSender(..., drain=False). Files that a running process keeps
    for itself are left alone. What cannot be sent stays there. Hits go to the
    systems of SERVER_TRACKING_SYSTEMS; where several of a kind are used, in the same
    order as in the site.

    The exit code is 0 if nothing is left, 1 if something is, or was lost, 2 if the
    configuration is wrong.
    """
    from server_tracking.draining.emptying import Emptying

    if not watch and not spool.is_dir():
        raise click.BadParameter(f"There is no directory {spool}.", param_hint="SPOOL")
    emptying = Emptying(
        spool, _systems_from(systems, os.environ), max_age=max_age, timeout=timeout
    )
    with told_to_stop() as told:
        emptying.start()
        _tell_until(emptying, told, None if watch else patience)
        emptying.stop()
    for key, counts in emptying.counts().items():
        click.echo(f"{key}: {_summary(counts)}")
    others = emptying.files_of_others()
    if others:
        click.echo(f"{others} files are in use, or hold hits for other systems.")
    progress = emptying.progress()
    if progress.left:
        click.echo(f"{progress.left:,} are left in {spool}.", err=True)
    return 1 if progress.left or progress.lost else 0


def _systems_from(urls: str | None, environ: Mapping[str, str]) -> Sequence[System]:
    from server_tracking.errors import ConfigurationError
    from server_tracking.systems import system_from_url

    where = "--systems" if urls is not None else VARIABLE
    try:
        systems = [
            system_from_url(url) for url in (urls or environ.get(VARIABLE, "")).split()
        ]
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint=where) from None
    if not systems:
        raise click.UsageError(f"No system to send to: set {VARIABLE}.")
    return systems


def _tell_until(
    emptying: Emptying, told: threading.Event, patience: float | None
) -> None:
    """Tell of the progress until all is sent, or *patience* is at an end.

    Without *patience*, until *told*.
    """
    next_news = monotonic() + NEWS_PERIOD
    said = None
    while not told.wait(LOOK_PERIOD):
        if patience is not None:
            if emptying.is_done():
                return
            if emptying.stood_still() > patience:
                click.echo(f"Nothing got through for {patience:g} s.", err=True)
                return
        progress = emptying.progress()
        if monotonic() >= next_news and progress != said:
            next_news = monotonic() + NEWS_PERIOD
            said = progress
            click.echo(f"{progress.delivered:,} delivered, {progress.left:,} to go")


def _summary(counts: Counts) -> str:
    told = {
        "delivered": counts.delivered,
        **counts.rejected,
        **counts.dropped_by_system,
        "unknown": counts.unknown,
        "expired": counts.expired,
        "lost": counts.lost + counts.abandoned,
        "left": counts.queued + counts.waiting + counts.sending,
    }
    return ", ".join(
        f"{number:,} {word}"
        for word, number in told.items()
        if number or word == "delivered"
    )
