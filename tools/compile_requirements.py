"""
Compile the two lock files from pyproject.toml, for every system at once, or check that they are up to date.

What is pinned stays pinned; `--upgrade` takes what is newest. No address gets into a lock file.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "requirements.txt": [],
    "requirements-dev.txt": ["--extra", "dev", "--constraint", "requirements.txt"],
}


def _compile(target: Path, extra: list[str], *, upgrade: bool) -> None:
    command = [
        *[sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *extra],
        *["--universal", "--python-version", "3.12", "--generate-hashes", "--no-annotate", "--quiet"],
        *["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make requirements"],
        *["--output-file", str(target), *(["--upgrade"] if upgrade else [])],
    ]
    environ = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    subprocess.run(command, cwd=ROOT, env=environ, check=True)


def main() -> int:
    """Write both files, or with `--check` say which differ."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="compare, write nothing")
    options.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    chosen = options.parse_args()
    if not chosen.check:
        for name, extra in FILES.items():
            _compile(ROOT / name, extra, upgrade=chosen.upgrade)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        stale = []
        for name, extra in FILES.items():
            copy = Path(folder) / name
            shutil.copy(ROOT / name, copy)
            _compile(copy, extra, upgrade=False)
            if copy.read_text(encoding="utf-8") != (ROOT / name).read_text(encoding="utf-8"):
                stale.append(name)
    if stale:
        print(f"{' and '.join(stale)} no longer fit pyproject.toml: run make requirements.")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
