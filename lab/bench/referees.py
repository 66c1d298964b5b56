"""
An environment of their own for ANJANA and pyCANON, whose pins do not go with ours: nothing of them is imported here.

`python -m lab.bench.referees` makes it, as does whoever asks first: a test that needs it is never left out.
"""

import hashlib
import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

from tools import arguments, services

_ROOT = Path(__file__).resolve().parent.parent.parent
_WANTED = _ROOT / "lab" / "requirements.txt"
_PLACE = _ROOT / ".state" / "referees"


def _made() -> Path | None:
    """Their Python, if their environment is there and is what is wanted."""
    found = _PLACE / "bin" / "python"
    stamp = _PLACE / "installed"
    if found.exists() and stamp.is_file() and stamp.read_text(encoding="ascii") == _digest():
        return found
    return None


def install() -> Path:
    """Make their environment, from wheels of the pinned hashes, if it is not there; who comes second waits."""
    _PLACE.parent.mkdir(mode=0o711, exist_ok=True)
    with services.locked(_PLACE.parent / "referees.lock"):
        if (found := _made()) is not None:
            return found
        venv.create(_PLACE, clear=True, with_pip=True, symlinks=True)
        pip = [
            str(_PLACE / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        exactly = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "-r", str(_WANTED)]
        subprocess.run([*pip, *exactly], check=True)
        (_PLACE / "installed").write_text(_digest(), encoding="ascii")
    return _PLACE / "bin" / "python"


def ask(question: dict[str, Any], *, interpreter: Path) -> dict[str, Any]:
    """What `lab/bench/ask_referees.py` answers; one thread, as everything that is compared."""
    done = subprocess.run(
        [str(interpreter), str(_ROOT / "lab" / "bench" / "ask_referees.py")],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _digest() -> str:
    return hashlib.sha256(_WANTED.read_bytes()).hexdigest()


if __name__ == "__main__":
    arguments.parse(__doc__)
    install()
