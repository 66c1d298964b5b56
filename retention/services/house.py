"""
The agency's own part of a run: requests that are no client's, training, entries of premises, reasons in the trail.

A category at a time, a bounded batch a transaction, in the order that makes a crash harmless: intent; keys and files;
rows. A batch is counted, and its ids enter the digest, in the transaction that removes its rows.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.db.models import Exists, F

from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from retention import targets
from retention.enums import Category, PartState
from retention.models import HouseCertificate, HousePart, Run
from retention.selectors import house as selectors
from retention.selectors import policies
from retention.selectors import trail as trail_selectors
from retention.selectors.holds import LEASED_AT_MOST
from retention.services import erasing, trail
from retention.targets import Deed, HouseLine

log = logger(__name__)

JOB: Final = Actor.job("retention.run")
FAILED: Final = "own_rows_failed"
_FAILURES: Final = 3

type Clock = Callable[[], datetime]


def plan(*, run: Run, at: datetime) -> None:
    """Count what is due of the agency's own, once a run; in its scope."""
    if HousePart.objects.filter(run=run).exists():
        return
    agency = Agency.objects.get(pk=run.agency_id)
    kept = policies.house_effective(agency)
    lines = selectors.lines(agency, run.created_at)
    parts = []
    for category, target in targets.HOUSE.items():
        found = target.count(lines[category])
        parts.append(
            HousePart(
                agency=agency,
                run=run,
                category=category,
                policy_version=kept[category].version,
                cutoff=lines[category].cutoff,
                keep_for_days=kept[category].days,
                rows_due=found.rows,
                rows_held=found.held,
            )
        )
    HousePart.objects.bulk_create(parts, ignore_conflicts=True)


def is_open(run_id: UUID) -> bool:
    """Whether anything of it is left to do in a run; in its scope."""
    return HousePart.objects.unfinished().filter(run_id=run_id).exists()


def work_off(*, agency_id: int, run_id: UUID, until: datetime, clock: Clock) -> None:
    """Go on with the agency's own part of a run until it is done, the time is over, or somebody stops the run."""
    while clock() < until:
        part = _lease(agency_id, run_id, clock())
        if part is None:
            return
        _work_part(part, until, clock)


class _TakenError(Exception):
    """The part is another worker's by now, or the run was stopped."""


def _lease(agency_id: int, run_id: UUID, at: datetime) -> HousePart | None:
    order = list(targets.HOUSE)
    with job_scope(agency_id=agency_id):
        if not Run.objects.running().filter(pk=run_id).exists():
            return None
        free = HousePart.objects.free(at).filter(run_id=run_id).select_related("agency", "run")
        for part in sorted(free, key=lambda one: order.index(Category(one.category))):
            taken = HousePart.objects.free(at).filter(pk=part.pk)
            begun = part.started_at or at
            if taken.update(leased_until=at + LEASED_AT_MOST, state=PartState.RUNNING, started_at=begun):
                part.leased_until = at + LEASED_AT_MOST
                return part
    return None


def _work_part(part: HousePart, until: datetime, clock: Clock) -> None:
    try:
        while clock() < until:
            if not _batch(part, clock()):
                _end(part, clock())
                return
    except _TakenError:
        return
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  (one category's fault keeps no other's rows)
        log.error("retention.own_batch_failed", category=part.category, error=type(error).__name__)  # noqa: TRY400  (no values)
        _note_failure(part, clock())
        return
    with job_scope(agency_id=part.agency_id):
        HousePart.objects.filter(pk=part.pk, leased_until=part.leased_until).update(leased_until=None)


def _line(part: HousePart) -> HouseLine:
    """The line as it stands: it moves back with a policy that was lengthened since, never on."""
    now = selectors.lines(part.agency, part.run.created_at)[Category(part.category)]
    months = now.months
    if months is not None:
        planned = trail_selectors.month_of(part.agency, part.cutoff)
        months = replace(months, before=min(months.before, planned))
    return replace(now, cutoff=min(now.cutoff, part.cutoff), months=months)


