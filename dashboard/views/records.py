"""The records of processing: as they stand, their words, dated snapshots, and as files."""

from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs_right, takes_files
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, Done, action, form_page
from callprivacy.lib import calendars
from dashboard.channels import record as parts
from dashboard.channels import record_files as files
from dashboard.forms.records import SeenForm, WordsForm
from dashboard.models import RecordWords
from dashboard.selectors import records as selectors
from dashboard.services import records

_FILES: Final = {
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", files.workbook),
    "pdf": ("application/pdf", files.sheet),
}
_LISTED: Final = 50


@require_safe
@needs_right(AgencyRight.SIGN_OFF)
def show_records(request: StaffRequest) -> HttpResponse:
    """What the records say now, and how that differs from the newest snapshot."""
    present = selectors.present()
    kept = list(selectors.snapshots()[:_LISTED])
    context: dict[str, Any] = {"present": present, "snapshots": kept}
    if present is not None:
        context |= {
            "lists": _lists(present.record),
            "seen": present.digest.hex(),
            "is_new": not kept or bytes(kept[0].digest) != present.digest,
            "may_confirm": kept and records.may_confirm(kept[0], at=request.at),
            "differences": parts.differences(kept[0].record, present.record) if kept else [],
        }
    return render(request, "dashboard/records.html", context)


def _lists(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as the page draws them: by list, by what they are of."""
    lists: dict[str, dict[str, list[tuple[str, list[str]]]]] = {}
    for name, title, label, words in parts.rows_of(record):
        lists.setdefault(name, {}).setdefault(title, []).append((label, words.splitlines()))
    order = (parts.OF_BOTH, parts.AS_CONTROLLER, parts.AS_PROCESSOR)
    return [{"name": name, "of": list(lists[name].items())} for name in order if name in lists]


@form_page(
    WordsForm,
    right=AgencyRight.SIGN_OFF,
    title="Text of the records",
    lede=(
        "What cannot be read from the configuration: the representatives of clients are among it. A client's contact"
        " and data protection officer stand on its requests page."
    ),
    button="Write down",
    crumbs=lambda _: [("Records", reverse("dashboard:records"))],
    fill=lambda *_: {"row": RecordWords.objects.first(), "clients": selectors.clients()},
    refused=422,
)
def set_words(request: StaffRequest, _: None, form: WordsForm) -> str:
    records.set_words(agency=request.agency, said=form.said(), by=request.actor, at=request.at)
    return "Written down. Keep a snapshot when the records are right."


@action(
    SeenForm,
    right=AgencyRight.SIGN_OFF,
    back=lambda _: reverse("dashboard:records"),
    invalid="Look at the records first, then keep them.",
    errors={records.ChangedMeanwhileError: INFO, records.NothingNewError: INFO},
)
def keep_records(request: StaffRequest, _: None, form: SeenForm) -> Done:
    row = records.take_snapshot(
        agency=request.agency, seen=form.cleaned_data["seen"], by=request.actor, at=request.at
    )
    text = f"Snapshot {row.number} is kept. Nobody can change it."
    return Done(text, reverse("dashboard:record", args=[row.number]))


@require_safe
@needs_right(AgencyRight.SIGN_OFF)
def show_snapshot(request: StaffRequest, number: int) -> HttpResponse:
    row = selectors.find_snapshot(number)
    if row is None:
        raise Http404
    present = selectors.present()
    context = {
        "snapshot": row,
        "lists": _lists(row.record),
        "digest": bytes(row.digest).hex(),
        "differences": parts.differences(row.record, present.record) if present else [],
    }
    return render(request, "dashboard/record.html", context)


@never_cache
@require_POST
@needs_right(AgencyRight.SIGN_OFF)
@takes_files
def take_records(request: StaffRequest, number: int, sheet: str) -> HttpResponse:
    """The records as a file: of a snapshot, or with number 0 as they stand; that they were taken is written down."""
    if sheet not in _FILES:
        raise Http404
    kind, make = _FILES[sheet]
    row = selectors.find_snapshot(number) if number else None
    present = None if number else selectors.present()
    record = row.record if row else present.record if present else None
    if record is None:
        raise Http404
    records.note_taken(agency=request.agency, number=number, form=sheet, by=request.actor, at=request.at)
    data = make(
        parts.rows_of(record),
        agency=request.agency.name,
        zone=request.agency.time_zone,
        made_at=request.at,
        kept_at=row.taken_at if row else None,
    )
    day = calendars.day_in(request.agency.time_zone, row.taken_at if row else request.at)
    return HttpResponse(
        data,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="records-of-processing-{day}.{sheet}"'},
    )
