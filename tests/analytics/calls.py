"""Many calls at once, of callers whose numbers nobody opens."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.services import making
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call, Caller, call_id
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests.make import NOON


def callers(of: Client, count: int) -> list[uuid.UUID]:
    """So many people of a client."""
    with job_scope(agency_id=of.agency_id):
        rows = Caller.objects.bulk_create(
            Caller(
                pk=uuid.uuid4(),
                agency_id=of.agency_id,
                client=of,
                number=b"\x01" + bytes(28),
                created_at=NOON,
            )
            for _ in range(count)
        )
    return [row.pk for row in rows]


def calls(of: Client, people: Sequence[uuid.UUID | None], *, at: datetime, **fields: Any) -> list[uuid.UUID]:
    """A call of each of these people, a second apart; answered, 95 seconds, from Google Ads if not said otherwise."""
    said = {
        "direction": Direction.INBOUND,
        "outcome": Outcome.ANSWERED,
        "seconds": 95,
        "source": "Google Ads",
        "received_at": at,
    } | fields
    with job_scope(agency_id=of.agency_id):
        rows = Call.objects.bulk_create(
            Call(
                pk=call_id(at + timedelta(seconds=number)),
                agency_id=of.agency_id,
                client=of,
                caller_id=person,
                caller_withheld=person is None,
                **said,
            )
            for number, person in enumerate(people)
        )
    return [row.pk for row in rows]


def work(of: Client, at: datetime = NOON) -> int:
    """Make what was touched; returns how many spans were made."""
    made = 0
    while True:
        found = making.work(agency_id=of.agency_id, client_id=of.pk, at=at)
        made += found.spans
        if not found.has_more:
            return made
