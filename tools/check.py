"""
`make test`: every check there is, and the suite. Each step runs even when one before it failed, so that one run says
all. What the suite needs comes before it, all at once; the rest runs beside it, one step at a time and with less of
the processor, where the suite waits. What each said is printed in one piece, and the suite's closing line comes last.

`make test ARGS="-k trail"` hands arguments to pytest and leaves the other steps out.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools import arguments as arguments_of
from tools import browsers, debian

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# For commands that only read the code: nothing connects with these.
_CODE_ONLY = {"DJANGO_SETTINGS_MODULE": "tests.settings_for_types"}
# What runs beside the suite takes a quarter of what a test gets, so that limits of time hold in tests.
_LESS = "6"
_PUBLIC = {
    "DJANGO_SETTINGS_MODULE": "tests.settings_for_types",
    "CALLPRIVACY_URL": "https://calls.example.com",
    "CALLPRIVACY_PROXY_COUNT": "1",
    "MAIL_URL": "smtp://mail.example.com",
    "CALLPRIVACY_SECRET_KEY": "".join(chr(33 + number * 7 % 94) for number in range(80)),
}

Step = Callable[[], tuple[int, str]]
"""Runs a check; returns its exit code and what it said."""


def _run(command: Sequence[str], environ: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (environ or {}), text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def _tool(name: str, *arguments: str, environ: dict[str, str] | None = None) -> Step:
    return lambda: _run(["nice", "-n", _LESS, str(BIN / name), *arguments], environ)


def _django(*arguments: str, environ: dict[str, str]) -> Step:
    return _tool("python", "-m", "django", *arguments, environ=environ | {"PYTHONPATH": str(ROOT)})


def _templates() -> tuple[int, str]:
    folder = ROOT / "templates"
    if not folder.is_dir():
        return 0, ""
    return _tool("djlint", str(folder), "--lint", "--quiet")()


def _styles() -> tuple[int, str]:
    """
    Build the styles again and compare them with what is committed; what checks the pages in the browser comes along.
    Needs Node.js, which is installed where that is allowed.
    """
    said = debian.installed("npm", "nodejs", "npm")
    if not shutil.which("npm"):
        return 1, said + (
            "The styles are built again and the pages are checked by axe, which npm brings. On Debian: apt-get install "
            "nodejs npm. Elsewhere, install Node.js with npm and have npm on the path.\n"
        )
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    if not (ROOT / "node_modules").is_dir():
        code, said = _run(install)
        if code:
            return code, said
    return _run(["npm", "run", "--silent", "check-build"])


def _types() -> tuple[int, str]:
    """Check the types: in a fresh clone without writing down what was found, which takes a fifth of the time."""
    apart = [] if (ROOT / ".mypy_cache").is_dir() else ["--cache-dir", os.devnull]
    return _tool("mypy", *apart)()


def _alerts() -> tuple[int, str]:
    """Let the rules for Prometheus ring and be calm, where its promtool is."""
    if not shutil.which("promtool"):
        return 0, "promtool is not here: the rules of deploy/alerts.yaml were not tried.\n"
    return _run(["promtool", "test", "rules", "deploy/alerts_test.yaml"])


def _chromium() -> tuple[int, str]:
    """Find the browser of the tests, or install it where that is allowed: the lighter one, else the whole one."""
    if os.environ.get("CHROMIUM"):
        return 0, ""
    said = debian.installed(browsers.SHELL, browsers.SHELL)
    if not browsers.chromium():
        said = debian.installed("chromium", "chromium")
    if browsers.chromium():
        return 0, ""
    return 1, said + (
        "The browser tests need Chromium. On Debian: apt-get install chromium-headless-shell, or chromium. Elsewhere, "
        "name a Chromium or Chrome: CHROMIUM=/path/to/it make test\n"
    )


def _compiled() -> tuple[int, str]:
    """
    Collect the tests of a fresh clone once: that compiles them and all that they read, which takes half a minute, and
    each process of the suite would do it for itself.
    """
    if (ROOT / "tests/__pycache__").is_dir():
        return 0, ""
    code, said = _run([str(BIN / "pytest"), "--collect-only", "-q"])
    return code, said if code else ""


# The browser and the checker of its pages, which npm brings, have to be here before tests are collected to be run.
BEFORE: Final[dict[str, Step]] = {
    "compiled": _compiled,
    "browser": _chromium,
    "styles": _styles,
}
BESIDE: Final[dict[str, Step]] = {
    "types": _types,
    "requirements": _tool("python", "-m", "tools.compile_requirements", "--check"),
    "lint": _tool("ruff", "check", "."),
    "format": _tool("ruff", "format", "--check", "."),
    "imports": _tool("lint-imports"),
    "templates": _templates,
    "migrations": _django("makemigrations", "--check", "--dry-run", environ=_CODE_ONLY),
    "alerts": _alerts,
    "deployment": _django("check", "--deploy", "--fail-level", "WARNING", environ=_PUBLIC),
}


class Report:
    """What is printed: a step's words in one piece, between two lines of the suite's."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say, self.lock, self.failed = say, threading.Lock(), list[str]()

    def step(self, name: str, step: Step) -> None:
        """Run a step, and print what came of it."""
        started = time.monotonic()
        try:
            code, said = step()
        except OSError as error:
            code, said = 1, f"{error}\n"
        if said and not said.endswith("\n"):
            said += "\n"
        verdict = "FAILED" if code else "good"
        with self.lock:
            if code:
                self.failed.append(name)
            self.say(f"== {name}\n{said}== {name}: {verdict}, {time.monotonic() - started:.1f} s\n")

    def pass_on(self, lines: Iterator[str]) -> str:
        """Print each line as it comes, but for the last one, which is returned."""
        last = ""
        for line in lines:
            with self.lock:
                self.say(last)
            last = line
        return last


