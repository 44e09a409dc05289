"""What an import takes, in seconds and memory: each in a process of its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

from benchmarks.measuring import Size
from benchmarks.tables import Row, Table

ROUNDS = 15  # at most: a new process is slow, and its times are steady
HEAVY = ("requests", "flask", "django", "starlette", "fastapi", "celery", "pycurl")
SCRIPT = """
import sys, time
def resident():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0
{before}
memory, modules = resident(), len(sys.modules)
begun, cpu = time.perf_counter(), time.process_time()
{statement}
took, cpu = time.perf_counter() - begun, time.process_time() - cpu
print([took * 1e3, cpu * 1e3, (resident() - memory) / 1e6,
    len(sys.modules) - modules, [one for one in {heavy} if one in sys.modules]])
"""
# The public names are loaded when they are asked for, so an import alone says little.
EVERY_NAME = "from server_tracking import *"
DJANGO = (
    "import django; from django.conf import settings; import django.core.handlers.wsgi;"
    "settings.configure(SECRET_KEY='made up'); django.setup()"
)


Taken = tuple[float, float, float, int, list[str]]


class Subject(NamedTuple):
    """What is imported, after what is there anyway, and what that needs."""

    name: str
    statement: str
    before: str = ""
    needed: str = "server_tracking"


SUBJECTS = (
    Subject("nothing", "pass"),
    Subject("server_tracking, no name of it", "import server_tracking"),
    Subject("server_tracking", EVERY_NAME),
    Subject(
        "the same, and a Tracker",
        f"{EVERY_NAME}; Tracker(secret_key='a key made up of more')",
    ),
    Subject("server_tracking.wsgi", "import server_tracking.wsgi"),
    Subject("server_tracking.asgi", "import server_tracking.asgi"),
    Subject("flask itself", "import flask", needed="flask"),
    Subject("server_tracking_flask, over it", "import server_tracking_flask",
            "import flask", "flask"),
    Subject("django itself, set up", DJANGO, needed="django"),
    Subject("server_tracking_django, over it",
            "import server_tracking_django.middleware", DJANGO, "django"),
    Subject("starlette itself", "import starlette.applications", needed="starlette"),
    Subject("server_tracking_starlette, over it", "import server_tracking_starlette",
            "import starlette.applications", "starlette"),
    Subject("requests itself", "import requests", needed="requests"),
)  # fmt: skip


def imports(size: Size) -> Iterator[Table]:
    """Import each subject in a fresh process, in turn."""
    taken: dict[str, list[Taken]] = {}
    with tempfile.TemporaryDirectory() as compiled:
        for round_number in range(min(size.rounds, ROUNDS) + 1):
            for subject in SUBJECTS:
                if find_spec(subject.needed):
                    times = _imported(subject, compiled)
                    if round_number:  # the first one compiles
                        taken.setdefault(subject.name, []).append(times)
    left_out = {one.needed for one in SUBJECTS if not find_spec(one.needed)}
    if left_out:
        print(f"Not installed, and left out: {', '.join(sorted(left_out))}.")
    yield Table(
        "Imports",
        [_row(name, *zip(*times, strict=True)) for name, times in taken.items()],
        "Over an interpreter that has imported nothing, or only the framework; "
        "of server_tracking, every public name. "
        "On the clock in the quietest round; CPU and memory are medians.",
    )


def _imported(subject: Subject, compiled: str) -> Taken:
    """Import in a new process that keeps what it compiles in a folder of its own."""
    script = SCRIPT.format(
        before=subject.before, statement=subject.statement, heavy=HEAVY
    )
    command = [sys.executable, "-c", script]
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on most machines
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environ
    )
    return tuple(ast.literal_eval(done.stdout))


def _row(name, took, cpu, megabytes, modules, heavy) -> Row:
    return {
        "import": name,
        "ms": min(took),  # what the machine did beside shows least here
        "CPU ms": median(cpu),
        "MB": median(megabytes),
        "modules": int(median(modules)),
        "of them heavy": ", ".join(heavy[0]),
    }
