"""
`make test`: every check there is, then the suite. Each step runs even when one before it failed, so that one
run says all; two run at once, and what each said is printed in one piece. The suite comes last, and so does its
closing line.

`make test ARGS="-k trail"` hands arguments to pytest and leaves the other steps out.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# For commands that only read the code: nothing connects with these.
_CODE_ONLY = {"DJANGO_SETTINGS_MODULE": "tests.settings_for_types"}
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
    return lambda: _run([str(BIN / name), *arguments], environ)


def _django(*arguments: str, environ: dict[str, str]) -> Step:
    return _tool("python", "-m", "django", *arguments, environ=environ | {"PYTHONPATH": str(ROOT)})


def _templates() -> tuple[int, str]:
    folder = ROOT / "templates"
    if not folder.is_dir():
        return 0, ""
    return _tool("djlint", str(folder), "--lint", "--quiet")()


def _styles() -> tuple[int, str]:
    """Build the styles again and compare them with what is committed, where Node.js is."""
    if not shutil.which("npm"):
        return 0, "Node.js is not here: static/dist was not built again and compared.\n"
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    if not (ROOT / "node_modules").is_dir():
        code, said = _run(install)
        if code:
            return code, said
    return _run(["npm", "run", "--silent", "check-build"])


def _chromium() -> tuple[int, str]:
    """Find Debian's browser for the browser tests, or install it where that is allowed."""
    if shutil.which("chromium") or os.environ.get("CHROMIUM"):
        return 0, ""
    said = ""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "chromium"]):
            code, said = _run(["apt-get", *arguments], {"DEBIAN_FRONTEND": "noninteractive"})
            if code:
                break
        if shutil.which("chromium"):
            return 0, ""
    return 1, said + (
        "The browser tests need chromium. On Debian: apt-get install chromium. Elsewhere, name a Chromium or "
        "Chrome: CHROMIUM=/path/to/it make test\n"
    )


# What takes longest begins first.
STEPS: dict[str, Step] = {
    "types": _tool("mypy"),
    "requirements": _tool("python", "-m", "tools.compile_requirements", "--check"),
    "browser": _chromium,
    # pyCANON, which confirms releases in the tests, cannot live beside our own numpy.
    "referees": _tool("python", "-m", "bench.referees"),
    "styles": _styles,
    "lint": _tool("ruff", "check", "."),
    "format": _tool("ruff", "format", "--check", "."),
    "imports": _tool("lint-imports"),
    "templates": _templates,
    "migrations": _django("makemigrations", "--check", "--dry-run", environ=_CODE_ONLY),
    "deployment": _django("check", "--deploy", "--fail-level", "WARNING", environ=_PUBLIC),
}


def _suite(arguments: list[str]) -> int:
    command = [str(BIN / "pytest"), *(arguments or ["-n", "2"])]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _timed(step: Step) -> tuple[int, str, float]:
    started = time.monotonic()
    code, said = step()
    return code, said, time.monotonic() - started


def main() -> int:
    """Run the steps, then the suite; the first that failed gives the exit code."""
    arguments = shlex.split(os.environ.get("ARGS", ""))
    if arguments:
        return _suite(arguments)
    failed = []
    with ThreadPoolExecutor(max_workers=2) as workers:
        running = {name: workers.submit(_timed, step) for name, step in STEPS.items()}
        for name, step in running.items():
            code, said, seconds = step.result()
            if code:
                failed.append(name)
            verdict = "FAILED" if code else "good"
            print(f"== {name}\n{said}== {name}: {verdict}, {seconds:.1f} s", flush=True)
    print(f"== suite{' (failed before it: ' + ', '.join(failed) + ')' if failed else ''}", flush=True)
    return _suite([]) or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
