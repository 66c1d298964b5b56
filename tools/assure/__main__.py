"""
Tries the promises: `python -m tools.assure [assure|attack|load|soak] [--minutes N] [--rows 11,13] [--no-page]`.

What is asked may also stand in ARGS. Each row is tried, then its faults are planted; the tables go onto the screen and,
when everything was asked for, into docs/assurance.md. The exit code is 1 where a promise is broken or not proven.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import time
from collections.abc import Sequence

from tools.assure import proofs, rows

MINUTES = {"assure": 90.0, "attack": 60.0, "load": 30.0, "soak": 60.0}
MODULES = {"assure": "suite", "attack": "attack", "load": "load", "soak": "soak"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=MODULES, nargs="?", default="assure")
    parser.add_argument("--minutes", type=float, help="no row begins after so many")
    parser.add_argument("--rows", default="", help="numbers with commas between; else all")
    parser.add_argument("--no-page", action="store_true", help="leave docs/assurance.md as it is")
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser.parse_args([*given, *shlex.split(os.environ.pop("ARGS", ""))])
    chosen = {one.strip() for one in asked.rows.split(",") if one.strip()}
    every: tuple[rows.Row, ...] = importlib.import_module(f"tools.assure.{MODULES[asked.suite]}").ROWS
    wanted = [row for row in every if not chosen or chosen & {part.strip() for part in row.number.split(",")}]
    if not wanted:
        print(f"No such row. There are: {', '.join(row.number for row in every)}.")
        return 2
    deadline = rows.Deadline(asked.minutes or MINUTES[asked.suite])
    began, outcomes = time.monotonic(), []
    for row in wanted:
        outcomes.append(_tried(row, deadline))
        one = outcomes[-1]
        print(
            f"row {row.number}: {one.verdict}, {one.seconds:.0f} s: {one.figure.said or one.figure.skipped}",
            flush=True,
        )
        for said in one.figure.failures:
            print(f"    {said}", flush=True)
        for name, was in one.caught:
            print(f"    planted: {name}: {'found' if was else 'NOT FOUND'}", flush=True)
    command = f"make {asked.suite}" + (f' ARGS="{shlex.join(given[1:])}"' if given[1:] else "")
    text = rows.told(
        asked.suite, command, outcomes, seconds=time.monotonic() - began, cores=os.cpu_count() or 1
    )
    print("\n" + text)
    if not asked.no_page and not chosen:
        rows.write_part(asked.suite, text)
    return int(any(one.verdict in {"BROKEN", "NOT PROVEN"} for one in outcomes))


def _tried(row: rows.Row, deadline: rows.Deadline) -> rows.Outcome:
    if deadline.left < 5:
        return rows.Outcome(row, rows.Figure("", skipped="no time was left"), 0.0)
    return proofs.try_row(row, seconds=min(row.minutes * 60, deadline.left))


if __name__ == "__main__":
    sys.exit(main())