def _batch(part: HousePart, at: datetime) -> bool:
    """Erase some rows; whether there were any."""
    target = targets.HOUSE[Category(part.category)]
    deed = Deed(by=JOB, at=at, evidence_until=at.date())
    with job_scope(agency_id=part.agency_id):
        mine = HousePart.objects.unfinished().filter(pk=part.pk, leased_until=part.leased_until)
        if not mine.filter(Exists(Run.objects.running().filter(pk=part.run_id))).update(
            leased_until=at + LEASED_AT_MOST
        ):
            raise _TakenError
        part.leased_until = at + LEASED_AT_MOST
        line = _line(part)
        if part.rows_erased == 0 and not line.is_held:
            # What an old dump brings back lies behind this line, whatever the policy says by then.
            vault.advance_watermark(
                client_id=-part.agency_id, category=target.category.value, before=line.cutoff
            )
        ids = target.due(line, target.batch)
        if not ids:
            return False
        audit.record(
            f"{target.noun}.erasing",
            subject=part.agency,
            by=JOB,
            at=at,
            rows=len(ids),
            cutoff=line.cutoff.isoformat(),
            first=str(ids[0]),
            last=str(ids[-1]),
        )
    target.destroy(line, ids)
    with job_scope(agency_id=part.agency_id):
        removed = tuple(sorted(target.remove(line, ids, deed)))
        row = HousePart.objects.select_for_update().get(pk=part.pk)
        if (
            row.leased_until != part.leased_until
            or HouseCertificate.objects.filter(run_id=row.run_id).exists()
        ):
            # Who slept past the lease removes nothing: it would be counted nowhere. The rows are still due.
            raise _TakenError
        audit.record(
            f"{target.noun}.erased",
            subject=part.agency,
            by=JOB,
            at=at,
            rows=len(removed),
            first=str(removed[0]) if removed else None,
            last=str(removed[-1]) if removed else None,
        )
        row.digest = erasing.digest_after(bytes(row.digest), removed)
        row.rows_erased += len(removed)
        row.save(update_fields=["digest", "rows_erased"])
        part.rows_erased = row.rows_erased
    return bool(removed)


def _end(part: HousePart, at: datetime) -> None:
    """End a part; what a hold keeps at its end is what the certificate says was kept."""
    with job_scope(agency_id=part.agency_id):
        held = targets.HOUSE[Category(part.category)].count(_line(part)).held
        mine = HousePart.objects.filter(pk=part.pk, leased_until=part.leased_until)
        mine.update(leased_until=None, state=PartState.DONE, finished_at=at, rows_held=held)
        if not HousePart.objects.filter(run_id=part.run_id, state=PartState.FAILED).exists():
            work.close_item(FAILED, agency_id=part.agency_id, key="own", at=at, by=JOB)


def _note_failure(part: HousePart, at: datetime) -> None:
    """After a few faults the part ends, so that the run can, and somebody is told."""
    with job_scope(agency_id=part.agency_id):
        HousePart.objects.filter(pk=part.pk).update(failures=F("failures") + 1, leased_until=None)
        given_up = HousePart.objects.unfinished().filter(pk=part.pk, failures__gte=_FAILURES)
        if given_up.update(state=PartState.FAILED, finished_at=at):
            work.open_item(FAILED, agency_id=part.agency_id, key="own", at=at)


def take_out(*, agency: Agency, at: datetime) -> int:
    """
    Erase once more what an old dump brought back of the agency's own: the vault's lines say up to where. Returns how
    many rows that were. Outside any scope; what is out is out.
    """
    deed = Deed(by=JOB, at=at, evidence_until=at.date())
    count = 0
    for category, target in targets.HOUSE.items():
        before = vault_selectors.watermark(-agency.pk, category.value)
        while before is not None:
            with job_scope(agency_id=agency.pk):
                line = HouseLine(agency, before, selectors.is_held())
                ids = target.due(line, target.batch)
            if not ids:
                break
            target.destroy(line, ids)
            with job_scope(agency_id=agency.pk):
                removed = target.remove(line, ids, deed)
            if not removed:
                break
            count += len(removed)
    return count + trail.leave_again(agency=agency, by=JOB, at=at)
