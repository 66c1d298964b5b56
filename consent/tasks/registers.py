"""The jobs of registers: files that were brought are read, numbers that were asked for are written, both leave."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import numbers_out, registers
from consent.tasks.decisions import nudge_decisions
from consent.tasks.nudges import nudge_on_commit

_WORK_FOR: Final = timedelta(seconds=40)


@shared_task(name="consent.read_registers", acks_late=True)
def read_registers(*, agency_id: int, **_: Any) -> None:
    """Read and write what waits at one agency; where it is more than a task's time, let another go on."""
    until = timezone.now() + _WORK_FOR
    is_more = numbers_out.work(agency_id=agency_id, until=until, clock=timezone.now)
    is_more = registers.work(agency_id=agency_id, until=until, clock=timezone.now) or is_more
    nudge_decisions(agency_id)
    if is_more:
        nudge_registers(agency_id)


def nudge_registers(agency_id: int) -> None:
    """Have a file read or written as soon as it is committed that somebody wants it."""
    nudge_on_commit(read_registers, agency_id)


@shared_task(name="consent.sweep_registers", acks_late=True)
def sweep_registers(**_: Any) -> None:
    """Wake a worker for every agency where a file waits, and let leave what has to."""
    at = timezone.now()

    def sweep(agency_id: int) -> None:
        numbers_out.purge(agency_id=agency_id, at=at)
        registers.purge(agency_id=agency_id, at=at)
        if registers.has_due(agency_id=agency_id, at=at) or numbers_out.has_due(agency_id=agency_id, at=at):
            read_registers.delay(agency_id=agency_id)

    in_each_agency(sweep)
