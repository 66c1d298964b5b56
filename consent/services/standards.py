"""
What a client asks of itself beyond the law. Express consent is where everybody begins; less is chosen by an
officer with a reason, for a year at most, and falls back by itself.
"""

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from consent import kinds
from consent.enums import Standard, UnknownAge
from consent.models import ClientStandard
from consent.selectors import standards as selectors
from consent.services import rejudging

LONGEST_REASON: Final = 200
"""What a decision can show of it."""
JOB: Final = Actor.job("consent.expire_standards")


class ReasonMissingError(ValueError):
    """Less than express consent is chosen with a written reason."""


def a_year_after(day: date) -> date:
    """The same day a year later; the day before it, where there is no such day."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)


@transaction.atomic
def choose(
    *,
    client: Client,
    standard: Standard,
    reason: str,
    by: Actor,
    at: datetime,
    counts_claimed: bool = False,
    unknown_age: UnknownAge = UnknownAge.ADULT,
) -> ClientStandard:
    """
    Choose what a client asks of itself; recordings are decided anew.

    Whoever calls this has made sure that less than express consent of a proven number is chosen by an officer.

    :param counts_claimed: whether consent counts of which nobody proved the number.
    :param unknown_age: how a caller is read whose age nobody knows.
    :raises ReasonMissingError: less than express consent, or claimed consent, and no reason.
    """
    is_less = standard != Standard.EXPRESS or counts_claimed
    if is_less and not reason.strip():
        raise ReasonMissingError("Enter the reason why less than express consent is enough.")
    was = selectors.standard_of(client, at=at)
    ClientStandard.objects.for_client(client).filter(ended_at=None).update(ended_at=at)
    expires_on = a_year_after(selectors.today_at(client, at)) if is_less else None
    row = ClientStandard.objects.create(
        agency_id=client.agency_id,
        client=client,
        standard=standard,
        chosen_by_id=by.user_id,
        chosen_at=at,
        expires_on=expires_on,
        counts_claimed=counts_claimed,
        unknown_age=unknown_age,
        reason=reason.strip()[:LONGEST_REASON],
    )
    audit.record(
        "standard.chosen",
        subject=row,
        by=by,
        at=at,
        reason=reason.strip() or None,
        was=str(was),
        standard=str(standard),
        counts_claimed=counts_claimed,
        unknown_age=str(unknown_age),
        until=expires_on.isoformat() if expires_on else None,
    )
    for kind in (kinds.STANDARD_EXPIRING, kinds.STANDARD_EXPIRED):
        work.close_item(kind, agency_id=client.agency_id, key=str(client.pk), at=at, by=by)
    rejudging.of_client(client=client, cause="standard", at=at)
    return row


def expire(*, agency_id: int, at: datetime) -> int:
    """
    Let choices whose year is over fall back to express consent, and say beforehand which are about to.

    Called outside any scope; safe to run twice. Returns how many fell back.
    """
    fallen = 0
    with job_scope(agency_id=agency_id):
        # A day ahead of every zone there is, so that each client's own day decides below.
        soon = list(selectors.expiring(agency_id, by=at.date() + selectors.SOON))
        for row in soon:
            if row.expires_on is None:
                continue
            if row.expires_on > selectors.today_at(row.client, at):
                _warn(row, row.expires_on, at)
            else:
                fallen += _fall_back(row, at)
    return fallen


def _warn(row: ClientStandard, expires_on: date, at: datetime) -> None:
    zone = ZoneInfo(row.client.time_zone)
    work.open_item(
        kinds.STANDARD_EXPIRING,
        agency_id=row.agency_id,
        client_id=row.client_id,
        key=str(row.client_id),
        due_at=datetime.combine(expires_on, time.min, tzinfo=zone),
        at=at,
    )


def _fall_back(row: ClientStandard, at: datetime) -> int:
    ended = ClientStandard.objects.filter(pk=row.pk, ended_at=None).update(ended_at=at)
    if not ended:
        return 0
    audit.record("standard.expired", subject=row, by=JOB, at=at, standard=row.standard)
    work.close_item(kinds.STANDARD_EXPIRING, agency_id=row.agency_id, key=str(row.client_id), at=at, by=JOB)
    work.open_item(
        kinds.STANDARD_EXPIRED,
        agency_id=row.agency_id,
        client_id=row.client_id,
        key=str(row.client_id),
        at=at,
    )
    if row.unknown_age == UnknownAge.MINOR:
        # What is stricter does not end with the year.
        ClientStandard.objects.create(
            agency_id=row.agency_id,
            client_id=row.client_id,
            standard=Standard.EXPRESS,
            chosen_at=at,
            unknown_age=row.unknown_age,
            reason=row.reason,
        )
    rejudging.of_client(client=row.client, cause="standard expired", at=at)
    return 1
