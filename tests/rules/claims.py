"""What a claim is, and the claims of withdrawals, certificates, exports and backups; `test_truth` has the requests'."""

import html
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.urls import reverse

from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Purpose, VendorStep, WaitingState
from consent.models import VendorTask, Withdrawal
from consent.services import vendor_tasks, withdrawals
from retention.channels import certificate as drawn
from retention.enums import Category, PartState, RunCause, RunState
from retention.models import Backup, Certificate, Drill, Run, RunPart
from retention.selectors import certificates as certificate_selectors
from retention.services import certificates
from rights.enums import Ask
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.test_withdrawals import carry_out, connect, withdraw
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import Office
from tests.samples import new_york

LATER = NOON + timedelta(minutes=5)
NIGHT = NOON + timedelta(hours=15)
"""The evening of `DAY` in the client's New York, the day after by UTC."""
DAY, NEXT = NOON.date(), NIGHT.date()
AT_NIGHT = new_york(NIGHT, "%-d %b %Y, %H:%M %Z")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where rows are planted."""

    cast: Cast
    office: Office


@dataclass(frozen=True, slots=True)
class Claim:
    """
    One kind of sentence where rows contradict it.

    :ivar reads: plants the rows and returns the text. :ivar says: what it has to say, :ivar never: what it must not.
    """

    kind: str
    rows: str
    reads: Callable[[Ground], str]
    says: tuple[str, ...]
    never: tuple[str, ...]

    def faults(self, text: str) -> list[str]:
        """What is untrue or missing in a text."""
        lower = text.casefold()
        missing = [f"does not say {one!r}" for one in self.says if one.casefold() not in lower]
        return missing + [f"says {one!r}" for one in self.never if one.casefold() in lower]


def text_of(page: str) -> str:
    """A page as it is read."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def page(who: Membership, name: str, *args: Any, at: datetime = NIGHT + timedelta(hours=1)) -> str:
    """A page as a person of the agency reads it."""
    with time_machine.travel(at, tick=True):
        return text_of(signed_in(who).get(reverse(name, args=args)).text)


# --- Withdrawals --------------------------------------------------------------------------------------------------


def withdrawn(ground: Ground, *states: WaitingState, planned: bool = True) -> Withdrawal:
    """A withdrawal whose steps at two vendors are in these states; those that wait on are left."""
    connect(ground.cast)
    connect(ground.cast, "callrail")
    withdraw(ground.cast, Purpose.CONTACT)
    if planned:
        carry_out(ground.cast)
    with job_scope(agency_id=ground.cast.acme.pk):
        for task, state in zip(VendorTask.objects.order_by("pk"), states, strict=False):
            is_sent = state in {WaitingState.SENT, WaitingState.DONE}
            times = {
                "sent_at": NIGHT if is_sent else None,
                "done_at": NIGHT if state == WaitingState.DONE else None,
            }
            VendorTask.objects.filter(pk=task.pk).update(state=state, **times)
        return Withdrawal.objects.get()


def withdrawal_page(ground: Ground, *states: WaitingState, planned: bool = True) -> str:
    return page(
        ground.cast.alice, "consent:withdrawal", "dentist", withdrawn(ground, *states, planned=planned).pk
    )


def given_up(ground: Ground) -> str:
    """The steps of a client that leaves are given up, and its withdrawals close."""
    row = withdrawn(ground)
    with job_scope(agency_id=ground.cast.acme.pk):
        vendor_tasks.give_up(client=ground.cast.dentist, by=make.JOB, at=LATER)
    withdrawals.carry_out(agency_id=ground.cast.acme.pk, at=LATER)
    with job_scope(agency_id=ground.cast.acme.pk):
        assert Withdrawal.objects.get().closed_at
    return page(ground.cast.alice, "consent:withdrawal", "dentist", row.pk)


