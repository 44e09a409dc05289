"""The benchmark runs and writes its tables; what it measures is for people to read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, END, main
from benchmarks.goals import goals
from benchmarks.tables import Table, markdown_of, text_of

ROOT = Path(__file__).parents[1]
COSTS = {"CPU", "total CPU", "p50", "p99", "x the floor", "peak bytes"}
PAGE = f"# Performance\n\n{BEGIN}\nold figures\n{END}\n\nThe rest.\n"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_benchmark_runs_and_writes_its_tables(tmp_path):
    file, page = tmp_path / "tables.json", tmp_path / "page.md"
    page.write_text(PAGE)
    parts = ["overhead", "delivery", "imports", "growth"]

    done = run(*parts, "--smoke", "--json", file, "--markdown", page)

    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    assert set(written) == {"machine", "parts"}
    assert {"processor", "cores", "python", "versions"} <= set(written["machine"])
    assert list(written["parts"]) == parts
    by_title = {
        table["title"]: table
        for tables in written["parts"].values()
        for table in tables
    }
    for title in ("WSGI", "ASGI"):
        rows = by_title[title]["rows"]
        assert set(rows[0]) >= COSTS
        assert {"no-op", "floor", "untracked: bot", "event"} <= {
            row["request"] for row in rows
        }
    assert {"hits", "hits/s"} <= set(
        by_title["Delivery, a collector that takes 0 ms"]["rows"][0]
    )
    assert "server_tracking" in {row["import"] for row in by_title["Imports"]["rows"]}
    assert sum(title.startswith("Growth") for title in by_title) == 4
    text = page.read_text()
    assert text.startswith("# Performance\n")
    assert text.endswith(f"{END}\n\nThe rest.\n")
    assert "old figures" not in text
    assert all(f"### {title}\n" in text for title in by_title)


@pytest.fixture
def kept(tmp_path):
    """Write what two runs have left."""

    def file(name, part, title):
        report = {
            "machine": {
                "processor": "one",
                "cores": 2,
                "load": 0.1,
                "system": "Linux",
                "python": "CPython 3.11.7",
                "day": "2026-11-25",
                "versions": {"msgspec": "0.19"},
            },
            "parts": {part: [{"title": title, "rows": [{"import": "it", "ms": 1.25}]}]},
        }
        path = tmp_path / name
        path.write_text(json.dumps(report))
        return path

    return [file("a.json", "growth", "Growth"), file("b.json", "imports", "Imports")]


def test_tables_of_earlier_runs_are_put_together_in_the_usual_order(kept, tmp_path):
    file = tmp_path / "both.json"

    main(["--read", *map(str, kept), "--json", str(file)])

    assert list(json.loads(file.read_text())["parts"]) == ["imports", "growth"]


def test_a_page_without_the_marks_is_refused_and_left_as_it_is(kept, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Something else\n")

    with pytest.raises(SystemExit, match="has no <!-- benchmarks: begin -->"):
        main(["--read", str(kept[0]), "--markdown", str(page)])

    assert page.read_text() == "# Something else\n"


def test_an_unknown_part_is_named_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["speed"])

    assert "no part 'speed'; there are overhead frameworks" in capsys.readouterr().err


TABLE = Table(
    "Costs",
    [
        {"request": "a", "µs": 1.25, "hits": 20000, "x": None},
        {"request": "longer", "µs": 1234.5, "hits": 1, "x": "yes"},
        {"request": "b", "µs": 12.34, "hits": 0, "x": "no"},
    ],
    "A note.",
)


def test_a_table_for_the_terminal_has_its_columns_aligned():
    assert text_of(TABLE).splitlines() == [
        "",
        "Costs",
        "A note.",
        "request     µs    hits    x",
        "a         1.25  20,000",
        "longer   1,234       1  yes",
        "b         12.3       0   no",
    ]


def test_a_table_for_the_docs_has_a_heading_and_a_rule():
    assert markdown_of(TABLE).splitlines() == [
        "### Costs",
        "",
        "A note.",
        "",
        "| request | µs | hits | x |",
        "|---|--:|--:|--:|",
        "| a | 1.25 | 20,000 |  |",
        "| longer | 1,234 | 1 | yes |",
        "| b | 12.3 | 0 | no |",
    ]


@pytest.mark.parametrize(("ms", "met"), [(60.0, "yes"), (60.1, "**no**")])
def test_a_goal_stands_beside_its_figure(ms, met):
    row = {"import": "server_tracking", "CPU ms": ms, "MB": 1.0, "of them heavy": ""}

    told = goals({"imports": [Table("Imports", [row])]})

    assert told.rows[0] == {
        "goal": "import server_tracking, ms of CPU",
        "at most": 60.0,
        "measured": ms,
        "met": met,
    }


def test_a_heavy_import_misses_its_goal():
    row = {
        "import": "server_tracking",
        "CPU ms": 1.0,
        "MB": 1.0,
        "of them heavy": "flask",
    }

    told = goals({"imports": [Table("Imports", [row])]})

    assert [row["met"] for row in told.rows] == ["yes", "yes", "**no**"]


@pytest.mark.parametrize(("late", "met"), [(3.3, "yes"), (3.31, "**no**")])
def test_growth_is_judged_by_what_the_floor_costs_at_that_time(late, met):
    marks = {10_000: 3.0, 1_000_000: late}
    rows = [{"hits so far": n, "x the floor": x} for n, x in marks.items()]

    told = goals({"growth": [Table("Growth: hits", rows)]})

    assert [row["met"] for row in told.rows] == [met]


def test_without_figures_there_are_no_goals():
    assert goals({"delivery": [Table("Delivery", [{"sender": "a"}])]}) is None
