"""The permission matrix: people by clients, one bundle a cell."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import NOTHING, CellForm, MatrixFilter, bundle_rows
from callprivacy.accounts.services import grants
from callprivacy.accounts.services.people import OwnRightsError, RoleAboveError, may_change_grants_of
from callprivacy.accounts.views.pages import page_of
from callprivacy.accounts.views.people import membership_or_404

PEOPLE, CLIENTS = 25, 10


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def show_matrix(request: StaffRequest) -> HttpResponse:
    """A page of people by a page of clients; two counts, two pages and one query for all cells."""
    narrowed = MatrixFilter(request.GET, queryset=selectors.people(at=request.at))
    people_page = page_of(request, narrowed.qs, size=PEOPLE, key="people")
    wanted = narrowed.form.cleaned_data
    clients = access.visible_clients(request.membership, at=request.at).filter(archived_at=None)
    if wanted.get("c"):
        clients = clients.filter(name__icontains=wanted["c"])
    if wanted.get("sector"):
        clients = clients.filter(sector=wanted["sector"])
    client_page = page_of(request, clients.order_by("name", "pk"), size=CLIENTS, key="clients")
    people, columns = list(people_page), list(client_page)
    held = selectors.cells(
        user_ids=[person.user_id for person in people], client_ids=[client.pk for client in columns]
    )
    rows = [
        (
            person,
            [
                (client, cell, cell is not None and cell.counts_at(request.at))
                for client in columns
                for cell in [held.get((person.user_id, client.pk))]
            ],
        )
        for person in people
    ]
    context = {
        "form": narrowed.form,
        "active": sum(bool(value) for value in wanted.values()),
        "people_page": people_page,
        "client_page": client_page,
        "columns": columns,
        "rows": rows,
        "zone": request.agency.time_zone,
    }
    return render(request, "accounts/matrix.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def change_cell(request: StaffRequest, pk: int, slug: str) -> HttpResponse:
    """One cell: what a person may do with a client, by whom, since and until when; and changing it."""
    membership = membership_or_404(request, pk)
    client = access.visible_clients(request.membership, at=request.at).filter(slug=slug).first()
    if client is None:
        raise Http404
    cell = selectors.cells(user_ids=[membership.user_id], client_ids=[client.pk]).get(
        (membership.user_id, client.pk)
    )
    zone, back = request.agency.time_zone, _way_back(request, pk)
    counts = cell is not None and cell.counts_at(request.at)
    initial: dict[str, Any] = {"bundle": cell.bundle.value if cell and counts else NOTHING}
    if cell and counts and cell.ends_at:
        initial["until"] = CellForm.last_day(cell.ends_at, zone)
    form = CellForm(request.POST or None, initial=initial, zone=zone, at=request.at, giver=request.membership)
    if request.method == "POST" and form.is_valid():
        try:
            grants.set_bundle(
                membership=membership,
                client=client,
                bundle=form.cleaned_data["bundle"],
                by=request.actor,
                at=request.at,
                ends_at=form.ends_at(),
            )
        except (
            OwnRightsError,
            RoleAboveError,
            grants.EndsInThePastError,
            grants.NotHereError,
            grants.WrongSideError,
        ) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _said(membership.user.name, client.name, form))
            return redirect(back)
    context = {
        "person": membership,
        "client": client,
        "cell": cell,
        "counts": counts,
        "form": form,
        "back": back,
        "bundles": bundle_rows(),
        "zone": zone,
        "may_change": may_change_grants_of(membership, request.membership),
    }
    is_dialog = bool(request.headers.get("HX-Request"))
    return render(request, "accounts/cell_form.html" if is_dialog else "accounts/cell.html", context)


def _said(person: str, client: str, form: CellForm) -> str:
    bundle, until = form.cleaned_data["bundle"], form.cleaned_data["until"]
    if bundle is None:
        return f"{person} sees nothing of {client} any more."
    end = f" until {until:%-d %b %Y}" if until else ""
    return f"{person} works for {client} as {bundle.label.lower()}{end}."


def _way_back(request: StaffRequest, pk: int) -> str:
    """Where the change was started: the matrix as it was filtered, or the person's page."""
    came_from = urlsplit(request.headers.get("HX-Current-URL", ""))
    way = (
        request.POST.get("back")
        or request.GET.get("back")
        or came_from._replace(scheme="", netloc="").geturl()
    )
    if way.startswith("/") and url_has_allowed_host_and_scheme(way, allowed_hosts=None):
        return way
    return reverse("accounts:person", args=[pk])
