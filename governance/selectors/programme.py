"""The figures of the governance home page."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q

from governance.enums import BreachState, NoticeState
from governance.models import Breach, BreachNotice, Vendor


@dataclass(frozen=True, slots=True)
class Summary:
    """Without drills. :ivar next_notice_at: the next deadline of a notification."""

    vendors: int
    vendors_due: int
    breaches_open: int
    breaches_reported: int
    notices_late: int
    notices_due: int
    next_notice_at: datetime | None


def summary(*, today: date, at: datetime) -> Summary:
    current = Vendor.objects.current()
    waiting = BreachNotice.objects.filter(
        state=NoticeState.DUE, breach__state=BreachState.OPEN, breach__is_drill=False
    )
    next_one = waiting.exclude(due_at=None).order_by("due_at").values_list("due_at", flat=True).first()
    return Summary(
        vendors=current.count(),
        vendors_due=current.filter(Q(next_review_on=None) | Q(next_review_on__lte=today)).count(),
        breaches_open=Breach.objects.real().filter(state=BreachState.OPEN).count(),
        breaches_reported=Breach.objects.real().filter(state=BreachState.REPORTED).count(),
        notices_late=waiting.filter(due_at__lte=at).count(),
        notices_due=waiting.count(),
        next_notice_at=next_one,
    )


def own_reports(user_id: int) -> list[Breach]:
    """The ten newest."""
    return list(Breach.objects.filter(reported_by_id=user_id).order_by("-number")[:10])
