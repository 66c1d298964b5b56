"""
Making the projection anew from the ledger, or only holding it against it. Afterwards both are equal.

By batches of callers, each in a transaction of its own, while everybody works: a caller's row is held as whoever adds
an event holds it, so that no event falls between reading and writing.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent import projection
from consent.enums import Scope, grade_of
from consent.models import ConsentEvent, ConsentState
from consent.services import ledger

JOB: Final = Actor.job("rebuild_consent")
BATCH: Final = 500

type Row = tuple[Any, ...]
_NEXT: Final = """
    SELECT caller_id FROM (
        (SELECT DISTINCT caller_id FROM consent_consentevent
         WHERE client_id = %(client)s AND caller_id > %(after)s ORDER BY 1 LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT caller_id FROM consent_consentstate
         WHERE client_id = %(client)s AND caller_id > %(after)s ORDER BY 1 LIMIT %(limit)s)
    ) AS known ORDER BY 1 LIMIT %(limit)s
"""
_FIRST: Final = uuid.UUID(int=0)


@dataclass(slots=True)
class Outcome:
    """What was found at one client: callers looked at, rows that differ, and the first few of those callers."""

    callers: int = 0
    differing: int = 0
    examples: list[uuid.UUID] = field(default_factory=list)


def rebuild(
    *, client: Client, at: datetime, check: bool = False, step: Callable[[int], object] = lambda _count: None
) -> Outcome:
    """
    Bring every state of a client in line with the events, or with `check` only count what is not. Outside any scope.

    :param step: told after each batch how many callers it had.
    """
    outcome, after = Outcome(), _FIRST
    while True:
        with job_scope(agency_id=client.agency_id):
            batch = _next_callers(client, after)
            if batch:
                _do_batch(client, batch, outcome, check=check)
        if not batch:
            break
        after = batch[-1]
        step(len(batch))
    if not check:
        with job_scope(agency_id=client.agency_id):
            audit.record(
                "consent.rebuilt",
                subject=client,
                by=JOB,
                at=at,
                callers=outcome.callers,
                changed=outcome.differing,
            )
    return outcome


def _next_callers(client: Client, after: uuid.UUID) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"client": client.pk, "after": after, "limit": BATCH})
        return [row[0] for row in cursor.fetchall()]


def _do_batch(client: Client, caller_ids: list[uuid.UUID], outcome: Outcome, *, check: bool) -> None:
    if not check:
        held = Caller.objects.for_client(client).filter(pk__in=caller_ids).select_for_update()
        list(held.order_by("pk").values_list("pk", flat=True))
    right, stored = _from_events(client, caller_ids), _stored(client, caller_ids)
    wrong = {key for key in right.keys() | stored.keys() if right.get(key) != stored.get(key)}
    outcome.callers += len(caller_ids)
    outcome.differing += len(wrong)
    outcome.examples += sorted({caller_id for caller_id, _ in wrong})[: max(0, 5 - len(outcome.examples))]
    if check or not wrong:
        return
    groundless = wrong - right.keys()
    for caller_id, purpose in groundless:
        ConsentState.objects.for_client(client).filter(caller_id=caller_id, purpose=purpose).remove()
    ledger.project(client=client, caller_ids={caller_id for caller_id, _ in wrong})


def _from_events(client: Client, caller_ids: Collection[uuid.UUID]) -> Mapping[tuple[uuid.UUID, str], Row]:
    rows = ConsentEvent.objects.for_client(client).filter(caller_id__in=caller_ids, scope=Scope.STANDING)
    events: dict[tuple[uuid.UUID, str], list[ConsentEvent]] = defaultdict(list)
    for event in rows.defer("evidence"):
        if event.caller_id is not None:
            events[event.caller_id, event.purpose].append(event)
    found = {}
    for key, happened in events.items():
        state, deciding = projection.standing(happened)
        if deciding is not None:
            found[key] = (
                state.value,
                grade_of(deciding.channel, deciding.strength),
                deciding.pk,
                deciding.version_id,
                deciding.happened_at,
            )
    return found


def _stored(client: Client, caller_ids: Collection[uuid.UUID]) -> Mapping[tuple[uuid.UUID, str], Row]:
    rows = ConsentState.objects.for_client(client).filter(caller_id__in=caller_ids)
    return {
        (row.caller_id, row.purpose): (row.state, row.strength, row.event_id, row.version_id, row.since)
        for row in rows
    }
