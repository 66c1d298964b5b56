"""
Trying backups out: the newest ones are put back beside the live system, on a server of their own that lives as long as
the drill, and made good there as after a real restore. Nothing live is entered; what was made is removed, also when it
fails, and within the hour where it was killed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import conninfo_to_dict

from callprivacy.audit import services as audit
from callprivacy.audit.models import HouseEvent
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.services import erasure
from callprivacy.lib.logs import logger
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, operator_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import Key, SealBrokenError
from retention.models import Drill
from retention.services import backups, restoring
from retention.services.backups import Access, BackupError, Manifest
from tools import services as servers

log = logger(__name__)

EVERY: Final = timedelta(days=7)
_AT_MOST: Final = timedelta(hours=2)
_ROLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_FOLDER: Final = re.compile(r"drill-[0-9a-f]{8}")
_NAMES: Final = {"default": "drill", "vault": "drill_vault"}
_SETTINGS: Final = {"max_connections": "20", "shared_buffers": "64MB", "jit": "off", "wal_level": "minimal",
                    "max_wal_senders": "0", "fsync": "off", "log_min_messages": "fatal"}  # fmt: skip
_PAGE: Final = 1_000
_TOO_LONG: Final = "it took longer than the worker lets a drill take: have cron run manage.py restore_drill"
# Of what the live system has, a drill is told what opens the dumps, and nothing that leads out of it.
_LEFT_OUT: Final = ("CALLPRIVACY_RECORDINGS", "MAIL_URL", "CALLPRIVACY_MAIL_HOOK_SECRET", "CALLPRIVACY_DRILL")

type Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what, whether it holds, and what was seen."""

    name: str
    ok: bool
    said: str


def is_due(*, at: datetime) -> bool:
    """Whether no drill was begun within a week, and none is running."""
    newest = Drill.objects.order_by("-started_at").first()
    if newest is None:
        return True
    is_running = newest.finished_at is None and at - newest.started_at < _AT_MOST
    return not is_running and at - newest.started_at >= EVERY


