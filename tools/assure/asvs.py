"""
Row 20: docs/asvs.csv. Every test that a requirement names is run; every file that one names is there; what does not
apply, differs or is the operator's gives its reason.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence

from tools.assure import proofs
from tools.assure.rows import ROOT, Figure

FILE = ROOT / "docs" / "asvs.csv"


def requirements() -> list[list[str]]:
    """Its rows: id, level, our words, state, and tests, files or the reason."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def faults(found: Sequence[Sequence[str]]) -> list[str]:
    """Requirements whose state is none, that name a test or a file that is not there, or give no reason."""
    wrong = []
    for name, _, words, state, where in found:
        if not words or state not in {"met", "n/a", "differs", "operator"}:
            wrong.append(f"{name}: {state!r} is no state")
        elif state in {"n/a", "differs"} and (len(where) < 15 or not where.endswith(".")):
            wrong.append(f"{name}: no reason")
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


def asvs(seconds: float) -> Figure:
    """The state of every requirement, and whether its tests pass."""
    found = requirements()
    wrong = faults(found)
    tests = named(found)
    ran = proofs.run(tests, seconds=seconds, large=False, processes=2)
    states = Counter(row[3] for row in found)
    said = (
        f"{len(found)} requirements of level 1 and 2: {states['met']} met, {states['n/a']} do not apply,"
        f" {states['differs']} are done otherwise, {states['operator']} are the operator's; the {len(tests)} tests that"
        f" they name: {ran.passed} cases passed, {len(ran.failed)} failed"
    )
    bare = [row for row in found if row[3] == "met" and not any(map(_is_test, row[4].split()))]
    said += f"; {len(bare)} of those met rest on files alone"
    gone = ["V0", "1", "words", "met", "rules/test_urls.py::test_none"]
    caught = (
        ("a requirement whose test is gone", bool(faults([gone]))),
        ("a requirement that gives no reason", bool(faults([["V0", "1", "words", "n/a", ""]]))),
    )
    return Figure(said, (*wrong, *ran.failed), caught=caught)
