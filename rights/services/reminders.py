"""
Word before the day: 10, 5 and 1 days before an answer is due, once it is late, and while a person has heard nothing.

All of it is found from the state of the cases, so that a run that was missed costs an interval. Each mark is told once:
to who owns the case, else to everybody who handles the client's requests.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import OuterRef, Q, Subquery

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import kinds as work_kinds
from callprivacy.work import selectors as work_selectors
from callprivacy.work import services as work
from callprivacy.work.models import Item
from rights import kinds
from rights.enums import CaseState, EventKind
from rights.models import Case, Pause
from rights.selectors import board
from rights.services import timeline

DAYS: Final = (10, 5, 1)
ACKNOWLEDGE_DAYS: Final = 3
LATE: Final = "late"
JOB: Final = Actor.job("rights.remind_staff")
_BATCH: Final = 500
_ANSWERS: Final = (kinds.CLIENT_ANSWERED, kinds.CLIENT_SILENT)


def remind(*, agency_id: int, at: datetime) -> int:
    """
    Remind of the open cases that come to their day, and close what waits for those that are answered.

    A mark that was missed because nothing ran is made up by the nearest one alone. Running it twice tells nobody twice.
    Returns how many reminders went out.
    """
    with job_scope(agency_id=agency_id):
        count = _remind_all(at)
        _close_done(agency_id, at)
    return count


def mark_of(days: int, *, is_late: bool) -> str:
    """The nearest mark that a case with so many days left has come within: "10", "5", "1", "late", or ""."""
    if is_late:
        return LATE
    return str(min((mark for mark in DAYS if days <= mark), default=""))


def _open(case: Case, kind: str, at: datetime) -> bool:
    return work.open_item(
        kinds.of_holder(kind, case.client_id),
        agency_id=case.agency_id,
        client_id=case.client_id,
        key=str(case.pk),
        at=at,
        due_at=case.answer_due_at,
    )


def _remind_all(at: datetime) -> int:
    soon = Q(answer_due_at__lte=at + timedelta(days=max(DAYS) + 1))
    unheard = Q(acknowledged_at=None, acknowledge_due_at__lte=at + timedelta(days=ACKNOWLEDGE_DAYS))
    rows = Case.objects.ours().filter(soon | unheard).select_related("client", "agency", "submission")
    rows = rows.annotate(
        resumed_at=Subquery(
            Pause.objects.filter(case=OuterRef("pk"), until__isnull=False)
            .order_by("-until")
            .values("until")[:1]
        )
    )
    count = 0
    for case in rows.order_by("answer_due_at", "pk").iterator(chunk_size=_BATCH):
        count += _remind(case, at)
        count += _remind_to_acknowledge(case, at)
    return count


def _remind(case: Case, at: datetime) -> bool:
    if case.answer_by is None or case.answer_due_at is None:
        return False
    zone = (case.client or case.agency).time_zone
    days = (case.answer_by - board.today(zone, at)).days
    mark = mark_of(days, is_late=case.answer_due_at <= at)
    if not mark or not _claim(case, f"{mark} {case.answer_by.isoformat()}{_since(case)}", at):
        return False
    _tell(case, kinds.LATE if mark == LATE else kinds.DUE, at)
    timeline.add_event(
        "case.reminded", case=case, kind=EventKind.REMINDED, by=JOB, at=at, days=days, mark=mark
    )
    return True


def _since(case: Case) -> str:
    """Since when the clock goes on: what waited is closed while it stands, and is told anew even by the same day."""
    resumed_at = getattr(case, "resumed_at", None)
    return "" if resumed_at is None else f" {resumed_at:%y%m%d%H%M%S}"


def _remind_to_acknowledge(case: Case, at: datetime) -> bool:
    if case.acknowledged_at is not None or case.acknowledge_due_at is None or case.acknowledge_by is None:
        return False
    near = case.acknowledge_due_at <= at + timedelta(days=ACKNOWLEDGE_DAYS)
    if not near or not _claim(case, f"heard {case.acknowledge_by.isoformat()}", at):
        return False
    _tell(case, kinds.NOT_ACKNOWLEDGED, at)
    return True


def _claim(case: Case, period: str, at: datetime) -> bool:
    return work.claim_period(agency_id=case.agency_id, job=f"request {case.pk}", period=period, at=at)


def _tell(case: Case, kind: str, at: datetime) -> None:
    """Let it wait in the queue; who owns it, else who may act on it, is told at every mark anew."""
    about = kinds.of_holder(kind, case.client_id)
    if _open(case, kind, at):
        return  # everybody who may act on it was told by that
    people = [case.owner_id] if case.owner_id is not None else work_selectors.people_for(
        work_kinds.get(about), agency_id=case.agency_id, client_id=case.client_id, at=at
    )  # fmt: skip
    work.notify(
        about, agency_id=case.agency_id, client_id=case.client_id, user_ids=people, at=at, key=str(case.pk)
    )


def _close_done(agency_id: int, at: datetime) -> None:
    """
    Close what waits for cases that are answered, or not ours to answer; for the day of one whose clock stands; and what
    a client said once it was acted upon.
    """
    waiting = Item.objects.open().filter(agency_id=agency_id, kind__in=kinds.OF_CASES)
    items = [(kind, key, kinds.case_of(key)) for kind, key in waiting.values_list("kind", "key")]
    rows = Case.objects.filter(pk__in={case_id for _, _, case_id in items if case_id is not None}).only(
        "state",
        "acknowledged_at",
        "acknowledge_due_at",
        "extending_at",
        "client_has_it_at",
        "answer_by",
        "paused_at",
    )
    cases = {case.pk: case for case in rows}
    for kind, key, case_id in items:
        if case_id is not None and _is_done(kind, key, cases.get(case_id)):
            work.close_item(kind, agency_id=agency_id, key=key, at=at, by=JOB)


def _is_done(kind: str, key: str, case: Case | None) -> bool:
    if case is None or CaseState(case.state).is_closed or case.client_answers:
        return True
    if kind in _ANSWERS:
        return case.state != CaseState.OPEN
    if kind == kinds.EXTENSION_UNSENT or kinds.is_extension(key):
        return case.extending_at is None
    if kind in {kinds.DUE, kinds.LATE}:
        return case.stands
    if kind == kinds.OWN_REQUEST:
        return case.stands and (case.acknowledged_at is not None or case.acknowledge_due_at is None)
    return kind == kinds.NOT_ACKNOWLEDGED and case.acknowledged_at is not None