def chosen(ground: Ground) -> str:
    """The one step was a choice of ours: to have each later recording deleted."""
    make.tracking_number(ground.cast.dentist, "+14155550900", provider="callrail", label="Ads")
    connect(ground.cast)
    withdraw(ground.cast, Purpose.RECORD)
    carry_out(ground.cast)
    with job_scope(agency_id=ground.cast.acme.pk):
        done = VendorTask.objects.filter(step=VendorStep.CHOOSE)
        assert done.update(state=WaitingState.DONE, done_at=LATER) == 1
        row = Withdrawal.objects.get()
    return page(ground.cast.alice, "consent:withdrawal", "dentist", row.pk)


def requests_page(ground: Ground) -> str:
    """The list with a request whose date no law sets."""
    asking.asked(ground.cast.dentist, Ask.COMPLAIN)
    return page(ground.cast.alice, "rights:home")


# --- Certificates -------------------------------------------------------------------------------------------------


def certified(
    ground: Ground, *, erased: int, held: int = 0, state: PartState = PartState.DONE
) -> Certificate:
    """The certificate of a run in which five rows were due."""
    cast = ground.cast
    with job_scope(agency_id=cast.acme.pk):
        run = Run.objects.create(
            agency_id=cast.acme.pk, cause=RunCause.BY_HAND, state=RunState.DONE, planned_on=NOON.date(),
            created_at=NOON, finished_at=LATER,
        )  # fmt: skip
        RunPart.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, run=run, category=Category.CALL, state=state, cutoff=NOON,
            keep_for_days=365, rows_due=5, rows_erased=erased, rows_held=held, finished_at=LATER,
        )  # fmt: skip
        certificates.issue(run=run, client=cast.dentist, at=LATER)
        return Certificate.objects.get(run=run)


def certificate_page(ground: Ground, row: Certificate, *, at: datetime = NIGHT + timedelta(hours=1)) -> str:
    return page(ground.cast.alice, "retention:certificate", "dentist", row.pk, at=at)


def copied(
    ground: Ground, *, removed_at: datetime | None = None, after: timedelta = timedelta(hours=15)
) -> str:
    """The page of a certificate, some time after it was issued, where two vault dumps were made before."""
    for name, gone in (("vault-1.age", NIGHT), ("vault-2.age", removed_at)):
        Backup.objects.create(
            database="vault", made_at=NOON - timedelta(days=1), name=name, size=1, removed_at=gone
        )
    return certificate_page(ground, certified(ground, erased=5), at=LATER + after)


def certificate_pdf(ground: Ground) -> str:
    """The words of the PDF of a run that destroyed nothing."""
    said = certificate_selectors.statement_of(certified(ground, erased=0, held=5))
    texts: list[str] = []

    class Read(drawn._Certificate):
        def text(self, text: str, **_: Any) -> None:
            texts.append(text)

        def facts(self, rows: Iterable[tuple[str, str]], *, indent: float = 0) -> None:
            texts.extend(f"{name}: {value}" for name, value in rows)

    Read(said, b"{}", ZoneInfo("UTC")).drawn()
    return " ".join(texts)


# --- Exports and backups ------------------------------------------------------------------------------------------


def export_page(
    ground: Ground, state: JobState, *, is_kept: bool = False, name: str = "calls:export", zone: str = ""
) -> str:
    """An export that was requested in the client's evening, whose file expired since."""
    cast = ground.cast
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone=zone or cast.dentist.time_zone)
        row = CallExport.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, state=state, created_by_id=cast.alice.user_id,
            created_at=NIGHT, due_at=NIGHT, file_key=uuid.uuid4() if is_kept else None,
            finished_at=NIGHT if state == JobState.DONE else None,
            expires_at=NIGHT + timedelta(minutes=30) if state == JobState.DONE else None,
        )  # fmt: skip
    return page(cast.alice, name, *(["dentist", row.pk] if name == "calls:export" else ["dentist"]))


