"""
Row 15 behind a pooler: many threads share few connections of pgbouncer, which hands one on after each transaction.

The requests, and what each of them may see, are those of tests/tenancy/test_crowd.py.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lab.assure import kills, tools
from lab.assure.rows import Edit, Figure
from tools import arguments

THREADS, CONNECTIONS = 24, 4
FOR_THE_SESSION = Edit(
    "the scope is set for the session",
    "callprivacy/tenancy/scope.py",
    "SELECT agency, client FROM enter_scope(%s)",
    "SELECT agency, client, set_config('callprivacy.scope', current_setting('callprivacy.scope'), false)"
    " FROM enter_scope(%s)",
)


def pooled(seconds: float) -> Figure:
    """As many requests as there is time for; then a few with the fault in."""
    try:
        tools.of_debian("pgbouncer")
    except tools.NotHereError as error:
        return Figure("", skipped=str(error))
    each = min(max(seconds - 240, 30), 240)
    module = "lab.assure.pooled"
    figure = kills.own_process("pooled", str(each), seconds=seconds, module=module)
    planted = kills.own_process("planted", "20", seconds=200, module=module)
    # It counts as found where requests went wrong, not where nothing could be asked.
    was = any("saw what" in said for said in planted.failures)
    return Figure(figure.said, figure.failures, figure.trials, caught=((FOR_THE_SESSION.name, was),))


# --- In a process of its own ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _pooler() -> Iterator[Any]:
    """What puts pgbouncer between the product and PostgreSQL; it ends with us."""
    from lab.assure import target
    from tools import services

    started: list[subprocess.Popen[bytes]] = []

    def between(postgres: Any, _: Any, addresses: dict[str, str]) -> None:
        place, port = postgres.place, target.free_port()
        folder = place.home / "pgbouncer"
        services._private(folder, place.account)
        people = {
            unquote(parts.username or ""): unquote(parts.password or "")
            for parts in (urlsplit(addresses[name]) for name in ("DATABASE_URL", "VAULT_DATABASE_URL"))
        }
        listed = "".join(f'"{name}" "{word}"\n' for name, word in people.items())
        services.write_private(folder / "people", listed, place.account)
        lines = [
            "[databases]", f"* = host={place.sockets} port={services.PORT}", "[pgbouncer]", "listen_addr = 127.0.0.1",
            f"listen_port = {port}", "unix_socket_dir =", "auth_type = scram-sha-256", f"auth_file = {folder}/people",
            "pool_mode = transaction", f"default_pool_size = {CONNECTIONS}", "max_client_conn = 200",
            "max_prepared_statements = 200", "ignore_startup_parameters = options,extra_float_digits",
        ]  # fmt: skip
        services.write_private(folder / "pgbouncer.ini", "\n".join(lines) + "\n", place.account)
        command, log = (
            [tools.of_debian("pgbouncer"), str(folder / "pgbouncer.ini")],
            place.state / "pgbouncer.log",
        )
        started.append(
            place.spawn(command, log=log, environ={"PATH": os.environ["PATH"]}, stop=signal.SIGTERM)
        )
        for name in ("DATABASE_URL", "VAULT_DATABASE_URL"):
            parts = urlsplit(addresses[name])
            who = parts.netloc.rpartition("@")[0]
            addresses[name] = f"{parts.scheme}://{who}@127.0.0.1:{port}{parts.path}"
        time.sleep(1)

    try:
        yield between
    finally:
        for process in started:
            process.terminate()
            process.wait(20)


def _crowd(seconds: float) -> dict[str, Any]:
    from lab.faults import site as sites

    wrong: list[str] = []
    done = [0] * THREADS
    with _pooler() as between, sites.standing(between=between):
        from django.db import connections

        from tests import cast, make
        from tests.tenancy import test_crowd

        people = cast.assemble()
        for number, client in enumerate((people.dentist, people.plumber, people.florist)):
            make.call(client, f"+1212555014{number}")
        ways, until = test_crowd._ways(people), time.monotonic() + seconds

        def work(seed: int) -> None:
            chance = random.Random(seed)
            try:
                while time.monotonic() < until and not wrong:
                    test_crowd._request(*chance.choice(ways), chance)
                    done[seed] += 1
            except AssertionError as error:
                wrong.append(f"a request saw what is not its own: {str(error)[:200]}")
            except Exception as error:  # noqa: BLE001  (whatever it is, it is told)
                wrong.append(f"{type(error).__name__}: {str(error)[:200]}")
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    said = (
        f"{sum(done):,} requests of {THREADS} threads over {CONNECTIONS} connections of pgbouncer, which hands them on"
        " after each transaction"
    )
    return {"said": said, "failures": wrong[:5], "trials": sum(done), "caught": []}


def main() -> int:
    """One trial in this process."""
    asked = arguments.parse(__doc__, "name", "report", "seconds")
    name, report, seconds = asked.name, asked.report, asked.seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if name == "planted":
        from lab.assure import planting

        sys.meta_path.insert(0, planting.Finder(asdict(FOR_THE_SESSION)))
    found = _crowd(float(seconds))
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    from lab.faults import site as sites

    shutil.rmtree(sites.STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
