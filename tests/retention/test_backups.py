"""Backups: apart, sealed, gone after fourteen days; and what is put back is noticed."""

import io
import json
import os
import random
import signal
import stat
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client as Browser
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict
from pytest_django import Settings

from callprivacy.audit.models import HouseEvent
from callprivacy.audit.services import lineage
from callprivacy.audit.services.lineage import Lineage
from callprivacy.vault import envelopes, signing
from callprivacy.vault.services import note_pulse
from dashboard.services import readiness
from retention.models import Backup, Drill
from retention.selectors import watch
from retention.services import backups, restoring
from tests import ground, make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention import dumps
from tests.scale import tell, times

NOON = make.NOON


@pytest.fixture
def operator(tmp_path: Path) -> dumps.Operator:
    return dumps.operator(tmp_path)


# --- How long a copy of the vault opens -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 24, 0, 0, tzinfo=UTC), date(2026, 12, 9)),
        (datetime(2026, 11, 24, 23, 59, tzinfo=UTC), date(2026, 12, 9)),
    ],
)
def test_no_copy_opens_from_the_day_after_the_fourteenth(at: datetime, day: date) -> None:
    assert backups.no_copy_opens_after(at) == day


@pytest.fixture
def places(settings: Settings, tmp_path: Path) -> None:
    """The three folders of backups, empty."""
    settings.CALLPRIVACY_BACKUP_DIR = tmp_path / "default"
    settings.CALLPRIVACY_VAULT_BACKUP_DIR = tmp_path / "vault"
    settings.CALLPRIVACY_VAULT_BACKUP_KEYS = tmp_path / "keys"
    for folder in ("default", "vault", "keys"):
        (tmp_path / folder).mkdir()


@pytest.mark.django_db
def test_dumps_of_the_vault_and_their_keys_are_gone_by_the_day_that_is_promised(
    places: None, tmp_path: Path
) -> None:
    for hours in (1, 30, 14 * 24 - 12, 14 * 24):
        stamp = f"{NOON - timedelta(hours=hours):%Y%m%dT%H%M%SZ}"
        (tmp_path / "keys" / f"vault-{stamp}.key").touch()
        for ending in ("age", "json"):
            (tmp_path / "vault" / f"vault-{stamp}.{ending}").touch()
            (tmp_path / "default" / f"default-{stamp}.{ending}").touch()
    (tmp_path / "vault" / "notes.txt").touch()
    old = f"vault-{NOON - timedelta(days=14):%Y%m%dT%H%M%SZ}.age"
    Backup.objects.create(database="vault", made_at=NOON - timedelta(days=14), name=old, size=1)

    gone = backups.expire_backups(at=NOON)

    assert len(gone) == 1
    assert gone == [old]
    assert Backup.objects.get(name=old).removed_at == NOON
    assert len(list((tmp_path / "vault").glob("*.age"))) == 3
    assert len(list((tmp_path / "keys").iterdir())) == 3
    assert len(list((tmp_path / "default").glob("*.age"))) == 4
    assert (tmp_path / "vault" / "notes.txt").exists()
    assert backups.expire_backups(at=NOON) == []
    promised = datetime.combine(backups.no_copy_opens_after(NOON), datetime.min.time(), tzinfo=UTC)
    backups.expire_backups(at=promised - timedelta(hours=1))
    assert list((tmp_path / "keys").iterdir()) == []


