"""
That what was decided is to be decided anew; a job works it off.

Who changes something that decisions rest on says so in the same transaction. What is changed in rooms below, which
know nothing of decisions, is noticed by its state.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from consent import kinds
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
           FROM tenancy_place p WHERE p.client_id = c.id))),
        c.quarantine_hours, coalesce(e.delete_at_vendor, false), c.retention_state
    FROM tenancy_client c LEFT JOIN tenancy_engagement e ON e.client_id = c.id AND e.agency_id = c.agency_id
    WHERE c.agency_id = %s
"""


def of_client(*, client: Client, cause: str, at: datetime) -> None:
    """Have every recording of a client decided anew. In the transaction of what changed, which is in the trail."""
    Rejudgement.objects.bulk_create(
        [Rejudgement(agency_id=client.agency_id, client_id=client.pk, cause=cause, due_at=at, created_at=at)]
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a client's decisions rest on, and by what its withheld recordings leave; None: not looked at yet."""

    digest: str
    hours: int | None
    at_vendor: bool | None

    def is_harsher_than(self, before: "_Seen") -> bool:
        """Whether withheld recordings leave sooner than before, or at the tracker too."""
        if self.hours is None or before.hours is None:
            return False
        return self.hours < before.hours or bool(self.at_vendor and not before.at_vendor)

    def is_slower_than(self, before: "_Seen") -> bool:
        """Whether withheld recordings leave later than before."""
        return self.hours is not None and before.hours is not None and self.hours > before.hours


def notice_changes(*, agency_id: int, at: datetime) -> int:
    """
    Have clients decided anew of whom something has changed that decisions look at; returns how many.

    Where withheld recordings of a live client leave sooner or later, or at the tracker too, its officers are told.
    Enters the agency's scope itself. A client that is seen for the first time has nothing to be decided anew.
    """
    with job_scope(agency_id=agency_id):
        with connection.cursor() as cursor:
            cursor.execute(_DIGESTS, [MANNER, agency_id])
            rows = cursor.fetchall()
        now = {client_id: _Seen(*found) for client_id, *found, _ in rows}
        live = {client_id for client_id, *_, state in rows if state == RetentionState.LIVE}
        known = DecidedFrom.objects.filter(agency_id=agency_id)
        before = known.values_list("client_id", "digest", "quarantine_hours", "at_vendor")
        seen = {client_id: _Seen(digest, hours, at_vendor) for client_id, digest, hours, at_vendor in before}
        fresh = {client_id: one for client_id, one in now.items() if seen.get(client_id) != one}
        if not fresh:
            return 0
        DecidedFrom.objects.bulk_create(
            (
                DecidedFrom(
                    agency_id=agency_id,
                    client_id=client_id,
                    digest=one.digest,
                    quarantine_hours=one.hours,
                    at_vendor=one.at_vendor,
                    seen_at=at,
                )
                for client_id, one in fresh.items()
            ),
            update_conflicts=True,
            unique_fields=["client"],
            update_fields=["digest", "quarantine_hours", "at_vendor", "seen_at"],
        )
        for client_id in sorted(live & fresh.keys() & seen.keys()):
            one, was = fresh[client_id], seen[client_id]
            told = {
                kinds.LEAVES_SOONER: one.is_harsher_than(was),
                kinds.LEAVES_LATER: one.is_slower_than(was),
            }
            for kind, is_so in told.items():
                if is_so:
                    work.open_item(kind, agency_id=agency_id, client_id=client_id, key=str(client_id), at=at)
        changed = [
            client_id
            for client_id, one in fresh.items()
            if client_id in seen and seen[client_id].digest != one.digest
        ]
        Rejudgement.objects.bulk_create(
            Rejudgement(agency_id=agency_id, client_id=client_id, cause="changed", due_at=at, created_at=at)
            for client_id in changed
        )
    return len(changed)
