"""What rows say of how far the consequences of a request are: recipient notifications, and deletions at trackers."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from callprivacy.calls.providers import TRACKERS
from callprivacy.lib import calendars
from callprivacy.lib.status import Answer, Progress
from consent.enums import WaitingState
from consent.models import VendorTask
from rights.enums import Copies, EventKind, IdentityState, LetterState, NoticeState, StepState
from rights.models import Case, CaseEvent, Download, Finding, Identity, Letter, RecipientNotice, Step
from rights.selectors import told

ASKED_FOR: Final = "asked_for"
"""In `Finding.detail`: ids of the recordings whose deletion a tracker was to be asked for."""
ACKNOWLEDGEMENT: Final = "acknowledgement"
"""The letter that says that a request came in."""
ANSWERS: Final = frozenset(
    {"refused", "refused_in_part", "handed_over", "copy_ready", "erased", "appeal_decided", "done"}
)
"""Letters that answer a decided request."""


def needed(rows: Iterable[RecipientNotice]) -> list[RecipientNotice]:
    """Notifications without those of files in which nothing of the person was found: nobody is notified of these."""
    return [
        row
        for row in rows
        if not (row.removal_id and row.state == NoticeState.CONFIRMED and row.sent_at is None)
    ]


def notifications(case: Case, *, waits: bool | None = None) -> Progress:
    """
    How far the recipients of a case are notified; two queries.

    :param waits: whether some are notified once no hold keeps anything, where that was read already.
    """
    rows = needed(RecipientNotice.objects.filter(case=case).select_related("sent_by"))
    sent = [row for row in rows if row.sent_at and row.state in {NoticeState.SENT, NoticeState.CONFIRMED}]
    done = [row for row in rows if row.state == NoticeState.CONFIRMED]
    last_sent, last_done = _last(sent, "sent_at"), _last(done, "confirmed_at")
    return Progress(
        planned=len(rows),
        planned_at=max((row.created_at for row in rows), default=None),
        sent=len(sent),
        sent_at=last_sent.sent_at if last_sent else None,
        sent_by=str(last_sent.sent_by) if last_sent and last_sent.sent_by else "",
        acknowledged=len(done),
        acknowledged_at=last_done.confirmed_at if last_done else None,
        acknowledged_by=last_done.recipient if last_done else "",
        failed=sum(row.state == NoticeState.FAILED for row in rows),
        waits=told.waits(case) if waits is None else waits,
    )


def is_proven(case: Case) -> bool:
    """Whether it is known who asks: before, no page says that there is a recipient to notify."""
    return Identity.objects.filter(submission_id=case.submission_id, state=IdentityState.PROVEN).exists()


def deletions(rows: Collection[Finding]) -> Progress:
    """
    How far the deletion of recordings at trackers is that an erasure has asked for; one query.

    :param rows: what was found. An erasure of before its requests were kept names none, and nothing is said of it.
    """
    ids = {one for row in rows for one in row.detail.get(ASKED_FOR, ())}
    tasks = VendorTask.objects.filter(
        client_id__in={row.client_id for row in rows}, recording_id__in=ids
    ).select_related("sent_by", "connection")
    steps = list(tasks) if ids else []
    done = [task for task in steps if task.state == WaitingState.DONE]
    sent = [task for task in steps if task.sent_at and task.state in {WaitingState.SENT, WaitingState.DONE}]
    last_sent, last_done = _last(sent, "sent_at"), _last(done, "done_at")
    return Progress(
        planned=len(ids),
        planned_at=max((task.created_at for task in steps), default=None),
        sent=len(sent),
        sent_at=last_sent.sent_at if last_sent else None,
        sent_by=str(last_sent.sent_by) if last_sent and last_sent.sent_by else "",
        acknowledged=len(done),
        acknowledged_at=last_done.done_at if last_done else None,
        acknowledged_by=last_done.connection.name if last_done and last_done.connection else "",
        failed=sum(task.state == WaitingState.FAILED for task in steps),
        cancelled=sum(task.state == WaitingState.CANCELLED for task in steps),
    )


def trackers_of(rows: Collection[Finding]) -> str:
    """The names of the call trackers at which something was found."""
    names = {
        TRACKERS[name]
        for row in rows
        if row.copies == Copies.VENDOR
        for name in row.detail
        if name in TRACKERS
    }
    return ", ".join(sorted(names))


def answer(case: Case) -> Answer:
    """How far the answer to a decided case is; three queries."""
    if case.decided_at is None:
        return Answer()
    zone = (case.client or case.agency).time_zone
    letters = list(_answers(case).defer("body", "subject", "to").order_by("made_at", "pk"))
    sent = _last([row for row in letters if row.state == LetterState.SENT], "sent_at")
    fetched = Download.objects.filter(package__case=case).order_by("-at").first()
    return Answer(
        is_carried_out=not Step.objects.filter(case=case)
        .exclude(state__in=[StepState.DONE, StepState.KEPT])
        .exists(),
        is_leaving=any(row.state == LetterState.WAITING for row in letters),
        failed=bool(letters) and letters[-1].state == LetterState.FAILED,
        sent_on=calendars.day_in(zone, sent.sent_at) if sent and sent.sent_at else None,
        fetched_on=calendars.day_in(zone, fetched.at) if fetched else None,
    )


def answered_at(case: Case) -> datetime | None:
    """When the newest answer to a decided case was sent, or else its package downloaded first."""
    sent = _answers(case).filter(state=LetterState.SENT).order_by("-sent_at").first()
    taken = Download.objects.filter(package__case=case).order_by("at").first()
    return sent.sent_at if sent else taken.at if taken else None


def _answers(case: Case) -> QuerySet[Letter]:
    return Letter.objects.filter(case=case, template__in=ANSWERS, made_at__gte=case.decided_at)


def letter(row: Letter) -> Progress:
    """How far one letter is; a mail counts as sent once the mail server took it."""
    return Progress(
        planned=1,
        planned_at=row.made_at,
        sent=int(row.state == LetterState.SENT),
        sent_at=row.sent_at,
        failed=int(row.state == LetterState.FAILED),
    )


def letters_of(case: Case) -> dict[tuple[datetime, str], Progress]:
    """How far the letters of a case are, by when they were written and their template, as the timeline names them."""
    rows = Letter.objects.filter(case=case).only("made_at", "template", "state", "sent_at")
    return {(row.made_at, row.template): letter(row) for row in rows}


def letter_of(event: CaseEvent, rows: Mapping[tuple[datetime, str], Progress]) -> Progress | None:
    """The letter that an event of the timeline is about; None where it is about none."""
    if event.kind == EventKind.ACKNOWLEDGED:
        return rows.get((event.at, ACKNOWLEDGEMENT))
    return rows.get((event.at, str(event.details.get("letter")))) if event.kind == EventKind.WRITTEN else None


def _last[T](rows: Collection[T], field: str) -> T | None:
    known: list[tuple[datetime, Any]] = [(at, row) for row in rows if (at := getattr(row, field)) is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None