def begin(*, at: datetime, only_if_due: bool = False) -> Drill | None:
    """Note that a drill begins; None where it is not due, or another one begins just now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('retention.drill', 0))")
        if not cursor.fetchone()[0] or (only_if_due and not is_due(at=at)):
            return None
        return Drill.objects.create(started_at=at)


def run_drill(*, drill: Drill, identity: Path, clock: Clock) -> Drill:
    """
    Put the newest backups back beside the live system, make them good, look, and write down what was seen.

    Outside any scope. What goes wrong is part of the report, not an error.
    """
    checks: list[Check] = []
    used: dict[str, str] = {}
    folder = Path(settings.CALLPRIVACY_STATE) / f"drill-{drill.pk.hex[:8]}"
    try:
        forget_cut_off()
        with servers.locked(_lock(), shared=True):
            _try_out(folder, identity, checks, used)
    except SoftTimeLimitExceeded:
        checks.append(Check("drill", ok=False, said=_TOO_LONG))
    except (BackupError, servers.ServiceError, OSError, psycopg.Error, DatabaseError) as error:
        checks.append(Check("drill", ok=False, said=str(error)[:500]))
    passed = bool(checks) and all(check.ok for check in checks)
    drill.finished_at, drill.passed = clock(), passed
    drill.report = {"backups": used, "checks": [asdict(check) for check in checks]}
    drill.save(update_fields=["finished_at", "passed", "report"])
    failed = [check.name for check in checks if not check.ok]
    audit.record_house("drill.finished", at=drill.finished_at, passed=passed, failed=len(failed))
    if not passed:
        log.error("drill.failed", checks=failed)
    return drill


def _lock() -> Path:
    """Held, shared, by whoever tries backups out, and let go by its end however that comes."""
    return Path(settings.CALLPRIVACY_STATE) / "drills.lock"


def forget_cut_off() -> int:
    """
    Remove what drills have left that were killed: copies of both databases, with every key that lived at the dump.

    While a drill is under way nothing is removed; returns how many there were.
    """
    found = [one for one in Path(settings.CALLPRIVACY_STATE).glob("drill-*") if _FOLDER.fullmatch(one.name)]
    if not found:
        return 0
    try:
        with servers.locked(_lock(), wait=False) as is_alone:
            return sum(_is_removed(folder) for folder in found) if is_alone else 0
    except OSError as error:
        log.warning("drill.left", folder=str(len(found)), why=type(error).__name__)
        return 0


def _is_removed(folder: Path) -> bool:
    """Whether it is gone: one that another account has left, such as root, is only told of."""
    try:
        place = servers.Place.of(folder)
        _remove(place, servers.Postgres(place, settings=_SETTINGS))
    except (servers.ServiceError, OSError) as error:
        log.warning("drill.left", folder=folder.name, why=type(error).__name__)
    return not folder.exists()


def _remove(place: servers.Place, postgres: servers.Postgres) -> None:
    postgres.stop()
    place.forget_if_elsewhere()
    shutil.rmtree(place.state, ignore_errors=True)


def _try_out(folder: Path, identity: Path, checks: list[Check], used: dict[str, str]) -> None:
    where = backups.folders()
    dumps: dict[str, tuple[Path, Manifest]] = {}
    for database in backups.DATABASES:
        dump = backups.newest_dump(where.of(database), database)
        if dump is None:
            raise BackupError(f"There is no backup of {database} yet. Run: manage.py backup.")
        dumps[database] = (dump, backups.read_manifest(dump))
        used[database] = dump.name
    checks.append(
        Check("manifests", ok=True, said="both are signed by this installation and fit their dumps")
    )
    folder.mkdir(mode=0o711, parents=True)
    place = servers.Place.of(folder)
    postgres = servers.Postgres(place, settings=_SETTINGS)
    try:
        postgres.start()
        environ = _make_databases(postgres, folder)
        for database, (dump, manifest) in dumps.items():
            key = where.keys / f"{dump.stem}.key" if database == "vault" else None
            secret = restoring.secret_for(manifest, identity=identity, key=key)
            prefix = "VAULT_" if database == "vault" else ""
            access = Access(
                {
                    name: str(value)
                    for name, value in conninfo_to_dict(environ[f"{prefix}DATABASE_OWNER_URL"]).items()
                    if value
                }
            )
            restoring.restore_dump(dump, manifest=manifest, secret=secret, access=access)
        checks.append(Check("restore", ok=True, said="both dumps were put back whole"))
        older = [database for database, (_, manifest) in dumps.items() if _is_older(manifest)]
        if not older or _migrated(environ, older, checks):
            _work_inside(environ, dumps["default"][0], checks)
    finally:
        _remove(place, postgres)


def _make_databases(postgres: servers.Postgres, folder: Path) -> dict[str, str]:
    """Roles, two empty databases, and the environment of a process that knows of nothing else."""
    environ = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    passwords: dict[str, str] = {}
    for database, name in _NAMES.items():
        prefix = "VAULT_" if database == "vault" else ""
        # Dumps name the live roles in their grants: here they are others of the same names.
        app, owner = _app(f"{prefix}DATABASE_URL"), _owner(database)
        for role in (app, owner):
            passwords.setdefault(role, uuid.uuid4().hex)
        postgres.sql(servers.role_statements({role: passwords[role] for role in (app, owner)}))
        postgres.sql(f'CREATE DATABASE {name} OWNER "{owner}";')
        postgres.sql(servers.grant_statements(database=name, owner=owner, app=app), database=name)
        environ[f"{prefix}DATABASE_URL"] = postgres.url(name, user=app, password=passwords[app])
        environ[f"{prefix}DATABASE_OWNER_URL"] = postgres.url(name, user=owner, password=passwords[owner])
    state = folder / "state"
    state.mkdir(mode=0o700)
    checkpoints = Path(settings.CALLPRIVACY_STATE) / "checkpoints"
    if checkpoints.is_dir():
        shutil.copytree(checkpoints, state / "checkpoints")
    nowhere = quote(str(state / "no.sock"), safe="/")
    return environ | {
        "CALLPRIVACY_STATE": str(state),
        "REDIS_URL": f"unix://{nowhere}",
        "CALLPRIVACY_ROLE": "app",
        "CALLPRIVACY_LOG_LEVEL": "ERROR",
    }


def _app(variable: str) -> str:
    """The role that the app's address names."""
    return _name_of_role(str(conninfo_to_dict(os.environ.get(variable, "")).get("user") or ""))


def _owner(database: str) -> str:
    """The role that owns the live tables: the worker that runs a drill is not given its address."""
    with connections[database].cursor() as cursor:
        cursor.execute(
            "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'django_migrations'::regclass"
        )
        return _name_of_role(str(cursor.fetchone()[0]).strip('"'))


def _name_of_role(name: str) -> str:
    """
    A name that may be written into SQL.

    :raises BackupError: it is none of ours.
    """
    if not _ROLE.fullmatch(name):
        raise BackupError("A drill makes the roles that the dumps name: theirs are lower case, digits and _.")
    return name


def _is_older(manifest: Manifest) -> bool:
    """Whether a dump lacks migrations of this version of the program, as that of the night before an upgrade does."""
    return any(
        manifest.heads.get(app, "") < name
        for app, name in MigrationLoader(None).graph.leaf_nodes()
        if manifest.database == "default" or app == "vault"
    )


