"""The benchmark serves the same site on every framework that is installed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITES = ["Flask", "Django", "Django, async", "Starlette", "FastAPI"]


def test_every_framework_is_measured_alone_and_beside_others(tmp_path):
    for name in ("flask", "django", "starlette", "fastapi", "jinja2"):
        pytest.importorskip(name)
    file = tmp_path / "tables.json"
    arguments = ["frameworks", "peers", "--smoke", "--json", str(file)]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    parts = json.loads(file.read_text())["parts"]
    assert [table["title"] for table in parts["frameworks"]] == SITES
    for table in parts["frameworks"]:
        assert "page view, title from context" in {
            row["request"] for row in table["rows"]
        }
    beside = [f"{name}, beside others" for name in ("WSGI", "ASGI", *SITES)]
    assert [table["title"] for table in parts["peers"]] == beside
    for table in parts["peers"]:
        assert {"no-op", "floor", "server_tracking"} <= {
            row["request"] for row in table["rows"]
        }
