"""What `make test` prints, and in which order: a step's words in one piece, and the suite's closing line last."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import check


def _failing(said: str) -> check.Step:
    return lambda: (1, said)


def _good() -> tuple[int, str]:
    return 0, ""


def test_a_step_is_told_in_one_piece_with_its_verdict() -> None:
    told: list[str] = []
    report = check.Report(told.append)

    report.step("types", _failing("a.py:1: wrong"))
    report.step("lint", _good)

    assert len(told) == 2
    assert told[0].startswith("== types\na.py:1: wrong\n== types: FAILED, ")
    assert told[1].startswith("== lint\n== lint: good, ")
    assert report.failed == ["types"]


def test_a_program_that_is_not_there_fails_its_step_alone() -> None:
    told: list[str] = []
    report = check.Report(told.append)

    report.step("types", lambda: check._run(["/nowhere/mypy"]))
    report.step("lint", _good)

    assert report.failed == ["types"]
    assert "/nowhere/mypy" in told[0]


def _run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, suite: str, steps: dict[str, check.Step]
) -> tuple[int, str]:
    """Run everything with a suite of our own; returns the exit code and what was printed."""
    program = tmp_path / "pytest"
    program.write_text(f"#!{sys.executable}\n{suite}", encoding="utf-8")
    program.chmod(0o700)
    said: list[str] = []
    monkeypatch.setattr(check, "BIN", tmp_path)
    monkeypatch.setattr(check, "BEFORE", {"browser": _good})
    monkeypatch.setattr(check, "BESIDE", steps)
    monkeypatch.setattr(check, "_say", said.append)
    monkeypatch.delenv("ARGS", raising=False)
    return check.main(), "".join(said)


_SUITE = "print('one .', flush=True)\nprint('two .', flush=True)\nprint('2 passed in 1 s', flush=True)\n"


def test_the_suites_closing_line_waits_for_what_runs_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = threading.Event()

    def late() -> tuple[int, str]:
        assert ended.wait(20), "the suite was not read while a step ran beside it"
        return 1, "late words"

    pass_on = check.Report.pass_on

    def read(self: check.Report, lines: Iterator[str]) -> str:
        last = pass_on(self, lines)
        ended.set()
        return last

    monkeypatch.setattr(check.Report, "pass_on", read)

    code, said = _run(monkeypatch, tmp_path, suite=_SUITE, steps={"types": late, "lint": _good})

    lines = [line for line in said.splitlines() if not line.endswith(" s") or "passed" in line]
    assert lines == [
        "== browser", "== suite", "one .", "two .", "== types", "late words", "== lint",
        "== failed beside the suite: types", "2 passed in 1 s",
    ]  # fmt: skip
    assert code == 1, "the suite is good, and a step is not"


@pytest.mark.parametrize(("suite", "step", "code"), [(0, 0, 0), (0, 1, 1), (3, 0, 3), (3, 1, 3)])
def test_whatever_failed_fails_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suite: int, step: int, code: int
) -> None:
    found, said = _run(
        monkeypatch, tmp_path, suite=f"{_SUITE}raise SystemExit({suite})", steps={"types": lambda: (step, "")}
    )

    assert found == code
    assert said.endswith("2 passed in 1 s\n")


def test_arguments_are_the_suites_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setenv("ARGS", "-k 'trail and not seal' -x")

    def note(arguments: list[str]) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(check, "_suite", note)
    monkeypatch.setattr(check, "_all", lambda *_: pytest.fail("no step was asked for"))

    assert check.main() == 0
    assert asked == [["-k", "trail and not seal", "-x"]]


def test_what_runs_beside_the_suite_leaves_it_the_processor() -> None:
    done = subprocess.run(
        ["nice", "-n", check._LESS, sys.executable, "-c", "import os; print(os.nice(0))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) > os.nice(0)
