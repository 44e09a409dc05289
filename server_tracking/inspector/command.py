"""The command `server-tracking inspect`."""

from __future__ import annotations

import ipaddress
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server_tracking.inspector.amounts import seconds_from, share_from

if TYPE_CHECKING:
    import socket

    from server_tracking.inspector.store import Store

__all__ = ["inspect", "listen"]


class Read(click.ParamType[float]):
    """A value that *read* makes of text; its `ValueError` is shown to the user."""

    name = "text"

    def __init__(self, read: Callable[[str], float]) -> None:
        self._read = read

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Read *value*, unless that was done."""
        try:
            return value if isinstance(value, float) else self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Whoever reaches it can read all hits.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.  [default: 8001, or a free one]",
)
@click.option(
    "--store",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="SQLite file to keep all hits in; without it, the newest 10,000 in memory.",
)
@click.option(
    "--respond",
    type=click.IntRange(200, 599),
    help="Answer each call with this status, whatever its system would say.",
)
@click.option(
    "--delay", type=Read(seconds_from), default="0s", help="Answer so late, say 2s."
)
@click.option(
    "--drop",
    type=Read(share_from),
    default="0%",
    help="Cut so many connections without an answer, say 10%.",
)
def inspect(
    host: str,
    port: int | None,
    *,
    file: Path | None,
    respond: int | None,
    delay: float,
    drop: float,
) -> None:
    """Show the hits that any site sends, live.

    The inspector takes what analytics systems take, on the same paths, checks it by
    their rules, and shows it on a web page. Give your systems its address. With
    --respond, --delay and --drop it fails as collectors do. Ctrl-C ends it.
    """
    from server_tracking.inspector.faults import Faults
    from server_tracking.inspector.server import (
        USUAL_PORT,
        serving_inspector,
        wait_for_interrupt,
    )

    faults = Faults(respond=respond, delay=delay, drop=drop)
    with (
        _opened(file) as store,
        listen(port, usual=USUAL_PORT, host=host) as listening,
        serving_inspector(store, listening, faults=faults) as url,
    ):
        if not _is_loopback(host):
            click.echo(f"It listens on {host}: other machines can read all hits.")
        click.echo(f"Inspector: {url}/  (Ctrl-C ends it)")
        wait_for_interrupt()


@contextmanager
def _opened(file: Path | None) -> Iterator[Store]:
    """Open the store; what is wrong with *file* is said as the command line says it."""
    from server_tracking.inspector.database import HitDatabase
    from server_tracking.inspector.store import HitStore

    if file is None:
        yield HitStore()
        return
    try:
        database = HitDatabase(file)
    except sqlite3.Error as error:
        raise click.ClickException(f"Cannot keep hits in {file}: {error}.") from None
    try:
        yield database
    finally:
        database.release()


def listen(
    port: int | None, *, usual: int, host: str = "127.0.0.1", option: str = "--port"
) -> socket.socket:
    """Listen on *port*; None takes the *usual* one, or one that is free.

    What is wrong is said as the command line says it.
    """
    from server_tracking.inspector.server import listening_socket

    try:
        return listening_socket(port, usual=usual, host=host)
    except OSError as error:
        where = f"port {port} of {host}" if port else host
        raise click.ClickException(
            f"Cannot listen on {where}: {error.strerror}. See {option}."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
