"""
Make .venv and install what is pinned, when that changed since the last time. Standard library and pip only; where the
file pins uv, that does it, and pip where it cannot.

Usage: bootstrap.py [--dev] [COMMAND ...]: afterwards the command runs with the environment's Python.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Published as source only; all else comes as wheels.
FROM_SOURCE = ("authres",)


def _stamp(name: str) -> Path:
    return VENV / f"installed-{name}"


def _wanted(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def _is_installed(name: str) -> bool:
    stamp = _stamp(name)
    return stamp.is_file() and stamp.read_text(encoding="ascii") == _wanted(name)


def _works() -> bool:
    if not PYTHON.exists():
        return False
    check = "import pip, sys; sys.exit(sys.version_info < (3, 12))"
    return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def _by_pip(file: Path) -> None:
    """:raises subprocess.CalledProcessError: pip said why."""
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        # Python compiles what is imported when it is: of all that is installed that is the smaller part.
        "--no-compile",
    ]
    wheels = ["--only-binary=:all:", *(f"--no-binary={source}" for source in FROM_SOURCE)]
    subprocess.run([*command, *wheels, "-r", str(file)], check=True)


def _by_uv(name: str) -> bool:
    """Install with uv, which the file pins itself and which is quicker than pip; whether that went."""
    pins = re.search(r"^uv==.*(?:\n +--hash=.*)+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    if pins is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "uv.txt"
        alone.write_text(pins[0].rstrip("\\ \n") + "\n", encoding="utf-8")
        try:
            _by_pip(alone)
        except subprocess.CalledProcessError:
            return False
    command = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
    wheels = ["--only-binary", ":all:", *(word for source in FROM_SOURCE for word in ("--no-binary", source))]
    exactly = ["--require-hashes", "--link-mode", "copy", "-r", str(ROOT / name)]
    if subprocess.run([*command, *wheels, *exactly], check=False).returncode == 0:
        return True
    print("uv could not: pip does it.", flush=True)
    return False


def _install(name: str) -> None:
    print(f"Installing what {name} names ...", flush=True)
    if not _by_uv(name):
        _by_pip(ROOT / name)
    # The development file holds everything that the other one does.
    for satisfied in {name, "requirements.txt"}:
        _stamp(satisfied).write_text(_wanted(satisfied), encoding="ascii")


def main() -> int:
    """Bring .venv up to date and go on with the command."""
    arguments = sys.argv[1:]
    name = "requirements.txt"
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if arguments[:1] == ["--dev"]:
        name, arguments = "requirements-dev.txt", arguments[1:]
    if arguments and arguments[0] != "-m" and arguments[0].startswith("-"):
        print(f"bootstrap.py does not know {arguments[0]}. See --help.", file=sys.stderr)
        return 2
    (ROOT / ".state").mkdir(mode=0o711, exist_ok=True)
    with (ROOT / ".state" / "install.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _works():
            print("Making .venv ...", flush=True)
            venv.create(VENV, clear=True, with_pip=True, symlinks=True)
        if not _is_installed(name):
            try:
                _install(name)
            except subprocess.CalledProcessError as error:
                print(f"pip could not install what {name} names; what it said is above.", file=sys.stderr)
                return error.returncode
    if arguments:
        os.execv(PYTHON, [str(PYTHON), *arguments])  # noqa: S606 our own Python
    return 0


if __name__ == "__main__":
    sys.exit(main())
