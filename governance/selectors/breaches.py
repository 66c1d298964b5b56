"""What the pages show of breaches: the register, one breach with its words, and what is drafted for whom."""

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

type Said = dict[str, str]


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One notice with the rule behind it, and the client where it goes to one."""

    row: BreachNotice
    rule: law.Rule | None
    client: Client | None
    is_late: bool

    @property
    def title(self) -> str:
        """Whom it goes to; from the second notice on, also which one it is."""
        return f"{self.addressee}, notice {self.row.phase}" if self.row.is_further else self.addressee

    @property
    def addressee(self) -> str:
        """Whom it goes to."""
        if self.client is not None:
            return self.client.legal_name
        return self.rule.title if self.rule else str(self.row.get_to_display())

    @property
    def last_on(self) -> date | None:
        """The last day on which it is in time, in the agency's zone; None where an instant is what counts."""
        counts_hours = self.row.to == NoticeTo.CLIENT or (
            self.rule is not None and self.rule.hours is not None
        )
        if self.row.due_at is None or (counts_hours and not self.row.is_further):
            return None
        zone = ZoneInfo(self.row.breach.agency.time_zone)
        return (self.row.due_at - timedelta(microseconds=1)).astimezone(zone).date()

    @property
    def without_date(self) -> str:
        """By when, in words, where no instant is known or the law names none."""
        if self.row.is_further:
            return "without undue further delay"
        days = self.rule.told_days if self.rule else None
        if days is None or self.rule is None:
            return "without undue delay"
        if not days:
            return "no later than residents are told"
        kind = "working days" if self.rule.in_working_days else "days"
        return f"within {days} {kind} of telling residents"


def register() -> QuerySet[Breach]:
    """
    Every breach that the scope may see, newest first, with what is still to be told and by when.

    `further`: how many of those that are to be told follow an earlier notice; `told`: how many notices went out.
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
    """Whom a breach is told to, those whose law names a date first, and what follows a notice behind it."""
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
    """What was noted of a breach, newest first."""
    return BreachNote.objects.filter(breach=breach).select_related("by").order_by("-at", "-pk")


def facts(
    breach: Breach,
    said: Said,
    *,
    addressee: str = "",
    contact: str = "",
    citation: str = "",
    due_at: datetime | None = None,
    at: datetime,
) -> letters.Facts:
    """
    What is known of a breach, as letters take it.

    :param said: the opened words of the breach: "words", "account", "effects", "remedy".
    :raises ValueError: nobody is aware of it yet.
    """
    if breach.aware_at is None:
        raise ValueError("Nothing is drafted before somebody is aware.")
    return letters.Facts(
        agency=breach.agency.name,
        addressee=addressee,
        contact=contact,
        number=breach.number,
        is_drill=breach.is_drill,
        kind=BreachKind(breach.kind),
        risk=BreachRisk(breach.risk),
        words=said.get("account") or said["words"],
        aware_at=breach.aware_at,
        began_at=breach.began_at,
        ended_at=breach.ended_at,
        contained_at=breach.contained_at,
        categories=tuple(breach.categories),
        places=tuple(breach.places),
        people=breach.people,
        records=breach.records,
        effects=said["effects"],
        remedy=said["remedy"],
        due_at=due_at,
        told_at=at,
        zone=breach.agency.time_zone,
        citation=citation,
        of_several=len(breach.clients) > 1,
    )


def told_before(notice: BreachNotice) -> BreachNotice | None:
    """The last notice to the same that went out before this one."""
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
    line: NoticeLine, said: Said, *, contact: str, before: letters.Known | None = None, at: datetime
) -> str:
    """
    What could be sent: drafted from the facts as they stand.

    :param said: the opened words of the breach: "words", "account", "effects", "remedy".
    :param before: what the notice before this one said, where that is kept.
    """
    row = line.row
    # The law's reasons for a delay are asked of its own notice; a later one has the day that was promised.
    due_at = None if row.is_further else row.due_at
    found = facts(
        row.breach,
        said,
        addressee=line.addressee,
        contact=contact,
        citation=line.rule.citation if line.rule else "",
        due_at=due_at,
        at=at,
    )
    return letters.draft(NoticeTo(row.to), found, before=before, phase=row.phase)
