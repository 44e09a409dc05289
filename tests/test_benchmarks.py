"""The benchmark runs; what it measures is for people to read."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_benchmark_runs_and_writes_its_rows(tmp_path):
    file = tmp_path / "rows.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert set(rows) == {"WSGI", "ASGI"}
    for table in rows.values():
        assert "floor" in {row["variant"] for row in table}
