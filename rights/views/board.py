"""The board of requests, and the way in for a request that came by mail, post, phone or in person."""

from dataclasses import replace
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.tables import Column, Empty, Moment, Pill, Table
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from rights.forms.board import OWN, BoardForm
from rights.selectors import board, casebook
from rights.views.doors import address_of, clients_of, sees_own, works

_BOARD: Final = Table(
    label="Requests",
    columns=(
        Column(
            "Request",
            "asks",
            link=lambda line: address_of(line.case),
            note=lambda line: f"{line.case.reference}, {line.channel}",
        ),
        Column("Client", "client", nothing="The agency itself"),
        Column("State", lambda line: Pill(line.state, line.tone)),
        Column("Law", "law", nothing="no statutory deadline"),
        Column("Received", lambda line: Moment(line.case.received_at, line.zone), sort="received"),
        Column(
            "Due", "case.answer_by", note=lambda line: Pill(line.clock.words, line.clock.tone), sort="answer"
        ),
        Column("Owner", "case.owner", nothing="unassigned"),
    ),
    empty=Empty("No request here"),
)
_OF_CLIENT: Final = replace(_BOARD, columns=[one for one in _BOARD.columns if one.label != "Client"])


@require_safe
def home(request: StaffRequest) -> HttpResponse:
    return _board(request, clients_of(request), None)


@require_safe
@needs(Permission.HANDLE_REQUESTS)
def of_one(request: StaffRequest, client: Client) -> HttpResponse:
    return _board(request, [client], client)


def _board(request: StaffRequest, clients: list[Client], client: Client | None) -> HttpResponse:
    with_own = client is None and sees_own(request)
    ids = access.people_with_any(
        Permission.HANDLE_REQUESTS, [one.pk for one in clients], agency_id=request.agency.pk, at=request.at
    )
    form = BoardForm(
        request.GET,
        clients=clients if client is None else None,
        with_own=with_own,
        people=list(casebook.people_who_may(set(ids) - {request.membership.user_id})),
    )
    filters, slug = form.wanted()
    cases = board.cases_of(
        [one.pk for one in clients if not slug or one.slug == slug], with_own=with_own and slug in {"", OWN}
    )
    page = board.board(
        cases,
        filters,
        user_id=request.membership.user_id,
        zone=request.agency.time_zone,
        at=request.at,
        before=request.GET.get("before", ""),
        clients=1 if slug else len(clients),
    )
    counted = board.counts(cases, at=request.at)
    table = _OF_CLIENT if client else _BOARD
    context = {
        "client": client,
        "form": form,
        "filters": filters,
        "filters_in_use": filters.count + bool(slug),
        "table": table.draw(request, page.lines) | {"sort": filters.order},
        "older": page.older,
        "counts": counted,
        "late_tone": "bad" if counted.late else "good",
        "near_tone": "warn" if counted.near else "",
        "reset_url": f"?state={filters.state}",
        "tabs": _tabs(request, filters),
        "may_add": works(request),
    }
    return render(request, "rights/board.html", context)


def _tabs(request: StaffRequest, filters: board.Filters) -> list[dict[str, Any]]:
    tabs = []
    for value, label in board.STATES:
        query = request.GET.copy()
        query.pop("before", None)
        query["state"] = value
        tabs.append({"label": label, "url": f"?{query.urlencode()}", "active": value == filters.state})
    return tabs
