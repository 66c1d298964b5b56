"""
What runs brought, kept in docs/assurance.json, and what is made of it: the page (docs/assurance.md) and README's table.

A run replaces what an earlier one brought for the same rows and leaves the others as they are, so that rows can be
tried one at a time; each keeps the commit, the command and the day of its own run. What was not tried replaces nothing.
"""

import importlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.assure import rows
from lab.assure.goals import GOALS, Goal, goals_of

MODULES = {
    "assure": "suite", "faults": "faulting", "attack": "attack", "load": "load", "soak": "soak",
    "upgrade": "upgrading", "dates": "dates",
}  # fmt: skip
RESULTS = rows.ROOT / "docs" / "assurance.json"
README = rows.ROOT / "README.md"
TRIES = {
    "faults": "web, worker, beat, Valkey and PostgreSQL ended by SIGKILL, a clock an hour back, lines slow, silent, cut"
    " or refused, a full disk, while nights erase and trackers call",
    "assure": "each promise in its small form: forged webhooks, tampered trails, moved ciphertexts, crossed agencies,"
    " canaries on the disk",
    "attack": "scanners, fuzzers and a stop-watch against a running installation, beside something weak that they"
    " must find",
    "load": "events and pages at a rate, and what was lost",
    "soak": "how memory grows, for an hour or a night",
    "upgrade": "an upgrade under load, killed after its steps",
    "dates": "the whole suite under other dates: leap day, clock changes, the end of a year, far ahead",
}
"""Suite -> what it tries, for README."""
BEGIN, END = "<!-- written by the commands -->", "<!-- end of what the commands wrote -->"

Result = dict[str, Any]


def result_of(suite: str, command: str, one: rows.Outcome) -> Result:
    """What is kept of an outcome."""
    return {
        "suite": suite, "row": one.row.number, "promise": one.row.promise, "how": one.row.how,
        "passes": one.row.passes, "figure": one.figure.said, "trials": one.figure.trials,
        "failures": list(one.figure.failures), "skipped": one.figure.skipped, "verdict": one.verdict,
        "caught": [[name, was] for name, was in one.caught], "seconds": round(one.seconds), "command": command,
        "commit": rows.commit(), "on": str(datetime.now(UTC).date()), "cores": os.cpu_count() or 1,
    }  # fmt: skip


def read(file: Path = RESULTS) -> list[Result]:
    """Everything that is kept."""
    found: list[Result] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return found


def keep(new: Iterable[Result], file: Path = RESULTS) -> list[Result]:
    """Put results in the place of those of the same rows; what was not tried takes the place of nothing."""
    kept = {(_home(one["suite"], one["row"]), one["row"]): one for one in read(file)}
    for one in new:
        key = (_home(one["suite"], one["row"]), one["row"])
        if one["verdict"] != "not tried" or kept.get(key, one)["verdict"] == "not tried":
            kept[key] = one
    found = sorted(kept.values(), key=lambda one: (goals_of(one["row"])[0], one["suite"], one["row"]))
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def _every() -> list[tuple[str, rows.Row]]:
    return [
        (suite, row)
        for suite, module in MODULES.items()
        for row in importlib.import_module(f"lab.assure.{module}").ROWS
    ]


def expected() -> list[tuple[str, rows.Row]]:
    """Every trial that there is, once, with the first command that makes it."""
    return [(suite, row) for suite, row in _every() if _home(suite, row.number) == suite]


def _home(suite: str, number: str) -> str:
    """The first command that makes the same trial."""
    own = [row for name, row in _every() if name == suite and row.number == number]
    return next((name for name, row in _every() if own and row is own[0]), suite)


def _whole(results: Sequence[Result]) -> list[Result]:
    """What is kept, in the order of the goals, and a row for each trial of which nothing is."""
    there = {(_home(one["suite"], one["row"]), one["row"]): one for one in results}
    found = [
        there.get((suite, row.number))
        or {
            "suite": suite, "row": row.number, "promise": row.promise, "passes": row.passes, "verdict": "not tried",
            "skipped": "this trial did not run here", "failures": [], "caught": [], "trials": 0,
            "command": f'make {suite} ARGS="--rows {row.number.split(",")[0]}"', "commit": "",
        }
        for suite, row in expected()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (goals_of(one["row"])[0], one["suite"], one["row"]))


def verdict_of(goal: Goal, results: Sequence[Result]) -> str:
    """One word for a goal, of all its trials."""
    said = {one["verdict"] for one in results}
    for word in ("BROKEN", "NOT PROVEN"):
        if word in said:
            return word
    if said == {"kept"}:
        return "kept in its small form" if goal.left else "kept"
    return "kept in part" if "kept" in said else "not tried"


