"""Drills: the newest backups are put back beside the live system, looked at and removed; what is wrong is found."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from retention.management.commands import restore_drill
from retention.models import Drill
from retention.services import drills
from tests import make
from tests.audit import trails
from tests.retention import dumps

NOON = make.NOON


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> Iterator[None]:
    """A trail of its own: another test's agency of the same number has left checkpoints."""
    with override_settings(CALLPRIVACY_STATE=tmp_path / "state"):
        yield


@pytest.mark.django_db
def test_a_private_key_that_cannot_be_read_begins_no_drill(tmp_path: Path) -> None:
    for identity in (tmp_path / "operator.key", tmp_path):
        with pytest.raises(CommandError, match=r"cannot be read: .* No drill was begun") as refused:
            call_command("restore_drill", identity=identity)
        assert refused.value.returncode == 2
    assert not Drill.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_drill_puts_the_newest_backups_back_and_finds_what_is_wrong(tmp_path: Path) -> None:
    operator = dumps.operator(tmp_path)
    acme = make.agency("Acme")
    dentist = make.client(acme, "Dentist")
    now = make.now()
    for number in ("+12025550142", "+12025550143"):
        call = make.call(dentist, number, at=now - timedelta(days=2))
        make.recording(call, "https://example.com/1")
    with job_scope(agency_id=acme.pk):
        audit.record("test.happened", subject=dentist, by=make.JOB, at=now)
    dumps.seal(acme.pk)
    with trails.superuser() as line:
        # As the night's dump is on the day of an upgrade.
        line.execute("ALTER TABLE work_notification DROP COLUMN mail_due_since")
        line.execute("DELETE FROM django_migrations WHERE app = 'work' AND name >= '0005'")
        operator.do("backup", "default")
        line.execute("ALTER TABLE work_notification ADD COLUMN mail_due_since timestamptz")
    # Erased behind the dump of the one, and before the dump of the other.
    gone = vault_selectors.find_callers([dentist.pk], "+12025550142")[dentist.pk]
    erasure = vault.Erasure(gone, up_to=now, tombstone_ends_on=date(2036, 1, 1))
    vault.erase_callers(client_id=dentist.pk, erasures=[erasure], at=now)
    operator.do("backup", "vault")

    said = operator.do("restore_drill", "--identity", str(operator.identity))

    assert "The drill passed." in said
    drill = Drill.objects.get()
    assert drill.passed
    checks = {check["name"]: check["said"] for check in drill.report["checks"]}
    assert checks["canary"] == "what was erased does not open"
    assert checks["control"] == "what was kept opens"
    assert checks["rows"] == "1 clients, 1 calls"
    assert checks["seals"] == "1 of 1 agencies"
    assert checks["people"] == "1 callers, 0 of them without a key"
    assert "the trail holds" in checks["trail"]
    assert checks["migrations"] == "brought to this version of the program: default"
    assert list(Path(settings.CALLPRIVACY_STATE).glob("drill-*")) == []
    # Nothing live was touched: the rows of the erased person are still to go by their own run.
    with job_scope(agency_id=acme.pk):
        assert Call.objects.count() == 2

    (dump,) = operator.dumps("vault")
    shutil.copy(dump, tmp_path / "whole")
    dump.write_bytes(dump.read_bytes()[:-20])
    failed = operator.run("restore_drill", "--identity", str(operator.identity))
    assert failed.returncode == 1
    newest = Drill.objects.order_by("-started_at")[0]
    assert newest.passed is False
    assert "cut off or changed" in newest.report["checks"][-1]["said"]
    shutil.copy(tmp_path / "whole", dump)
    stranger = dumps.operator(tmp_path / "keys")
    failed = operator.run("restore_drill", "--identity", str(stranger.identity))
    assert failed.returncode == 1
    assert list(Path(settings.CALLPRIVACY_STATE).glob("drill-*")) == []

    state = Path(settings.CALLPRIVACY_STATE)
    killed = subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "restore_drill"],
        env=os.environ | operator.environ | {"CALLPRIVACY_DRILL_IDENTITY": str(operator.identity)},
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not list(state.glob("drill-*/services/postgres/postmaster.pid")) and time.monotonic() < until:
        time.sleep(0.05)
    assert drills.forget_cut_off() == 0
    killed.kill()
    killed.wait()
    (left,) = state.glob("drill-*")
    assert (left / "services/postgres/PG_VERSION").exists()
    assert drills.forget_cut_off() == 1
    assert list(state.glob("drill-*")) == []
    assert drills.forget_cut_off() == 0


