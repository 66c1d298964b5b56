"""
Numbers that rest on consent, as a file for the database of reassigned numbers.

Asked for with a reason that is written down first, written by a job into a sealed file in bounded batches, gone after
three days; who takes it is written down as well. On each line stand a number of ten digits and a day on which its
holder agreed: the question is whether it was permanently disconnected since.
"""

import io
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Caller
from callprivacy.calls.services.reveals import ReasonTooShortError, checked_reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.sealing import SealBrokenError
from consent.enums import State
from consent.models import ConsentState, NumbersOut

ASKED: Final = "numbers.requested"
KEPT_FOR: Final = timedelta(days=3)
BATCH: Final = 1000
JOB: Final = Actor.job("consent.write_numbers")
_HELD_FOR: Final = timedelta(minutes=2)
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_FIRST: Final = uuid.UUID(int=0)

type Clock = Callable[[], datetime]

__all__ = ["KEPT_FOR", "NumbersGoneError", "ReasonTooShortError", "may_take"]


class NumbersGoneError(LookupError):
    """The file has left, or is not there yet."""


def may_take(membership: Membership, client: Client | int, *, at: datetime) -> bool:
    """Whether a person may have the file: an officer who may see numbers at this client."""
    return access.has_right(membership, AgencyRight.SIGN_OFF) and access.may(
        membership, Permission.REVEAL_NUMBERS, client, at=at
    )


