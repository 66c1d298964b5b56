"""
`manage.py` in processes of their own, as an operator runs it, at a third of what a start takes.

Each is forked from a process that has loaded the code of others, which reads no setting, and nothing of ours: what a
command does from its first line on, and by which environment, is what it does anywhere. Where a test runs several in
one environment and does not look at how they start, they are forked from one that has started there (tests/forking.py).
"""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def manage(
    *command: str, environ: Mapping[str, str], given: str = "", stays: bool = False
) -> subprocess.CompletedProcess[str]:
    """
    Run a command of `manage.py` in just this environment.

    :param given: its standard input. :param stays: whether the process that started for it stays, for those that
        follow in the same environment.
    """
    forks = _forks()
    assert forks.stdin is not None
    assert forks.stdout is not None
    asked = {"command": command, "environ": dict(environ), "given": given, "stays": stays}
    forks.stdin.write(json.dumps(asked) + "\n")
    forks.stdin.flush()
    code, out, err = json.loads(forks.stdout.readline())
    return subprocess.CompletedProcess(["manage.py", *command], code, out, err)


def end() -> None:
    """Let no process wait for commands any more."""
    if _forks.cache_info().currsize:
        _forks().communicate()
        _forks.cache_clear()


@functools.cache
def _forks() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.forking"],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
