"""What `make test` prints, and in which order: a step's words in one piece, and the suite's closing line last."""

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import check, debian


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["check"])


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


def test_the_suite_keeps_its_objects_in_large_pages_where_python_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite = (
        "import os\nprint(os.environ.get('PYTHONMALLOC', 'as built'), flush=True)\nprint('1 passed in 1 s')\n"
    )
    monkeypatch.delenv("PYTHONMALLOC", raising=False)
    can = sysconfig.get_config_var("WITH_MIMALLOC")

    code, said = _run(monkeypatch, tmp_path, suite=suite, steps={"types": _good})

    assert code == 0, said  # a name that this Python does not know would have ended it at once
    assert said.endswith(f"{'mimalloc' if can else 'as built'}\n1 passed in 1 s\n")


def test_a_python_that_cannot_is_left_as_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: None)
    assert check._large_pages() == {}


def test_what_runs_beside_the_suite_leaves_it_the_processor() -> None:
    done = subprocess.run(
        ["nice", "-n", check._LESS, sys.executable, "-c", "import os; print(os.nice(0))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) > os.nice(0)


# --- What the suite needs of the machine ---


class Machine:
    """Stands in for the machine: which programs are there, and what apt-get is asked for and brings."""

    def __init__(self, *programs: str) -> None:
        self.programs, self.asked = set(programs), list[list[str]]()
        self.brings: dict[str, str] = {}

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run(self, command: list[str]) -> tuple[int, str]:
        self.asked.append(command)
        if command[:2] == ["apt-get", "install"]:
            time.sleep(0.05)
            self.programs |= {self.brings[name] for name in command if name in self.brings}
        return 0, "said by the program\n"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A Debian of root's without Node.js and Chromium."""
    found = Machine("apt-get")
    found.brings = {name: name for name in ("npm", "chromium", "chromium-headless-shell")}
    monkeypatch.setattr(check, "_run", found.run)
    monkeypatch.setattr(debian, "_run", found.run)
    monkeypatch.setattr(shutil, "which", found.which)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("CHROMIUM", raising=False)
    return found


def test_node_is_installed_where_that_is_allowed_and_the_styles_are_checked(machine: Machine) -> None:
    assert check._styles()[0] == 0
    assert machine.asked[0] == ["apt-get", "update", "-q"]
    assert machine.asked[1][-2:] == ["nodejs", "npm"]
    assert machine.asked[-1] == ["npm", "run", "--silent", "check-build"]
    machine.asked.clear()
    assert check._styles()[0] == 0
    assert not [command for command in machine.asked if command[0] == "apt-get"]


@pytest.mark.parametrize("why", ["nobody in particular", "another system", "no such package"])
def test_without_node_the_step_fails_and_names_what_to_install(
    machine: Machine, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "nobody in particular":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    elif why == "another system":
        machine.programs.clear()
    else:
        machine.brings.clear()
    for step, needed in ((check._styles, "nodejs npm"), (check._chromium, "chromium-headless-shell")):
        code, said = step()
        assert code == 1
        assert f"apt-get install {needed}" in said
    installs = [command for command in machine.asked if "install" in command]
    assert bool(installs) is (why == "no such package")


def test_two_steps_install_one_after_the_other(machine: Machine) -> None:
    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(lambda step: step()[0], (check._styles, check._chromium)))
    assert codes == [0, 0]
    assert {"npm", "chromium-headless-shell"} <= machine.programs
    installs = [place for place, command in enumerate(machine.asked) if command[:2] == ["apt-get", "install"]]
    assert all(machine.asked[place - 1][:2] == ["apt-get", "update"] for place in installs)


def test_the_whole_browser_is_installed_only_where_the_lighter_one_is_not_offered(machine: Machine) -> None:
    assert check._chromium()[0] == 0
    assert "chromium" not in machine.programs
    machine.programs = {"apt-get"}
    machine.brings.pop("chromium-headless-shell")
    assert check._chromium()[0] == 0
    assert "chromium" in machine.programs


def test_a_browser_that_is_named_is_the_one(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/mine")

    assert check._chromium() == (0, "")
    assert machine.asked == []
