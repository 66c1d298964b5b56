"""
Kills while it takes calls in and lets them go: `python -m tools.faults [--kills 210] [--minutes 20] [--seed 1]`.

PostgreSQL, Valkey and a Celery worker of their own run as `make run` has them. Day after day falls due at four clients;
each night's run is planned by its own task, works in small batches, and at random moments one of the three is ended by
SIGKILL, together with all its children, while trackers go on calling and repeat old events. The worker's clock goes
fifteen times as fast, so that leases run out within seconds; a night is a jump.

What was made, acknowledged and held is written down outside. In the end, after a last run without a kill, a checker
compares: nothing due is left, nothing kept or held is lost and its key opens, every acknowledged event is a call,
what left does not come back, every certificate is true to its digest, every recording is a step at its vendor, and
the trail verifies. Then faults are planted, each of which the checker must find. `make faults` runs it beside other
faults (tools/assure/faulting.py), which also writes what came of it into docs/assurance.md.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hmac
import json
import logging
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tools import run as start
from tools import services

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state" / "faults"
CLIENTS, PEOPLE, DAYS_KEPT = 4, 40, 90
A_DAY, RECORDED = 120, 3
SPEED, BATCH = 15, 40
VICTIMS = ("worker", "Valkey", "PostgreSQL")
SECRET = "a-secret-of-the-tracker"  # noqa: S105  (of a tracker that is played here)
TASKS = (
    "retention.start_nightly", "retention.work_runs", "calls.sweep_inbox", "audit.seal_events", "retention.beat_pulse",
)  # fmt: skip
_EVERY, _STALE, _CALLS_EVERY = 0.5, 15.0, 0.4
_LONGEST_NIGHT = 400.0


# --- The clock --------------------------------------------------------------------------------------------------------


class Clock:
    """An instant that several processes read: the machine's, fifteen times as fast, and some days on."""

    def __init__(self, file: Path, *, fresh: bool = False) -> None:
        if fresh:
            file.write_bytes(struct.pack("dd", time.time(), 0.0))
        with file.open("r+b") as handle:
            self.shared = mmap.mmap(handle.fileno(), 16)

    def now(self, tz: Any = UTC) -> datetime:
        """The instant, by the machine's clock since the start."""
        began, jumped = struct.unpack("dd", self.shared[:16])
        return datetime.fromtimestamp(began + (time.time() - began) * SPEED + jumped, tz)

    def jump(self, by: timedelta) -> None:
        """Go on at once."""
        began, jumped = struct.unpack("dd", self.shared[:16])
        self.shared[:16] = struct.pack("dd", began, jumped + by.total_seconds())


def _work() -> int:
    """In a process of its own: a worker by our clock, with small batches."""
    import django
    from django.utils import timezone

    django.setup()
    timezone.now = Clock(Path(os.environ["FAULTS_CLOCK"])).now
    from callprivacy.celery import app
    from retention import targets

    for category, target in list(targets.TARGETS.items()):
        targets.TARGETS[category] = replace(target, batch=min(target.batch, BATCH))
    app.worker_main(
        [
            "worker", "--loglevel", "ERROR", "--concurrency", "2", "--without-gossip", "--without-mingle",
            "--without-heartbeat",
        ]
    )  # fmt: skip
    return 0


