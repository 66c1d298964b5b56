"""
Runs tests of the suite for a row, with the larger numbers (ASSURE=1, see tests/scale.py), and reads what they say.
"""

import ast
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lab.assure.rows import LEAST, ROOT, STATE, Deadline, Edit, Figure, Outcome, Row, output_of

# How pytest ends: 0 all passed, 1 some failed, 2 was interrupted, 3 and 4 could not start, 5 found no test.
_FAILED = 1


@dataclass
class Ran:
    """How tests ended; `told` is what they wrote down of themselves, `late` that they were ended by us."""

    code: int
    late: bool = False
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0
    told: list[dict[str, object]] = field(default_factory=list)
    output: str = ""


def run(
    nodes: Sequence[str],
    *,
    seconds: float,
    plant: Edit | None = None,
    large: bool = True,
    processes: int = 0,
    marks: str = "",
) -> Ran:
    """
    Run tests by node id (without "tests/"), in one process or some, within so many seconds.

    :param marks: an expression of pytest's markers for which of them; "" for all, those as well that the suite leaves
        out.
    """
    STATE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE) as folder:
        report, told = Path(folder, "report.xml"), Path(folder, "told.jsonl")
        environ = os.environ | {"ASSURE_TOLD": str(told), "PYTHONDONTWRITEBYTECODE": "1" if plant else ""}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-n",
            str(processes),
            "-m",
            marks,
        ]
        command += [f"--junit-xml={report}", "--tb=short"]
        if large:
            environ["ASSURE"] = "1"
        if plant is not None:
            environ["ASSURE_PLANT"] = json.dumps(asdict(plant))
            command += ["-p", "lab.assure.planting", "-x"]
        process = subprocess.Popen(
            [*command, *(f"tests/{node}" for node in nodes)],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        output = output_of(process, max(seconds, 1))
        if output is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                output, _ = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
            return Ran(2, late=True, failed=[f"did not end within {seconds:.0f} s"], output=output)
        found = _read(report, Ran(process.returncode, output=output))
        if told.exists():
            found.told = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
        return found


def _read(report: Path, found: Ran) -> Ran:
    if not report.exists():
        found.failed.append(found.output.strip()[-400:] or "pytest did not start")
        return found
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  (pytest wrote it)
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        found.seconds += float(case.get("time") or 0)
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            found.failed.append(f"{name}: {(bad.get('message') or '').splitlines()[0][:200]}")
        elif case.find("skipped") is not None:
            found.skipped += 1
        else:
            found.passed += 1
    if found.code not in {0, _FAILED} and not found.failed:
        found.failed.append(found.output.strip()[-400:])
    return found


def left_out(seconds: float) -> Figure:
    """What tests bring that `make test` leaves out, as large as it would try them."""
    return figure_of(run([""], seconds=seconds, large=False, processes=3, marks="thorough"))


def figure_of(ran: Ran) -> Figure:
    """What tests brought: how many passed, and the larger numbers that they wrote down."""
    if ran.late:
        return Figure(ran.failed[0], ended=False)
    summed: Counter[str] = Counter()
    trials = []
    for entry in ran.told:
        summed[str(entry["what"])] += int(str(entry["count"]))
        if entry.get("trials"):
            trials.append(int(str(entry["count"])))
    counts = [f"{count:,} {what}" for what, count in summed.items()]
    tests = f"{ran.passed} tests" + (f", {ran.skipped} skipped" if ran.skipped else "")
    said = "; ".join([*counts, tests])
    failures = tuple(ran.failed) or (() if ran.passed else ("no test ran",))
    # Tests that are the same every time are no tries by chance: only what was drawn counts as such.
    return Figure(said, failures, sum(trials))


def try_row(row: Row, *, seconds: float) -> Outcome:
    """Try a row, then plant its faults, all within so many seconds; what found no time for its faults did not end."""
    began, deadline = time.monotonic(), Deadline(seconds / 60)
    figure = Figure("")
    if row.tests:
        figure = figure_of(run(row.tests, seconds=deadline.left))
    if row.trial is not None:
        more = _tried(row.trial, deadline.left)
        figure = more if not row.tests else Figure(
            "; ".join(filter(None, (more.said, figure.said))), (*more.failures, *figure.failures),
            more.trials or figure.trials, more.skipped, more.caught, more.ended and figure.ended,
        )  # fmt: skip
    caught, unplanted = ([], 0) if figure.skipped else plant_all(row, deadline)
    if unplanted:
        said = f"{figure.said}; no time was left for {unplanted} planted faults"
        figure = replace(figure, said=said, ended=False)
    return Outcome(row, figure, time.monotonic() - began, [*figure.caught, *caught])


def _tried(trial: Callable[[float], Figure], seconds: float) -> Figure:
    """A trial; what breaks it is a failure of its row, and the rows after it are tried all the same."""
    try:
        return trial(seconds)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever it is, it is told)
        return Figure("", (f"the trial itself broke: {type(error).__name__}: {str(error)[:300]}",))


def plant_all(row: Row, deadline: Deadline) -> tuple[list[tuple[str, bool]], int]:
    """
    Each planted fault, and whether it was found: a test fails by it, not for want of starting.

    Then how many there was no time for, or that did not end in it.
    """
    caught: list[tuple[str, bool]] = []
    for plant in row.plants:
        ran = _within(deadline, row.broken or row.tests, plant)
        if ran is not None:
            caught.append((plant.name, ran.code == _FAILED and bool(ran.failed)))
    if row.finders and (ran := _within(deadline, row.finders, None)) is not None:
        caught += [(_sentence(node), ran.code == 0 and not ran.failed) for node in row.finders]
    return caught, len(row.plants) + len(row.finders) - len(caught)


def _within(deadline: Deadline, nodes: Sequence[str], plant: Edit | None) -> Ran | None:
    """How tests ended with a fault, or None where there was no time for that."""
    if deadline.left < LEAST:
        return None
    ran = run(nodes, seconds=deadline.left, plant=plant, large=False)
    return None if ran.late else ran


def _sentence(node: str) -> str:
    return node.rpartition("::")[2].removeprefix("test_").replace("_", " ")


@functools.cache
def _top_level(file: Path) -> Sequence[ast.stmt]:
    return ast.parse(file.read_text(encoding="utf-8")).body


def exists(node: str) -> bool:
    """Whether a node id (without "tests/", without parameters) names a test, or a file of them."""
    name, _, rest = node.partition("::")
    file = ROOT / "tests" / name
    if not rest:
        return file.exists()
    if not file.is_file():
        return False
    inside = _top_level(file)
    for part in rest.partition("[")[0].split("::"):
        found = [one for one in inside if getattr(one, "name", None) == part]
        if not found:
            return False
        inside = getattr(found[0], "body", [])
    return True
