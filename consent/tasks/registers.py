"""The jobs of registers: read files that were brought, write numbers that were requested, remove both."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, wake, waker
from consent.services import numbers_out, registers
from consent.tasks.decisions import decide_recordings

_WORK_FOR: Final = timedelta(seconds=40)


def _has_due(*, agency_id: int, at: datetime) -> bool:
    return registers.has_due(agency_id=agency_id, at=at) or numbers_out.has_due(agency_id=agency_id, at=at)


@agency_job(name="consent.read_registers", every=60, due=_has_due, work_for=_WORK_FOR.total_seconds())
def read_registers(agency_id: int, at: datetime) -> bool:
    """Read and write what waits."""
    until = at + _WORK_FOR
    is_more = numbers_out.work(agency_id=agency_id, until=until, clock=timezone.now)
    is_more = registers.work(agency_id=agency_id, until=until, clock=timezone.now) or is_more
    wake(decide_recordings, agency_id=agency_id)
    return is_more


@agency_job(name="consent.purge_registers", every=60)
def purge_registers(agency_id: int, at: datetime) -> None:
    numbers_out.purge(agency_id=agency_id, at=at)
    registers.purge(agency_id=agency_id, at=at)


nudge_registers = waker(read_registers)
