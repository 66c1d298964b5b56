"""
How a request leaves when its days are over: its key is destroyed, then its files, then its rows.

When is retention's to say, by the policy of the client or of the agency; a run takes requests with these steps. Each
may be repeated, and what a crash leaves is found by its date again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from retention import targets
from retention.enums import Category
from retention.targets import Chosen, Deed, HouseLine, Line, Removed
from rights.models import Package, Proof, Submission
from rights.selectors import ends, rests, words

BATCH: Final = 100


def _choose(line: Line, *, after: UUID | None, limit: int, deed: Deed) -> Chosen:
    found = ends.due_ids(line, after=after, limit=limit)
    return Chosen(ids=tuple(found), cursor=found[-1] if found else None)


def _destroy(agency_id: int, ids: Sequence[UUID]) -> None:
    """Destroy the keys of these requests and delete their files. Outside any scope."""
    with job_scope(agency_id=agency_id):
        rows = list(Submission.objects.filter(pk__in=ids))
        stored = {row.pk: _files(row) for row in rows}
    for row in rows:
        vault.destroy_purpose_key(client_id=row.holder_id, purpose=words.purpose_of(row))
        for file_key in stored[row.pk]:
            files.delete(row.holder_id, file_key)


def _files(row: Submission) -> list[UUID]:
    packages = Package.objects.filter(case__submission=row).values_list("file_key", flat=True)
    proofs = Proof.objects.filter(submission=row).values_list("file_key", flat=True)
    return [key for key in (*packages, *proofs) if key is not None]


def remove_requests(ids: Sequence[UUID], *, by: Actor, at: datetime) -> tuple[UUID, ...]:
    """Remove the rows of requests whose keys are destroyed; part of a run's batch, which counts them. Returns which."""
    rows = list(Submission.objects.filter(pk__in=ids).select_for_update(of=("self",)).order_by("pk"))
    for row in rows:
        audit.record("request.erased", subject=row, by=by, at=at)
    Submission.objects.filter(pk__in=[row.pk for row in rows]).remove()
    return tuple(row.pk for row in rows)


def _destroy_chosen(line: Line, chosen: Chosen, deed: Deed) -> Chosen:
    _destroy(line.client.agency_id, chosen.ids)
    return chosen


OF_CLIENTS: Final = targets.Target(
    category=Category.REQUEST,
    noun="requests",
    batch=BATCH,
    watermark=Category.REQUEST.value,
    count=ends.count,
    due=ends.due_ids,
    choose=_choose,
    destroy=_destroy_chosen,
    remove=lambda line, chosen, deed: Removed(ids=remove_requests(chosen.ids, by=deed.by, at=deed.at)),
    by_day=ends.by_day,
    told=lambda client, ids: ends.told(ids),
)
"""Requests of people at one client."""


def _due_own(line: HouseLine, limit: int) -> list[UUID]:
    return list(ends.own_due(line).order_by("pk").values_list("pk", flat=True)[:limit])


OWN: Final = targets.HouseTarget(
    category=Category.REQUEST,
    noun="requests",
    batch=BATCH,
    count=ends.count_own,
    due=_due_own,
    destroy=lambda line, ids: _destroy(line.agency.pk, ids),
    remove=lambda line, ids, deed: remove_requests(ids, by=deed.by, at=deed.at),
    by_day=ends.own_by_day,
    told=lambda agency, ids: ends.told(ids),
)
"""Requests of which no client is named."""


def register() -> None:
    """Let retention's runs take what is past its date, and know what waits for a hold to be lifted."""
    targets.register(OF_CLIENTS)
    targets.register_house(OWN)
    targets.register_asked(rests.freed_by_hold)
