"""The cells of a client made anew, and held against what was there."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from analytics.services import making
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many spans there are, and how many of them differed from what the calls say."""

    spans: int
    differing: int


class _UndoError(Exception):
    """Nothing of it is kept."""


def rebuild(*, client: Client, at: datetime, check: bool, step: Callable[[int], object]) -> Outcome:
    """
    Make every span of a client anew that is not final. Called outside any scope.

    What is waiting is made first, so that only faults differ. One transaction, in which reports go on as before.

    :param check: keep nothing. :param step: called with the number of spans that were made.
    """
    while making.work(agency_id=client.agency_id, client_id=client.pk, at=at).has_more:
        pass
    outcome = Outcome(0, 0)
    try:
        with job_scope(agency_id=client.agency_id), transaction.atomic():
            before = digests(client)
            making.touch(client=client, hours=[None])
            while (made := making.work(agency_id=client.agency_id, client_id=client.pk, at=at)).has_more:
                step(made.spans)
            step(made.spans)
            after = digests(client)
            outcome = Outcome(len(after), len({start for start, _ in before.items() ^ after.items()}))
            if check:
                raise _UndoError
    except _UndoError:
        pass
    return outcome


_LINE = """concat_ws('|', c.sheet, c.starts_at, c.ends_at, c.grain, to_json(ARRAY[c.source, c.campaign, c.medium,
    c.direction, c.outcome, c.region, c.length, c.repeated, c.converted, c.kept])::text, c.weekday::text, '@',
    c.part::text, '@', c.hour::text, c.calls, c.seconds, c.value_cents, c.callers)"""


def digests(client: Client) -> dict[datetime, str]:
    """Start of a span -> a digest of the span and its cells, whatever their order. In a scope that may see them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.starts_at, concat_ws('|', s.ends_at, s.grain, s.is_hourly, s.is_slotted, s.is_final,
                coalesce(s.left_out::text, '-')),
                string_agg({_LINE}, E'\\n' ORDER BY {_LINE})
            FROM analytics_span s LEFT JOIN analytics_cell c ON c.client_id = s.client_id AND c.span_id = s.id
            WHERE s.client_id = %s GROUP BY s.id
            """,  # noqa: S608  (text of ours)
            [client.pk],
        )
        return {
            start: hashlib.sha256(f"{span}/{cells}".encode()).hexdigest()
            for start, span, cells in cursor.fetchall()
        }
