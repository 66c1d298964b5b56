"""What `manage.py alerts` tells the operator, who is in no agency and sees no page: which agency, since when, why."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from callprivacy.tenancy.scope import job_scope
from retention import kinds
from retention.models import Alert, Backup, Drill
from retention.selectors import watch as selectors
from retention.selectors.watch import Reading
from retention.services import drills
from tests import make
from tests.cast import Cast
from tests.make import NOON

ANNA = "+12125550101"


def said() -> str:
    out = io.StringIO()
    call_command("alerts", stdout=out)
    return out.getvalue()


def stands(cast: Cast, name: str, kind: str, **columns: object) -> None:
    agency = getattr(cast, name)
    with job_scope(agency_id=agency.pk):
        Alert.objects.create(agency=agency, kind=kind, began_at=NOON, **columns)


def test_every_agencys_open_alerts_are_named_with_what_they_mean(cast: Cast) -> None:
    stands(cast, "globex", "past_due", key="call", count=12)
    stands(cast, "acme", "past_due", key="recording", count=1)
    stands(cast, "acme", "run_missing", count=1)
    stands(cast, "acme", "vendor_late", count=3, ended_at=NOON + timedelta(hours=1))
    text = said()
    lines = [line.split() for line in text.splitlines() if line.startswith("  ")]
    assert [line[:2] for line in lines] == [["acme", "recording"], ["globex", "call"], ["acme", "since"]]
    assert f"globex  call (12)  since {NOON:%Y}-" in text
    assert text.index("RowsPastDue: ") < text.index("RunMissing: ")
    assert f"RowsPastDue: {kinds.ALARMS['past_due'].title}\n" in text
    assert "VendorLate" not in text, "it is over"


def test_what_waits_for_its_job_is_named_by_agency_and_table(cast: Cast) -> None:
    for agency, waits in ((cast.acme, 901), (cast.globex, 900)):
        due = {"calls.inbox.due_at": waits, "work.notification.mail_due_at": 5}
        selectors.keep(agency.pk, Reading(NOON.isoformat(), due=due))
    text = said()
    assert "JobsLate: " in text
    assert "acme  calls.inbox.due_at  since " in text
    assert "globex" not in text
    assert "mail_due_at" not in text


def test_of_whom_no_figures_are_kept_is_said(cast: Cast) -> None:
    assert "No figures are kept of: acme, globex." in said()
    for agency in (cast.acme, cast.globex):
        selectors.keep(agency.pk, Reading(NOON.isoformat()))
    text = said()
    assert "No figures" not in text
    assert "No alert stands.\n" in text
    assert "No restore drill was ever tried.\n" in text


def test_the_newest_drill_says_what_did_not_hold_and_which_dumps_it_took(cast: Cast) -> None:
    def drill(hours: int, *, passed: bool | None, **of_report: object) -> None:
        at = NOON + timedelta(hours=hours)
        Drill.objects.create(
            started_at=at, finished_at=None if passed is None else at, passed=passed, report=of_report
        )

    dump = "callprivacy-vault.age"
    Backup.objects.create(database="vault", made_at=NOON, name=dump, size=1, digest="0" * 64)
    checks = [
        {"name": "restore", "ok": True, "said": "both dumps were put back whole"},
        {"name": "canary", "ok": False, "said": f"what was erased opens, call {ANNA}"},
    ]
    drill(1, passed=False, checks=checks, backups={"vault": dump})
    text = said()
    assert f"The newest restore drill failed ({NOON:%Y}-" in text
    assert f"  vault  {dump}  of {NOON:%Y}-" in text
    assert "  canary: What was erased between the two backups does not open: what was erased opens" in text
    assert "put back whole" not in text, "it held"
    assert ANNA[2:] not in text
    drill(2, passed=True, checks=checks[:1], backups={"vault": dump})
    assert f"The newest restore drill passed ({NOON:%Y}-" in said()
    drill(3, passed=None)  # it runs
    assert f"The newest restore drill passed ({NOON:%Y}-" in said(), "one that runs has shown nothing yet"
    drill(4, passed=False, checks=checks)
    text = said()
    assert text.index("The newest restore drill failed (") < text.index(
        "The newest restore drill that passed ("
    )


@pytest.mark.django_db
def test_a_drill_that_fails_is_logged_by_what_did_not_hold(logged: io.StringIO, tmp_path: Path) -> None:
    drill = drills.begin(at=NOON)
    assert drill is not None
    assert not drills.run_drill(drill=drill, identity=tmp_path / "none", clock=make.now).passed
    (line,) = [line for line in logged.getvalue().splitlines() if "drill.failed" in line]
    assert '"checks": ["drill"]' in line
    assert '"level": "error"' in line
