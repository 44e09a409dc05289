"""The public names are loaded when they are asked for; nobody should notice."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import server_tracking

TREE = ast.parse(Path(server_tracking.__file__).read_text("utf-8"))


def run(script):
    """Run *script* in a new process; what it says on standard output."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def told_to_type_checkers():
    """Name what the block for type checkers imports, and from where."""
    [block] = [node for node in TREE.body if isinstance(node, ast.If)][:1]
    return {
        alias.name: statement.module
        for statement in block.body
        for alias in statement.names
        if not alias.asname
    }


def test_type_checkers_are_told_of_all_public_names():
    assert sorted(told_to_type_checkers()) == sorted(server_tracking.__all__)


@pytest.mark.parametrize("name", server_tracking.__all__)
def test_a_name_is_what_type_checkers_are_told(name):
    home = told_to_type_checkers()[name]

    assert getattr(server_tracking, name) is getattr(import_module(home), name)


def test_no_name_is_loaded_before_it_is_asked_for():
    script = "import sys, server_tracking; print(*sorted(n for n in sys.modules if n.startswith('server_tracking')))"

    assert run(script) == "server_tracking"


def test_a_name_brings_its_own_module_and_not_all():
    script = (
        "import sys; from server_tracking import ConfigurationError;"
        "print('server_tracking.tracker' in sys.modules)"
    )

    assert run(script) == "False"


def test_a_name_is_looked_up_once():
    script = "import server_tracking; server_tracking.Event; print('Event' in vars(server_tracking))"

    assert run(script) == "True"


def test_a_star_imports_them_all():
    script = "from server_tracking import *; print(Tracker.__name__, current.__name__)"

    assert run(script) == "Tracker current"


def test_dir_lists_them_before_they_are_loaded():
    script = "import server_tracking; print(set(server_tracking.__all__) <= set(dir(server_tracking)))"

    assert run(script) == "True"


def test_modules_are_imported_as_ever():
    assert run("from server_tracking import wsgi; print(wsgi.__name__)") == (
        "server_tracking.wsgi"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match="'server_tracking' has no attribute 'trakcer'"
    ):
        server_tracking.trakcer  # noqa: B018
    with pytest.raises(ImportError, match="trakcer"):
        from server_tracking import trakcer  # noqa: F401
