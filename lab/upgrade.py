"""
`make upgrade`: an installation of an earlier commit is upgraded to this one while trackers send, with its migrations
killed on the way; then what was acknowledged is compared with what is there.

The earlier version (`--from`, a commit; without it the newest that lacks the last `--back` changes of migrations)
makes the databases, seals its trail and serves. Signed events come at a steady rate all along. `migrate` of this
version is ended by SIGKILL each time that it has done one migration, which is within the next, and begun again until
nothing is left to do; then worker, beat and web are changed one after the other. The way back is an earlier worker
beside the new web, then the earlier web, and forward again. It is noted how long statements wait for locks, and what
was not taken while the web was not being changed.

Needs git's history. Its servers and files are its own, below .state/upgrade.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from lab.bench import bench_webhook as hooks
from tools import run, services, supervise

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state" / "upgrade"
_LOCKED_AT_MOST, _AWAY_AT_MOST = 2.0, 30.0
_PREPARE = (
    "import django; django.setup()\n"
    # The earlier version may have its benchmarks in another folder.
    "try: from lab.bench.bench_webhook import prepare\n"
    "except ModuleNotFoundError: from bench.bench_webhook import prepare\n"
    "print('\\n'.join(prepare()[1]))\n"
)
_COUNT = (
    "import django; django.setup()\n"
    "from callprivacy.calls.models import Call, Inbox\n"
    "from callprivacy.tenancy.selectors import agency_ids\n"
    "from callprivacy.tenancy.scope import job_scope\n"
    "with job_scope(agency_id=agency_ids()[0]): print(Call.objects.count(), Inbox.objects.count())\n"
)
# A deed of this version's own, then everything sealed, however long other transactions run.
_DEED = (
    "import django; django.setup()\n"
    "from django.utils import timezone\n"
    "from callprivacy.audit import services\n"
    "from callprivacy.lib.scope import Actor\n"
    "from callprivacy.tenancy.selectors import agency_ids\n"
    "from callprivacy.tenancy.scope import job_scope\n"
    "for one in agency_ids():\n"
    "    with job_scope(agency_id=one):\n"
    "        services.check_trail(agency_id=one, by=Actor.job('upgrade'), at=timezone.now())\n"
)
_SEAL = (
    "import time\n"
    "import django; django.setup()\n"
    "from django.utils import timezone\n"
    "from callprivacy.audit import services\n"
    "from callprivacy.tenancy.selectors import agency_ids\n"
    "from callprivacy.tenancy.scope import job_scope\n"
    "for one in agency_ids():\n"
    "    for _ in range(50):\n"
    "        with job_scope(agency_id=one):\n"
    "            services.seal_events(agency_id=one, at=timezone.now())\n"
    "            if not services.verify_agency(one).unsealed: break\n"
    "        time.sleep(0.2)\n"
)


@dataclass
class Watch:
    """
    What was seen meanwhile.

    :ivar refused: when an event was not taken, and what was said instead.
    :ivar locked: how long the longest waiting statement had waited for a lock, in seconds, at each look.
    :ivar away: from when to when the only web was being changed.
    """

    acknowledged: int = 0
    refused: list[tuple[float, str]] = field(default_factory=list)
    locked: list[float] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)
    kills: int = 0
    ending: threading.Event = field(default_factory=threading.Event)

    def unexcused(self) -> list[str]:
        """What was said instead of taking an event while the web was not being changed, and each 5xx."""
        return [
            said
            for moment, said in self.refused
            if said.startswith("5") or not any(begin <= moment <= end + 0.5 for begin, end in self.away)
        ]


@dataclass(frozen=True)
class Trail:
    """What verifying said: whether it holds, and how many of the events are sealed."""

    holds: bool
    events: int
    sealed: int


# --- Versions ---------------------------------------------------------------------------------------------------------


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def earlier_commit(back: int) -> str:
    """The parent of the commit that was the last but `back` to change a migration."""
    found = _git("log", f"-{back}", "--format=%H", "--", "*/migrations/0*.py").split()
    return _git("rev-parse", f"{found[-1]}^")


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The files of an earlier commit, in a folder of their own, which goes afterwards."""
    folder = STATE / "earlier"
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# --- Processes --------------------------------------------------------------------------------------------------------