def _migrated(environ: dict[str, str], older: list[str], checks: list[Check]) -> bool:
    """Bring what was put back to this version, as its owner, which is what whoever puts a dump back does next."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.migrating"],
        cwd=settings.BASE_DIR,
        env=environ | {"CALLPRIVACY_ROLE": "owner"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"brought to this version of the program: {', '.join(older)}"
    if done.returncode:
        said = last_line(done.stderr or done.stdout)
    checks.append(Check("migrations", ok=not done.returncode, said=said))
    return not done.returncode


def _work_inside(environ: dict[str, str], dump: Path, checks: list[Check]) -> None:
    """Make good and look, in one process that knows of nothing but what was put back."""
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "restore_drill", "--look-inside", str(dump)],
        cwd=settings.BASE_DIR,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        checks.append(Check("look", ok=False, said=last_line(done.stderr or done.stdout)))
        return
    checks += [Check(**found) for found in json.loads(done.stdout.splitlines()[-1])]


def last_line(said: str) -> str:
    """The last line of what a program said, as a report holds it."""
    lines = said.strip().splitlines()
    return lines[-1][:300] if lines else ""


# --- Inside, on the databases that were put back ----------------------------------------------------------------------


def look_inside(manifest: Manifest) -> list[Check]:
    """What must hold of restored databases once they are made good; on the databases of this process."""
    return [_rows(), _seals(manifest), *_canary(), _lines(), _people()]


def _rows() -> Check:
    clients = calls = 0
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            clients += Client.objects.filter(agency_id=agency_id).count()
            calls += Call.objects.filter(agency_id=agency_id).count()
    return Check("rows", ok=True, said=f"{clients:,} clients, {calls:,} calls")


def _seals(manifest: Manifest) -> Check:
    """What had been sealed when the dump was begun is in it, with the same roots."""
    missing = 0
    for agency_id, said in manifest.seals.items():
        number, root = said.split()
        with job_scope(agency_id=int(agency_id)), connection.cursor() as cursor:
            cursor.execute(
                "SELECT encode(root, 'hex') FROM audit_seal WHERE agency_id = %s AND number = %s",
                [int(agency_id), int(number)],
            )
            missing += cursor.fetchone() != (root,)
    return Check(
        "seals", ok=not missing, said=f"{len(manifest.seals) - missing} of {len(manifest.seals)} agencies"
    )


def _canary() -> list[Check]:
    """What was erased between the two dumps opens no more, and what was not erased does."""
    with operator_scope():
        event = HouseEvent.objects.filter(action=backups.CANARY).order_by("-id").first()
    if event is None:
        return [Check("canary", ok=False, said="the dump holds none: make a new backup")]
    canary = uuid.UUID(event.details["canary"])
    key = vault.recording_keys(backups.HOUSE, [canary]).get(canary)
    control = vault.uncalled_key(vault.client_keys(backups.HOUSE), vault.purpose_id(backups.HOUSE, "control"))
    opened = _opens(key, event.details["sealed"], canary)
    alive = _opens(control, event.details["control"], canary)
    return [
        Check(
            "canary",
            ok=not opened,
            said="what was erased opens" if opened else "what was erased does not open",
        ),
        Check("control", ok=alive, said="what was kept opens" if alive else "what was kept does not open"),
    ]


def _opens(key: Key | None, sealed: Any, canary: uuid.UUID) -> bool:
    if key is None:
        return False
    try:
        return bool(key.unseal(bytes.fromhex(str(sealed)), backups.canary_place(canary)))
    except (SealBrokenError, ValueError):
        return False


def _lines() -> Check:
    """No call that came in or went out lies before its line, unless a hold keeps it."""
    behind = 0
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            for client in Client.objects.filter(agency_id=agency_id):
                for category, out in ((erasure.WATERMARK, False), (erasure.WATERMARK_OUT, True)):
                    before = vault.watermark(client.pk, category)
                    if before is not None:
                        behind += erasure.due_calls(client, before, out=out).count()
    return Check("watermarks", ok=not behind, said=f"{behind:,} calls lie before their line")


def _people() -> Check:
    """Nobody stands in the database whose key the vault does not hold."""
    strangers = people = 0
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            client_ids = list(Client.objects.filter(agency_id=agency_id).values_list("pk", flat=True))
        for client_id in client_ids:
            after = uuid.UUID(int=0)
            while True:
                with job_scope(agency_id=agency_id):
                    rows = Caller.objects.for_client(client_id).filter(pk__gt=after).order_by("pk")
                    page = list(rows.values_list("pk", flat=True)[:_PAGE])
                if not page:
                    break
                after = page[-1]
                people += len(page)
                strangers += len(set(page) - vault.living_callers(client_id, page))
    return Check("people", ok=not strangers, said=f"{people:,} callers, {strangers:,} of them without a key")
