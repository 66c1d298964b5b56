"""
`manage.py` in processes of their own, as an operator runs it, at a third of what a start takes.

Each is forked from a process that has loaded the code of others, which reads no setting, and nothing of ours: what a
command does from its first line on, and by which environment, is what it does anywhere.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FORKS = """
import gc, json, os, runpy, sys, tempfile
import celery.app, cryptography.x509, django.contrib.postgres.fields, django.core.management.commands.check
import django.core.mail, django.db.backends.postgresql.base, django.template.backends.django, django.views.generic
import django_stubs_ext, fido2.server, holidays, jwt, phonenumbers, prometheus_client, psycopg, redis, structlog
import urllib3, zxcvbn
gc.freeze()
assert not any(name.partition(".")[0] == "callprivacy" for name in sys.modules)
for line in sys.stdin:
    asked = json.loads(line)
    given, out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile(), tempfile.TemporaryFile()
    given.write(asked["given"].encode())
    given.seek(0)
    pid = os.fork()
    if not pid:
        os.dup2(given.fileno(), 0), os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
        os.environ.clear()
        os.environ.update(asked["environ"])
        sys.argv = ["manage.py", *asked["command"]]
        runpy.run_path("manage.py", run_name="__main__")
        sys.exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    out.seek(0), err.seek(0)
    print(json.dumps([code, out.read().decode(), err.read().decode()]), flush=True)
"""


def manage(*command: str, environ: Mapping[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` in just this environment; `given` is its standard input."""
    forks = _forks()
    assert forks.stdin is not None
    assert forks.stdout is not None
    forks.stdin.write(json.dumps({"command": command, "environ": dict(environ), "given": given}) + "\n")
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
        [sys.executable, "-c", _FORKS],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
