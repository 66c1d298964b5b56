"""Programs of Debian's that checks and trials need beside Python's packages."""

import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from typing import Final

# Two that install at once would find each other's lock.
_INSTALLING: Final = threading.Lock()
# A service that comes along is not started: only its program is asked for.
_QUIETLY: Final = {"DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_OFFLINE": "1", "RUNLEVEL": "1"}


def _run(command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        command, env=os.environ | _QUIETLY, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def installed(program: str, *packages: str) -> str:
    """
    Install a program where that is allowed (as root, by apt) and it is not on the path.

    :returns: what was said of it; "" where there was nothing to do. Whether it is there now, the path knows.
    """
    with _INSTALLING:
        if shutil.which(program) or os.geteuid() != 0 or not shutil.which("apt-get"):
            return ""
        said = ""
        for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
            code, said = _run(["apt-get", *arguments])
            if code:
                break
        return said