def backup_page(
    ground: Ground,
    *,
    days: int = 1,
    passed: bool | None = None,
    removed_at: datetime | None = None,
    who: Membership | None = None,
) -> str:
    """A vault dump of so many days ago, and a drill that put it back."""
    now = NIGHT + timedelta(hours=1)
    Backup.objects.create(
        database="vault",
        made_at=now - timedelta(days=days),
        name="vault-1.age",
        size=1,
        removed_at=removed_at,
    )
    if passed is not None:
        report = {"backups": {"vault": "vault-1.age"}, "checks": []}
        Drill.objects.create(started_at=now, finished_at=now, passed=passed, report=report)
    return page(who or ground.cast.alice, "retention:backups", at=now)


FINISHED = ("Done everywhere", "Confirmed at vendors", "No steps planned")
WHOLE = ("All rows that were due",)

MORE = (
    Claim("the withdrawal", "an earlier state: not planned", lambda g: withdrawal_page(g, planned=False),
          ("Steps at vendors are being planned",), (*FINISHED, "0 of")),
    Claim("the withdrawal", "an earlier state: planned", withdrawal_page,
          ("At vendors: 0 of 2 steps sent",), (*FINISHED, "Last sent")),
    Claim("the withdrawal", "sent but not acknowledged", lambda g: withdrawal_page(g, WaitingState.SENT),
          ("At vendors: 1 of 2 steps sent",), (*FINISHED, "steps sent, 1 confirmed", "Last confirmed")),
    Claim("the withdrawal", "partly remaining", lambda g: withdrawal_page(g, WaitingState.DONE, WaitingState.SENT),
          ("At vendors: 2 of 2 steps sent, 1 confirmed",), (*FINISHED, "Closed")),
    Claim("the withdrawal", "failed", lambda g: withdrawal_page(g, WaitingState.FAILED),
          ("At vendors: 0 of 2 steps sent; 1 failed",), FINISHED),
    Claim("the withdrawal", "given up", given_up,
          ("At vendors: 0 of 2 steps sent; 2 cancelled", "Closed"), (*FINISHED, "not yet")),
    Claim("the withdrawal", "chosen, nothing confirmed", chosen,
          ("No steps planned at vendors",), ("Done everywhere", "Confirmed at vendors")),
    Claim("the withdrawal", "another time zone", lambda g: withdrawal_page(g, WaitingState.SENT, WaitingState.DONE),
          (f"Last sent {AT_NIGHT}", f"Last confirmed {AT_NIGHT}"),
          (f"Last sent {NEXT:%-d %b}", f"Last confirmed {NEXT:%-d %b}")),
    Claim("the board of withdrawals", "partly remaining",
          lambda g: (withdrawn(g, WaitingState.DONE), page(g.cast.alice, "consent:withdrawals", "dentist"))[1],
          ("At vendors: 1 of 2 steps sent, 1 confirmed",), ("Done everywhere", "Confirmed at vendors", "2 of 2")),
    Claim("the person's withdrawals", "hidden: no rights on consent",
          lambda g: page(g.cast.bob, "consent:caller", "dentist", withdrawn(g, WaitingState.SENT).caller_id),
          ("At vendors: 1 of 2 steps sent",), (*FINISHED, "Nobody else holds the number", "View withdrawal")),
    Claim("the certificate", "partly remaining, failed and held",
          lambda g: certificate_page(g, certified(g, erased=3, held=2, state=PartState.FAILED)),
          ("Destroyed: 3 of 5 rows that were due; stopped by a fault in 1 of its categories; 2 kept by legal holds",),
          WHOLE),
    Claim("the certificate", "nothing destroyed", lambda g: certificate_page(g, certified(g, erased=0, held=5)),
          ("Destroyed: 0 of 5 rows that were due; 5 kept by legal holds",), (*WHOLE, "no copy can be opened from")),
    Claim("the certificate's file", "nothing destroyed", certificate_pdf,
          ("The run destroyed nothing", "Destroyed: 0 of 5 rows"), (*WHOLE, "The keys were destroyed")),
    Claim("the copies of a certificate", "partly remaining", copied,
          ("Vault backups from before the destruction: 1 of 2 removed",), ("All vault backups", "past the removal")),
    Claim("the copies of a certificate", "failed: past the day", lambda g: copied(g, after=timedelta(days=20)),
          ("1 of 2 removed; 1 past the removal date",), ("All vault backups",)),
    Claim("the copies of a certificate", "removed, another time zone", lambda g: copied(g, removed_at=NIGHT),
          (f"All vault backups from before the destruction are removed: 2 of 2, the last {AT_NIGHT}",),
          ("1 of 2", f"the last {NEXT:%-d %b}")),
    Claim("the copies of a certificate", "none is recorded", lambda g: certificate_page(g, certified(g, erased=5)),
          ("No vault backup from before the destruction is recorded",), ("All vault backups", "are removed")),
    Claim("the preview of a client", "in dry run: nothing leaves",
          lambda g: page(g.cast.alice, "retention:preview", "dentist"),
          ("What a run would delete if Dentist were live",), ("What the next run deletes", "leaves with the next run")),
    Claim("the list of requests", "no statutory deadline", requests_page,
          ("no statutory deadline", "Each has a due date"), ("Each has a day by law",)),
    Claim("the export", "an earlier state: queued", lambda g: export_page(g, JobState.QUEUED),
          ("Waiting for a worker",), ("Being written", "Take the file", "file is deleted")),
    Claim("the export", "an earlier state: running", lambda g: export_page(g, JobState.RUNNING),
          ("Being written",), ("Written;", "Take the file", "Done")),
    Claim("the export", "failed", lambda g: export_page(g, JobState.FAILED),
          ("Not written: it failed",), ("Being written", "Take the file", "Done")),
    Claim("the export", "cancelled", lambda g: export_page(g, JobState.CANCELLED),
          ("Cancelled: the grant that allowed it has ended",), ("Being written", "Take the file", "Done")),
    Claim("the export", "expired, not deleted", lambda g: export_page(g, JobState.DONE, is_kept=True),
          ("Written; the file has expired",), ("file is deleted", "Take the file")),
    Claim("the export", "deleted; downloads hidden", lambda g: export_page(g, JobState.DONE),
          ("Written; the file is deleted",), ("has expired", "Take the file", "downloaded")),
    Claim("the export", "another time zone than the agency's",
          lambda g: export_page(g, JobState.QUEUED, zone="Asia/Tokyo"),
          (f"{NEXT:%-d %b %Y}, 12:00 JST",), (f"{DAY:%-d %b %Y}",)),
    Claim("the list of exports", "expired",
          lambda g: export_page(g, JobState.DONE, is_kept=True, name="calls:export_new"),
          ("Written; the file has expired",), ("Alice Done", "file is deleted")),
    Claim("the backup", "made, not tried", backup_page,
          ("Made",), ("restored by a drill that passed", "removed with its key")),
    Claim("the backup", "failed", lambda g: backup_page(g, passed=False),
          ("Made; the newest drill with it failed",), ("restored by a drill that passed",)),
    Claim("the backup", "past its day", lambda g: backup_page(g, days=20),
          ("Made; past its removal date",), ("removed with its key",)),
    Claim("the backup", "removed, another time zone", lambda g: backup_page(g, removed_at=NIGHT, passed=True),
          (f"Made, and restored by a drill that passed; removed with its key, {AT_NIGHT}",),
          (f"removed with its key, {NEXT:%-d %b}", "past its removal date")),
    Claim("the newest backup", "an earlier state: removed", lambda g: backup_page(g, removed_at=NIGHT, passed=True),
          ("Newest of the vault None",), ("Newest of the vault 1 day", "the operator has made none")),
    Claim("the backup", "hidden by permission", lambda g: backup_page(g, who=g.cast.bob),
          ("Your role may not manage clients.",), ("Made", "vault-1", "None yet")),
)  # fmt: skip
