"""The posture: every duty looked at by the agency's job, kept as it was found, and told to officers once a week."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from dashboard.duties import DUTIES, Look
from dashboard.enums import DutyState
from dashboard.models import Standing, StandingDay
from retention.selectors import watch

WEEKLY: Final = "posture_weekly"


def look(*, agency_id: int, at: datetime) -> None:
    """
    Look at every duty of an agency, keep how it stands, and tell officers once a week if something is not good.

    Called outside any scope; a second look at the same instant changes nothing.
    """
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
        reading = watch.kept(agency_id) or watch.read(agency, at)
        seen = Look(agency, at, reading, watch.house(at))
        known = {row.duty: row for row in Standing.objects.filter(agency=agency)}
        states: Counter[str] = Counter()
        for duty in DUTIES:
            found = duty.look(seen)
            states[found.state] += 1
            before = known.get(duty.id)
            if before is not None and (before.state, before.count) == (found.state, found.count):
                continue
            same = before is not None and before.state == found.state
            Standing.objects.update_or_create(
                agency=agency,
                duty=duty.id,
                defaults={
                    "state": found.state,
                    "count": found.count,
                    "since": before.since if before is not None and same else at,
                },
            )
        Standing.objects.filter(agency=agency).exclude(duty__in=[duty.id for duty in DUTIES]).remove()
        today = at.astimezone(ZoneInfo(agency.time_zone)).date()
        StandingDay.objects.update_or_create(
            agency=agency, on=today, defaults={state.value: states[state] for state in DutyState}
        )
        if states[DutyState.GOOD] < len(DUTIES):
            _tell_weekly(agency, today.isocalendar()[:2], at)


def _tell_weekly(agency: Agency, week: tuple[int, int], at: datetime) -> None:
    year, number = week
    if work.claim_period(agency_id=agency.pk, job=WEEKLY, period=f"{year}-{number:02}", at=at):
        work.notify(
            WEEKLY,
            agency_id=agency.pk,
            user_ids=access.people_with_right(AgencyRight.SIGN_OFF, agency_id=agency.pk),
            at=at,
            key=f"{year}-{number:02}",
        )
