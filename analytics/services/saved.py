"""Keeping reports, and sending them: each person is sent what they asked for, while they may see it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q

from analytics.enums import Every
from analytics.models import ReportMail, SavedReport
from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

AGAIN_AFTER: Final = timedelta(minutes=15)
"""After how long a mail is tried again that was claimed and not sent."""
_HOUR: Final = time(7)
_LONGEST: Final = 2000


class FixedDatesError(ValueError):
    """A report with own dates says the same each time, so that nobody is sent it again and again."""


class TooLongError(ValueError):
    """A question with so many long filters that its address has no room."""


class NameTakenError(ValueError):
    """The person has a report of this name at this client."""


@transaction.atomic
def save_report(
    *, client: Client, name: str, query: str, is_shared: bool, by: Actor, at: datetime
) -> SavedReport:
    """
    Keep a question under a name.

    :raises NameTakenError: the person has one of this name there.
    :raises TooLongError: the question is longer than 2,000 signs.
    """
    if by.user_id is None:
        raise TypeError("A report is kept by a person.")
    if len(query) > _LONGEST:
        raise TooLongError("This question is too long to be kept. Take a filter away.")
    report = SavedReport(
        agency_id=client.agency_id,
        client=client,
        owner_id=by.user_id,
        name=name,
        query=query,
        is_shared=is_shared,
        created_at=at,
    )
    try:
        with transaction.atomic():
            report.save(force_insert=True)
    except IntegrityError:
        raise NameTakenError("You have a report of this name here. Choose another.") from None
    audit.record("report.saved", subject=report, by=by, at=at, shared=is_shared)
    return report


@transaction.atomic
def share_report(*, report: SavedReport, is_shared: bool, by: Actor, at: datetime) -> bool:
    """
    Let the others of the agency find a report, or no longer; returns whether that changed anything.

    Whoever had it sent to them is sent it no more once it is private again.
    """
    if not SavedReport.objects.filter(pk=report.pk, is_shared=not is_shared).update(is_shared=is_shared):
        return False
    if not is_shared:
        ReportMail.objects.filter(report=report).exclude(user_id=report.owner_id).delete()
    audit.record("report.shared" if is_shared else "report.unshared", subject=report, by=by, at=at)
    return True


@transaction.atomic
def remove_report(*, report: SavedReport, by: Actor, at: datetime) -> None:
    """Forget a report; nobody is sent it any more."""
    audit.record("report.removed", subject=report, by=by, at=at)
    ReportMail.objects.filter(report=report).delete()
    SavedReport.objects.filter(pk=report.pk).delete()


# --- By mail ------------------------------------------------------------------------------------------------------


@transaction.atomic
def mail_report(*, report: SavedReport, every: Every | None, by: Actor, at: datetime) -> None:
    """
    Have a report sent to oneself from the next date on, or no more (`every` None).

    :raises FixedDatesError: its period does not move.
    """
    if by.user_id is None:
        raise TypeError("A report is sent to a person.")
    mine = ReportMail.objects.filter(report=report, user_id=by.user_id)
    if every is None:
        if mine.delete()[0]:
            audit.record("report.mail_ended", subject=report, by=by, at=at)
        return
    if "period=own" in report.query.split("&"):
        raise FixedDatesError(
            "This report has dates of its own. Save one with a period such as “Last month”."
        )
    due_at = next_due(every, at, report.client.time_zone)
    if not mine.update(every=every, due_at=due_at, claimed_until=None):
        row = ReportMail(
            agency_id=report.agency_id,
            client_id=report.client_id,
            report=report,
            user_id=by.user_id,
            every=every,
            due_at=due_at,
        )
        ReportMail.objects.bulk_create([row], ignore_conflicts=True)
    audit.record("report.mail_asked", subject=report, by=by, at=at, every=every.value)


def next_due(every: Every, after: datetime, zone: str) -> datetime:
    """The first seven o'clock of the client's zone after an instant: of any day, a Monday, a first of a month."""
    day = calendars.day_in(zone, after)
    while True:
        due_at = datetime.combine(day, _HOUR, tzinfo=ZoneInfo(zone))
        if due_at > after and _is_day_of(every, day):
            return due_at
        day += timedelta(days=1)


def _is_day_of(every: Every, day: date) -> bool:
    return every == Every.DAY or (day.weekday() == 0 if every == Every.WEEK else day.day == 1)


@dataclass(frozen=True, slots=True)
class DueMail:
    """One report to be made and sent: as of its date, which stays the same when it is tried again."""

    mail_id: int
    report_id: UUID
    user_id: int
    due_at: datetime


@transaction.atomic
def claim_mails(*, agency_id: int, at: datetime, limit: int) -> list[DueMail]:
    """
    Take down mails that are due; one that is not told as sent within `AGAIN_AFTER` comes back.

    Where the person may no longer see the report, or it is another's and private, the mail ends for good.
    """
    due = ReportMail.objects.filter(
        Q(claimed_until=None) | Q(claimed_until__lte=at), agency_id=agency_id, due_at__lte=at
    )
    rows = list(
        due.select_related("report__client")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("due_at", "pk")[:limit]
    )
    members = {
        member.user_id: member
        for member in Membership.objects.filter(
            agency_id=agency_id, user_id__in={row.user_id for row in rows}
        ).select_related("user")
    }
    kept = [row for row in rows if _may_have(row, members.get(row.user_id), at)]
    ended = [row.pk for row in rows if row not in kept]
    ReportMail.objects.filter(pk__in=ended).delete()
    ReportMail.objects.filter(pk__in=[row.pk for row in kept]).update(claimed_until=at + AGAIN_AFTER)
    return [DueMail(row.pk, row.report_id, row.user_id, row.due_at) for row in kept]


def _may_have(row: ReportMail, member: Membership | None, at: datetime) -> bool:
    if member is None or not (row.report.is_shared or row.report.owner_id == row.user_id):
        return False
    return access.may(member, Permission.VIEW_ANALYTICS, row.report.client, at=at)


def mail_sent(*, due: DueMail, at: datetime) -> bool:
    """
    Note that a mail went out and when the next is due; returns whether it was this date's.

    What fell due while the machine was away is not sent again for each date: the next one is after `at`.
    """
    row = (
        ReportMail.objects.filter(pk=due.mail_id, due_at=due.due_at).select_related("report__client").first()
    )
    if row is None:
        return False
    after = next_due(Every(row.every), at, row.report.client.time_zone)
    return (
        ReportMail.objects.filter(pk=row.pk, due_at=due.due_at).update(
            due_at=after, claimed_until=None, sent_at=at
        )
        > 0
    )