@transaction.atomic
def ask(*, client: Client, reason: str, by: Actor, at: datetime) -> NumbersOut:
    """
    Write down why, and have a client's numbers with a standing consent written out.

    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    if by.user_id is None:
        raise TypeError("Numbers are asked for by a person.")
    reason = checked_reason(reason)
    row = NumbersOut(
        agency_id=client.agency_id, client=client, created_by_id=by.user_id, created_at=at, due_at=at
    )
    audit.record(ASKED, by=by, at=at, subject=row, reason=reason)
    row.save(force_insert=True)
    return row


def read_reason(*, row: NumbersOut, by: Actor, at: datetime) -> str | None:
    """Why the numbers were asked for; that somebody read it is in the trail. None where the words are erased."""
    return audit.open_reason_of(row, ASKED, agency_id=row.agency_id, by=by, at=at)


def work(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """
    Write what waits at an agency, until the clock says `until`; returns whether any is left.

    Called outside any scope; safe to run twice, and after a kill: then the file is begun anew.
    """
    while (at := clock()) < until:
        with job_scope(agency_id=agency_id):
            row = _claim(agency_id, at)
        if row is None:
            return False
        _write(row, clock)
    return True


def _claim(agency_id: int, at: datetime) -> NumbersOut | None:
    """Take one for two minutes; those whose person may no more, or that nobody could write for a day, are stopped."""
    rows = NumbersOut.objects.filter(
        agency_id=agency_id, state__in=(JobState.QUEUED, JobState.RUNNING), due_at__lte=at
    )
    for row in (
        rows.select_for_update(skip_locked=True, of=("self",)).select_related("client").order_by("due_at")
    ):
        asker = Membership.objects.filter(user_id=row.created_by_id).select_related("user").first()
        if asker is None or not may_take(asker, row.client, at=at):
            _stop(row, JobState.CANCELLED, at)
        elif at - row.created_at > _GIVEN_UP_AFTER:
            _stop(row, JobState.FAILED, at)
        else:
            NumbersOut.objects.filter(pk=row.pk).update(state=JobState.RUNNING, due_at=at + _HELD_FOR, rows=0)
            return row
    return None


def _stop(row: NumbersOut, state: JobState, at: datetime) -> None:
    NumbersOut.objects.filter(pk=row.pk).update(state=state, due_at=None, finished_at=at)
    audit.record(f"numbers.{state.value}", by=JOB, at=at, subject=row)


def _write(row: NumbersOut, clock: Clock) -> None:
    file_id, count = uuid.uuid4(), 0
    with files.Writer(row.client_id, file_id, at=clock()) as out:
        for lines in _batches(row, clock):
            if lines is None:
                out.discard()
                return
            out.write("".join(lines).encode())
            count += len(lines)
    with job_scope(agency_id=row.agency_id):
        at = clock()
        is_ours = NumbersOut.objects.filter(pk=row.pk, state=JobState.RUNNING, file_key=None).update(
            state=JobState.DONE,
            file_key=file_id,
            rows=count,
            due_at=None,
            finished_at=at,
            expires_at=at + KEPT_FOR,
        )
        if is_ours:
            audit.record("numbers.written", by=JOB, at=at, subject=row, rows=count)
    if not is_ours:
        files.delete(row.client_id, file_id)


def _batches(row: NumbersOut, clock: Clock) -> Iterator[list[str] | None]:
    """The lines, a scope a batch of callers; None where the file was taken from this worker."""
    after, count = _FIRST, 0
    while True:
        with job_scope(agency_id=row.agency_id):
            callers = list(
                ConsentState.objects.for_client(row.client_id)
                .filter(state=State.GIVEN, caller_id__gt=after)
                .order_by("caller_id")
                .values_list("caller_id", flat=True)
                .distinct()[:BATCH]
            )
            lines = _lines(row.client, callers, clock()) if callers else []
            count += len(lines)
            is_held = NumbersOut.objects.filter(pk=row.pk, state=JobState.RUNNING).update(
                rows=count, due_at=clock() + _HELD_FOR
            )
        yield lines if is_held else None
        if not is_held or len(callers) < BATCH:
            return
        after = callers[-1]


def _lines(client: Client, caller_ids: list[uuid.UUID], at: datetime) -> list[str]:
    """
    A line for each number under +1 and each day on which its holder agreed to something that stands.

    A consent of today is left out: the database refuses to be asked about a day that is not over.
    """
    zone = ZoneInfo(client.time_zone)
    today = at.astimezone(zone).date()
    days: dict[uuid.UUID, set[date]] = {}
    rows = ConsentState.objects.for_client(client).filter(caller_id__in=caller_ids, state=State.GIVEN)
    for caller_id, since in rows.values_list("caller_id", "since"):
        day = since.astimezone(zone).date()
        if day < today:
            days.setdefault(caller_id, set()).add(day)
    keys = vault_selectors.content_keys({client.pk: list(days)})
    callers = Caller.objects.for_client(client).filter(pk__in=[one for one in days if one in keys])
    lines = []
    for caller in callers.order_by("pk"):
        try:
            number = str(caller.number.reveal(keys[caller.pk]))
        except SealBrokenError:
            continue
        if number.startswith("+1") and len(number) == 12:
            lines += [f"{number[2:]},{day.isoformat()}\r\n" for day in sorted(days[caller.pk])]
    return lines


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether a file of an agency waits to be written or has to leave. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        waiting = Q(state__in=(JobState.QUEUED, JobState.RUNNING), due_at__lte=at)
        return NumbersOut.objects.filter(waiting, agency_id=agency_id).exists()


@transaction.atomic
def open_file(*, row: NumbersOut, by: Actor, at: datetime) -> io.BufferedReader:
    """
    Write down who takes the numbers, and open the file.

    :raises NumbersGoneError: it has left, or is not written yet.
    """
    if row.file_key is None or row.expires_at is None or row.expires_at <= at:
        raise NumbersGoneError("The file is deleted. Request a new one.")
    audit.record("numbers.downloaded", by=by, at=at, subject=row, rows=row.rows)
    try:
        return files.open(row.client_id, row.file_key)
    except FileNotFoundError:
        raise NumbersGoneError("The file is deleted. Request a new one.") from None


def purge(*, agency_id: int, at: datetime) -> None:
    """Delete the files whose days are over, up to a hundred. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        rows = NumbersOut.objects.filter(agency_id=agency_id, file_key__isnull=False, expires_at__lte=at)
        for row in rows[:100]:
            # First the file: a crash between the two leaves a row that the next sweep meets again.
            files.delete(row.client_id, row.file_key or _FIRST)
            NumbersOut.objects.filter(pk=row.pk).update(file_key=None)
            audit.record("numbers.expired", by=JOB, at=at, subject=row)