@dataclass
class Processes:
    """Web, worker and beat, each of one version or the other."""

    environ: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, root: Path) -> None:
        """Start one of a version."""
        command = supervise.read_procfile(root / "Procfile")[name]
        with (STATE / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=root, env=self.environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def end(self, name: str) -> None:
        """Ask one to end, as a deployment does."""
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_until_up(self) -> None:
        """Wait until the web answers."""
        limit = time.monotonic() + 60
        while (
            asyncio.run(_answer(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{hooks.PORT}\r\n\r\n".encode()))
            != "200"
        ):
            if time.monotonic() > limit:
                raise SystemExit(f"The web does not answer; see {STATE}/web.log.")
            time.sleep(0.2)


def _said(code: str, root: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


# --- What goes on meanwhile -------------------------------------------------------------------------------------------


async def _answer(request: bytes) -> str:
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", hooks.PORT), 10)
        writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    return (line.split(b" ", 2)[1:2] or [b"cut off"])[0].decode()


async def _send(paths: list[str], rate: float, seen: Watch) -> None:
    """Send events until the end, each of a call of its own, and note when one was not taken."""
    began, number, tasks = time.monotonic(), 0, []

    async def one(number: int) -> None:
        (request,) = hooks.hook_requests(paths, 1, first=number, now=datetime.now(UTC))
        said = await _answer(request.replace(b"Connection: close\r\n", b""))
        if said == "200":
            seen.acknowledged += 1
        else:
            seen.refused.append((time.monotonic(), said))

    while not seen.ending.is_set():
        tasks.append(asyncio.create_task(one(number)))
        number += 1
        await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
    await asyncio.gather(*tasks)


def _look_at_locks(address: str, seen: Watch) -> None:
    """Note, twenty times a second, how long the longest statement of the app's has waited for a lock."""
    query = (
        "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0) FROM pg_locks l"
        " WHERE NOT l.granted AND l.waitstart IS NOT NULL"
    )
    with psycopg.connect(address, autocommit=True) as admin:
        while not seen.ending.wait(0.05):
            row = admin.execute(query).fetchone()
            if row and row[0] > 0:
                seen.locked.append(float(row[0]))


def _done(admins: list[psycopg.Connection]) -> int:
    """How many migrations are written down as done, in both databases."""
    return sum(one.execute("SELECT count(*) FROM django_migrations").fetchone()[0] for one in admins)  # type: ignore[index]  # a count is one row


def _migrate(environ: dict[str, str], addresses: list[str], seen: Watch) -> tuple[int, float]:
    """Migrate to this version, ended after each migration; returns how many, and what the last try took."""
    command = [sys.executable, "-m", "tools.migrating"]
    owner = environ | {"CALLPRIVACY_ROLE": "owner"}
    with contextlib.ExitStack() as stack:
        admins = [stack.enter_context(psycopg.connect(one, autocommit=True)) for one in addresses]
        first = before = _done(admins)
        limit = time.monotonic() + 600
        while time.monotonic() < limit:
            began = time.monotonic()
            process = subprocess.Popen(command, cwd=ROOT, env=owner, start_new_session=True)
            while process.poll() is None:
                if _done(admins) > before:
                    time.sleep(random.uniform(0, 0.03))
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    break
                time.sleep(0.002)
            ended = process.wait()
            seen.kills += ended == -signal.SIGKILL
            before = _done(admins)
            if ended == 0:
                return before - first, time.monotonic() - began
            if ended > 0:
                time.sleep(1)  # a table that is in use refuses after two seconds, and is asked for again
    raise SystemExit("The migrations did not come to an end.")


# --- The whole --------------------------------------------------------------------------------------------------------


def _upgrade(earlier: Path, commit: str, options: argparse.Namespace) -> int:
    place = services.Place.of(STATE / "servers")
    postgres, addresses = run._own_postgres(place)
    valkey = services.Valkey(place)
    seen = Watch()
    threads: list[threading.Thread] = []
    processes: Processes | None = None
    try:
        valkey.start()
        addresses["REDIS_URL"] = valkey.url()
        kept = run._settings(STATE / "servers", port=hooks.PORT, addresses=addresses)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environ = dict(os.environ) | kept | {
            "CALLPRIVACY_STATE": str(STATE / "servers"), "CALLPRIVACY_LOG_LEVEL": "WARNING", "PATH": path,
            "PORT": str(hooks.PORT), "DJANGO_SETTINGS_MODULE": "callprivacy.settings", "PYTHONPATH": "",
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "tools.migrating"], cwd=earlier, env=environ | {"CALLPRIVACY_ROLE": "owner"},
            check=True,
        )  # fmt: skip
        paths = _said(_PREPARE, earlier, environ).split()
        _said(_SEAL, earlier, environ)
        before = _verified(environ, earlier)
        processes = Processes(environ)
        for name in ("web", "worker", "beat"):
            processes.start(name, earlier)
        processes.wait_until_up()
        threads = [
            threading.Thread(target=lambda: asyncio.run(_send(paths, options.rate, seen))),
            threading.Thread(target=_look_at_locks, args=(postgres.url("callprivacy"), seen)),
        ]
        for thread in threads:
            thread.start()
        time.sleep(5)
        both = [postgres.url("callprivacy"), postgres.url("callprivacy_vault")]
        steps, took = _migrate(environ, both, seen)
        time.sleep(3)
        for name, root in (
            ("worker", ROOT), ("beat", ROOT), ("web", ROOT),
            ("worker", earlier), ("web", earlier), ("worker", ROOT), ("web", ROOT),
        ):  # fmt: skip
            _change(processes, name, root, seen)
            time.sleep(3)
        seen.ending.set()
        for thread in threads:
            thread.join()
        said = (
            f"from {commit[:7]} to {_git('rev-parse', '--short', 'HEAD')} at {options.rate:g} events a second:"
            f" {steps} migrations, killed {seen.kills} times, the last try took {took:.1f} s"
        )
        calls = _counted(environ)
        for name in ("beat", "worker"):  # what they do from now on would not be sealed yet
            processes.end(name)
        return _judge(said, environ, seen, before, postgres, calls, options.json)
    finally:
        seen.ending.set()
        for thread in threads:
            thread.join()
        if processes is not None:
            for name in list(processes.running):
                processes.end(name)
        valkey.stop()
        postgres.stop()
        place.forget_if_elsewhere()


def _counted(environ: dict[str, str]) -> int:
    """Calls that are there once nothing waits any more; -1 if something waits for a minute."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        calls, waiting = map(int, _said(_COUNT, ROOT, environ).split())
        if not waiting:
            return calls
    return -1


def _change(processes: Processes, name: str, root: Path, seen: Watch) -> None:
    """Put a process of another version in the place of one, and note how long nothing answered, if it is the web."""
    began = time.monotonic()
    processes.end(name)
    processes.start(name, root)
    if name == "web":
        processes.wait_until_up()
        seen.away.append((began, time.monotonic()))


def _verified(environ: dict[str, str], root: Path) -> Trail:
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_audit"],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"([\d,]+) events, ([\d,]+) under", done.stdout)
    events, sealed = (int(part.replace(",", "")) for part in found.groups()) if found else (0, 0)
    return Trail(done.returncode == 0, events, sealed)


def _judge(  # noqa: PLR0917  (what is judged, and where)
    said: str,
    environ: dict[str, str],
    seen: Watch,
    before: Trail,
    postgres: services.Postgres,
    calls: int,
    report: Path | None,
) -> int:
    _said(_DEED, ROOT, environ)
    _said(_SEAL, ROOT, environ)
    trail = _verified(environ, ROOT)
    longest = max(seen.locked, default=0.0)
    unexcused = seen.unexcused()
    away = max((end - begin for begin, end in seen.away), default=0.0)
    # A cut connection may have stored what it did not acknowledge; what it acknowledged is there.
    verdicts: dict[str, bool] = {
        f"acknowledged events whose calls are there: {min(calls, seen.acknowledged):,} of {seen.acknowledged:,}": (
            calls >= seen.acknowledged
        ),
        f"events that were not taken: {len(seen.refused):,}, which trackers send again, {len(unexcused):,} of them"
        " while the only web was not being changed, or with a 5xx": not unexcused,
        f"the longest of {len(seen.away)} changes of the web: {away:.1f} s (at most {_AWAY_AT_MOST:g})": away
        <= _AWAY_AT_MOST,
        f"the longest wait for a lock: {longest:.2f} s (at most {_LOCKED_AT_MOST:g})": longest
        <= _LOCKED_AT_MOST + 0.1,
        f"the trail verifies: {trail.holds}, {trail.sealed:,} of {trail.events:,} events sealed, {before.sealed:,} of"
        " them by the earlier version": trail.holds
        and before.holds
        and 0 < before.sealed < trail.sealed == trail.events,
    }
    print(said)
    for kind in sorted({kind for _, kind in seen.refused}):
        print(f"  {kind}: {sum(said == kind for _, said in seen.refused)}")
    for words, holds in verdicts.items():
        print(f"{'holds' if holds else 'FAILS'}  {words}")
    planted = _planted(environ, seen, postgres, calls)
    for name, was in planted:
        print(f"planted: {name}: {'found' if was else 'NOT FOUND'}")
    if report is not None:
        found = {
            "said": "; ".join([said, *verdicts]), "failures": [words for words, holds in verdicts.items() if not holds],
            "kills": seen.kills, "planted": planted,
        }  # fmt: skip
        report.write_text(json.dumps(found), encoding="utf-8")
    return 0 if all(verdicts.values()) and all(was for _, was in planted) else 1


def _planted(
    environ: dict[str, str], seen: Watch, postgres: services.Postgres, calls: int
) -> list[tuple[str, bool]]:
    """A lost call, a lock that is held, changed events, a refusal: each is planted; whether it is noticed."""
    away = max(calls - seen.acknowledged, 0) + 1
    postgres.sql(
        "SET session_replication_role = replica;"
        f"DELETE FROM calls_call WHERE id IN (SELECT id FROM calls_call ORDER BY id LIMIT {away})",
        database="callprivacy",
    )
    found = [("acknowledged events whose calls are taken away", 0 <= _counted(environ) < seen.acknowledged)]
    watch = Watch()
    address = postgres.url("callprivacy")
    looking = threading.Thread(target=_look_at_locks, args=(address, watch))
    looking.start()
    with psycopg.connect(address) as holder, psycopg.connect(address, autocommit=True) as waiter:
        holder.execute("LOCK TABLE calls_call IN ACCESS EXCLUSIVE MODE")
        waiting = threading.Thread(target=waiter.execute, args=("SELECT count(*) FROM calls_call",))
        waiting.start()
        time.sleep(_LOCKED_AT_MOST + 0.8)
        holder.rollback()
        waiting.join()
    watch.ending.set()
    looking.join()
    found.append(("a lock that is held for three seconds", max(watch.locked, default=0.0) > _LOCKED_AT_MOST))
    late = Watch(
        refused=[(9.0, "503"), (3.0, "ConnectionRefusedError"), (2.0, "ConnectionRefusedError")],
        away=[(1, 2)],
    )
    found.append(("a 5xx, and an event that is refused beside a change", len(late.unexcused()) == 2))
    # The first is sealed by the earlier version, the last by this one.
    for which, words in (("min", "earlier"), ("max", "new")):
        postgres.sql(
            "SET session_replication_role = replica;"
            f"CREATE TABLE kept AS SELECT * FROM audit_event WHERE id = (SELECT {which}(id) FROM audit_event);"
            "UPDATE audit_event SET details = details || '{\"planted\": 1}' WHERE id IN (SELECT id FROM kept)",
            database="callprivacy",
        )
        found.append((f"an event of the {words} version that is changed", not _verified(environ, ROOT).holds))
        postgres.sql(
            "SET session_replication_role = replica;"
            "UPDATE audit_event e SET details = k.details FROM kept k WHERE e.id = k.id; DROP TABLE kept",
            database="callprivacy",
        )
    found.append(("a trail that is as it was again", _verified(environ, ROOT).holds))
    return found


def main() -> int:
    """Upgrade once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="commit", help="the commit to upgrade from")
    parser.add_argument("--back", type=int, default=20, help="how many changes of migrations it lacks")
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    parser.add_argument("--json", type=Path, help="write what came of it into this file, too")
    options = parser.parse_args()
    shutil.rmtree(STATE, ignore_errors=True)
    commit = _git("rev-parse", options.commit) if options.commit else earlier_commit(options.back)
    with checked_out(commit) as earlier:
        return _upgrade(earlier, commit, options)


if __name__ == "__main__":
    sys.exit(main())
