"""
A row: one promise, how it is tried, what counts as kept, and the faults that the trial must find.

A row counts only where each of its planted faults was found. A fault is planted in one of two ways: an edit of our own
source, made while the modules are loaded and nowhere on the disk, under which the row's tests must fail; or tests that
themselves plant one, in the database or in a file, and show that it is found.
"""

import hashlib
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STATE = ROOT / ".state" / "assure"
PAGE = ROOT / "docs" / "assurance.md"
# Seconds with which nothing is worth beginning.
LEAST = 5.0


@dataclass(frozen=True, slots=True)
class Edit:
    """
    A fault in our source: `old`, which stands there exactly once, is read as `new`.

    :ivar file: from the root of the repository.
    """

    name: str
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Figure:
    """
    What a trial brought.

    :ivar said: the figure, in words.
    :ivar failures: what did not hold, a line each.
    :ivar trials: how many independent tries there were, where 0 failures in so many say something; else 0.
    :ivar skipped: why it was not tried at all, if it was not.
    :ivar caught: (planted fault, whether it was found), of a trial that plants its own.
    :ivar ended: whether it came to its end within its time; one that did not proves nothing.
    """

    said: str
    failures: tuple[str, ...] = ()
    trials: int = 0
    skipped: str = ""
    caught: tuple[tuple[str, bool], ...] = ()
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """
    One promise and its trial.

    :ivar number: of the goal, for who looks it up; a suite may add a letter.
    :ivar tests: node ids under tests/ that try it, run with the larger numbers.
    :ivar plants: faults in our source under which those tests must fail.
    :ivar broken: the tests that are run with the faults in; those that find them, which are few so that it is quick.
    :ivar finders: node ids of tests that plant a fault themselves.
    :ivar trial: what tries it instead of tests, or beside them; is told how many seconds it has.
    :ivar minutes: what its tests or its trial and its planted faults take at most, together.
    :ivar has_an_end: its trial ends when it is done, as tests do, and may use what no later row needs.
    """

    number: str
    promise: str
    how: str
    passes: str
    tests: tuple[str, ...] = ()
    plants: tuple[Edit, ...] = ()
    broken: tuple[str, ...] = ()
    finders: tuple[str, ...] = ()
    trial: Callable[[float], Figure] | None = None
    minutes: float = 5.0
    has_an_end: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a row."""

    row: Row
    figure: Figure
    seconds: float
    caught: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """kept, BROKEN, NOT PROVEN (a planted fault was missed, there was none, or no end), or not tried."""
        if self.figure.failures:
            return "BROKEN"
        if self.figure.skipped:
            return "not tried"
        if not self.figure.ended or not self.caught or not all(was for _, was in self.caught):
            return "NOT PROVEN"
        return "kept"


def what_none_proves(trials: int) -> str:
    """What no failure in so many independent tries says of the rate, 95 times in 100 (the rule of three)."""
    if trials < 1:
        return "no rate: the same tries each time, and only those"
    if trials < 3:
        return f"0 of {trials}: nothing"
    return f"0 of {trials:,}: fewer than 1 in {1 / (1 - 0.05 ** (1 / trials)):,.0f}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


# The tables themselves: a run writes them, and they are no part of what it tries.
_TABLES = ("docs/assurance.md", "docs/assurance.json", "README.md")


def _is_changed() -> bool:
    return bool(
        _git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{one}" for one in _TABLES))
    )


def commit() -> str:
    """The commit that was tried, and whether anything beside it was changed."""
    return (_git("rev-parse", "--short=10", "HEAD") or "no commit") + (
        " with changes" if _is_changed() else ""
    )


def content() -> str:
    """A name for what is committed but for the tables, the same as long as that is; "" where something is changed."""
    lines = [line for line in _git("ls-tree", "-r", "HEAD").splitlines() if not line.endswith(_TABLES)]
    return "" if _is_changed() or not lines else hashlib.sha256("\n".join(lines).encode()).hexdigest()


def cell(text: str) -> str:
    """Text as it stands in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def told(suite: str, command: str, outcomes: Sequence[Outcome], *, seconds: float, cores: int) -> str:
    """The tables of a suite, as they go onto the screen and into the page."""
    day = datetime.now(UTC).date()
    kept = sum(one.verdict == "kept" for one in outcomes)
    head = (
        f"`{command}` on {day}, commit {commit()}, {cores} cores, {seconds / 60:.0f} minutes:"
        f" {kept} of {len(outcomes)} rows kept."
    )
    lines = [
        head,
        "",
        "| row | promise | figure | pass line | what no failure proves | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        figure = f"not tried: {one.figure.skipped}" if one.figure.skipped else one.figure.said
        proves = "" if one.figure.failures or one.figure.skipped else what_none_proves(one.figure.trials)
        cells = (one.row.number, one.row.promise, figure, one.row.passes, proves, one.verdict)
        lines.append("| " + " | ".join(map(cell, cells)) + " |")
    broken = [(one.row.number, said) for one in outcomes for said in one.figure.failures]
    if broken:
        lines += [
            "",
            "Does not hold:",
            "",
            *(f"- row {number}: {cell(said)[:400]}" for number, said in broken),
        ]
    caught = [(one.row.number, name, was) for one in outcomes for name, was in one.caught]
    if caught:
        lines += ["", "| row | planted fault | found |", "|---|---|---|"]
        lines += [f"| {number} | {cell(name)} | {'yes' if was else 'NO'} |" for number, name, was in caught]
    return "\n".join(lines)


def output_of(process: subprocess.Popen[str], seconds: float) -> str | None:
    """What a process said until its end, or None once it has had so many seconds; a machine's sleep is not counted."""
    left = seconds
    while left > 0:
        began = time.monotonic()
        try:
            return process.communicate(timeout=1)[0]
        except subprocess.TimeoutExpired:
            left -= min(time.monotonic() - began, 2.0)
    return None


class Deadline:
    """Until when a suite may begin something new."""

    def __init__(self, minutes: float) -> None:
        self.until = time.monotonic() + minutes * 60

    @property
    def left(self) -> float:
        """Seconds that are left; never below 0."""
        return max(self.until - time.monotonic(), 0.0)
