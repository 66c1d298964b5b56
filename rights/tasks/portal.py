"""What public pages leave behind, and notices that say what is no longer so."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from rights.services import house_codes, notice


@shared_task(name="rights.purge_codes", acks_late=True)
def purge_codes(**_: Any) -> None:
    """Remove codes of the agencies' own pages that no limit looks at any more."""
    at = timezone.now()
    in_each_agency(lambda agency_id: house_codes.purge(agency_id=agency_id, at=at))


@shared_task(name="rights.watch_notices", acks_late=True)
def watch_notices(**_: Any) -> None:
    """Let published privacy notices wait for somebody that say what is no longer so."""
    at = timezone.now()
    in_each_agency(lambda agency_id: notice.watch(agency_id=agency_id, at=at))
