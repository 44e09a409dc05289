"""The command `server-tracking inspect`."""

from __future__ import annotations

import ipaddress
import socket

import click

__all__ = ["inspect", "listen"]


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
def inspect(host: str, port: int | None) -> None:
    """Show the hits that any site sends, live.

    The inspector takes what analytics systems take, on the same paths, checks it by
    their rules, and shows it on a web page. Give your systems its address. Hits are
    kept in memory, the newest 10,000. Ctrl-C ends it.
    """
    from server_tracking.inspector.server import (
        USUAL_PORT,
        serving_inspector,
        wait_for_interrupt,
    )
    from server_tracking.inspector.store import HitStore

    listening = listen(port, usual=USUAL_PORT, host=host)
    with listening, serving_inspector(HitStore(), listening) as url:
        if not _is_loopback(host):
            click.echo(f"It listens on {host}: other machines can read all hits.")
        click.echo(f"Inspector: {url}/  (Ctrl-C ends it)")
        wait_for_interrupt()


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
