"""Measure and print: `python -m benchmarks [--smoke] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

from benchmarks.overhead import overhead


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--smoke", action="store_true", help="run, whatever the times")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    chosen = parser.parse_args()
    tables = overhead(1, 10) if chosen.smoke else overhead()
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU of the ")
    print("serving thread over the bare application, medians of interleaved rounds.")
    for gateway, rows in tables.items():
        print(f"\n{gateway:36}{'µs':>8}{'x floor':>10}")
        for row in rows:
            times = f"{row.floors:10.2f}" if row.floors is not None else ""
            print(f"{row.variant:36}{row.microseconds:8.2f}{times}")
    if chosen.json:
        made = {name: [row._asdict() for row in rows] for name, rows in tables.items()}
        chosen.json.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
