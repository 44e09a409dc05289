"""The command line, also where its packages are missing."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from server_tracking.cli import main

WITHOUT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None  # as if it were not installed
from server_tracking.cli import main
sys.exit(main({arguments!r}))
"""


def run_without(missing, *arguments):
    script = WITHOUT.format(missing=missing, arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


def test_without_its_packages_it_says_in_one_line_what_to_install():
    done = run_without(["click"], "demo")

    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "'click'" in line
    assert 'pip install "server-tracking[inspector]"' in line


@pytest.mark.parametrize("command", ["demo", "inspect"])
@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_each_missing_package_is_named(command, missing):
    pytest.importorskip("click")

    done = run_without([missing], command)

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"'{missing}'" in line


def test_help_needs_no_server():
    pytest.importorskip("click")

    done = run_without(["starlette", "uvicorn"], "demo", "--help")

    assert done.returncode == 0
    assert "--inspector-port" in done.stdout


def test_it_tells_its_version(capsys):
    pytest.importorskip("click")

    assert main(["--version"]) == 0
    assert version("server-tracking") in capsys.readouterr().out


def test_its_help_names_every_command(capsys):
    pytest.importorskip("click")

    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "demo " in said
    assert "inspect " in said


@pytest.mark.parametrize(
    "arguments", [["dmeo"], ["demo", "--port", "x"], ["inspect", "--port", "70000"]]
)
def test_wrong_use_is_code_2_and_says_why(arguments, capsys):
    pytest.importorskip("click")

    assert main(arguments) == 2
    assert "Error:" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["inspect"], ["demo"]])
def test_a_taken_port_is_code_1_and_one_line(command, capsys):
    pytest.importorskip("uvicorn")
    pytest.importorskip("click")
    from server_tracking.inspector.server import listening_socket

    with listening_socket() as taken:
        port = taken.getsockname()[1]

        assert main([*command, "--port", str(port)]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert str(port) in line
    assert "--port" in line
