"""
Calls counted by the days of their agency, for pages that would else count them on each visit.

The hours that are touched say which days changed; a day is counted again as a whole, so that counting twice, or late,
says the same.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from analytics.models import DayCount
from callprivacy.calls.models import first_id_at
from callprivacy.lib import calendars
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client

KEPT_FOR: Final = timedelta(days=35)
"""How long the count of a day stays; the first page shows four weeks of them."""

_COUNT: Final = """
    WITH wanted AS (
        SELECT * FROM unnest(%(days)s::date[], %(firsts)s::uuid[], %(lasts)s::uuid[]) AS one (day, first, last)
    ), counted AS (
        SELECT w.day, count(*) AS calls, count(*) FILTER (WHERE c.outcome = 'answered') AS answered,
            count(*) FILTER (WHERE r.state = 'withheld') AS withheld,
            count(*) FILTER (WHERE r.state = 'allowed' AND d.allowed AND d.basis = 'consent') AS consent,
            count(*) FILTER (WHERE r.state = 'allowed' AND d.allowed AND d.basis = 'notice') AS notice,
            count(*) FILTER (WHERE r.state = 'allowed' AND d.allowed AND d.basis NOT IN ('consent', 'notice')) AS law
        FROM wanted w
        JOIN calls_call c ON c.client_id = %(client)s AND c.id >= w.first AND c.id < w.last
        LEFT JOIN calls_recording r ON r.client_id = c.client_id AND r.call_id = c.id
        LEFT JOIN consent_decision d ON d.client_id = c.client_id AND d.call_id = c.id AND d.purpose = 'record'
        GROUP BY w.day
    ), emptied AS (
        DELETE FROM analytics_daycount
        WHERE client_id = %(client)s AND day = ANY (%(days)s) AND day NOT IN (SELECT day FROM counted)
    )
    INSERT INTO analytics_daycount (agency_id, client_id, day, calls, answered, withheld, consent, notice, law)
    SELECT %(agency)s, %(client)s, counted.* FROM counted ORDER BY day
    ON CONFLICT (client_id, day) DO UPDATE SET (calls, answered, withheld, consent, notice, law)
        = (excluded.calls, excluded.answered, excluded.withheld, excluded.consent, excluded.notice, excluded.law)
"""


def count_hours(*, client: Client, hours: Iterable[datetime], at: datetime) -> None:
    """Count the days again that hours of UTC lie in, as far back as counts are kept. In the scope of a job."""
    zone = ZoneInfo(client.agency.time_zone)
    oldest = (at - KEPT_FOR).astimezone(zone).date()
    # Where days begin at half past, an hour lies in two.
    last = timedelta(hours=1, milliseconds=-1)
    found = {
        instant.astimezone(zone).date()
        for hour in hours
        if hour >= at - KEPT_FOR
        for instant in (hour, hour + last)
    }
    _count(client, {day for day in found if day >= oldest})


def count_all(*, client: Client, at: datetime) -> None:
    """Count every day again that counts are kept of. In the scope of a job."""
    today = calendars.day_in(client.agency.time_zone, at)
    _count(client, [today - timedelta(days=back) for back in range(KEPT_FOR.days + 1)])


def count_known(*, client: Client) -> None:
    """Count every day again that has a count: what was touched before is no longer known. In the scope of a job."""
    _count(client, DayCount.objects.for_client(client).values_list("day", flat=True))


def _count(client: Client, days: Iterable[date]) -> None:
    lib_scope.require()
    wanted = sorted(days)
    if not wanted:
        return
    zone = ZoneInfo(client.agency.time_zone)
    one = timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "agency": client.agency_id,
                "client": client.pk,
                "days": wanted,
                "firsts": [first_id_at(datetime.combine(day, time.min, zone)) for day in wanted],
                "lasts": [first_id_at(datetime.combine(day + one, time.min, zone)) for day in wanted],
            },
        )


def let_go(*, agency_id: int, at: datetime) -> int:
    """Remove the counts of days that no page shows any more; returns how many. In the scope of a job."""
    return DayCount.objects.filter(agency_id=agency_id, day__lt=(at - KEPT_FOR).date()).remove()