@pytest.mark.django_db(transaction=True)
def test_a_command_that_fails_inside_fails_the_drill_with_what_it_said() -> None:
    acme = make.agency("Acme")
    trails.write(acme.pk, 1)  # of two, a transaction beside this test may keep one from being sealed
    dumps.seal(acme.pk)
    assert restore_drill._run("trail", "verify_audit").ok
    no_agency = restore_drill._run("trail", "verify_audit", agency="nobody")
    assert no_agency == drills.Check("trail", ok=False, said="There is no agency nobody.")
    with trails.superuser() as line:
        line.execute("UPDATE audit_event SET action = 'call.erased' WHERE agency_id = %s", [acme.pk])
    broken = restore_drill._run("trail", "verify_audit")
    assert not broken.ok
    assert broken.said.endswith("2 findings")


@pytest.mark.django_db
def test_a_canary_that_opens_fails_the_drill() -> None:
    from retention.services import backups

    canary = backups._plant_canary(NOON)
    assert [check.ok for check in drills._canary()] == [False, True]
    vault.destroy_recording_keys(client_id=backups.HOUSE, recording_ids=[canary])
    assert [check.ok for check in drills._canary()] == [True, True]
    vault.destroy_purpose_key(client_id=backups.HOUSE, purpose="control")
    assert [check.ok for check in drills._canary()] == [True, False]


@pytest.mark.django_db
def test_rows_behind_their_line_and_people_without_a_key_fail_the_drill() -> None:
    dentist = make.client(make.agency("Acme"), "Dentist")
    call = make.call(dentist, "+12025550142", at=NOON - timedelta(days=9))
    assert drills._lines().ok
    assert drills._people().ok
    vault.advance_watermark(client_id=dentist.pk, category="call", before=NOON)
    assert not drills._lines().ok
    assert call.caller_id is not None
    vault.erase_callers(client_id=dentist.pk, erasures=[vault.Erasure(call.caller_id)], at=NOON)
    assert not drills._people().ok


@pytest.mark.django_db
def test_a_drill_is_due_once_a_week_and_never_twice_at_once() -> None:
    assert drills.is_due(at=NOON)
    first = drills.begin(at=NOON, only_if_due=True)
    assert first is not None
    assert drills.begin(at=NOON + timedelta(minutes=5), only_if_due=True) is None
    Drill.objects.filter(pk=first.pk).update(finished_at=NOON + timedelta(minutes=9), passed=True)
    assert drills.begin(at=NOON + timedelta(days=6), only_if_due=True) is None
    assert drills.begin(at=NOON + timedelta(days=7), only_if_due=True) is not None


@pytest.mark.django_db
def test_a_drill_that_the_worker_ends_by_time_has_failed_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(drills, "_try_out", too_long)
    Path(settings.CALLPRIVACY_STATE).mkdir()
    drill = drills.begin(at=NOON)
    assert drill is not None

    drills.run_drill(drill=drill, identity=tmp_path, clock=lambda: NOON + timedelta(minutes=58))

    drill.refresh_from_db()
    assert drill.passed is False
    assert drill.finished_at == NOON + timedelta(minutes=58)
    assert "manage.py restore_drill" in drill.report["checks"][-1]["said"]


@pytest.mark.django_db
def test_no_drill_runs_unless_it_is_wanted() -> None:
    from retention.tasks import backups as tasks

    tasks.run_drill()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM retention_drill")
        assert cursor.fetchone() == (0,)
