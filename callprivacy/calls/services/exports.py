"""
Masked calls as a file: asked for with a reason, written by a job in bounded batches into a sealed file, gone
after seven days. No number is in it, and no cell of it is taken for a formula.

The rule for cells: text that begins with one of `= + - @`, their full-width forms, a tab or a line end
(spaces in front do not hide it) gets an apostrophe in front; line ends inside become spaces; every cell is
quoted.
"""

import csv
import io
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.calls import kinds
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call, CallExport
from callprivacy.calls.selectors import calls as selectors
from callprivacy.calls.selectors import confidential, masks
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission, Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.work import services as work

KEPT_FOR: Final = timedelta(days=7)
SHARE: Final = "share"
"""The purpose that a person says no to who does not want data to leave, as the vault keeps it."""
MINOR: Final = "minor"
"""Beside the purposes in the vault's list of noes: that a number is a minor's, of whom nothing is shared."""
BATCH: Final = 1000
JOB: Final = Actor.job("calls.write_export")
_HELD_FOR: Final = timedelta(minutes=2)
_SENT_FOR: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_BOM: Final = "\ufeff"

COLUMNS: Final = (
    "Started",
    "Time zone",
    "Caller",
    "Number (masked)",
    "Country",
    "State or province",
    "Number called",
    "Direction",
    "Outcome",
    "Seconds",
    "Source",
    "Campaign",
    "Medium",
    "First call",
    "Qualified",
    "Value",
    "Tags",
    "Recording",
)


class ExportGoneError(LookupError):
    """An export's file has expired, or is not there yet."""


@dataclass(frozen=True, slots=True)
class Due:
    """An export that waits for a worker."""

    agency_id: int
    export_id: uuid.UUID


class OfMinorsError(ValueError):
    """Nothing of a client whose callers are taken for minors leaves in a file."""


@transaction.atomic
def request_export(
    *, client: Client, filters: CallFilters, reason: str, by: Actor, at: datetime
) -> CallExport:
    """
    Write down why, and let a client's masked calls be written out.

    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises OfMinorsError: the client's trade has its callers taken for minors.
    """
    if by.user_id is None:
        raise TypeError("An export is asked for by a person.")
    if Sector(client.sector).presumes_minors:
        raise OfMinorsError(
            "Whoever calls this client is taken for a minor: no file of their calls is written."
        )
    reason = checked_reason(reason)
    export = CallExport(
        agency_id=client.agency_id,
        client=client,
        filters=filters.as_json(),
        created_by_id=by.user_id,
        created_at=at,
        due_at=at,
    )
    audit.record("export.requested", subject=export, by=by, at=at, reason=reason, filters=filters.count)
    export.save(force_insert=True)
    return export


def due_exports(*, agency_id: int, at: datetime) -> list[Due]:
    """
    Take down, to be sent to workers, exports that wait or whose worker has not been heard of for a while.

    They are due again in ten minutes, should no worker have begun by then. In the agency's scope.
    """
    rows = CallExport.objects.filter(
        agency_id=agency_id, state__in=[JobState.QUEUED, JobState.RUNNING], due_at__lte=at
    )
    rows = rows.select_for_update(skip_locked=True).order_by("due_at")
    ids = list(rows.values_list("pk", flat=True)[:100])
    CallExport.objects.filter(pk__in=ids).update(state=JobState.QUEUED, due_at=at + _SENT_FOR)
    return [Due(agency_id, pk) for pk in ids]


def write_export(*, due: Due, clock: Callable[[], datetime]) -> bool:
    """
    Write one export's file, a batch a scope. Called outside any scope; safe to run twice, and after a kill.

    The file is there when the last batch is written, and then the row names it; what a killed run left is
    removed. Returns whether this call wrote it.
    """
    with job_scope(agency_id=due.agency_id):
        export = _claim(due, clock())
    if export is None:
        return False
    client, file_id = export.client, uuid.uuid4()
    rows = 0
    with files.Writer(client.pk, file_id, at=clock()) as out:
        out.write((_BOM + _lines([COLUMNS])).encode())
        for batch in _batches(export, clock):
            if batch is None:
                out.discard()
                return False
            out.write(_lines(batch).encode())
            rows += len(batch)
    with job_scope(agency_id=due.agency_id):
        finished = _finish(export, file_id, rows, clock())
    if not finished:
        files.delete(client.pk, file_id)
    return finished


def _claim(due: Due, at: datetime) -> CallExport | None:
    """Take an export for two minutes, unless another worker has it; refuse it where the grant is gone."""
    left = Q(state=JobState.RUNNING, due_at__lte=at)
    waiting = CallExport.objects.filter(Q(state=JobState.QUEUED) | left, pk=due.export_id)
    if not waiting.update(state=JobState.RUNNING, due_at=at + _HELD_FOR, rows=0):
        return None
    export = CallExport.objects.select_related("client__agency").get(pk=due.export_id)
    membership = Membership.objects.filter(user_id=export.created_by_id).select_related("user").first()
    if membership is None or not access.may(membership, Permission.EXPORT_CALLS, export.client, at=at):
        _stop(export, JobState.CANCELLED, at)
        return None
    if at - export.created_at > _GIVEN_UP_AFTER:
        _stop(export, JobState.FAILED, at)
        return None
    return export


