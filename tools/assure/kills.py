"""Rows that need servers of their own: nights under kills, a broker that dies or hangs, and what lies on the disk."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.assure.rows import ROOT, STATE, Figure, output_of


def own_process(name: str, *arguments: str, seconds: float, module: str = "tools.assure.kills") -> Figure:
    """A trial in a process of its own, for Django is set up once a process; it prints its figure as JSON."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / f"{name}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, name, str(report), *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    output = output_of(process, seconds + 60)
    if output is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return Figure(f"it did not end within {seconds + 60:.0f} s: {output.strip()[-200:]}", ended=False)
    if not report.exists():
        return Figure("", (f"{name} brought no figure: {output.strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    return Figure(
        found["said"], tuple(found["failures"]), found["trials"],
        caught=tuple((plant, was) for plant, was in found["caught"]),
    )  # fmt: skip


# --- Nights under kills -----------------------------------------------------------------------------------------------


def nights(seconds: float, *, count: int = 60) -> Figure:
    """tools.faults with so many kills, with its own checker and its own planted faults."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / "faults.json"
    report.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "tools.faults", "--kills", str(count), "--a-night", "10",
        "--minutes", str(max(seconds / 60 - 4, 1)), "--json", str(report),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"ARGS": ""}, capture_output=True, text=True, check=False
    )
    if not report.exists():
        return Figure("", (f"it did not end: {(done.stdout + done.stderr).strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    kills = sum(found["kills"].values())
    said = ", ".join(f"{count} kills of {victim}" for victim, count in found["kills"].items())
    compared = ", ".join(f"{count:,} {what}" for what, count in found["compared"].items())
    caught = tuple((name, was) for name, was in found["planted"])
    text = f"{said}; compared: {compared}. {found['facts']}"
    findings = tuple(found["findings"]) if kills else (*found["findings"], "nothing was killed")
    return Figure(text, findings, kills, caught=caught)


# --- The broker -------------------------------------------------------------------------------------------------------

WITHIN = 60.0


def broker(seconds: float) -> Figure:
    """Valkey killed and stopped under a worker."""
    return own_process("broker", str(seconds), seconds=seconds)


class _Taker:
    """
    Writes an event, sends the task that seals, and waits until a seal covers that very event.

    What counts is the effect by its id: a message that was taken from the queue and lost leaves none.
    """

    def __init__(self, site: Any) -> None:
        from datetime import UTC, datetime

        import redis
        from kombu.exceptions import KombuError

        from callprivacy.celery import app
        from tests import make

        self.site, self.app = site, app
        self.agency = make.agency("Broker", at=datetime.now(UTC))
        self.faults = (redis.RedisError, OSError, KombuError, *app.connection_for_write().connection_errors)

    def took(self, within: float, *, keep: bool = True) -> float | None:
        """Seconds until a task that is sent now has had its effect; None if it has not within so many."""
        began, sent, event = time.monotonic(), False, self._event()
        while time.monotonic() - began < within:
            if keep:
                self.site.keep()
            if not sent:
                with contextlib.suppress(*self.faults):
                    self.app.send_task("audit.seal_events", retry=False)
                    sent = True
            if self._is_sealed(event):
                return time.monotonic() - began
            time.sleep(0.1)
        return None

    def _event(self) -> int:
        from datetime import UTC, datetime

        from callprivacy.audit import services as audit
        from callprivacy.tenancy.scope import job_scope
        from tests import make

        with job_scope(agency_id=self.agency.pk):
            return int(audit.record("call.revealed", by=make.JOB, at=datetime.now(UTC)).pk)

    def _is_sealed(self, event: int) -> bool:
        from callprivacy.audit.models import Seal
        from callprivacy.tenancy.scope import job_scope

        with job_scope(agency_id=self.agency.pk):
            return Seal.objects.filter(first_event__lte=event, last_event__gte=event).exists()


# In turn: kills cost little, the others 20 seconds each.
_KINDS = ("killed", "cut", "killed", "stopped for 20 s", "cut", "killed", "silent for 20 s", "killed", "cut",
          "silent for 20 s, then cut")  # fmt: skip


def _disturb(site: Any, line: Any, kind: str) -> None:
    """End Valkey at once and start it again, let it hang, or disturb the line to it."""
    from tools.faults import site as sites

    assert site.valkey.process is not None  # noqa: S101  (for the type checker)
    if kind == "killed":
        sites.kill_all(site.valkey.process)
        site.valkey.start()
    elif kind == "stopped for 20 s":
        os.kill(site.valkey.process.pid, signal.SIGSTOP)
        time.sleep(20)
        os.kill(site.valkey.process.pid, signal.SIGCONT)
    elif kind == "cut":
        line.cut_all()
    else:
        line.silence(20, then_cut=kind.endswith("cut"))


def _broker(seconds: float) -> dict[str, Any]:
    """How long after each fault a task that was sent then has its effect; and a worker that never comes is noticed."""
    from tools.assure import outages
    from tools.faults import site as sites

    took: dict[str, list[float]] = {}
    until, failures, number = time.monotonic() + seconds, list[str](), 0
    lines: list[Any] = []

    def between(_: Any, valkey: Any, addresses: dict[str, str]) -> None:
        line, addresses["REDIS_URL"] = outages.between(valkey.socket, addresses["REDIS_URL"])
        lines.append(line)

    with sites.standing(between=between) as (site, _):
        taker = _Taker(site)
        site.start("worker")
        if taker.took(60) is None:
            failures.append("the worker never started")
        while not failures and number < 100 and time.monotonic() + 60 < until:
            kind = _KINDS[number % len(_KINDS)]
            _disturb(site, lines[0], kind)
            found = taker.took(WITHIN + 5)
            number += 1
            if found is None or found > WITHIN:
                failures.append(f"after Valkey was {kind} no task had its effect within {WITHIN:.0f} s")
            else:
                took.setdefault(kind, []).append(found)
        site.worker.kill()
        caught = [("a worker that is not started again", taker.took(8, keep=False) is None)]
        ended = site.ended_by_themselves
    parts = [
        f"Valkey {kind} {len(times)} times, what was sent then was done after {max(times):.1f} s at most"
        for kind, times in took.items()
    ]
    done = sum(map(len, took.values()))
    parts.append(f"{done} of {number} events, each looked for by its id, under a seal")
    said = "; ".join([*parts, f"the worker ended by itself {ended} times"])
    return {"said": said, "failures": failures, "trials": number, "caught": caught}


# --- What lies on the disk --------------------------------------------------------------------------------------------

PEOPLE = 300


def at_rest(seconds: float) -> Figure:
    """The bytes of everything that a running installation has written."""
    return own_process("at_rest", seconds=seconds)


def _at_rest() -> dict[str, Any]:
    """Canaries of many people through the door and the forms; then every file of the installation is searched."""
    from tools.faults import site as sites

    chance = random.Random(17)  # noqa: S311  (no secret)
    state = sites.STATE
    with sites.standing() as (site, clock):
        from tests.rules.scanner import Canary, Scanner

        numbers = [
            f"+1{chance.choice((212, 404, 617))}{chance.randrange(2_000_000, 9_999_999)}"
            for _ in range(PEOPLE)
        ]
        names = [
            f"Zq{secrets.token_hex(5).capitalize()} Wx{secrets.token_hex(5).capitalize()}" for _ in range(60)
        ]
        canaries = [Canary("number", number) for number in numbers[:60]] + [
            Canary("name", name) for name in names
        ]
        scanner, began = Scanner(canaries), time.time()
        plain = {number[2:].encode() for number in numbers}, {name.lower().encode() for name in names}
        _story(site, clock, numbers, names)
        backup(state)
        from django.db import connections

        site.postgres.sql("CHECKPOINT", database="postgres")
        connections.close_all()
        import redis

        with redis.Redis.from_url(site.valkey.url()) as line:
            line.save()
        stores = _stores(state, since=began)
        sizes = {
            store: sum(file.stat().st_size for file in files if file.exists())
            for store, files in stores.items()
        }
        hits = [
            f"{store}: {os.path.relpath(file, state)}: {', '.join(sorted(what))}"
            for store, files in stores.items()
            for file in files
            if (what := _searched(scanner, file, *plain))
        ]
        empty = [f"{store}: nothing to search" for store, size in sizes.items() if not size]
        caught = _planted_at_rest(site, scanner, numbers, names)
    said = ", ".join(f"{store} {size / 1e6:.1f} MB" for store, size in sizes.items())
    return {
        "said": f"{PEOPLE} people and {len(names)} names; searched: {said}",
        "failures": hits + empty,
        "trials": 0,
        "caught": caught,
    }


def _story(site: Any, clock: Any, numbers: list[str], names: list[str]) -> None:
    """Every person calls by a signed event that also says a name; a worker takes them in; reasons hold names."""
    import base64
    import hmac

    from callprivacy.accounts.enums import Role
    from callprivacy.audit import services as audit
    from callprivacy.calls.models import Inbox
    from callprivacy.calls.services import connections as ways
    from callprivacy.tenancy.scope import job_scope
    from tests import make
    from tools.faults.history import SECRET

    at = clock.now()
    agency = make.agency("At rest", at=at)
    officer = make.person(agency, "olivia", Role.OFFICER, at=at)
    client = make.client(agency, "Dentist", at=at)
    make.grant(officer, client)
    with job_scope(agency_id=agency.pk):
        way = ways.create_connection(
            client=client, provider="callrail", name="CallRail", secret=SECRET, by=make.JOB, at=at
        )
    from django.test import Client as Browser

    browser = Browser(headers={"Host": "127.0.0.1"})
    for number, caller in enumerate(numbers):
        event = {
            "id": number, "start_time": at.isoformat(), "direction": "inbound", "duration": "61", "answered": True,
            "customer_phone_number": caller, "customer_name": names[number % len(names)],
            "tracking_phone_number": "+14045550100", "note": f"{names[number % len(names)]} asks",
            "recording": f"https://app.callrail.com/calls/{number}/recording?access_key={number}",
        }  # fmt: skip
        body = json.dumps(event).encode()
        signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
        answer = browser.post(
            f"/hooks/callrail/{way.key}/",
            data=body,
            content_type="application/json",
            headers={"Signature": signature},
        )
        if answer.status_code != 200:
            raise SystemExit(f"The door answered {answer.status_code}.")
    for name in names:
        with job_scope(agency_id=agency.pk):
            audit.record(
                "number.revealed", subject=client, by=make.JOB, at=at, reason=f"{name} asked to be called."
            )
    site.start("worker")
    from callprivacy.celery import app

    until = time.monotonic() + 120
    while time.monotonic() < until:
        site.keep()
        app.send_task("calls.sweep_inbox", retry=False)
        time.sleep(0.5)
        with job_scope(agency_id=agency.pk):
            if not Inbox.objects.exists():
                break
    else:
        raise SystemExit("The inbox was not worked off.")


def backup(state: Path) -> None:
    """A dump of each database, as the owner makes it, lies beside the rest."""
    from callprivacy.vault import envelopes

    folders = {name: state / "dumps" / name for name in ("default", "vault", "keys")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    _, recipient = envelopes.new_identity()
    environ = os.environ | {
        "CALLPRIVACY_ROLE": "owner", "CALLPRIVACY_BACKUP_DIR": str(folders["default"]),
        "CALLPRIVACY_VAULT_BACKUP_DIR": str(folders["vault"]), "CALLPRIVACY_VAULT_BACKUP_KEYS": str(folders["keys"]),
        "CALLPRIVACY_BACKUP_RECIPIENTS": recipient,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "manage.py", "backup"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"No backup was made: {(done.stdout + done.stderr).strip()[-300:]}")


def _stores(state: Path, *, since: float) -> dict[str, list[Path]]:
    """Every file of the installation that was written since, by what it is; a linked folder is followed."""
    from tools import services

    place = services.Place.of(state)
    found: dict[str, list[Path]] = {
        "data with the log of writes": [], "Valkey's files": [], "backups": [], "logs": [], "the rest": [],
    }  # fmt: skip
    for root in sorted({state.resolve(), place.home.resolve()}):
        for file in sorted(root.rglob("*")):
            if (
                not file.is_file()
                or file.is_symlink()
                or "static" in file.parts
                or file.name == "secrets.env"
            ):
                continue
            name = str(file)
            if "valkey" in name:
                store = "Valkey's files"
            elif "/dumps/" in name:
                store = "backups"
            elif file.suffix == ".log":
                store = "logs"
            elif "postgres" in name or "/base/" in name or "pg_wal" in name:
                store = "data with the log of writes"
            else:
                store = "the rest"
            if file not in found[store]:
                found[store].append(file)
    return found


# What every canary looks like, so that a file is read once: numbers of three area codes, names that begin alike.
_NUMBERS = re.compile(rb"(212|404|617)[-.) ]{0,2}([2-9]\d\d)[-. ]?(\d{4})")
_NAMES = re.compile(rb"zq[0-9a-f]{10} wx[0-9a-f]{10}")
_IN_HEX = re.compile(rb"(?:2b31)?(?:3\d){10}|5a71(?:[0-9a-f]{2}){10}20")
# What is packed is unpacked in memory by the scanner, of files of this size.
_UNPACKED_AT_MOST = 300_000


def _searched(scanner: Any, file: Path, numbers: set[bytes], names: set[bytes]) -> set[str]:
    """What of the canaries is in a file: as it is, in UTF-16, in hex, and in whatever small files have packed."""
    try:
        blob = file.read_bytes()
    except OSError:
        return set()
    small = len(blob) <= _UNPACKED_AT_MOST and "pg_" not in str(file) and "/base/" not in str(file)
    what: set[str] = scanner.find(blob) if small else set()
    lower = blob.lower()
    for text in (lower, lower.replace(b"\0", b""), *(_from_hex(run) for run in _IN_HEX.findall(lower))):
        what |= {"number" for found in _NUMBERS.finditer(text) if b"".join(found.groups()) in numbers}
        what |= {"name" for found in _NAMES.findall(text) if found in names}
    return what


def _from_hex(run: bytes) -> bytes:
    with contextlib.suppress(ValueError):
        return bytes.fromhex(run.decode()).lower()
    return b""


def _planted_at_rest(site: Any, scanner: Any, numbers: list[str], names: list[str]) -> list[tuple[str, bool]]:
    """A canary where somebody careless would leave it, in each store; the same search finds it."""
    import redis

    caught, since = [], time.time() - 1
    plain = {number[2:].encode() for number in numbers}, {name.lower().encode() for name in names}

    def again(store: str) -> bool:
        files = _stores(Path(os.environ["CALLPRIVACY_STATE"]), since=since)[store]
        return any(_searched(scanner, file, *plain) for file in files)

    site.postgres.sql(
        f"CREATE TABLE planted AS SELECT '{numbers[1]}'::text AS number; CHECKPOINT", database="postgres"
    )
    caught.append(("a table with a number", again("data with the log of writes")))
    with redis.Redis.from_url(site.valkey.url()) as line:
        line.set("planted", numbers[2])
        line.save()
    caught.append(("a number in Valkey", again("Valkey's files")))
    state = Path(os.environ["CALLPRIVACY_STATE"])
    acts: dict[str, Callable[[], object]] = {
        "backups": lambda: (state / "dumps" / "default" / "careless").write_bytes(
            gzip.compress(names[1].encode())
        ),
        "logs": lambda: (state / "careless.log").write_text(f"asked by {names[2]}\n", encoding="utf-8"),
        "the rest": lambda: (state / "careless").write_text(
            json.dumps({"said": numbers[3]}), encoding="utf-16"
        ),
    }
    for store, act in acts.items():
        act()
        caught.append((f"a canary among {store}", again(store)))
    return caught


def main() -> int:
    """One trial in this process."""
    name, report, *arguments = sys.argv[1:]
    # So that what was started is ended where the suite's time is over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = _broker(float(arguments[0])) if name == "broker" else _at_rest()
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    from tools.faults import site as sites

    shutil.rmtree(sites.STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
