"""Beats by which a restore is noticed, the end of old backups, and the files that no row names."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.audit.services import lineage
from retention.services import backups


@shared_task(name="retention.beat_pulse", acks_late=True)
def beat_pulse(**_: Any) -> None:
    """Count on in both databases, so that one that is put back from an old copy is noticed."""
    lineage.beat()


@shared_task(name="retention.expire_backups", acks_late=True)
def expire_backups(**_: Any) -> None:
    """Remove the vault's dumps of fourteen days ago, and their keys."""
    backups.expire_backups(at=timezone.now())