def _stop(export: CallExport, state: JobState, at: datetime) -> None:
    CallExport.objects.filter(pk=export.pk).update(state=state, finished_at=at)
    audit.record(f"export.{state.value}", subject=export, by=JOB, at=at)


def _batches(export: CallExport, clock: Callable[[], datetime]) -> Iterator[list[tuple[str, ...]] | None]:
    """The rows of the file, newest first; None where the export was taken from this worker."""
    client, filters = export.client, CallFilters.from_json(export.filters)
    before: uuid.UUID | None = None
    rows = 0
    while True:
        with job_scope(agency_id=export.agency_id):
            page = selectors.call_page([client], filters, zone=client.time_zone, before=before, size=BATCH)
            named = confidential.named_calls(export.agency_id, export.created_by_id, at=clock())
            calls = [call for call in page.calls if not call.confidential or call.pk in named]
            cells = _rows(_shareable(client, calls, clock()), client)
            rows += len(cells)
            held = CallExport.objects.filter(pk=export.pk, state=JobState.RUNNING).update(
                rows=rows, due_at=clock() + _HELD_FOR
            )
        yield cells if held else None
        if not held or page.older is None:
            return
        before = uuid.UUID(page.older)


def _shareable(client: Client, calls: list[Call], at: datetime) -> list[Call]:
    """Without the calls of numbers that said no to being shared, and of minors: a file leaves the house."""
    if Sector(client.sector).presumes_minors:
        return []
    callers = {call.caller_id for call in calls if call.caller_id is not None}
    noes = vault_selectors.suppressed_callers(client.pk, callers, on=at.date())
    return [
        call
        for call in calls
        if call.caller_id is None or noes.get(call.caller_id, {}).keys().isdisjoint({SHARE, MINOR})
    ]


def _finish(export: CallExport, file_id: uuid.UUID, rows: int, at: datetime) -> bool:
    running = CallExport.objects.filter(pk=export.pk, state=JobState.RUNNING, file_key__isnull=True)
    if not running.update(
        state=JobState.DONE, file_key=file_id, rows=rows, finished_at=at, expires_at=at + KEPT_FOR
    ):
        return False
    audit.record("export.written", subject=export, by=JOB, at=at, rows=rows)
    work.notify(
        kinds.EXPORT_READY,
        agency_id=export.agency_id,
        client_id=export.client_id,
        user_ids=[export.created_by_id],
        at=at,
        key=str(export.pk),
    )
    return True


# --- Cells --------------------------------------------------------------------------------------------------


def _lines(rows: list[tuple[str, ...]] | list[tuple[str, ...] | tuple[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [plain_cell(cell) for cell in row] for row in rows
    )
    return out.getvalue()


def _rows(calls: list[Call], client: Client) -> list[tuple[str, ...]]:
    zone, masked = ZoneInfo(client.time_zone), masks.masks_of(calls)
    return [_cells(call, masked[call.pk], zone) for call in calls]


def _cells(call: Call, mask: masks.Mask, zone: ZoneInfo) -> tuple[str, ...]:
    recording = call._state.fields_cache["recording"]
    return (
        call.started_at.astimezone(zone).isoformat(timespec="seconds"),
        zone.key,
        mask.name,
        mask.text,
        call.country,
        call.region,
        str(call.tracking_number or ""),
        call.get_direction_display(),
        call.get_outcome_display(),
        "" if call.seconds is None else str(call.seconds),
        call.source,
        call.campaign,
        call.medium,
        _said(call.first_call),
        _said(call.qualified),
        "" if call.value_cents is None else f"{call.value_cents / 100:.2f}",
        ", ".join(call.tags),
        recording.get_state_display() if recording else "",
    )


def _said(fact: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[fact]


# --- Taking it, and its end ---------------------------------------------------------------------------------


@transaction.atomic
def open_export(*, export: CallExport, by: Actor, at: datetime) -> io.BufferedReader:
    """
    Write down who takes an export's file, and open it.

    :raises ExportGoneError: it has expired, or is not written yet.
    """
    if export.file_key is None or export.expires_at is None or export.expires_at <= at:
        raise ExportGoneError("The file is gone. Ask for a new export.")
    if Sector(export.client.sector).presumes_minors:
        raise ExportGoneError("Whoever calls this client is taken for a minor: nobody takes the file.")
    audit.record("export.downloaded", subject=export, by=by, at=at, rows=export.rows)
    try:
        return files.open(export.client_id, export.file_key)
    except FileNotFoundError:
        raise ExportGoneError("The file is gone. Ask for a new export.") from None


def delete_expired(*, agency_id: int, at: datetime) -> int:
    """Delete the files of expired exports, up to a hundred; returns how many. In the agency's scope."""
    rows = CallExport.objects.filter(agency_id=agency_id, file_key__isnull=False, expires_at__lte=at)[:100]
    for export in rows:
        # First the file: a crash between the two leaves a row that the next sweep meets again.
        files.delete(export.client_id, export.file_key or uuid.UUID(int=0))
        CallExport.objects.filter(pk=export.pk).update(file_key=None)
        audit.record("export.expired", subject=export, by=JOB, at=at)
    return len(rows)
