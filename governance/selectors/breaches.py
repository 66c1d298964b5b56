"""Queries and drafts of breaches."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q, QuerySet

from callprivacy.tenancy.models import Client
from governance import letters
from governance.enums import BreachKind, BreachRisk, NoticeState, NoticeTo
from governance.law import breaches as law
from governance.models import Breach, BreachNote, BreachNotice

type Texts = dict[str, str]


@dataclass(frozen=True, slots=True)
class NoticeLine:
    row: BreachNotice
    rule: law.Rule | None
    client: Client | None
    is_late: bool

    @property
    def title(self) -> str:
        return f"{self.addressee}, notification {self.row.phase}" if self.row.is_further else self.addressee

    @property
    def addressee(self) -> str:
        if self.client is not None:
            return self.client.legal_name
        return self.rule.title if self.rule else str(self.row.get_to_display())

    @property
    def last_on(self) -> date | None:
        """The last day in the agency's zone; None for a deadline in hours."""
        counts_hours = self.row.to == NoticeTo.CLIENT or (
            self.rule is not None and self.rule.hours is not None
        )
        if self.row.due_at is None or (counts_hours and not self.row.is_further):
            return None
        zone = ZoneInfo(self.row.breach.agency.time_zone)
        return (self.row.due_at - timedelta(microseconds=1)).astimezone(zone).date()

    @property
    def without_date(self) -> str:
        """The deadline as text, for laws without a date."""
        if self.row.is_further:
            return "without undue further delay"
        days = self.rule.told_days if self.rule else None
        if days is None or self.rule is None:
            return "without undue delay"
        if not days:
            return "no later than residents are notified"
        kind = "working days" if self.rule.in_working_days else "days"
        return f"within {days} {kind} of notifying residents"


def register() -> QuerySet[Breach]:
    """
    The breaches, newest first, with counts of their notifications.

    `to_tell`: pending; `further`: pending updates; `told`: sent.
    """
    waiting = Q(notices__state=NoticeState.DUE)
    return (
        Breach.objects.annotate(
            to_tell=Count("notices", filter=waiting),
            further=Count("notices", filter=waiting & Q(notices__phase__gt=1)),
            told=Count("notices", filter=Q(notices__state=NoticeState.SENT)),
            next_due=Min("notices__due_at", filter=waiting),
        )
        .select_related("reported_by", "agency")
        .order_by("-number")
    )


def find(breach_id: UUID) -> Breach | None:
    return Breach.objects.select_related("agency", "reported_by", "closed_by").filter(pk=breach_id).first()


def notices(breach: Breach, *, at: datetime) -> list[NoticeLine]:
    """The notifications of a breach by deadline, with updates after the first."""
    rows = BreachNotice.objects.filter(breach=breach).select_related("breach__agency", "client", "settled_by")
    lines = [
        NoticeLine(
            row,
            law.find(row.rule),
            row.client,
            row.state == NoticeState.DUE and row.due_at is not None and row.due_at <= at,
        )
        for row in rows
    ]
    first = {(line.row.rule, line.row.client_id): line.row.due_at for line in lines if line.row.phase == 1}

    def place(line: NoticeLine) -> tuple[bool, datetime, str, int]:
        due_at = first.get((line.row.rule, line.row.client_id))
        return due_at is None, due_at or at, line.addressee, line.row.phase

    return sorted(lines, key=place)


def find_notice(breach: Breach, notice_id: UUID) -> BreachNotice | None:
    return (
        BreachNotice.objects.select_related("breach__agency", "client")
        .filter(breach=breach, pk=notice_id)
        .first()
    )


def notes(breach: Breach) -> QuerySet[BreachNote]:
    return BreachNote.objects.filter(breach=breach).select_related("by").order_by("-at", "-pk")


def facts(
    breach: Breach,
    texts: Texts,
    *,
    addressee: str = "",
    contact: str = "",
    citation: str = "",
    due_at: datetime | None = None,
    at: datetime,
) -> letters.Facts:
    """
    The facts for drafts.

    :param texts: the decrypted "words", "account", "effects" and "remedy".
    :raises ValueError: the breach is not assessed.
    """
    if breach.aware_at is None:
        raise ValueError("The breach is not assessed.")
    return letters.Facts(
        agency=breach.agency.name,
        addressee=addressee,
        contact=contact,
        number=breach.number,
        is_drill=breach.is_drill,
        kind=BreachKind(breach.kind),
        risk=BreachRisk(breach.risk),
        words=texts.get("account") or texts["words"],
        aware_at=breach.aware_at,
        began_at=breach.began_at,
        ended_at=breach.ended_at,
        contained_at=breach.contained_at,
        categories=tuple(breach.categories),
        places=tuple(breach.places),
        people=breach.people,
        records=breach.records,
        effects=texts["effects"],
        remedy=texts["remedy"],
        due_at=due_at,
        told_at=at,
        zone=breach.agency.time_zone,
        citation=citation,
        of_several=len(breach.clients) > 1,
    )


def told_before(notice: BreachNotice) -> BreachNotice | None:
    """The previous sent notification to the same recipient."""
    whose = Q(client=None) if notice.client_id is None else Q(client_id=notice.client_id)
    earlier = BreachNotice.objects.filter(
        whose,
        breach_id=notice.breach_id,
        rule=notice.rule,
        phase__lt=notice.phase,
        state=NoticeState.SENT,
    )
    return earlier.order_by("-phase").first()


def draft(
    line: NoticeLine, texts: Texts, *, contact: str, before: letters.Known | None = None, at: datetime
) -> str:
    """
    The draft of a notification.

    :param texts: the decrypted "words", "account", "effects" and "remedy".
    :param before: the facts of the previous notification, if stored.
    """
    row = line.row
    # The law requires reasons for a delay only of the first notification.
    due_at = None if row.is_further else row.due_at
    current = facts(
        row.breach,
        texts,
        addressee=line.addressee,
        contact=contact,
        citation=line.rule.citation if line.rule else "",
        due_at=due_at,
        at=at,
    )
    return letters.draft(NoticeTo(row.to), current, before=before, phase=row.phase)