VERDICTS = ("kept", "kept in its small form", "kept in part", "BROKEN", "NOT PROVEN", "not tried")


def written(results: Sequence[Result]) -> str:
    """The page's tables: the goals at a glance, then each with its trials, its planted faults and what is not tried."""
    whole = _whole(results)
    of = {goal.number: [one for one in whole if goal.number in goals_of(one["row"])] for goal in GOALS}
    verdicts = {goal.number: verdict_of(goal, of[goal.number]) for goal in GOALS}
    counts = Counter(verdicts.values())
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word])
    lines = [f"{len(GOALS)} goals: {told}.", ""]
    lines += ["| goal | what is promised | verdict | tried by |", "|---|---|---|---|"]
    for goal in GOALS:
        suites = dict.fromkeys(one["suite"] for one in of[goal.number] if one["verdict"] != "not tried")
        by = ", ".join(f"`make {suite}`" for suite in suites)
        lines.append(f"| {goal.number} | {goal.promise} | {verdicts[goal.number]} | {by} |")
    for goal in GOALS:
        lines += ["", *_section(goal, of[goal.number], verdicts[goal.number])]
    return "\n".join(lines)


def _section(goal: Goal, results: Sequence[Result], verdict: str) -> list[str]:
    lines = [f"### {goal.number}. {goal.promise}: {verdict}", "", f"In full: {goal.asks}.", ""]
    if results:
        lines += [
            "| trial | figure | pass line | what no failure proves | verdict | command | commit, day |",
            "|---|---|---|---|---|---|---|",
        ]
    for one in results:
        own = goals_of(one["row"])[0]
        if own != goal.number:
            lines.append(
                f"| {rows.cell(one['promise'])} | see {own} | | | {one['verdict']} | `{one['command']}` | |"
            )
            continue
        figure = f"not tried: {one['skipped']}" if one["skipped"] else one["figure"]
        proves = "" if one["failures"] or one["skipped"] else rows.what_none_proves(one["trials"])
        cells = (
            one["promise"],
            figure,
            one["passes"],
            proves,
            one["verdict"],
            f"`{one['command']}`",
            _when(one),
        )
        lines.append("| " + " | ".join(map(rows.cell, cells)) + " |")
    own_trials = [one for one in results if goals_of(one["row"])[0] == goal.number]
    if broken := [said for one in own_trials for said in one["failures"]]:
        lines += ["", "Does not hold:", "", *(f"- {rows.cell(said)[:400]}" for said in broken)]
    if caught := [(name, was) for one in own_trials for name, was in one["caught"]]:
        said = "; ".join(f"{name}: {'found' if was else 'NOT FOUND'}" for name, was in caught)
        lines += ["", f"Planted faults: {said}."]
    if goal.left:
        lines += ["", f"Not tried: {goal.left}"]
    return lines


def _when(one: Result) -> str:
    if not one["commit"]:
        return ""
    long = f", {_long(one['seconds'])}" if one["seconds"] else ""
    return f"{one['commit']}, {one['on']}, {one['cores']} cores{long}"


def _long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def in_short(results: Sequence[Result]) -> str:
    """README's table: each command, what it tries, and what came of it in figures."""
    whole = _whole(results)
    lines = ["| command | what it tries | what came of it |", "|---|---|---|"]
    for suite, tries in TRIES.items():
        came = _came([one for one in whole if one["suite"] == suite])
        lines.append(f"| `make {suite}` | {tries} | {came} |")
    return "\n".join(lines)


def _came(own: Sequence[Result]) -> str:
    """What came of a command's trials: how many held, how many did not run, what failed, what was planted and found."""
    verdicts = Counter(one["verdict"] for one in own)
    kept = verdicts.pop("kept", 0)
    others = "".join(f", {count} {word}" for word, count in sorted(verdicts.items()))
    said = [f"{kept} of {len(own)} trials kept{others}"]
    ran = [one for one in own if one["verdict"] != "not tried"]
    if tries := sum(one["trials"] for one in ran):
        said.append(f"{sum(len(one['failures']) for one in ran)} failures in {tries:,} tries")
    if caught := [was for one in ran for _, was in one["caught"]]:
        said.append(f"{sum(caught)} of {len(caught)} planted faults found")
    return "; ".join(said)


def write_page(results: Sequence[Result], page: Path = rows.PAGE) -> None:
    """Put the tables between their marks; the words around them stay."""
    _put(written(results), page)


def write_readme(results: Sequence[Result], readme: Path = README) -> None:
    """Put the short table between its marks likewise."""
    _put(in_short(results), readme)


def _put(text: str, page: Path) -> None:
    old = page.read_text(encoding="utf-8") if page.exists() else "# Assurance\n"
    if BEGIN not in old:
        old = f"{old.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
