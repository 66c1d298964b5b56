"""Counting calls into totals that say nothing of anybody, before the calls leave."""

from datetime import datetime
from typing import Final

from django.db import connection

from callprivacy.calls.models import first_id_at
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client

AT_LEAST: Final = 10
"""Different callers that a day needs for its total to stay."""

_KEEP: Final = """
    INSERT INTO analytics_dailytotal (agency_id, client_id, day, outbound, calls, answered, seconds)
    SELECT %(agency)s, %(client)s, d.day, %(out)s, count(*), count(*) FILTER (WHERE d.outcome = 'answered'),
           coalesce(sum(d.seconds), 0)
    FROM (
        SELECT (to_timestamp(('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                AT TIME ZONE %(zone)s)::date AS day, c.outcome, c.seconds, c.caller_id
        FROM calls_call c
        WHERE c.client_id = %(client)s AND c.id < %(before)s AND (c.direction = 'outbound') = %(out)s
    ) AS d
    GROUP BY d.day HAVING count(DISTINCT d.caller_id) >= %(least)s
    ON CONFLICT (client_id, day, outbound) DO NOTHING
"""


def keep_totals(*, client: Client, before: datetime, out: bool) -> int:
    """
    Keep the totals of the days of a client's calls before an instant; returns of how many days.

    Held calls are counted with their day, which counts once. Repeating it adds nothing. In the scope of a job.

    :param before: the start of a day of the client's.
    :param out: of calls that went out; else of all others.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP,
            {
                "agency": client.agency_id,
                "client": client.pk,
                "before": first_id_at(before),
                "out": out,
                "zone": client.time_zone,
                "least": AT_LEAST,
            },
        )
        return int(cursor.rowcount)