def _large_pages() -> dict[str, str]:
    """
    What lets Python keep its objects in pages of two megabytes, where this Python can (3.13 and later): a process of
    the suite holds half a gigabyte, and a machine with neighbours finds small pages slowly (docs/adr/0158).
    """
    if not sysconfig.get_config_var("WITH_MIMALLOC"):
        return {}
    return {"PYTHONMALLOC": "mimalloc", "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}


def _suite(arguments: list[str]) -> int:
    return subprocess.run([str(BIN / "pytest"), *arguments], cwd=ROOT, check=False).returncode


def _suite_beside(report: Report, steps: Future[None]) -> int:
    """Run the whole suite; its closing line waits for the steps beside it."""
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [str(BIN / "pytest"), "-n", "3", f"--color={colour}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | _large_pages(), text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as suite:  # fmt: skip
        assert suite.stdout is not None  # noqa: S101  (it is a pipe)
        closing = report.pass_on(suite.stdout)
    steps.result()
    if report.failed:
        report.say(f"== failed beside the suite: {', '.join(report.failed)}\n")
    report.say(closing)
    return suite.returncode


def _all(steps: dict[str, Step], report: Report) -> None:
    for name, step in steps.items():
        report.step(name, step)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main(given: Sequence[str] | None = None) -> int:
    """Run the steps and the suite; where the suite is good, a step that failed gives the exit code."""
    arguments_of.parse(__doc__, given=given)
    if arguments := shlex.split(os.environ.get("ARGS", "")):
        return _suite(arguments)
    # The same code is read by one program after the other: the first one compiles it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report = Report(_say)
    with ThreadPoolExecutor(max_workers=1) as worker:
        beside = worker.submit(_all, BESIDE, report)
        with ThreadPoolExecutor() as before:
            list(before.map(report.step, BEFORE, BEFORE.values()))
        report.say("== suite\n")
        code = _suite_beside(report, beside)
    return code or int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
