"""The pytest plugin of server-tracking: `tracked`, `wire_snapshot`, `inspection`.

It is loaded with every start of pytest, so it imports the library only when a test
asks for a fixture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from server_tracking.systems import System
    from server_tracking.testing.inspecting import Inspection
    from server_tracking.testing.tracked import Tracked

__all__ = ["inspection", "pytest_addoption", "tracked", "wire_snapshot"]

_UPDATE = "--wire-update"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes wire snapshots anew."""
    group = parser.getgroup("server-tracking")
    group.addoption(
        _UPDATE, action="store_true", help="Write the snapshots of wire_snapshot anew."
    )


@pytest.fixture
def tracked() -> Iterator[Tracked]:
    """Give what all trackers track in this test; nothing of it is sent."""
    from server_tracking.testing.tracked import recording

    with recording() as seen:
        yield seen


@pytest.fixture
def inspection() -> Iterator[Inspection]:
    """Serve an inspector for this test; needs ``server-tracking[inspector]``."""
    from server_tracking.testing import inspecting

    with inspecting.inspection() as served:
        yield served


@pytest.fixture
def wire_snapshot(
    request: pytest.FixtureRequest, tracked: Tracked
) -> Callable[..., None]:
    """Give a function that compares what a system is told with the last time.

    The text is kept in ``__wire__`` beside the test's file; it is written where
    there is none, or with ``--wire-update``.
    """
    folder = request.path.parent / "__wire__"
    test = re.sub(r"[^\w.-]+", "-", f"{request.path.stem}.{request.node.name}")

    def compare(system: System | None = None) -> None:
        __tracebackhide__ = True
        name = test if system is None else f"{test}.{system.name}"
        kept = folder / f"{name}.txt"
        _compare(tracked.wire(system), kept, anew=request.config.getoption(_UPDATE))

    return compare


def _compare(told: str, kept: Path, *, anew: bool) -> None:
    __tracebackhide__ = True
    if anew or not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(told, "utf-8")
        return
    before = kept.read_text("utf-8")
    if told == before:
        return
    import difflib

    lines = difflib.unified_diff(
        before.splitlines(), told.splitlines(), "before", "now", lineterm=""
    )
    said = "\n".join(lines)
    raise AssertionError(
        f"{kept.name} is told otherwise ({_UPDATE} keeps it so):\n{said}"
    )
