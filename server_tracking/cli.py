"""The command line, `server-tracking`: each part of the package brings its commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

__all__ = ["main"]

_EXTRA = {"click", "starlette", "uvicorn"}
_INTERRUPTED = 130  # as shells name a program that Ctrl-C has ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv*, without the program's name; returns the exit code.

    0 is success, 1 failure, 2 wrong use or a package that is missing, 130 Ctrl-C.
    """
    try:
        return _run(argv)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        print(
            f"server-tracking: the package {package!r} is missing; "
            'pip install "server-tracking[inspector]" brings it.',
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    import click

    try:
        code = _program().main(argv, "server-tracking", standalone_mode=False)
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code or 0


def _program() -> click.Group:
    import click

    from server_tracking.checking.command import check
    from server_tracking.checking.explaining import explain
    from server_tracking.demo.command import demo
    from server_tracking.disclosure.command import report_data
    from server_tracking.draining.command import drain
    from server_tracking.inspector.command import inspect
    from server_tracking.reference.command import parameters
    from server_tracking.replaying.command import replay
    from server_tracking.telling.command import send

    program = click.Group(
        help="Server-side analytics for any Python web application.",
        commands=[
            check,
            demo,
            drain,
            explain,
            inspect,
            parameters,
            report_data,
            replay,
            send,
        ],
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(package_name="server-tracking")(program)
