"""
`make test`: every check there is, then the suite. Each step runs even when one before it failed, so that one
run says all; the suite comes last, and so does its closing line.

`make test ARGS="-k trail"` hands arguments to pytest and leaves the other steps out.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
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


def _tool(name: str, *arguments: str, environ: dict[str, str] | None = None) -> Callable[[], int]:
    def run() -> int:
        command = [str(BIN / name), *arguments]
        return subprocess.run(command, cwd=ROOT, env=os.environ | (environ or {}), check=False).returncode

    return run


def _django(*arguments: str, environ: dict[str, str]) -> Callable[[], int]:
    return _tool("python", "-m", "django", *arguments, environ=environ | {"PYTHONPATH": str(ROOT)})


def _templates() -> int:
    folder = ROOT / "templates"
    if not folder.is_dir():
        return 0
    return _tool("djlint", str(folder), "--lint", "--quiet")()


def _styles() -> int:
    """Build the styles again and compare them with what is committed, where Node.js is."""
    if not shutil.which("npm"):
        print("Node.js is not here: static/dist was not built again and compared.")
        return 0
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    if not (ROOT / "node_modules").is_dir():
        code = subprocess.run(install, cwd=ROOT, check=False).returncode
        if code:
            return code
    return subprocess.run(["npm", "run", "--silent", "check-build"], cwd=ROOT, check=False).returncode


def _chromium() -> int:
    """Find Debian's browser for the browser tests, or install it where that is allowed."""
    if shutil.which("chromium") or os.environ.get("CHROMIUM"):
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "chromium"]):
            code = subprocess.run(
                ["apt-get", *arguments], env=environ, stdout=subprocess.DEVNULL, check=False
            ).returncode
            if code:
                break
        if shutil.which("chromium"):
            return 0
    print(
        "The browser tests need chromium. On Debian: apt-get install chromium. Elsewhere, name a Chromium or "
        "Chrome: CHROMIUM=/path/to/it make test",
        file=sys.stderr,
    )
    return 1


STEPS: dict[str, Callable[[], int]] = {
    "lint": _tool("ruff", "check", "."),
    "format": _tool("ruff", "format", "--check", "."),
    "types": _tool("mypy"),
    "imports": _tool("lint-imports"),
    "templates": _templates,
    "migrations": _django("makemigrations", "--check", "--dry-run", environ=_CODE_ONLY),
    "deployment": _django("check", "--deploy", "--fail-level", "WARNING", environ=_PUBLIC),
    "requirements": _tool("python", "-m", "tools.compile_requirements", "--check"),
    "styles": _styles,
    "browser": _chromium,
}


def _suite(arguments: list[str]) -> int:
    defaults = ["-n", "2", "--dist", "loadgroup"]
    return _tool("pytest", *(arguments or defaults))()


def main() -> int:
    """Run the steps, then the suite; the first that failed gives the exit code."""
    arguments = shlex.split(os.environ.get("ARGS", ""))
    if arguments:
        return _suite(arguments)
    failed = []
    for name, step in STEPS.items():
        started = time.monotonic()
        print(f"== {name}", flush=True)
        if step():
            failed.append(name)
        verdict = "FAILED" if name in failed else "good"
        print(f"== {name}: {verdict}, {time.monotonic() - started:.1f} s", flush=True)
    print(f"== suite{' (failed before it: ' + ', '.join(failed) + ')' if failed else ''}", flush=True)
    return _suite([]) or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
