"""What is tidied at the door from time to time."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.accounts.services import people, sign_in


@shared_task(name="accounts.purge_sign_ins", acks_late=True)
def purge_sign_ins(**_: Any) -> None:
    """Remove counts of failed sign-ins that are forgotten anyway, and sessions that have ended."""
    at = timezone.now()
    sign_in.purge_failures(at=at)
    people.purge_sessions(at=at)
