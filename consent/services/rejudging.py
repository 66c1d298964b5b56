"""
That what was decided is to be decided anew; a job works it off.

Who changes something that decisions rest on says so in the same transaction. What is changed in rooms below, which
know nothing of decisions, is noticed by its state.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.models import DecidedFrom, Rejudgement

MANNER: Final = 2
"""How decisions look at these things; raised where they do it otherwise, so that what was decided is decided anew."""

# Everything of a client that decisions look at and that consent does not write itself.
_DIGESTS: Final = """
    SELECT c.id, md5(concat_ws(E'\\n', %s::text, c.time_zone, c.sector, c.retention_state, c.went_live_at,
        c.quarantine_hours, c.stores_recordings,
        (SELECT string_agg(concat_ws('|', n.id, n.target_site), E'\\n' ORDER BY n.id)
           FROM calls_trackingnumber n WHERE n.client_id = c.id),
        (SELECT string_agg(
                concat_ws('|', a.id, a.from_at, a.until_at, a.struck_at, a.on_recording), E'\\n' ORDER BY a.id)
           FROM calls_announcement a WHERE a.client_id = c.id),
        (SELECT string_agg(concat_ws('-', p.country, p.region), '|' ORDER BY p.country, p.region)
           FROM tenancy_place p WHERE p.client_id = c.id)))
    FROM tenancy_client c WHERE c.agency_id = %s
"""


def of_client(*, client: Client, cause: str, at: datetime) -> None:
    """Have every recording of a client decided anew. In the transaction of what changed, which is in the trail."""
    Rejudgement.objects.bulk_create(
        [Rejudgement(agency_id=client.agency_id, client_id=client.pk, cause=cause, due_at=at, created_at=at)]
    )


def notice_changes(*, agency_id: int, at: datetime) -> int:
    """
    Have clients decided anew of whom something has changed that decisions look at; returns how many.

    Enters the agency's scope itself. A client that is seen for the first time has nothing to be decided anew.
    """
    with job_scope(agency_id=agency_id):
        with connection.cursor() as cursor:
            cursor.execute(_DIGESTS, [MANNER, agency_id])
            now = dict(cursor.fetchall())
        seen = dict(DecidedFrom.objects.filter(agency_id=agency_id).values_list("client_id", "digest"))
        fresh = {client_id: digest for client_id, digest in now.items() if seen.get(client_id) != digest}
        if not fresh:
            return 0
        DecidedFrom.objects.bulk_create(
            (
                DecidedFrom(agency_id=agency_id, client_id=client_id, digest=digest, seen_at=at)
                for client_id, digest in fresh.items()
            ),
            update_conflicts=True,
            unique_fields=["client"],
            update_fields=["digest", "seen_at"],
        )
        changed = [client_id for client_id in fresh if client_id in seen]
        Rejudgement.objects.bulk_create(
            Rejudgement(agency_id=agency_id, client_id=client_id, cause="changed", due_at=at, created_at=at)
            for client_id in changed
        )
    return len(changed)
