"""
Servers for a benchmark: PostgreSQL and Valkey as `make run` starts them, with the durability that production has, in
a state folder of their own that is made anew. Import nothing of Django before `started` has been entered.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import run, services

ROOT = Path(__file__).resolve().parent.parent.parent


@contextlib.contextmanager
def started(state: Path) -> Iterator[services.Postgres]:
    """Start both servers, migrate both databases, and set Django up as the app's role."""
    services.Place.of(state).forget_if_elsewhere()
    shutil.rmtree(state, ignore_errors=True)
    place = services.Place.of(state)
    postgres, addresses = run._own_postgres(place)
    valkey = services.Valkey(place)
    try:
        valkey.start()
        addresses["REDIS_URL"] = valkey.url()
        os.environ |= run._settings(state, port=8000, addresses=addresses)
        os.environ |= {
            "CALLPRIVACY_STATE": str(state),
            "CALLPRIVACY_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "callprivacy.settings",
        }
        subprocess.run(
            [sys.executable, "-m", "tools.migrating"],
            cwd=ROOT,
            env=os.environ | {"CALLPRIVACY_ROLE": "owner"},
            check=True,
        )
        import django

        django.setup()
        yield postgres
    finally:
        with contextlib.suppress(Exception):
            from django.db import connections

            connections.close_all()
        valkey.stop()
        postgres.stop()


def collect_static() -> None:
    """Bring the files of pages together, as a release does; pages are 500 without."""
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, check=True)
