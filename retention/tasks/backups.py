"""Jobs by which a restore is noticed, the end of old backups, and the files that no row names."""

from datetime import datetime
from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from callprivacy.audit.services import lineage
from callprivacy.tenancy.jobs import agency_job, job, wake
from callprivacy.tenancy.scope import job_scope
from retention.services import backups, drills, files_sweep, own_folders


@job(name="retention.beat_pulse", every=60)
def beat_pulse(**_: Any) -> None:
    """Count on in both databases, so that one that is put back from an old copy is noticed."""
    lineage.beat(at=timezone.now())


@job(name="retention.expire_backups", every=3600)
def expire_backups(**_: Any) -> None:
    """Remove the vault's dumps of fourteen days ago, their keys, and what a drill that was killed has left."""
    backups.expire_backups(at=timezone.now())
    drills.forget_cut_off()


@job(name="retention.run_drill", every=3600, soft_time_limit=3500, time_limit=3600)
def run_drill(**_: Any) -> None:
    """Try the newest backups out once a week, where that is wanted."""
    if settings.CALLPRIVACY_DRILL != "weekly":
        return
    drill = drills.begin(at=timezone.now(), only_if_due=True)
    if drill is not None:
        drills.run_drill(drill=drill, identity=Path(settings.CALLPRIVACY_DRILL_IDENTITY), clock=timezone.now)


@agency_job(name="retention.sweep_files", every=3600)
def sweep_files(agency_id: int, at: datetime) -> None:
    """Compare each client's files with its rows once a day, by a task of its own, and the agency's own."""
    # Before a turn is taken, so that none is lost where a disk is not mounted.
    own_folders.require_ours(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        own_folders.close_item(agency_id=agency_id, by=files_sweep.JOB, at=at)
        client_ids = files_sweep.claim(agency_id=agency_id, at=at)
        is_own_turn = files_sweep.claim_own(agency_id=agency_id, at=at)
    # First, since their turn is taken: what stops the own sweep keeps none of them for a day.
    for client_id in client_ids:
        wake(sweep_client_files, agency_id=agency_id, client_id=client_id)
    if is_own_turn:
        files_sweep.sweep_own(agency_id=agency_id, at=timezone.now())


@shared_task(name="retention.sweep_client_files", acks_late=True, soft_time_limit=590, time_limit=600)
def sweep_client_files(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Remove a client's files that no row names, and make rows true whose file is gone."""
    files_sweep.sweep_client(agency_id=agency_id, client_id=client_id, at=timezone.now())
