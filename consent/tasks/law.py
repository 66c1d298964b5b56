"""The jobs of the law: what packs change, and standards whose year is over."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job
from consent.services import law, standards

_WORK_FOR: Final = timedelta(seconds=40)


@agency_job(name="consent.count_packs", every=30)
def count_packs(agency_id: int, at: datetime) -> None:
    """Go on counting what imported rules would change."""
    law.work_packs(agency_id=agency_id, until=at + _WORK_FOR, clock=timezone.now)


expire_standards = agency_job(name="consent.expire_standards", every=3600)(standards.expire)
