"""The command `server-tracking explain`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import click

__all__ = ["explain"]

_NAVIGATION = {
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "accept-language": "en",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
    "Firefox/140.0",
}


@click.command()
@click.argument("url")
@click.option(
    "-H",
    "--header",
    "given",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header of the request; without a value, a usual one is left out.",
)
@click.option("-X", "--method", default="GET", show_default=True, help="Its method.")
@click.option("--peer", default="203.0.113.7", show_default=True, help="Who connects.")
@click.option(
    "--status",
    type=click.IntRange(100, 599),
    help="Status of the answer, if it counts.",
)
@click.option(
    "--content-type",
    default="text/html; charset=utf-8",
    show_default=True,
    help="Content type of the answer, with --status.",
)
@click.option("--json", "machine", is_flag=True, help="Print it for machines.")
def explain(
    url: str,
    given: tuple[str, ...],
    *,
    method: str,
    peer: str,
    status: int | None,
    content_type: str,
    machine: bool,
) -> int:
    """Say what becomes of a request for URL, and why.

    The configuration is that of SERVER_TRACKING_SYSTEMS and
    SERVER_TRACKING_<OPTION>; without any, that of an unchanged library. The request
    is that of a browser which opens a page, with the headers given in addition.
    Nothing is sent to anybody. The exit code is 0, or 2 for wrong use.
    """
    import msgspec

    from server_tracking.errors import ConfigurationError
    from server_tracking.exchange import Response
    from server_tracking.explanation import explanation_of
    from server_tracking.extractor import extractor_from, request_from
    from server_tracking.settings import Settings
    from server_tracking.systems import system_from_url

    try:
        settings = Settings.from_env(os.environ)
        systems = [
            system_from_url(system)
            for system in os.environ.get("SERVER_TRACKING_SYSTEMS", "").split()
        ]
    except ConfigurationError as error:
        raise click.UsageError(f"{error} [option {error.option}]") from None
    request = request_from(_environ(method, url, peer, given), settings=settings)
    response = None
    if status is not None:
        response = Response(status, [("Content-Type", content_type)])
    explained = explanation_of(request, response, extractor_from(settings), systems)
    if machine:
        click.echo(msgspec.json.encode(explained))
    else:
        click.echo(str(explained))
    return 0


def _environ(
    method: str, url: str, peer: str, given: tuple[str, ...]
) -> dict[str, object]:
    """Make the WSGI environ of the request; wrong use is said by click."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise click.BadParameter("it is not a web address", param_hint="URL")
    environ: dict[str, object] = {
        "REQUEST_METHOD": method.upper(),
        "SCRIPT_NAME": "",
        "PATH_INFO": parts.path.encode().decode("latin-1") or "/",
        "QUERY_STRING": parts.query,
        "REMOTE_ADDR": peer,
        "HTTP_HOST": parts.netloc.rpartition("@")[2],
        "wsgi.url_scheme": parts.scheme,
    }
    for name, value in _headers(given).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


def _headers(given: tuple[str, ...]) -> Mapping[str, str]:
    headers = dict(_NAVIGATION)
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter(f"{text!r} has no colon", param_hint="--header")
        if value.strip():
            headers[name.strip().lower()] = value.strip()
        else:
            headers.pop(name.strip().lower(), None)
    return headers
