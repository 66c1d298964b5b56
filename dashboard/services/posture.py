"""The posture: every duty looked at by the agency's job, kept as it was found, and told to officers once a week."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.lib import calendars
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from dashboard.duties import DUTIES, Found, Look
from dashboard.enums import DutyState
from dashboard.models import ClientStanding, ClientStandingDay, Standing, StandingDay
from retention.selectors import watch

WEEKLY: Final = "posture_weekly"
DAYS_FOR: Final = timedelta(days=400)
"""How long the trend is kept."""


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
        today = calendars.day_in(agency.time_zone, at)
        StandingDay.objects.update_or_create(
            agency=agency, on=today, defaults={state.value: states[state] for state in DutyState}
        )
        _look_at_clients(seen, today)
        old = today - DAYS_FOR
        StandingDay.objects.filter(agency=agency, on__lt=old).remove()
        ClientStandingDay.objects.filter(agency=agency, on__lt=old).remove()
        if states[DutyState.GOOD] < len(DUTIES):
            _tell_weekly(agency, today.isocalendar()[:2], at)


def _look_at_clients(look: Look, today: date) -> None:
    """The same for each client: a row for each duty that is not good there, and how many on that day."""
    found: dict[tuple[int, str], Found] = {}
    for duty in DUTIES:
        if duty.by_client is not None:
            found |= {(client_id, duty.id): one for client_id, one in duty.by_client(look).items()}
    known = {(row.client_id, row.duty): row for row in ClientStanding.objects.filter(agency=look.agency)}
    gone = [row.pk for key, row in known.items() if key not in found]
    if gone:
        ClientStanding.objects.filter(pk__in=gone).remove()
    fresh = []
    for (client_id, name), one in found.items():
        before = known.get((client_id, name))
        if before is None:
            fresh.append(
                ClientStanding(
                    agency=look.agency, client_id=client_id, duty=name, state=one.state, count=one.count,
                    since=look.at,
                )
            )  # fmt: skip
        elif (before.state, before.count) != (one.state, one.count):
            since = before.since if before.state == one.state else look.at
            ClientStanding.objects.filter(pk=before.pk).update(state=one.state, count=one.count, since=since)
    ClientStanding.objects.bulk_create(fresh)
    _keep_days(look, today, found)


def _keep_days(look: Look, today: date, found: Mapping[tuple[int, str], Found]) -> None:
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    for (client_id, _), one in found.items():
        counted[client_id][one.state] += 1
    days = ClientStandingDay.objects.filter(agency=look.agency, on=today)
    days.exclude(client_id__in=list(counted)).remove()
    ClientStandingDay.objects.bulk_create(
        [
            ClientStandingDay(
                agency=look.agency,
                client_id=client_id,
                on=today,
                due=states[DutyState.DUE],
                overdue=states[DutyState.OVERDUE],
                failing=states[DutyState.FAILING],
            )
            for client_id, states in counted.items()
        ],
        update_conflicts=True,
        unique_fields=["client", "on"],
        update_fields=["due", "overdue", "failing"],
    )


def _tell_weekly(agency: Agency, week: tuple[int, int], at: datetime) -> None:
    year, number = week
    if work.claim_period(
        agency_id=agency.pk, job=WEEKLY, period=f"{year}-{number:02}", at=at, kept_for=work.OF_A_CLOCK
    ):
        work.notify(
            WEEKLY,
            agency_id=agency.pk,
            user_ids=access.people_with_right(AgencyRight.SIGN_OFF, agency_id=agency.pk),
            at=at,
            key=f"{year}-{number:02}",
        )