@pytest.mark.django_db
def test_a_dump_that_is_gone_is_noted_also_where_another_could_not_be_removed(
    places: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for hours in (1, 0):
        made_at = NOON - timedelta(hours=hours)
        names.append(f"vault-{made_at:%Y%m%dT%H%M%SZ}.age")
        (tmp_path / "vault" / names[-1]).touch()
        Backup.objects.create(database="vault", made_at=made_at, name=names[-1], size=1)
    remove = Path.unlink

    def refused(path: Path, **given: bool) -> None:
        if path.name == names[1]:
            raise PermissionError(13, "Permission denied")
        remove(path, **given)

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(PermissionError):
        backups.expire_backups(at=NOON + timedelta(days=15))
    noted = dict(Backup.objects.values_list("name", "removed_at"))
    assert noted == {names[0]: NOON + timedelta(days=15), names[1]: None}


@pytest.mark.django_db
def test_a_dump_of_the_vault_that_stays_is_told_of_and_one_that_is_gone_is_not(
    places: None, tmp_path: Path
) -> None:
    for folder in ("vault", "keys"):
        (tmp_path / folder).rmdir()
    name = f"vault-{NOON:%Y%m%dT%H%M%SZ}.age"
    Backup.objects.create(database="vault", made_at=NOON, name=name, size=1)
    promised = datetime.combine(backups.no_copy_opens_after(NOON), datetime.min.time(), tzinfo=UTC)

    def staying(after: timedelta) -> int:
        return watch.house(promised + after).staying

    assert staying(timedelta(0)) == 0
    # Who cannot see the folders removes nothing, and says nothing of what is there.
    assert backups.expire_backups(at=promised) == []
    assert staying(timedelta(days=2)) == 1
    # Nor is it noted as gone while a folder cannot be looked into: it may lie on a disk that is not mounted.
    for folder in ("keys", "vault"):
        with pytest.raises(backups.BackupError, match=f"{folder} is not there"):
            backups.note_gone(name=name, at=promised)
        (tmp_path / folder).mkdir()
    # It is not here, and may lie where the folders were before.
    assert backups.expire_backups(at=promised) == []
    assert staying(timedelta(days=2)) == 1
    (tmp_path / "keys" / f"{name.removesuffix('.age')}.key").touch()
    with pytest.raises(backups.BackupError, match="still there"):
        backups.note_gone(name=name, at=promised)
    (tmp_path / "keys" / f"{name.removesuffix('.age')}.key").unlink()
    call_command("backup", gone=name)
    assert staying(timedelta(days=2)) == 0
    with pytest.raises(CommandError, match="noted as removed"):
        call_command("backup", gone=name)


@pytest.mark.django_db
def test_without_folders_a_dump_is_noted_as_gone_by_the_word_of_who_deleted_it(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CALLPRIVACY_BACKUP_DIR = None
    settings.CALLPRIVACY_VAULT_BACKUP_DIR = None
    settings.CALLPRIVACY_VAULT_BACKUP_KEYS = tmp_path / "keys"
    name = f"vault-{NOON:%Y%m%dT%H%M%SZ}.age"
    Backup.objects.create(database="vault", made_at=NOON, name=name, size=1)
    # A part of the three is a fault, not a move away.
    with pytest.raises(CommandError, match="no place for backups"):
        call_command("backup", gone=name)
    settings.CALLPRIVACY_VAULT_BACKUP_KEYS = None

    call_command("backup", gone=name)

    assert "By your word" in capsys.readouterr().out
    assert watch.house(NOON + timedelta(days=17)).staying == 0
    event = HouseEvent.objects.get(action="backups.removed")
    assert event.details == {"database": "vault", "count": 1, "by_hand": True, "looked": False}


@pytest.mark.django_db
def test_a_dump_that_an_older_database_still_names_is_noted_as_removed(places: None, tmp_path: Path) -> None:
    assert lineage.restored_at() is None
    for made_at in (NOON, NOON + timedelta(days=2)):
        name = f"vault-{made_at:%Y%m%dT%H%M%SZ}.age"
        Backup.objects.create(database="vault", made_at=made_at, name=name, size=1)
    put_back("default", "UPDATE audit_pulse SET is_carried = true")
    lineage.join_again(at=NOON + timedelta(days=1))
    backups.expire_backups(at=NOON + timedelta(days=30))
    rows = Backup.objects.order_by("made_at").values_list("removed_at", flat=True)
    assert list(rows) == [None, None], "what a dump carried is no older, and its copies may lie elsewhere"

    put_back("default", "UPDATE audit_pulse SET count = -1")
    lineage.join_again(at=NOON + timedelta(days=1))
    backups.expire_backups(at=NOON + timedelta(days=30))
    assert list(rows.all()) == [NOON + timedelta(days=30), None]


# --- Real dumps -----------------------------------------------------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_dump_is_sealed_signed_and_put_back(operator: dumps.Operator, databases: ground.Databases) -> None:
    acme = make.agency("Acme")
    dentist = make.client(acme, "Dentist")
    make.call(dentist, "+12025550142")

    said = operator.do("backup")

    (default,), (vault,) = operator.dumps("default"), operator.dumps("vault")
    assert default.name in said
    assert vault.name in said
    for file in (default, vault, operator.key_of(vault), default.with_suffix(".json")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"PGDMP" not in file.read_bytes()
    assert default.read_bytes().startswith(b"age-encryption.org/v1")
    rows = {row.database: row for row in Backup.objects.all()}
    assert rows["vault"].recipient != rows["default"].recipient
    manifest = backups.read_manifest(default)
    assert manifest.sha256 == rows["default"].digest
    assert manifest.heads["retention"].startswith("00")

    with dumps.fresh(databases, "default", "vault"):
        refused = operator.run("restore", str(vault), "--identity", str(operator.identity))
        assert refused.returncode == 2
        assert "--key" in refused.stderr
        operator.do(
            "restore", str(vault), "--identity", str(operator.identity), "--key", str(operator.key_of(vault))
        )
        operator.do("restore", str(default), "--identity", str(operator.identity))
        again = operator.run("restore", str(default), "--identity", str(operator.identity))
        assert again.returncode == 2
        assert "not empty" in again.stderr
        operator.do("restore", str(default), "--identity", str(operator.identity), "--replace", "--yes")
        with connection.cursor() as cursor:
            # As the app's role: what it may do came along, and nothing is seen without a scope.
            cursor.execute("SELECT count(*) FROM calls_call")
            assert cursor.fetchone() == (0,)
        assert make.call(dentist, "+12025550143").pk is not None
        assert lineage.lineage() is Lineage.DEFAULT_OLDER


@pytest.mark.django_db(transaction=True)
@pytest.mark.thorough
def test_nothing_is_dropped_for_a_dump_that_cannot_be_put_back(
    operator: dumps.Operator, databases: ground.Databases, tmp_path: Path
) -> None:
    dentist = make.client(make.agency("Acme"), "Dentist")
    operator.do("backup", "default")
    (dump,) = operator.dumps("default")
    (tmp_path / "other").mkdir()
    stranger = dumps.operator(tmp_path / "other")

    def refused(identity: Path, **environ: str) -> str:
        done = operator.run(
            "restore", str(dump), "--identity", str(identity), "--replace", "--yes", **environ
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "does not open" in refused(stranger.identity)
    assert "CALLPRIVACY_PG_PROGRAMS" in refused(operator.identity, CALLPRIVACY_PG_PROGRAMS=str(tmp_path))
    assert "No such file" in refused(tmp_path / "no.key")
    assert make.call(dentist, "+12025550143").pk is not None


@pytest.mark.django_db(transaction=True)
def test_a_dump_that_was_changed_or_cut_off_is_not_put_back(
    operator: dumps.Operator, databases: ground.Databases, tmp_path: Path
) -> None:
    operator.do("backup", "default")
    (dump,) = operator.dumps("default")
    manifest = backups.read_manifest(dump)
    secret = restoring.secret_for(manifest, identity=operator.identity, key=None)

    whole = dump.read_bytes()
    dump.write_bytes(whole[:-40])
    with pytest.raises(backups.BackupError, match="cut off or changed"):
        backups.read_manifest(dump)
    with dumps.fresh(databases, "default"):
        # Also where nobody looked at the manifest: the seal says that the end is missing, and nothing stays.
        access = owner_of("default")
        with pytest.raises(backups.BackupError):
            restoring.restore_dump(dump, manifest=manifest, secret=secret, access=access)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert cursor.fetchone() == (0,)
    dump.write_bytes(whole)
    stranger, _ = envelopes.new_identity()
    with dumps.fresh(databases, "default"), pytest.raises(backups.BackupError, match="does not open"):
        restoring.restore_dump(dump, manifest=manifest, secret=stranger, access=owner_of("default"))

    made_at, public = datetime.fromisoformat(manifest.made_at), signing.public_key().hex()
    later = f"{public}@{(made_at + timedelta(seconds=1)).isoformat()}"
    with override_settings(CALLPRIVACY_SIGNING_KEY=bytes(range(32)), CALLPRIVACY_EARLIER_PUBLIC_KEYS=[later]):
        assert backups.read_manifest(dump) == manifest
    ended = f"{public}@{manifest.made_at}"
    with (
        override_settings(CALLPRIVACY_SIGNING_KEY=bytes(range(32)), CALLPRIVACY_EARLIER_PUBLIC_KEYS=[ended]),
        pytest.raises(backups.BackupError, match="had come to its end"),
    ):
        backups.read_manifest(dump)

    beside = dump.with_suffix(".json")
    found = json.loads(beside.read_text())
    found["manifest"]["made_at"] = "2026-11-25T00:00:00.000000Z"
    beside.write_text(json.dumps(found))
    with pytest.raises(backups.BackupError, match="not signed"):
        backups.read_manifest(dump)


@pytest.mark.django_db(transaction=True)
@pytest.mark.thorough
def test_every_flipped_bit_of_a_dump_is_seen_twice(operator: dumps.Operator) -> None:
    """By the signed digest before anything is opened, and by the seal where nobody looked at that."""
    operator.do("backup", "default")
    (dump,) = operator.dumps("default")
    secret = restoring.secret_for(backups.read_manifest(dump), identity=operator.identity, key=None)
    whole, chance, flips = dump.read_bytes(), random.Random(26), times(12, 400)
    for _ in range(flips):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        dump.write_bytes(flipped)
        with pytest.raises(backups.BackupError):
            backups.read_manifest(dump)
        with pytest.raises(envelopes.EnvelopeError):
            envelopes.open_into(io.BytesIO(flipped), io.BytesIO(), identity=secret)
    dump.write_bytes(whole)
    beside = dump.with_suffix(".json")
    manifest = beside.read_bytes()
    for _ in range(flips):
        flipped = bytearray(manifest)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        beside.write_bytes(flipped)
        if json_of(bytes(flipped)) == json_of(manifest):
            continue  # white space or a digit of the signature as a capital, which say nothing
        with pytest.raises(backups.BackupError):
            backups.read_manifest(dump)
    tell(flips, "flipped bits of a dump seen by its digest and by its seal")
    tell(flips, "flipped bits of its manifest seen")


def json_of(raw: bytes) -> object:
    try:
        found = json.loads(raw)
        return found | {"signature": found["signature"].lower()}
    except (ValueError, KeyError):
        return raw


def owner_of(alias: str) -> backups.Access:
    parts = conninfo_to_dict(os.environ[ground._OWNER_VARIABLES[alias]])
    return backups.Access({key: str(value) for key, value in parts.items() if value})


@pytest.mark.thorough
@pytest.mark.django_db
def test_a_backup_refuses_without_folders_apart_and_says_what_to_set(
    operator: dumps.Operator, tmp_path: Path, settings: Any
) -> None:
    same = operator.run("backup", CALLPRIVACY_VAULT_BACKUP_DIR=str(tmp_path / "default"))
    assert same.returncode == 2
    assert "folders apart" in same.stderr
    inside = operator.run("backup", CALLPRIVACY_VAULT_BACKUP_KEYS=str(tmp_path / "vault" / "keys"))
    assert "lies in" in inside.stderr
    settings.CALLPRIVACY_ROLE = "owner"
    for name in ("CALLPRIVACY_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_KEYS"):
        setattr(settings, name, Path(operator.environ[name]))
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = []
    with pytest.raises(CommandError, match="CALLPRIVACY_BACKUP_RECIPIENTS"):
        call_command("backup")
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = [operator.environ["CALLPRIVACY_BACKUP_RECIPIENTS"]]
    settings.CALLPRIVACY_PG_PROGRAMS = str(tmp_path)
    with pytest.raises(CommandError, match="CALLPRIVACY_PG_PROGRAMS"):
        call_command("backup")
    assert Backup.objects.count() == 0


@pytest.mark.django_db
def test_programs_older_than_the_server_are_refused(tmp_path: Path) -> None:
    found = _stub(tmp_path / "old", "14.9")
    backups.check_version(found, 14)
    with pytest.raises(backups.BackupError, match="older than the server"):
        backups.check_version(found, 18)


def _stub(folder: Path, version: str) -> backups.Programs:
    folder.mkdir(parents=True)
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return backups.Programs(folder, {"PATH": os.environ["PATH"]})


def test_programs_that_put_nothing_back_into_the_server_are_refused(tmp_path: Path) -> None:
    """pg_restore 17 sets transaction_timeout, which a server of version 15 or 16 does not know."""
    for version, servers in (("16.4", (15, 16)), ("17.6", (17,)), ("18.1", (17, 18))):
        found = _stub(tmp_path / version, version)
        for server in servers:
            backups.check_version(found, server)
    for version, server in (("17.6", 16), ("18.1", 15)):
        with pytest.raises(backups.BackupError, match=f"version {server} of PostgreSQL's client"):
            backups.check_version(backups.Programs(tmp_path / version, {"PATH": os.environ["PATH"]}), server)


def test_debians_programs_of_the_servers_version_come_before_those_that_come_along(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_PG_PROGRAMS = ""
    monkeypatch.setattr(backups, "_DEBIANS", tmp_path)
    debians = _stub(tmp_path / "15" / "bin", "15.18")
    assert backups.programs(15).folder == debians.folder
    assert backups.programs(18).folder != debians.folder
    settings.CALLPRIVACY_PG_PROGRAMS = str(_stub(tmp_path / "own", "15.2").folder)
    assert backups.programs(15).folder == tmp_path / "own"


@pytest.mark.parametrize(("size", "while_"), [(3_000_000, "data go in"), (1_000, "indexes are built")])
def test_a_time_that_is_over_ends_what_puts_a_dump_back(
    size: int, while_: str, tmp_path: Path, databases: ground.Databases, settings: Any
) -> None:
    """As the worker ends a drill: by a signal, wherever that comes."""
    access = backups.Access({key: str(it) for key, it in conninfo_to_dict(databases.admin_url).items()})
    with psycopg.connect(databases.admin_url) as line:
        server = line.info.server_version // 10000
    programs = _stub(tmp_path / "bin", f"{server}.1").folder
    with (programs / "pg_restore").open("a") as script:
        script.write('[ "$1" = --version ] || exec sleep 20\n')
    settings.CALLPRIVACY_PG_PROGRAMS = str(programs)
    secret, public = envelopes.new_identity()
    dump = tmp_path / "dump.age"
    with dump.open("wb") as file:
        envelopes.seal(io.BytesIO(os.urandom(size)), file, recipients=[public])
    manifest = backups.Manifest("vault", "", server, {}, size, "", public, {})

    def is_over(*_: object) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, is_over)
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            restoring.restore_dump(dump, manifest=manifest, secret=secret, access=access)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 15, while_


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_failed_dump_leaves_nothing(operator: dumps.Operator, tmp_path: Path) -> None:
    real = backups.programs(backups._server_of("default"))
    (tmp_path / "bin").mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = tmp_path / "bin" / name
        program.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec {real.path(name)} --version\nhead -c 100000 /dev/zero\n'
            "echo the disk is on fire >&2\nexit 1\n"
        )
        program.chmod(0o755)
    done = operator.run(
        "backup",
        CALLPRIVACY_PG_PROGRAMS=str(tmp_path / "bin"),
        LD_LIBRARY_PATH=str(real.environ.get("LD_LIBRARY_PATH", "")),
    )
    assert done.returncode == 2
    assert "on fire" in done.stderr
    assert [file for name in ("default", "vault", "keys") for file in (tmp_path / name).glob("*")] == []
    assert Backup.objects.count() == 0


# --- What is put back is noticed ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_beats_keep_both_databases_together() -> None:
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
def test_a_beat_counts_once_in_five_minutes_and_never_back() -> None:
    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count FROM audit_pulse")
            return int(cursor.fetchone()[0])

    assert lineage.beat(at=NOON)
    first = count()
    assert lineage.beat(at=NOON + timedelta(minutes=4))
    assert count() == first
    lineage.beat()
    assert count() == first + 1
    assert lineage.beat(at=NOON - timedelta(days=1))
    assert count() == first + 1
    assert lineage.beat(at=NOON + timedelta(hours=1))
    assert count() == first + 12
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
@pytest.mark.parametrize("crash", ["before the vault hears of it", "before default hears that it did"])
def test_a_crash_in_a_beat_is_no_restore(crash: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lineage.beat()
    if crash.startswith("before the vault"):
        monkeypatch.setattr(lineage, "_tell_the_vault", lambda count: None)
    else:
        monkeypatch.setattr(lineage, "_tell_the_vault", note_pulse)
    lineage.beat()
    monkeypatch.undo()
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()
    assert lineage.lineage() is Lineage.SAME


def put_back(alias: str, statement: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_an_older_database_is_noticed_and_no_beat_hides_it() -> None:
    lineage.beat()
    lineage.beat()
    put_back("default", "UPDATE audit_pulse SET count = 1, confirmed = 1")
    assert lineage.lineage() is Lineage.DEFAULT_OLDER
    assert not lineage.beat()
    assert lineage.lineage() is Lineage.DEFAULT_OLDER
    lineage.join_again(at=NOON)
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()


@pytest.mark.django_db
def test_an_older_vault_is_noticed_and_no_beat_hides_it() -> None:
    lineage.beat()
    lineage.beat()
    put_back("vault", "UPDATE vault_pulse SET count = 1")
    assert lineage.lineage() is Lineage.VAULT_OLDER
    assert not lineage.beat()
    lineage.join_again(at=NOON)
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
def test_ids_that_start_over_are_noticed_and_no_beat_hides_it() -> None:
    lineage.beat()
    lineage.note_newest()
    assert lineage.lineage() is Lineage.SAME, "this transaction's own id is no other server's"
    put_back("default", "UPDATE audit_pulse SET xid = '9000000000000'")
    assert lineage.lineage() is Lineage.CARRIED
    assert lineage.beat()
    lineage.note_newest()
    assert lineage.lineage() is Lineage.CARRIED
    assert readiness.restore() == lineage.WORDS[Lineage.CARRIED]
    lineage.join_again(at=NOON)
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
@pytest.mark.parametrize("ends", ["an epoch has begun", "ids have come so far"])
def test_what_was_carried_stays_so_until_it_is_made_good(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "remembered", lineage._Remembered())
    lineage.beat()
    put_back("default", "UPDATE audit_pulse SET xid = '9000000000000'")
    assert lineage.known() is Lineage.CARRIED
    put_back(
        "default", f"UPDATE audit_pulse SET {'xid_epoch = 0, epoch = 0' if 'epoch' in ends else "xid = '3'"}"
    )
    assert lineage.beat()
    lineage.note_newest()
    assert lineage.lineage() is Lineage.CARRIED
    assert lineage.epoch_has_begun() is ("epoch" in ends), "what is begun again goes on"
    lineage.join_again(at=NOON)
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
def test_beats_of_an_earlier_version_beside_this_one_make_nothing_of_an_epochs_ids() -> None:
    """It knows no ids: behind its `after_restore` those of the server of before stay, beside the epoch that is new."""
    lineage.beat()
    put_back("default", "UPDATE audit_pulse SET xid = '9000000000000', xid_epoch = 0")
    put_back("default", "UPDATE audit_pulse SET count = count + 1, epoch = audit_current_epoch()")
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
def test_a_pulse_of_before_knows_no_id() -> None:
    put_back("default", "UPDATE audit_pulse SET xid = NULL, xid_epoch = NULL")
    assert lineage.lineage() is Lineage.SAME
    assert lineage.beat()
    assert lineage.lineage() is Lineage.SAME


@pytest.mark.django_db
def test_nothing_is_served_and_no_task_works_while_a_database_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    from callprivacy.celery import TogetherTask, app
    from retention import tasks

    assert tasks.backups.run_drill.name == "retention.run_drill"

    monkeypatch.setattr(lineage, "remembered", lineage._Remembered())
    lineage.beat()
    put_back("default", "UPDATE audit_pulse SET count = 0, confirmed = 0")
    page = Browser().get("/accounts/login/")
    assert page.status_code == 503
    assert "manage.py after_restore" in page.content.decode()
    hook = Browser().post("/hooks/callrail/x/", b"{}", content_type="application/json")
    assert hook.status_code == 503
    assert "Retry-After" in hook.headers
    task = app.tasks["retention.beat_pulse"]
    assert isinstance(task, TogetherTask)
    task()
    assert lineage.lineage() is Lineage.DEFAULT_OLDER
    lineage.join_again(at=NOON)
    assert Browser().get("/accounts/login/").status_code == 200


# --- The page -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_says_how_old_the_newest_are_and_what_drills_showed(cast: Cast) -> None:
    assert (
        "not made by this installation" in signed_in(cast.alice).get("/retention/backups/").content.decode()
    )
    for database, days in (("default", 1), ("vault", 1), ("vault", 15)):
        at = make.now() - timedelta(days=days)
        Backup.objects.create(
            database=database,
            made_at=at,
            name=f"{database}-{days}.age",
            size=123_456_789,
            removed_at=make.now() if days > 14 else None,
        )
    checks = [
        {"name": "canary", "ok": False, "said": "what was erased opens"},
        {"name": "rows", "ok": True, "said": "77 clients, 5,000 calls"},
    ]
    Drill.objects.create(
        started_at=make.now(), finished_at=make.now(), passed=False, report={"checks": checks}
    )

    page = signed_in(cast.alice).get("/retention/backups/").content.decode()

    assert "vault-15.age" in page
    assert "Made; removed with its key" in page
    assert "Does not hold: What was erased between the two backups does not open" in page
    # What concerns other agencies of the server is not shown.
    assert "77 clients" not in page
    assert "117.7" not in page
    assert "123,456" not in page
    assert signed_in(cast.bob).get("/retention/backups/").status_code == 403
    assert Browser().get("/retention/backups/").status_code == 302