# --- What is killed ---------------------------------------------------------------------------------------------------


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[1]) == pid:
                child = int(stat.parent.name)
                found += [child, *_children(child)]
    return found


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """The process and everything below it, at once."""
    for pid in [process.pid, *_children(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@dataclass
class Site:
    """The three that are killed, and how often each of them was."""

    postgres: services.Postgres
    valkey: services.Valkey
    log: Any
    worker: subprocess.Popen[bytes] | None = None
    kills: Counter[str] = field(default_factory=Counter)
    in_work: Counter[str] = field(default_factory=Counter)
    down: dict[str, float] = field(default_factory=dict)
    ended_by_themselves: int = 0

    def start_worker(self) -> None:
        """Start the worker; it is not waited for."""
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "tools.faults", "--work"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def keep_worker(self) -> None:
        """Start the worker again where a broken connection ended it, as the supervisor does."""
        assert self.worker is not None  # noqa: S101  (for the type checker)
        if self.worker.poll() is not None:
            self.ended_by_themselves += 1
            self.start_worker()

    def kill(self, victim: str, chance: random.Random) -> None:
        """End one of the three at once, and bring it back."""
        began = time.monotonic()
        if victim == "worker":
            self._kill_worker(chance)
        elif victim == "Valkey":
            assert self.valkey.process is not None  # noqa: S101  (for the type checker)
            _kill_all(self.valkey.process)
            self.valkey.start()
        else:
            self._kill_postgres(chance)
        self.kills[victim] += 1
        self.down[victim] = self.down.get(victim, 0.0) + time.monotonic() - began

    def _kill_worker(self, chance: random.Random) -> None:
        """All of it, or the child that does the work, which the parent replaces."""
        assert self.worker is not None  # noqa: S101  (for the type checker)
        children = _children(self.worker.pid)
        if children and chance.random() < 0.6:
            with contextlib.suppress(ProcessLookupError):
                os.kill(children[-1], signal.SIGKILL)
            return
        _kill_all(self.worker)
        self.start_worker()

    def _kill_postgres(self, chance: random.Random) -> None:
        """The whole server, or one that serves somebody, after which it ends all others itself."""
        assert self.postgres.process is not None  # noqa: S101  (for the type checker)
        if chance.random() < 0.5:
            _kill_all(self.postgres.process)
            for _ in range(50):
                with contextlib.suppress(services.ServiceError):
                    self.postgres.start()
                    return
                time.sleep(0.1)
            raise SystemExit("PostgreSQL does not come back.")
        serving = [
            pid for pid in _children(self.postgres.process.pid)
            if b"callprivacy" in _command(pid)
        ]  # fmt: skip
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(serving or _children(self.postgres.process.pid)), signal.SIGKILL)
        time.sleep(0.05)
        services.wait_until(
            self.postgres.is_up, process=self.postgres.process, what="PostgreSQL", log=self.postgres.log
        )

    def end(self) -> None:
        """End all three."""
        if self.worker is not None and self.worker.poll() is None:
            os.killpg(self.worker.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.worker.wait(15)
            _kill_all(self.worker)
        self.valkey.stop()
        self.postgres.stop()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


# --- What was made ----------------------------------------------------------------------------------------------------


@dataclass
class History:
    """What happened, as its doers saw it: kept apart from what the databases say."""

    due: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    held: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    kept: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    recordings: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    outs: set[uuid.UUID] = field(default_factory=set)
    taken: dict[int, int] = field(default_factory=dict)
    refused: int = 0
    repeated: int = 0


@contextlib.contextmanager
def _patient(what: str, seconds: float = 60) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Repeat what an outage cut short; nothing that is done in here counts before it has answered."""
    from django.db import Error, connections

    def act(deed: Callable[[], Any]) -> Any:
        until = time.monotonic() + seconds
        while True:
            try:
                return deed()
            except Error:
                if time.monotonic() > until:
                    raise SystemExit(f"{what}: the database does not answer.") from None
                connections.close_all()
                time.sleep(0.1)

    yield act


class World:
    """An agency with four live clients, each with people who call, one of whom a hold keeps."""

    def __init__(self, clock: Clock) -> None:
        from callprivacy.accounts.enums import Role
        from callprivacy.calls.services import connections as ways
        from callprivacy.tenancy.enums import RetentionState
        from callprivacy.tenancy.models import Client, Engagement
        from callprivacy.tenancy.scope import job_scope, staff_scope
        from callprivacy.vault import services as vault
        from retention.services import holds
        from tests import make

        self.clock, self.history = clock, History()
        at = clock.now()
        self.agency = make.agency("Faults", at=at)
        self.officer = make.person(self.agency, "olivia", Role.OFFICER, at=at)
        self.clients: list[Any] = []
        self.paths: list[str] = []
        self.people: dict[int, list[tuple[str, uuid.UUID]]] = {}
        for index in range(CLIENTS):
            client = make.client(self.agency, f"Client {index}", at=at)
            make.grant(self.officer, client)
            with job_scope(agency_id=self.agency.pk):
                Client.objects.filter(pk=client.pk).update(
                    retention_state=RetentionState.LIVE,
                    went_live_at=at,
                    keep_calls_for_days=DAYS_KEPT + index,
                )
                Engagement.objects.for_client(client).update(delete_at_vendor=index % 2 == 0)
                client = Client.objects.select_related("agency").get(pk=client.pk)
                way = ways.create_connection(
                    client=client, provider="callrail", name="CallRail", secret=SECRET, by=make.JOB, at=at
                )
            numbers = [f"+1404{200 + index}{one:04}" for one in range(PEOPLE)]
            for number in numbers:
                # A call of today keeps each of them known; what expires takes recordings and keys, not the people.
                self._note_kept(make.call(client, number, at=at - timedelta(hours=2)))
            ids = vault.ensure_callers(client_id=client.pk, numbers=numbers, at=at)
            self.people[client.pk] = [(number, ids[number]) for number in numbers]
            with staff_scope(agency_id=self.agency.pk, user_id=self.officer.user_id):
                holds.place_hold(
                    client=client, name="Held through the faults", matter="F-1", reason="What is held must stay held.",
                    extent=holds.Wanted(numbers=(numbers[0],)), review_on=at.date() + timedelta(days=900),
                    ends_on=None, people=[], placed_by=self.officer.user_id, at=at,
                )  # fmt: skip
            self.clients.append(client)
            self.paths.append(f"/hooks/callrail/{way.key}/")

    def _note_kept(self, call: Any) -> None:
        self.history.kept.setdefault(call.client_id, set()).add(call.pk)

    def a_day(self, chance: random.Random) -> None:
        """Calls that the next night finds due, of people with and without other calls, some of them recorded."""
        from callprivacy.calls.enums import Direction, Outcome
        from callprivacy.calls.models import Call, call_id
        from callprivacy.tenancy import selectors as tenancy
        from callprivacy.tenancy.scope import job_scope

        for client in self.clients:
            days = client.keep_calls_for_days
            line = tenancy.cutoff_for_days(client, days, self.clock.now())
            rows = []
            for _ in range(A_DAY):
                _, caller_id = chance.choice(self.people[client.pk])
                at = line + timedelta(seconds=chance.uniform(60, 22 * 3600))
                rows.append(
                    Call(
                        pk=call_id(at), agency_id=client.agency_id, client=client, caller_id=caller_id,
                        caller_withheld=False,
                        direction=Direction.OUTBOUND if chance.random() < 0.2 else Direction.INBOUND,
                        outcome=Outcome.ANSWERED, seconds=60, source="Google Ads", received_at=at,
                    )
                )  # fmt: skip
            with _patient("Making calls") as patiently:

                def write(rows: list[Any] = rows, client: Any = client) -> None:
                    with job_scope(agency_id=client.agency_id):
                        Call.objects.bulk_create(rows, ignore_conflicts=True)

                patiently(write)
            self._record(client, [row for row in rows if chance.randrange(RECORDED) == 0])
            held = self.people[client.pk][0][1]
            for row in rows:
                into = self.history.held if row.caller_id == held else self.history.due
                into.setdefault(client.pk, set()).add(row.pk)
                if row.direction == Direction.OUTBOUND:
                    self.history.outs.add(row.pk)

    def _record(self, client: Any, rows: list[Any]) -> None:
        from callprivacy.calls.models import Recording
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import services as vault
        from callprivacy.vault.sealing import Place

        made = {uuid.uuid4(): row for row in rows}
        with (
            vault.hold_callers(
                client_id=client.pk, caller_ids=list({row.caller_id for row in rows})
            ) as callers,
            job_scope(agency_id=client.agency_id),
        ):
            keys = vault.create_recording_keys(
                client_id=client.pk, recordings=[(one, row.caller_id) for one, row in made.items()],
                callers=callers, at=self.clock.now(),
            )  # fmt: skip
            Recording.objects.bulk_create(
                Recording(
                    pk=one, agency_id=client.agency_id, client_id=client.pk, call=row, provider="callrail",
                    reference=keys[one].seal(
                        f"https://app.callrail.com/calls/{row.pk}/recording".encode(),
                        Place(client.pk, "calls_recording", "reference", one),
                    ),
                )
                for one, row in made.items()
            )  # fmt: skip
        self.history.recordings |= {one: row.pk for one, row in made.items()}


class Tracker(threading.Thread):
    """Sends signed events to the real door until told to end: new calls, and old ones once more."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(daemon=True)
        self.world, self.chance = world, random.Random(seed)  # noqa: S311  (no secret)
        self.ending = threading.Event()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.next = 1

    def run(self) -> None:
        """Send, and write down what was acknowledged."""
        from django.db import connections
        from django.test import Client as Browser

        browser = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"})
        while not self.ending.wait(_CALLS_EVERY):
            if self.sent and self.chance.random() < 0.2:
                path, event = self.chance.choice(self.sent)
            else:
                number = self.next
                self.next += 1
                at = self.world.clock.now() - timedelta(minutes=self.chance.randrange(1, 50))
                client = self.chance.randrange(CLIENTS)
                people = self.world.people[self.world.clients[client].pk]
                path = self.world.paths[client]
                event = {
                    "id": number, "start_time": at.isoformat(), "direction": "inbound", "duration": "61",
                    "answered": True, "customer_phone_number": self.chance.choice(people)[0],
                    "tracking_phone_number": "+14045550100", "source_name": "Google Ads",
                }  # fmt: skip
            body = json.dumps(event).encode()
            try:
                answer = browser.post(
                    path, data=body, content_type="application/json",
                    headers={"Signature": base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()},
                )  # fmt: skip
                taken = answer.status_code == 200
            except Exception:  # noqa: BLE001  (an outage: nothing was acknowledged)
                taken = False
            if not taken:
                self.world.history.refused += 1
                connections.close_all()
                continue
            if event["id"] in self.world.history.taken:
                self.world.history.repeated += 1
            else:
                self.sent.append((path, event))
            self.world.history.taken[event["id"]] = self.world.clients[self.world.paths.index(path)].pk
        connections.close_all()


# --- The nights -------------------------------------------------------------------------------------------------------


class Beat(threading.Thread):
    """Sends what beat sends, more often; whether it arrives is not its concern."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ending = threading.Event()

    def run(self) -> None:
        """Send each task again and again."""
        from callprivacy.celery import app

        while not self.ending.wait(_EVERY):
            for task in TASKS:
                with contextlib.suppress(Exception):
                    app.send_task(task, expires=_STALE, retry=False)


def _runs(world: World) -> list[str]:
    from callprivacy.tenancy.scope import job_scope
    from retention.models import Run

    with _patient("Looking at the run") as patiently:

        def look() -> list[str]:
            with job_scope(agency_id=world.agency.pk):
                return list(Run.objects.order_by("created_at").values_list("state", flat=True))

        found: list[str] = patiently(look)
        return found


def night(world: World, site: Site, chance: random.Random, *, kills: int, plan: list[str]) -> float:
    """Let a day pass and the night's run do its work, under so many kills; returns seconds."""
    world.a_day(chance)
    before = len(_runs(world))
    zone_night = world.clock.now() + timedelta(days=1)
    world.clock.jump(zone_night.replace(hour=8, minute=0) - world.clock.now())
    began = time.monotonic()
    while True:
        site.keep_worker()
        states = _runs(world)
        is_over = len(states) > before and states[-1] not in {"running", "paused"}
        if is_over and (kills <= 0 or not plan):
            return time.monotonic() - began
        if time.monotonic() - began > _LONGEST_NIGHT:
            raise SystemExit(f"A night did not end: {states[-3:]}; see {STATE}/worker.log")
        time.sleep(chance.uniform(0.02, 1.2))
        if kills > 0 and plan:
            victim = plan.pop()
            if not is_over:
                site.in_work[victim] += 1
            site.kill(victim, chance)
            kills -= 1
        if is_over:
            kills = 0


# --- The checker ------------------------------------------------------------------------------------------------------


class Checker:
    """Compares what the databases say with what happened."""

    def __init__(self, world: World, site: Site) -> None:
        self.world, self.site, self.history = world, site, world.history
        self.counts: dict[str, int] = {}

    def findings(self) -> list[str]:
        """Everything that does not hold; `counts` says how much of each was looked at."""
        found: list[str] = []
        self.counts = {}
        for client in self.world.clients:
            found += self._rows(client)
            found += self._keys(client)
            found += self._steps(client)
            found += self._certificates(client)
        found += self._taken()
        return found + self._trail()

    def _note(self, what: str, count: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + count

    def _rows(self, client: Any) -> list[str]:
        from callprivacy.calls.models import Call, Recording
        from callprivacy.tenancy.scope import job_scope

        due = self.history.due.get(client.pk, set())
        stay = self.history.held.get(client.pk, set()) | self.history.kept.get(client.pk, set())
        with job_scope(agency_id=client.agency_id):
            here = set(Call.objects.for_client(client).values_list("pk", flat=True))
            sounds = set(Recording.objects.for_client(client).values_list("pk", flat=True))
        theirs = {one for one, call in self.history.recordings.items() if call in due}
        kept = {one for one, call in self.history.recordings.items() if call in stay}
        self._note("due calls gone", len(due))
        self._note("kept and held calls there", len(stay))
        self._note("recordings of held calls there", len(kept))
        return [
            *(f"{client.name}: {len(due & here)} due calls are left" for _ in [0] if due & here),
            *(f"{client.name}: {len(stay - here)} kept or held calls are lost" for _ in [0] if stay - here),
            *(
                f"{client.name}: {len(theirs & sounds)} due recordings are left"
                for _ in [0]
                if theirs & sounds
            ),
            *(f"{client.name}: {len(kept - sounds)} held recordings are lost" for _ in [0] if kept - sounds),
        ]

    def _keys(self, client: Any) -> list[str]:
        from callprivacy.calls.models import Caller, Recording
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import selectors as vault
        from callprivacy.vault.models import RecordingKey
        from callprivacy.vault.sealing import SealBrokenError

        due, held = self.history.due.get(client.pk, set()), self.history.held.get(client.pk, set())
        gone = [one for one, call in self.history.recordings.items() if call in due]
        kept = [one for one, call in self.history.recordings.items() if call in held]
        found = []
        left = RecordingKey.objects.filter(client_id=client.pk, pk__in=gone).count()
        if left:
            found.append(f"{client.name}: {left} keys of due recordings are left")
        with job_scope(agency_id=client.agency_id):
            rows = list(Recording.objects.for_client(client).filter(pk__in=kept))
            numbers = list(Caller.objects.for_client(client))
            try:
                keys = vault.recording_keys(client.pk, [row.pk for row in rows])
                for row in rows:
                    row.reference.reveal(keys[row.pk])
                people = vault.content_keys({client.pk: {row.pk for row in numbers}})
                said = {row.number.reveal(people[row.pk]) for row in numbers}
            except (SealBrokenError, KeyError) as error:
                return [*found, f"{client.name}: what is kept does not open: {type(error).__name__}"]
        if said != {number for number, _ in self.world.people[client.pk]}:
            found.append(f"{client.name}: a person's number is lost")
        self._note("destroyed keys gone", len(gone))
        self._note("kept keys that open", len(rows) + len(numbers))
        return found

    def _steps(self, client: Any) -> list[str]:
        from callprivacy.tenancy.scope import job_scope
        from consent.enums import VendorStep
        from consent.models import VendorTask
        from retention.models import Leftover

        due = self.history.due.get(client.pk, set())
        wanted = sum(call in due for call in self.history.recordings.values())
        with job_scope(agency_id=client.agency_id):
            leftovers = Leftover.objects.for_client(client).count()
            steps = VendorTask.objects.for_client(client).filter(step=VendorStep.DELETE_RECORDING).count()
        is_told = self.world.clients.index(client) % 2 == 0
        self._note("copies at vendors listed", wanted)
        found = [] if leftovers == wanted else [f"{client.name}: {leftovers} copies listed of {wanted}"]
        if steps != (wanted if is_told else 0):
            found.append(
                f"{client.name}: {steps} steps at the vendor, for {wanted if is_told else 0} recordings"
            )
        return found

    def _certificates(self, client: Any) -> list[str]:
        from callprivacy.audit.models import Event
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import signing
        from consent.channels import packing
        from retention.models import Certificate
        from retention.services import erasing
        from tools import verify_certificate

        found: list[str] = []
        with job_scope(agency_id=client.agency_id):
            rows = list(Certificate.objects.for_client(client).order_by("number"))
            batches = list(
                Event.objects.filter(client_id=client.pk, action="calls.erased")
                .order_by("pk")
                .values_list("details", flat=True)
            )
        pins = [signing.public_key().hex()]
        told: list[tuple[int, str]] = []
        for row in rows:
            statement = json.loads(row.statement)
            data = packing.sealed_file(statement, signature=row.signature, public=pins[0])
            found += [
                f"{client.name}, certificate {row.number}: {said}"
                for said in verify_certificate.verify(data, pins=pins).findings
            ]
            told += [
                (one["erased"], one["digest"])
                for one in statement["categories"]
                if one["category"] in {"call", "call_out"}
            ]
        due = self.history.due.get(client.pk, set())
        erased = sum(count for count, _ in told)
        if erased != len(due):
            found.append(f"{client.name}: certificates count {erased} calls, {len(due)} left")
        outs = self.history.outs
        chains = _chains(due - outs, batches, erasing.digest_after) | _chains(
            due & outs, batches, erasing.digest_after
        )
        for count, digest in told:
            if count and (count, digest) not in chains:
                found.append(f"{client.name}: a digest over {count} calls is none of what left")
        self._note("certificates true", len(rows))
        return found

    def _taken(self) -> list[str]:
        from callprivacy.calls.models import Call, Inbox
        from callprivacy.tenancy.scope import job_scope

        found = []
        with job_scope(agency_id=self.world.agency.pk):
            waiting = Inbox.objects.count()
            for client in self.world.clients:
                known = self.history.due.get(client.pk, set()) | self.history.held.get(client.pk, set())
                known |= self.history.kept.get(client.pk, set())
                here = set(Call.objects.for_client(client).values_list("pk", flat=True)) - known
                wanted = sum(of == client.pk for of in self.history.taken.values())
                if not wanted <= len(here) <= wanted + self.history.refused:
                    found.append(f"{client.name}: {len(here)} calls of {wanted} acknowledged events")
        self._note("acknowledged events whose calls are there", len(self.history.taken))
        return found + ([f"{waiting} events wait or are rejected"] if waiting else [])

    def _trail(self) -> list[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", "verify_audit"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self._note("the trail verifies", 1)
        return [] if done.returncode == 0 else [f"the trail: {(done.stdout + done.stderr).strip()[-300:]}"]


def _chains(
    due: set[uuid.UUID], batches: list[dict[str, Any]], after: Callable[[bytes, Any], bytes]
) -> set[tuple[int, str]]:
    """
    Every (count, digest) that batches in their order make: each is what was due from its first id to its last.

    A part's batches follow one another; where one part ends and the next begins the trail does not say, so every
    stretch of them is a candidate.

    :param due: calls of one direction, for each is a part of its own.
    """
    left = sorted(due)
    gone: list[list[uuid.UUID]] = []
    taken: set[uuid.UUID] = set()
    for batch in batches:
        if not batch["rows"] or uuid.UUID(batch["first"]) not in due:
            continue
        first, last = uuid.UUID(batch["first"]), uuid.UUID(batch["last"])
        gone.append([one for one in left if first <= one <= last and one not in taken])
        taken |= set(gone[-1])
    found: set[tuple[int, str]] = set()
    for begin in range(len(gone)):
        digest, count = bytes(32), 0
        for ids in gone[begin:]:
            digest, count = after(digest, ids), count + len(ids)
            found.add((count, digest.hex()))
    return found


# --- Planted faults ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plant:
    """A fault as it would be in the databases, how it is undone, and what the checker has to say."""

    name: str
    database: str
    do: str
    undo: str
    said: str


def plants(world: World) -> list[Plant]:
    """One of each kind that the checker is for, at the first client."""
    client, history = world.clients[0], world.history
    kept = min(history.kept[client.pk])
    gone = min(history.due[client.pk])
    return [
        Plant(
            "a kept call is lost", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE id = '{kept}';"
            f"DELETE FROM calls_call WHERE id = '{kept}'",
            "INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            "kept or held calls are lost",
        ),
        Plant(
            "a due call is back", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE id = '{kept}';"
            f"UPDATE planted SET id = '{gone}'; INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            f"DELETE FROM calls_call WHERE id = '{gone}'",
            "due calls are left",
        ),
        Plant(
            "a certificate counts one more", "default",
            "UPDATE retention_certificate SET statement ="
            " regexp_replace(statement, '\"erased\":(\\d+)', '\"erased\":1\\1')"
            f" WHERE client_id = {client.pk} AND number = 1",
            "UPDATE retention_certificate SET statement ="
            " regexp_replace(statement, '\"erased\":1(\\d+)', '\"erased\":\\1')"
            f" WHERE client_id = {client.pk} AND number = 1",
            "certificate 1",
        ),
        Plant(
            "a certificate is missing", "default",
            f"CREATE TABLE planted AS SELECT * FROM retention_certificate WHERE client_id = {client.pk} AND number = 2;"
            f"DELETE FROM retention_certificate WHERE client_id = {client.pk} AND number = 2",
            "INSERT INTO retention_certificate SELECT * FROM planted; DROP TABLE planted",
            "certificates count",
        ),
        Plant(
            "an event of the trail is changed", "default",
            "UPDATE audit_event SET details = details || '{\"rows\": 1}' WHERE id ="
            " (SELECT min(id) FROM audit_event WHERE action = 'calls.erased')",
            "",
            "the trail",
        ),
        Plant(
            "the key of a person who stays is lost", "vault",
            f"UPDATE vault_caller SET content_key = NULL WHERE id = '{world.people[client.pk][1][1]}'",
            "",
            "",
        ),
    ]  # fmt: skip


def planted(world: World, site: Site, checker: Checker, findings: list[str]) -> list[tuple[str, bool]]:
    """Plant each, and say whether it was found beside what was there before."""
    found, before = [], set(findings)
    for plant in plants(world):
        database = start.DATABASES["VAULT_" if plant.database == "vault" else ""]
        site.postgres.sql(f"SET session_replication_role = replica; {plant.do};", database=database)
        now = set(checker.findings())
        found.append((plant.name, any(plant.said in said for said in now - before)))
        if plant.undo:
            site.postgres.sql(f"SET session_replication_role = replica; {plant.undo};", database=database)
        else:
            before = now
    return found


# --- The whole --------------------------------------------------------------------------------------------------------


def told(
    site: Site, checker: Checker, findings: list[str], caught: list[tuple[str, bool]], facts: str
) -> str:
    """The tables, as they go onto the screen."""
    lines = [
        facts, "",
        "| ended by SIGKILL | times | before the night's run was over | seconds to bring it back, mean |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for victim in VICTIMS:
        times = site.kills[victim]
        mean = site.down.get(victim, 0.0) / max(times, 1)
        lines.append(f"| {victim} | {times} | {site.in_work[victim]} | {mean:.1f} |")
    total = sum(site.kills.values())
    lines += ["", "| what was compared in the end | how many | against it |", "|---|---|---|"]
    lines += [
        f"| {what} | {count:,} | {0 if not findings else 'see below'} |"
        for what, count in checker.counts.items()
    ]
    if findings:
        lines += ["", "Does not hold:", "", *(f"- {said}" for said in findings)]
    elif total:
        bound = 1 - 0.05 ** (1 / total)
        said = (
            f"Nothing was found after {total} kills. What 0 of {total} proves: were one kill in {1 / bound:.0f}"
            " to lose or keep a row, a series like this one would show it 95 times in 100. It proves nothing about"
            " rarer faults, about a disk that loses what it acknowledged, or about a machine that loses its power."
        )
        lines += ["", said]
    lines += [
        "",
        "| planted fault | found |",
        "|---|---|",
        *(f"| {name} | {'yes' if was else 'NO'} |" for name, was in caught),
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def _site(
    between: Callable[[services.Postgres, services.Valkey, dict[str, str]], None] | None = None,
    kind: type[Site] = Site,
) -> Iterator[tuple[Site, Clock]]:
    """
    The servers, migrated; Django set up as the app's role, by our clock.

    :param between: puts something between the product and its servers, by changing their addresses.
    """
    services.Place.of(STATE).forget_if_elsewhere()
    shutil.rmtree(STATE, ignore_errors=True)
    place = services.Place.of(STATE)
    postgres, addresses = start._own_postgres(place)
    valkey = services.Valkey(place)
    log = (STATE / "worker.log").open("ab")
    site = kind(postgres, valkey, log)
    try:
        valkey.start()
        addresses["REDIS_URL"] = valkey.url()
        if between is not None:
            between(postgres, valkey, addresses)
        os.environ |= start._settings(STATE, port=8000, addresses=addresses)
        clock_file = STATE / "clock"
        os.environ |= {
            "CALLPRIVACY_STATE": str(STATE), "CALLPRIVACY_LOG_LEVEL": "ERROR", "CALLPRIVACY_LOG_FORMAT": "text",
            "DJANGO_SETTINGS_MODULE": "callprivacy.settings", "FAULTS_CLOCK": str(clock_file),
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "tools.migrating"],
            cwd=ROOT,
            env=os.environ | {"CALLPRIVACY_ROLE": "owner"},
            check=True,
        )
        clock = Clock(clock_file, fresh=True)
        import django
        from django.utils import timezone

        django.setup()
        # An outage is what happens here: what the doors say of it fills pages.
        logging.disable(logging.CRITICAL)
        timezone.now = clock.now
        yield site, clock
    finally:
        with contextlib.suppress(Exception):
            from django.db import connections

            connections.close_all()
        site.end()
        log.close()


def main() -> int:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=210)
    parser.add_argument("--minutes", type=float, default=20, help="no kill begins after so many")
    parser.add_argument("--a-night", type=int, default=10, help="kills in each night")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write what came of it into this file, too")
    asked = parser.parse_args([*sys.argv[1:], *os.environ.get("ARGS", "").split()])
    if asked.work:
        return _work()
    chance = random.Random(asked.seed)  # noqa: S311  (no secret)
    plan = [VICTIMS[number % len(VICTIMS)] for number in range(asked.kills)]
    chance.shuffle(plan)
    began = time.monotonic()
    with _site() as (site, clock):
        world = World(clock)
        site.start_worker()
        tracker, beat = Tracker(world, asked.seed), Beat()
        tracker.start()
        beat.start()
        nights = 0
        while plan and time.monotonic() - began < asked.minutes * 60:
            took = night(world, site, chance, kills=asked.a_night, plan=plan)
            nights += 1
            print(f"night {nights}: {took:.0f} s, {sum(site.kills.values())} kills so far", flush=True)
        tracker.ending.set()
        tracker.join(30)
        night(world, site, chance, kills=0, plan=[])
        _settle(world)
        beat.ending.set()
        beat.join(5)
        checker = Checker(world, site)
        findings = checker.findings()
        print(f"checked: {findings or 'nothing found'}", flush=True)
        counts = dict(checker.counts)
        caught = planted(world, site, checker, findings)
        checker.counts = counts
        facts = (
            f"Seed {asked.seed} on {datetime.now(UTC).date()}, {os.cpu_count()} cores:"
            f" {nights + 1} nights at {CLIENTS} clients in {time.monotonic() - began:.0f} s,"
            f" {sum(len(ids) for ids in world.history.due.values()):,} calls due,"
            f" {len(world.history.taken):,} events acknowledged and {world.history.repeated:,} repeated,"
            f" {world.history.refused:,} not answered; the worker ended by itself {site.ended_by_themselves} times."
        )
        text = told(site, checker, findings, caught, facts)
    print(text)
    if asked.json:
        found = {
            "kills": site.kills,
            "findings": findings,
            "compared": counts,
            "planted": caught,
            "facts": facts,
        }
        asked.json.write_text(json.dumps(found), encoding="utf-8")
    return int(bool(findings) or not all(was for _, was in caught))


def _settle(world: World) -> None:
    """Wait until nothing waits any more, and what happened is sealed."""
    from callprivacy.calls.models import Inbox
    from callprivacy.tenancy.scope import job_scope

    until = time.monotonic() + 60
    while time.monotonic() < until:
        with job_scope(agency_id=world.agency.pk):
            if not Inbox.objects.exists():
                break
        time.sleep(0.3)
    time.sleep(6)


if __name__ == "__main__":
    sys.exit(main())
