"""Files of calls: brought, looked at, started, watched, and what became of them."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, takes_files
from callprivacy.accounts.views.form_pages import WARNING, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.calls.enums import JobState
from callprivacy.calls.forms.imports import LayoutForm, UploadForm
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from callprivacy.calls.models import CallImport, Connection
from callprivacy.calls.providers import FORMATS as PRESETS
from callprivacy.calls.providers import tabular
from callprivacy.calls.providers.base import CallFacts, RefusedError, UnparsableError
from callprivacy.calls.providers.tabular import (
    ATTRIBUTION,
    FIELDS,
    Columns,
    columns_dropped,
    columns_found,
)
from callprivacy.calls.selectors import imports as selectors
from callprivacy.calls.services import drops, imports
from callprivacy.calls.services.imports import FORMATS, Layout, NotReadyError
from callprivacy.calls.tasks.imports import nudge_on_commit
from callprivacy.lib import phone
from callprivacy.lib.cells import plain_cell
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError

_MANAGE: Final = Permission.MANAGE_CONNECTIONS
PREVIEWED: Final = 10
SMALL: Final = 2 << 20

_WORDS: Final = {
    JobState.DRAFT: "Waiting for you",
    JobState.QUEUED: "Waiting for a worker",
    JobState.RUNNING: "Reading the file",
    JobState.DONE: "The file has been read",
    JobState.FAILED: "The file could not be read to its end",
    JobState.CANCELLED: "Cancelled",
}
_TONES: Final = {
    JobState.DRAFT: "warn",
    JobState.QUEUED: "info",
    JobState.RUNNING: "info",
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "neutral",
}
_NOTHING: Final = "Nothing in it to read"


def _find(client: Client, import_id: UUID) -> CallImport:
    return get_object_or_404(selectors.import_rows(client), pk=import_id)


def _context(client: Client, row: CallImport | None = None, **more: Any) -> dict[str, Any]:
    context = {"client": client, **more}
    if row is not None:
        context |= {
            "row": row,
            "words": _WORDS[JobState(row.state)],
            "tone": _TONES[JobState(row.state)],
            "format_title": FORMATS.get(row.format, row.format),
        }
    return context


@require_safe
def choose_client(request: StaffRequest) -> HttpResponse:
    """Whose calls are imported; straight to the form for a person who may import for one client."""
    clients = list(access.clients_with(request.membership, Permission.MANAGE_CONNECTIONS, at=request.at))
    if not clients:
        raise PermissionDenied("You cannot import calls for any client. Ask an admin for access.")
    if len(clients) == 1:
        return redirect("calls:import_new", clients[0].slug)
    return render(request, "calls/import_client.html", {"import_clients": clients})


def _is_counted(row: CallImport) -> bool:
    return row.state != JobState.DRAFT or (row.due_at is None and not row.failure)


def _state(row: CallImport) -> Pill:
    if row.state == JobState.DRAFT and row.failure:
        return Pill("Cannot be read like this", "bad")
    if not _is_counted(row):
        return Pill("Counting the rows", "info")
    if row.state == JobState.DRAFT and not _taken(row):
        return Pill(_NOTHING, "neutral")
    return Pill(_WORDS[JobState(row.state)], _TONES[JobState(row.state)])


def _taken(row: CallImport) -> int:
    """How many rows of a draft would be read into calls."""
    return row.rows - row.too_old - row.refused


def _address(client: Client, name: str, *args: UUID) -> str:
    return reverse(f"calls:{name}", args=[client.slug, *args])


@never_cache
@list_page(
    Table(
        label="Imports",
        columns=(
            Column(
                "Imported",
                "created_at",
                link=lambda row: _address(row.client, "import", row.pk),
                sort="created_at",
            ),
            Column("By", "created_by", nothing="a command"),
            Column("Format", lambda row: FORMATS.get(row.format, row.format)),
            Column("From", "connection.name", nothing="a file"),
            Column("State", _state),
            Column(
                "Rows",
                lambda row: row.rows if _is_counted(row) else None,
                nothing="not known",
                is_number=True,
            ),
            Column("Added", "added", sort="added", is_number=True),
            Column("Refused", "refused", sort="refused", is_number=True),
        ),
        empty=Empty(
            "No file yet",
            "Import an export of the tracker: you see ten masked rows and what would be left out before anything is"
            " read into the calls.",
            "calls",
        ),
        file="imports",
    ),
    right=_MANAGE,
    lede=lambda client: (
        f"Exports of a tracker, read into the calls of {client.name}. Times are in {client.time_zone}."
    ),
    actions=lambda _, client: [Link("Import a file", _address(client, "import_new"), tone="primary")],
)
def list_imports(request: StaffRequest, client: Client) -> QuerySet[CallImport]:
    return selectors.import_rows(client).order_by("-created_at")


# --- Importing a file -------------------------------------------------------------------------------------------------


@csrf_exempt  # until the file goes where it is encrypted; `_upload` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(_MANAGE)
def upload(request: StaffRequest, client: Client) -> HttpResponse:
    """Import a file. It is encrypted while it arrives, before anything else of the request is looked at."""
    handler = SealingUpload(client.pk, at=request.at)
    request.upload_handlers = [handler]
    try:
        return _upload(request, slug=client.slug)
    finally:
        handler.forget_unclaimed()


def _handler(request: StaffRequest) -> SealingUpload:
    return cast(SealingUpload, request.upload_handlers[0])


@csrf_protect
@form_page(
    UploadForm,
    right=_MANAGE,
    title="Import a file",
    lede=lambda client: (
        f"Nothing is read into the calls of {client.name} before you have seen ten of its rows."
    ),
    button="Upload and look",
    crumbs=lambda client: [("Imports", _address(client, "imports"))],
    fill=lambda request, client: {
        "connections": selectors.connections_for_files(client),
        "own_zone": client.time_zone,
        "is_too_large": _handler(request).is_too_large,
    },
    errors={UnparsableError: "file"},
)
def _upload(request: StaffRequest, client: Client, form: UploadForm) -> Done:
    stored = cast(SealedUpload, form.cleaned_data["file"]).stored
    connection = form.cleaned_data["connection"]
    with opened(client.pk, stored) as source:
        table = tabular.Table(source)
    row = imports.create_import(
        client=client,
        connection=connection,
        layout=_proposal(table, form.cleaned_data["format"], form.cleaned_data["time_zone"], connection),
        stored=stored,
        by=request.actor,
        at=request.at,
    )
    _handler(request).is_claimed = True
    _look_through(row, client, stored.size, at=request.at)
    return Done(to=_address(client, "import", row.pk))


def _proposal(
    table: tabular.Table, file_format: str, time_zone: str, connection: Connection | None
) -> Layout:
    """What the connection remembers, where this file has those columns; otherwise what the names suggest."""
    file_format = file_format or imports.recognized(table.header)
    names = {name.casefold() for name in table.header}
    remembered = connection.mapping if connection is not None else {}
    columns = remembered.get("columns", {}) if remembered.get("format") == file_format else {}
    if columns and all(column.casefold() in names for column in columns.values()):
        return Layout(file_format, columns, time_zone, remembered.get("slashes", ""), table.is_headed)
    columns = imports.columns_proposed(table.header, file_format)
    return Layout(file_format, columns, time_zone, is_headed=table.is_headed)


def _look_through(row: CallImport, client: Client, size: int, *, at: datetime) -> None:
    """Count its rows: at once where that is quick, in the background where it is not."""
    if size <= SMALL:
        imports.check_small_import(row=row, client=client, at=at)
    else:
        nudge_on_commit(row.agency_id, row.pk)


# --- Looking at it ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row, masked: its line, and what would be kept, or the column and why it would be refused."""

    line: int
    facts: CallFacts | None
    number: str
    local_start: datetime | None
    has_recording: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The head of a file: its columns, ten rows, and why it cannot be read, if so."""

    header: tuple[str, ...]
    columns: Columns | None
    rows: list[PreviewRow]
    problem: str
    recoded: int


def _preview(row: CallImport, client: Client, *, at: datetime) -> Preview:
    layout = Layout.of(row)
    header: tuple[str, ...] = ()
    columns, rows, recoded = None, [], 0
    try:
        with files.open(client.pk, row.file_key or row.pk) as source:
            table = tabular.Table(source, is_headed=layout.is_headed)
            header = table.header
            reading = layout.for_reading()
            if not client.keeps_attribution:
                reading = reading.without(ATTRIBUTION)
            columns = columns_dropped(header, reading)
            for line, facts in islice(table.rows(reading, zone=layout.zone, at=at), PREVIEWED):
                rows.append(_preview_row(line, facts, ZoneInfo(client.time_zone)))
            recoded = table.recoded_lines
    except UnparsableError as error:
        return Preview(header, columns, rows, str(error), recoded)
    except RefusedError as error:
        problem = f"Choose the column for “{FIELDS.get(error.column, error.column)}” below, and save."
        return Preview(header, columns, rows, problem, recoded)
    except (SealBrokenError, FileNotFoundError):
        return Preview(header, columns, rows, "The stored file is damaged. Upload it again.", recoded)
    return Preview(header, columns, rows, "", recoded)


def _preview_row(line: int, facts: CallFacts | RefusedError, zone: ZoneInfo) -> PreviewRow:
    if isinstance(facts, RefusedError):
        return PreviewRow(line, None, "", None, refused=f"{facts.column}: expected {facts.expected}")
    number = phone.mask(facts.caller) if facts.caller else "Withheld"
    shown = replace(facts, caller=None, recording_reference=None, references=())
    local_start = facts.started_at.astimezone(zone).replace(tzinfo=None)
    return PreviewRow(line, shown, number, local_start, facts.recording_reference is not None)


_REFUSED: Final = Table(
    label="Refused lines",
    columns=(Column("Line", "line"), Column("Column", "column"), Column("Reason", "reason")),
    empty=Empty("No line was refused"),
    size=100,
)


@require_safe
@never_cache
@needs(_MANAGE)
def show(request: StaffRequest, client: Client, import_id: UUID) -> HttpResponse:
    row = _find(client, import_id)
    if row.state == JobState.DRAFT:
        return _show_draft(request, client, row)
    context = _context(
        client,
        row,
        progress=_progress(client, row),
        table=_REFUSED.draw(request, selectors.refusals_of(row)),
        is_dropped=drops.is_dropped(row),
    )
    return render(request, "calls/import_show.html", context)


def _show_draft(
    request: StaffRequest, client: Client, row: CallImport, form: LayoutForm | None = None
) -> HttpResponse:
    preview = _preview(row, client, at=request.at)
    layout = Layout.of(row)
    if form is None:
        named = _named(layout, preview.header)
        form = LayoutForm(header=preview.header, layout=named, own_zone=client.time_zone)
    is_read = row.due_at is None and not row.failure and not preview.problem
    context = _context(
        client,
        row,
        form=form,
        preview=preview,
        is_counted=row.due_at is None,
        is_read=is_read,
        may_start=is_read and _taken(row) > 0,
        nothing=_NOTHING,
        taken=_taken(row),
        progress=_progress(client, row),
    )
    return render(request, "calls/import_draft.html", context)


def _named(layout: Layout, header: tuple[str, ...]) -> Layout:
    """With the columns that a format finds by itself by their names, for the form to show."""
    if layout.columns or layout.format not in PRESETS:
        return layout
    try:
        return replace(layout, columns=columns_found(header, PRESETS[layout.format]))
    except UnparsableError:
        return layout


@require_POST
@never_cache
@needs(_MANAGE)
def describe(request: StaffRequest, client: Client, import_id: UUID) -> HttpResponse:
    row = _find(client, import_id)
    if row.state != JobState.DRAFT or row.file_key is None:
        messages.warning(request, "This file has been started already.")
        return redirect("calls:import", client.slug, row.pk)
    header = _preview(row, client, at=request.at).header
    form = LayoutForm(request.POST, header=header, layout=Layout.of(row), own_zone=client.time_zone)
    if not form.is_valid():
        return _show_draft(request, client, row, form)
    try:
        imports.describe_import(row=row, layout=form.layout(), by=request.actor, at=request.at)
    except (NotReadyError, RefusedError) as error:
        messages.warning(request, str(error))
        return redirect("calls:import", client.slug, row.pk)
    size = files.size(client.pk, row.file_key)
    row.refresh_from_db()
    _look_through(row, client, size, at=request.at)
    messages.success(request, "Saved. Look at the rows below before you start.")
    return redirect("calls:import", client.slug, row.pk)


# --- Starting, watching, stopping ---------------------------------------------------------------------------


def _load(request: StaffRequest, client: Client, import_id: UUID) -> CallImport:
    return _find(client, import_id)


_button = partial(
    action,
    right=_MANAGE,
    load=_load,
    back=lambda row: _address(row.client, "import", row.pk),
    errors={NotReadyError: WARNING},
)


@_button()
def start(request: StaffRequest, row: CallImport, form: Any) -> None:
    imports.start_import(row=row, by=request.actor, at=request.at)
    nudge_on_commit(row.agency_id, row.pk)


@_button()
def cancel(request: StaffRequest, row: CallImport, form: Any) -> str:
    """Stop an import and delete its file; one that was dropped stays where it lies."""
    imports.cancel_import(row=row, by=request.actor, at=request.at)
    kept = "stays in its folder" if drops.is_dropped(row) else "is deleted"
    return f"Stopped. The file {kept}; calls that came in by then stay."


def _progress(client: Client, row: CallImport) -> dict[str, Any]:
    is_draft = row.state == JobState.DRAFT
    return {
        "id": "import-progress",
        "url": reverse("calls:import_progress", args=[client.slug, row.pk]),
        "label": "Counting the rows" if is_draft else _WORDS[JobState(row.state)],
        "value": row.rows_done,
        "max": None if is_draft else row.rows,
        "done": row.due_at is None if is_draft else row.state == JobState.DONE,
        "failed": row.state in {JobState.FAILED, JobState.CANCELLED},
        "rows": [] if is_draft else _counts(row),
    }


def _counts(row: CallImport) -> list[dict[str, str]]:
    counts = {
        "Added": row.added,
        "Known already": row.known,
        "Possible duplicates, added apart": row.doubtful,
        "Too old": row.too_old,
        "Erased before": row.erased,
        "Refused": row.refused,
    }
    return [{"label": label, "value": f"{count:,}"} for label, count in counts.items()]


@require_safe
@never_cache
@needs(_MANAGE)
def progress(request: StaffRequest, client: Client, import_id: UUID) -> HttpResponse:
    """The moving part; when it has come to rest the whole page is asked for."""
    row = _find(client, import_id)
    state = _progress(client, row)
    answer = render(request, "calls/import_progress.html", _context(client, row, progress=state))
    if state["done"] or state["failed"]:
        answer["HX-Refresh"] = "true"
    return answer


@require_safe
@never_cache
@needs(_MANAGE)
@takes_files
def refusals(request: StaffRequest, client: Client, import_id: UUID) -> HttpResponse:
    """Every refused line as CSV: line, column, reason; never what stood there."""
    row = _find(client, import_id)
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["Line", "Column", "Reason"])
    for line, column, reason in selectors.every_refusal(row):
        writer.writerow([line, plain_cell(column), plain_cell(reason)])
    answer = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="refused-{row.created_at:%Y-%m-%d}.csv"'
    return answer
