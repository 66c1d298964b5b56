"""Who works on a client that leaves: one worker at a time, for as long as its lease is renewed."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Item
from retention.enums import EndState
from retention.models import Offboarding
from retention.services.offboarding.asking import (
    HANDED_WITHIN,
    KIND,
    HeldError,
    NotNowError,
    waits_for_second,
)

JOB: Final = Actor.job("retention.work_offboardings")
_LEASE: Final = timedelta(minutes=10)


def close_items(agency_id: int, at: datetime) -> None:
    """Nothing waits of a client whose offboarding was stopped by who may not see the client itself."""
    with job_scope(agency_id=agency_id):
        going = Offboarding.objects.filter(agency_id=agency_id).exclude(
            state__in=(EndState.STOPPED, EndState.DONE)
        )
        waiting = Item.objects.open().filter(agency_id=agency_id, kind=KIND)
        for item in waiting.exclude(client_id__in=going.values("client_id")):
            work.close_item(KIND, agency_id=agency_id, key=item.key, at=at, by=JOB)


def claim(agency_id: int, at: datetime) -> Offboarding | None:
    """What is due and nobody works on, held by a lease from now on."""
    with job_scope(agency_id=agency_id):
        due = Offboarding.objects.filter(
            Q(leased_until=None) | Q(leased_until__lte=at),
            agency_id=agency_id,
            state__in=(EndState.ASKED, EndState.WRITING, EndState.ERASING),
            due_at__lte=at,
        )
        rows = due.select_related("client__agency").order_by("asked_at")
        for row in rows.select_for_update(skip_locked=True, of=("self",)):
            if row.state == EndState.ASKED and waits_for_second(row, at=at):
                # Another officer has come since it was asked for: it waits for the second signature.
                row.due_at = None
                row.save(update_fields=["due_at"])
                continue
            row.leased_until = at + _LEASE
            if row.state == EndState.ASKED:
                row.state = EndState.WRITING
            row.save(update_fields=["leased_until", "state"])
            return row
    return None


def keep(row: Offboarding, at: datetime) -> None:
    """
    Hold on to a row that takes long, once half of its lease is over.

    :raises NotNowError: it was stopped, or another worker has taken it.
    """
    if row.leased_until is not None and row.leased_until - at > _LEASE / 2:
        return
    until = at + _LEASE
    with job_scope(agency_id=row.agency_id):
        mine = Offboarding.objects.filter(pk=row.pk, state=row.state, leased_until=row.leased_until)
        if not mine.update(leased_until=until):
            raise NotNowError("It was stopped, or another worker goes on with it.")
    row.leased_until = until


def give_back(row: Offboarding) -> None:
    """Let another worker have it."""
    with job_scope(agency_id=row.agency_id):
        Offboarding.objects.filter(pk=row.pk, leased_until=row.leased_until).update(leased_until=None)


def await_people(row: Offboarding, at: datetime) -> None:
    """Let it wait in the queue of who hands the file over and lets everything go. In a scope."""
    work.open_item(
        KIND,
        agency_id=row.agency_id,
        client_id=row.client_id,
        key=str(row.client_id),
        at=at,
        due_at=at + HANDED_WITHIN,
    )


def note_failure(row: Offboarding, error: Exception, at: datetime) -> None:
    """Say on the row that it stopped, or waits for a hold, and try again later."""
    with job_scope(agency_id=row.agency_id):
        is_held = isinstance(error, HeldError)
        words = str(error) if is_held else "It stopped by a fault and is tried again."
        failures = 0 if is_held else row.failures + 1
        pause = timedelta(minutes=min(5 * max(failures, 1), 60))
        # Who has lost it to another worker, or to a stop, says nothing of it.
        Offboarding.objects.filter(pk=row.pk, state=row.state, leased_until=row.leased_until).update(
            failures=failures, last_error=words[:200], leased_until=None, due_at=at + pause
        )
