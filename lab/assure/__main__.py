"""
Tries the promises: `python -m lab.assure [assure|faults|attack|load|soak|upgrade] [--minutes N] [--rows 11,13]`.

What is asked may also stand in ARGS. Each row is tried, then its faults are planted; the tables go onto the screen,
into docs/assurance.json, and into what is made of it: the page docs/assurance.md and README's table. `python -m
lab.assure page` makes both again. Rows are tried from the cheapest on. The exit code is 1 where a promise is broken,
not proven or not tried.
"""

import argparse
import importlib
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.assure import proofs, results, rows

MINUTES = {
    "assure": 95.5,
    "faults": 60.0,
    "attack": 120.0,
    "load": 30.0,
    "soak": 60.0,
    "upgrade": 15.0,
    "dates": 240.0,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=[*results.MODULES, "page"], nargs="?", default="assure")
    parser.add_argument("--minutes", type=float, help="no row begins after so many")
    parser.add_argument("--rows", default="", help="numbers with commas between; else all")
    parser.add_argument("--no-page", action="store_true", help="keep nothing of it in docs")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="where what it brought is kept")
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser.parse_args([*given, *shlex.split(os.environ.pop("ARGS", ""))])
    if asked.suite == "page":
        kept = results.read(asked.results)
        results.write_page(kept)
        results.write_readme(kept)
        return 0
    chosen = {one.strip() for one in asked.rows.split(",") if one.strip()}
    every: tuple[rows.Row, ...] = importlib.import_module(f"lab.assure.{results.MODULES[asked.suite]}").ROWS
    wanted = [
        row for row in every if not chosen or _is_chosen(row.number, chosen, {one.number for one in every})
    ]
    if not wanted:
        print(f"No such row. There are: {', '.join(row.number for row in every)}.")
        return 2
    wanted.sort(key=lambda row: row.minutes)
    deadline = rows.Deadline(asked.minutes or MINUTES[asked.suite])
    began, outcomes = time.monotonic(), []
    command = f"make {asked.suite}"
    for place, row in enumerate(wanted, 1):
        outcomes.append(_tried(row, _seconds(row, deadline, wanted[place:])))
        one = outcomes[-1]
        print(
            f"row {row.number}: {one.verdict}, {one.seconds:.0f} s: {one.figure.said or one.figure.skipped}",
            flush=True,
        )
        for said in one.figure.failures:
            print(f"    {said}", flush=True)
        for name, was in one.caught:
            print(f"    planted: {name}: {'found' if was else 'NOT FOUND'}", flush=True)
        if not asked.no_page:
            alone = f'make {asked.suite} ARGS="--rows {one.row.number.split(",")[0]}"'
            kept = results.keep([results.result_of(asked.suite, alone, one)], asked.results)
            results.write_page(kept)
            results.write_readme(kept)
    text = rows.told(
        asked.suite, command, outcomes, seconds=time.monotonic() - began, cores=os.cpu_count() or 1
    )
    print("\n" + text)
    if short := [one for one in outcomes if one.verdict != "kept"]:
        print("\nNot kept: " + "; ".join(f"row {one.row.number} ({_why(one)})" for one in short))
    return int(bool(short))


def _why(one: rows.Outcome) -> str:
    return f"{one.verdict}: {one.figure.skipped}" if one.figure.skipped else one.verdict


def _is_chosen(number: str, chosen: set[str], every: set[str]) -> bool:
    """By its first number, which is what a row is called; or by another of them that no row is called by."""
    called = {one.partition(",")[0] for one in every}
    first, *others = (part.strip() for part in number.split(","))
    return first in chosen or bool(set(others) & (chosen - called))


def _seconds(row: rows.Row, deadline: rows.Deadline, later: Sequence[rows.Row]) -> float:
    """A row's own time; what ends when it is done may use what no later row needs, too."""
    spare = deadline.left - sum(one.minutes for one in later) * 60
    return min(max(row.minutes * 60, spare if row.has_an_end or not row.trial else 0), deadline.left)


def _tried(row: rows.Row, seconds: float) -> rows.Outcome:
    if seconds < rows.LEAST:
        return rows.Outcome(row, rows.Figure("", skipped="no time was left"), 0.0)
    return proofs.try_row(row, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
