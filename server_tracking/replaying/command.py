"""The command `server-tracking replay`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from server_tracking.console import told_to_stop, with_timeout

if TYPE_CHECKING:
    from server_tracking.replaying.replay import Report

__all__ = ["replay"]


@click.command()
@click.argument(
    "logs",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--host", required=True, help="Host of the site, where a log has none.")
@click.option(
    "--scheme",
    type=click.Choice(["https", "http"]),
    default="https",
    show_default=True,
    help="Scheme of the site.",
)
@click.option(
    "--old",
    type=click.Choice(["skip", "clamp"]),
    default="skip",
    show_default=True,
    help="What to do with a hit older than a system takes: leave it out, or give it "
    "the oldest time that the system takes.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps how far it is.  [default: LOG.replay]",
)
@click.option("--dry-run", is_flag=True, help="Count what would be sent; send nothing.")
@click.option(
    "--jobs",
    type=click.IntRange(0, 8),
    default=0,
    help="Processes that make the calls, up to 8.  [default: one for each CPU]",
)
@with_timeout
@click.option("--json", "machine", is_flag=True, help="Print the result for machines.")
def replay(
    logs: tuple[Path, ...],
    *,
    host: str,
    scheme: str,
    old: str,
    journal: Path | None,
    dry_run: bool,
    jobs: int,
    timeout: float,
    machine: bool,
) -> int:
    """Tell systems the page views that access LOGS know, with their own times.

    Logs may be in the common, combined or a JSON format, or be the inspector's
    export in JSON Lines, and packed with gzip. What is a page view, who is a robot
    and what is taken out of URLs is decided by SERVER_TRACKING_<OPTION>, as for the
    live site; the hits go to the systems of SERVER_TRACKING_SYSTEMS.

    Stopped or killed, the same command goes on where it was.

    The exit code is 0 if all was told, 1 if it was stopped or something was lost,
    2 for wrong use.
    """
    import msgspec

    from server_tracking.errors import ConfigurationError
    from server_tracking.replaying.journal import ForeignJournalError
    from server_tracking.replaying.replay import Order, replayed

    path = journal or logs[0].with_name(f"{logs[0].name}.replay")
    order = Order(
        logs=logs,
        host=host,
        scheme=scheme,
        clamp=old == "clamp",
        journal=None if dry_run else path,
        dry_run=dry_run,
        timeout=timeout,
        jobs=jobs,
    )
    try:
        with told_to_stop() as told, _progress(logs, machine) as seen:
            report = replayed(order, os.environ, seen, told)
    except ConfigurationError as error:
        raise click.UsageError(f"{error} [option {error.option}]") from None
    except ForeignJournalError:
        raise click.UsageError(
            f"{path} is the journal of another replay, or of other options; "
            "remove it, or name another with --journal."
        ) from None
    click.echo(msgspec.json.encode(report) if machine else _text(report, path))
    return 0 if report.fine else 1


def _text(report: Report, journal: Path) -> str:
    lines = [f"{report.lines:>12,}  lines read"]
    lines += [f"{n:>12,}  no page view: {word}" for word, n in report.refused.items()]
    lines.append(f"{report.page_views:>12,}  page views")
    lines += [f"{n:>12,}  {word}" for word, n in report.outcomes.items()]
    if not report.complete:
        why = f" ({report.stopped})" if report.stopped else ""
        lines.append(f"Stopped{why}; run it again to go on. Journal: {journal}")
    return "\n".join(lines)


@contextmanager
def _progress(
    logs: tuple[Path, ...], machine: bool
) -> Iterator[Callable[[int], object]]:
    size = sum(path.stat().st_size for path in logs)
    file = sys.stderr
    hidden = machine or not file.isatty()
    with click.progressbar(
        length=size, label="Replay", file=file, hidden=hidden
    ) as bar:
        yield bar.update
