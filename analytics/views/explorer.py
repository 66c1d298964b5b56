"""Reports as people ask for them: all clients, one client's explorer, its campaigns, and each as a file."""

from datetime import date
from functools import partial
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from analytics.channels import paper as papers
from analytics.enums import Measure
from analytics.forms import explorer as asking
from analytics.selectors import agency, exact, explorer, league, reports, showing
from analytics.selectors import campaigns as selectors
from analytics.selectors import saved as saved_selectors
from analytics.selectors.asked import KINDS, PERIODS, WHOLE, period_of, usual
from analytics.selectors.reports import Source
from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, takes_files
from callprivacy.accounts.views.tables import Column, Empty, Pill, Table
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Basis
from consent.selectors import cases

_EXPORTS: Final = (("xlsx", "Workbook (XLSX)"), ("csv", "Table (CSV)"), ("pdf", "Paper (PDF)"))
_TYPES: Final = {
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", papers.as_workbook),
    "csv": ("text/csv; charset=utf-8", papers.as_csv),
    "pdf": ("application/pdf", papers.as_pdf),
}
_CHOICES: Final = ("this_month", "month", "year", "7", "28", "90")
_REPORTS: Final = Table(
    label="Saved reports",
    columns=(
        Column(
            "Report",
            "name",
            link=lambda row: reverse("analytics:open_saved", args=[row.client.slug, row.pk]),
        ),
        Column("Client", "client.name"),
        Column("Owner", "owner.name", note=lambda row: Pill("Shared", "info") if row.is_shared else ""),
    ),
    empty=Empty("No saved report yet"),
    size=20,
)


def _today(request: StaffRequest, zone: str) -> date:
    return calendars.day_in(zone, request.at)


def _period(request: StaffRequest, zone: str) -> str:
    name = request.GET.get("period", "")
    return name if name in _CHOICES else usual(_today(request, zone))


def _periods(chosen: str, *, is_exact: bool = False) -> list[dict[str, object]]:
    """What is offered: of protected figures whole months, and what the address names."""
    offered = [name for name in _CHOICES if is_exact or name in WHOLE or name == chosen]
    return [{"name": name, "label": PERIODS[name], "active": name == chosen} for name in offered]


def _file(form: str, paper: papers.Paper, name: str) -> HttpResponse:
    """A paper as a file; its name says the day and what it is, and nothing of the question."""
    if form not in _TYPES:
        raise Http404
    kind, make = _TYPES[form]
    return HttpResponse(
        make(paper),
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}-{paper.made_at:%Y-%m-%d}.{form}"'},
    )


@require_safe
def home(request: StaffRequest) -> HttpResponse:
    chosen = _period(request, request.agency.time_zone)
    clients = list(access.clients_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at))
    if not clients:
        raise PermissionDenied("Reports are not granted to you for any client.")
    first, last = period_of(chosen, _today(request, request.agency.time_zone))
    sort = league.sort_of(request.GET.get("sort", ""))
    context = {
        "overview": agency.overview(clients, chosen, at=request.at, sort=sort),
        "sort": sort,
        "days": asking.days_in_words(first, last),
        "periods": _periods(chosen),
        "may_release": bool(
            access.client_ids_with(request.membership, Permission.RELEASE_DATA, at=request.at)
        ),
        "saved": _REPORTS.draw(
            request, saved_selectors.reports_of(request.membership, [client.pk for client in clients])
        ),
    }
    return render(request, "analytics/home.html", context)


def source_of(request: StaffRequest, client: Client) -> Source:
    """What a person's pages of a client are made of: its calls for people who may see them, else its cells."""
    if access.may_see_exact(request.membership, client, at=request.at):
        return partial(exact.report, at=request.at)
    return reports.report


def _of_exact(source: Source, client: Client, query: reports.Asked) -> dict[str, object]:
    if source is reports.report:
        return {}
    return {
        "is_exact": True,
        "confidential": exact.confidential_calls(client),
        "not_measured": source(exact.not_measured(query)).total.figures[Measure.OPTED_OUT].value,
    }


@require_safe
@needs(Permission.VIEW_ANALYTICS, or_else=Permission.VIEW_EXACT_REPORTS)
def explore(request: StaffRequest, client: Client) -> HttpResponse:
    """
    One client's explorer; the question stands in the address.

    What was saved, and may be passed on, shows everybody the same: protected figures.
    """
    saved = saved_selectors.named(request.membership, client, request.GET.get("saved", ""))
    source = reports.report if saved else source_of(request, client)
    form, asked = asking.read(request.GET, client, request.at, is_exact=source is not reports.report)
    context: dict[str, object] = {"client": client, "form": form, "asked": asked}
    if asked is not None:
        answer = explorer.answer(client, asked, source=source)
        context |= _of_exact(source, client, explorer.query_of(client, asked))
        context |= {
            "answer": answer,
            "days": asking.days(asked),
            "query": asked.query(),
            "exports": () if showing.EXACT_ONLY & set(asked.by) else _EXPORTS,
            "kinds": [
                {"label": label, "query": asked.query(kind=kind), "active": kind == asked.kind}
                for kind, label in KINDS.items()
            ],
            "total_words": answer.total_words,
            "needs_consent": answer.is_empty and cases.declared_by(client) == Basis.CONSENT,
            "saved": saved,
        }
    return render(request, "analytics/explore.html", context, status=200 if asked else 400)


@require_safe
@needs(Permission.VIEW_ANALYTICS)
@takes_files
def export(request: StaffRequest, client: Client, paper: str) -> HttpResponse:
    form, asked = asking.read(request.GET, client, request.at)
    if asked is None or paper not in _TYPES:
        raise Http404
    facts = [("Client", client.name), *asking.in_words(form, asked), ("Time zone", client.time_zone)]
    made = explorer.paper_of(
        explorer.answer(client, asked),
        title=f"{showing.MEASURES[asked.measure]} of {client.name}",
        facts=facts,
        zone=client.time_zone,
        at=request.at,
    )
    return _file(paper, made, "report")


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def campaigns(request: StaffRequest, client: Client) -> HttpResponse:
    chosen = _period(request, client.time_zone)
    first, last = period_of(chosen, _today(request, client.time_zone))
    source = source_of(request, client)
    context = {
        "client": client,
        "report": selectors.report(client, first, last, period=chosen, source=source),
        **_of_exact(source, client, selectors.query_of(client, first, last, period=chosen)),
        "period": chosen,
        "periods": _periods(chosen, is_exact=source is not reports.report),
        "days": asking.days_in_words(first, last),
        "exports": _EXPORTS,
    }
    return render(request, "analytics/campaigns.html", context)


@require_safe
@needs(Permission.VIEW_ANALYTICS)
@takes_files
def campaigns_export(request: StaffRequest, client: Client, paper: str) -> HttpResponse:
    chosen = _period(request, client.time_zone)
    first, last = period_of(chosen, _today(request, client.time_zone))
    made = selectors.paper_of(
        selectors.report(client, first, last, period=chosen),
        client=client,
        days=asking.days_in_words(first, last),
        at=request.at,
    )
    return _file(paper, made, "campaigns")
