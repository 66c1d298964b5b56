"""
Row 20: docs/asvs.csv. Every test that a requirement names is run; every file that one names is there; what is met
names something; what does not apply, differs or is the operator's gives its reason. Tests run piece by piece; what
passed is not run again for the same files, so that a row that needs longer than there is comes to its end by being
asked for again.
"""

import csv
import json
import time
from collections import Counter
from collections.abc import Sequence

from lab.assure import proofs, rows
from lab.assure.rows import ROOT, STATE, Figure
from tests import order

FILE = ROOT / "docs" / "asvs.csv"
# What passed with the files as they are, so that a run that had no time for everything is gone on with.
PASSED = STATE / "asvs.json"


def requirements() -> list[list[str]]:
    """Its rows: id, level, our words, state, and tests, files or the reason."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def faults(found: Sequence[Sequence[str]]) -> list[str]:
    """Requirements whose state is none, that name nothing or what is not there, or give no reason."""
    wrong = []
    for name, _, words, state, where in found:
        if not words or state not in {"met", "n/a", "differs", "operator"}:
            wrong.append(f"{name}: {state!r} is no state")
        elif state in {"n/a", "differs"} and (len(where) < 15 or not where.endswith(".")):
            wrong.append(f"{name}: no reason")
        elif not where.split():
            wrong.append(f"{name}: nothing is named by which it is met")
        elif state in {"met", "operator"}:
            wrong += [f"{name}: {one} is not there" for one in where.split() if not _is_there(one)]
    return wrong


def _is_test(name: str) -> bool:
    return "::" in name or "/test_" in name


def _is_there(name: str) -> bool:
    return proofs.exists(name) if _is_test(name) else (ROOT / name).is_file()


def named(found: Sequence[Sequence[str]]) -> list[str]:
    """Every test that a requirement rests on, once."""
    return sorted(
        {one for row in found if row[3] in {"met", "operator"} for one in row[4].split() if _is_test(one)}
    )


def pieces(tests: Sequence[str]) -> list[list[str]]:
    """The tests in runs of their own: an app's together, and what takes minutes by itself and last."""
    found: dict[str, list[str]] = {}
    for test in tests:
        file = test.partition("::")[0]
        alone = f"tests/{file}" in order.LONG
        found.setdefault(file if alone else file.partition("/")[0], []).append(test)
    return [found[name] for name in sorted(found, key=lambda name: (_place(found[name][0]), name))]


def _place(test: str) -> int:
    """What takes longest comes last, so that a run that is cut short has tried most."""
    return -order.place_of(f"tests/{test}")[0]


def _passed(content: str) -> dict[str, int]:
    """The pieces that passed before with the very same files, by how they are told apart, and their cases."""
    if not PASSED.exists():
        return {}
    kept: dict[str, dict[str, int]] = json.loads(PASSED.read_text(encoding="utf-8"))
    return kept.get(content, {}) if content else {}


def _run(tests: Sequence[str], seconds: float, content: str) -> tuple[int, list[str], int]:
    """How many cases passed, what failed, and how many tests there was no time for; a later run goes on from there."""
    until, passed = time.monotonic() + seconds, _passed(content)
    failed: list[str] = []
    cases = left = 0
    for piece in pieces(tests):
        name = " ".join(piece)
        if name not in passed:
            time_left = until - time.monotonic()
            ran = proofs.run(piece, seconds=time_left, large=False, processes=2) if time_left > 5 else None
            if ran is None or ran.late:
                left += len(piece)
                continue
            failed += ran.failed
            if ran.failed or not ran.passed:
                cases += ran.passed
                continue
            passed[name] = ran.passed
            if content:  # else nobody knows later what was tried
                PASSED.write_text(json.dumps({content: passed}), encoding="utf-8")
        cases += passed[name]
    return cases, failed, left


def summary(found: Sequence[Sequence[str]]) -> str:
    """How many there are of each state; what is done otherwise is not met as it is written, whatever its reason."""
    states = Counter(row[3] for row in found)
    return (
        f"{len(found)} requirements of level 1 and 2: {states['met']} met, {states['differs']} not met as written and"
        f" done otherwise, {states['operator']} the operator's, {states['n/a']} do not apply"
    )


def asvs(seconds: float) -> Figure:
    """The state of every requirement, and whether its tests pass."""
    found = requirements()
    wrong = faults(found)
    tests = named(found)
    cases, failed, left = _run(tests, seconds, rows.content())
    said = (
        f"{summary(found)}; the {len(tests)} tests that they name: {cases} cases passed, {len(failed)} failed"
    )
    if left:
        said += f", {left} tests not yet run (the same command goes on with them)"
    bare = [row for row in found if row[3] == "met" and not any(map(_is_test, row[4].split()))]
    said += f"; {len(bare)} of those met rest on files alone"
    gone = ["V0", "1", "words", "met", "rules/test_urls.py::test_none"]
    caught = (
        ("a requirement whose test is gone", bool(faults([gone]))),
        ("a requirement that gives no reason", bool(faults([["V0", "1", "words", "n/a", ""]]))),
        ("a requirement that is met by nothing", bool(faults([["V0", "1", "words", "met", ""]]))),
    )
    return Figure(said, (*wrong, *failed), caught=caught, ended=not left)
