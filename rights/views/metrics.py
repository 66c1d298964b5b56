"""The year's figures that 11 CCR 7102 asks for, on a page and as a file."""

import csv
from io import StringIO
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callprivacy.accounts.access import StaffRequest, takes_files
from rights.channels import package
from rights.forms.cases import YearForm
from rights.selectors import board, metrics
from rights.views.doors import clients_of, sees_own

_YEARS: Final = 3


@require_safe
def show_year(request: StaffRequest) -> HttpResponse:
    form, context = _year(request)
    return render(request, "rights/metrics.html", {"form": form, **context})


def _file(name: str, body: str | bytes) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)


@require_safe
@takes_files
def take_year(request: StaffRequest) -> HttpResponse:
    _, context = _year(request)
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(metrics.HEADER)
    writer.writerows(row.cells() for row in context["rows"])
    return _file(f"requests-{context['year']}", out.getvalue())


@require_safe
@takes_files
def take_record(request: StaffRequest) -> HttpResponse:
    """The record of requests that 11 CCR 7101 requires, as CSV."""
    client_ids = [client.pk for client in clients_of(request)]
    cases = board.cases_of(client_ids, with_own=sees_own(request))
    rows = metrics.record_of(cases, zone=request.agency.time_zone)
    return _file("requests-record", package.table(metrics.RECORD, rows))


def _year(request: StaffRequest) -> tuple[YearForm, dict[str, Any]]:
    clients = clients_of(request)
    this = board.today(request.agency.time_zone, request.at).year
    years = [this - back for back in range(_YEARS)]
    form = YearForm(request.GET if "year" in request.GET else None, years=years, clients=clients)
    filters = form.cleaned_data if form.is_valid() else {}
    year = int(filters.get("year") or this - 1)
    if not form.is_bound:
        form.initial = {"year": str(year)}
    chosen = [one for one in clients if one.slug == filters.get("client")] or clients
    is_one = bool(filters.get("client"))
    rows = metrics.year_of(
        board.cases_of([one.pk for one in chosen], with_own=sees_own(request) and not is_one),
        year,
        zone=chosen[0].time_zone if is_one else request.agency.time_zone,
        only_california=filters.get("law") == metrics.CCPA,
    )
    query = request.GET.copy()
    query["year"] = str(year)
    return form, {
        "rows": rows,
        "year": year,
        "whose": chosen[0].legal_name if is_one else f"all {len(clients)} clients that you look after",
        "only_california": filters.get("law") == metrics.CCPA,
        "is_empty": not any(row.received for row in rows),
        "is_running": year == this,
        "kept": metrics.KEPT_MONTHS,
        "query": query.urlencode(),
    }
