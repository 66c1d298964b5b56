"""Taking in what campaigns cost: a file is shown first, and then counts as a whole."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from analytics.channels.cost_file import CostRow
from analytics.enums import CostState
from analytics.models import CampaignCost, CostImport
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client

DRAFT_FOR: Final = timedelta(days=1)
"""How long a file waits for a decision before it is discarded."""

_REPLACE: Final = """
    DELETE FROM analytics_campaigncost c
    USING unnest(%(days)s::date[], %(campaigns)s::text[]) AS new (day, campaign)
    WHERE c.client_id = %(client)s AND c.day = new.day AND lower(c.campaign) = lower(new.campaign)
"""
_KNOWN: Final = """
    SELECT count(*) FROM analytics_campaigncost c
    JOIN unnest(%(days)s::date[], %(campaigns)s::text[]) AS new (day, campaign)
      ON c.day = new.day AND lower(c.campaign) = lower(new.campaign)
    WHERE c.client_id = %(client)s
"""
_COSTS_LOCK: Final = 6_002


class CostsDecidedError(ValueError):
    """The file was taken in or discarded already."""


def bring_costs(*, client: Client, rows: list[CostRow], by: Actor, at: datetime) -> CostImport:
    """
    Keep a file that was read, to be shown; nothing of it counts yet.

    :param rows: at least one.
    """
    return CostImport.objects.create(
        agency_id=client.agency_id,
        client=client,
        rows=[[row.day.isoformat(), row.campaign, row.cents] for row in rows],
        count=len(rows),
        cents=sum(row.cents for row in rows),
        first_on=min(row.day for row in rows),
        last_on=max(row.day for row in rows),
        created_by_id=by.user_id,
        created_at=at,
    )


def would_replace(brought: CostImport) -> int:
    """How many costs that count now a file would replace."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, _named(brought))
        return int(cursor.fetchone()[0])


@transaction.atomic
def take_costs(*, brought: CostImport, by: Actor, at: datetime) -> CostImport:
    """
    Let a file count: each of its days and campaigns replaces what was known of it.

    :raises CostsDecidedError: it was taken in or discarded already.
    """
    with connection.cursor() as cursor:
        # Two files about the same day take turns, else the second meets rows that it has not seen.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_COSTS_LOCK, brought.client_id % 2**31])
    if not _drafts(brought).update(state=CostState.DONE, decided_at=at):
        raise CostsDecidedError("This file was taken in or discarded already.")
    brought.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute(_REPLACE, _named(brought))
        brought.replaced = int(cursor.rowcount)
    CampaignCost.objects.bulk_create(
        (
            CampaignCost(
                agency_id=brought.agency_id,
                client_id=brought.client_id,
                day=day,
                campaign=campaign,
                cents=cents,
            )
            for day, campaign, cents in brought.rows
        ),
        batch_size=1000,
    )
    CostImport.objects.filter(pk=brought.pk).update(replaced=brought.replaced, rows=[])
    audit.record("costs.taken", subject=brought, by=by, at=at, rows=brought.count, replaced=brought.replaced)
    return brought


@transaction.atomic
def discard_costs(*, brought: CostImport, at: datetime) -> bool:
    """Let a file that waits go; returns whether it still waited."""
    return _drafts(brought).update(state=CostState.CANCELLED, decided_at=at, rows=[]) > 0


def discard_old(*, agency_id: int, at: datetime) -> int:
    """Let files go that nobody decided about; returns how many. In the agency's scope."""
    left = CostImport.objects.filter(
        agency_id=agency_id, state=CostState.DRAFT, created_at__lte=at - DRAFT_FOR
    )
    return left.update(state=CostState.CANCELLED, decided_at=at, rows=[])


def _drafts(brought: CostImport) -> QuerySet[CostImport]:
    return CostImport.objects.for_client(brought.client_id).filter(pk=brought.pk, state=CostState.DRAFT)


def _named(brought: CostImport) -> dict[str, Any]:
    return {
        "client": brought.client_id,
        "days": [row[0] for row in brought.rows],
        "campaigns": [row[1] for row in brought.rows],
    }
