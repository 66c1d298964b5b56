"""Which laws reach a client, and what it said of itself."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from rights.forms.facts import FactsForm
from rights.selectors import facts as selectors
from rights.services import figures


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_reach(request: StaffRequest, client: Client) -> HttpResponse:
    may_set = access.may(
        request.membership, Permission.HANDLE_REQUESTS, client, at=request.at
    ) and access.has_right(request.membership, AgencyRight.SIGN_OFF)
    context = {
        "client": client,
        "rows": selectors.standings(client, at=request.at),
        "said": selectors.said_by(client),
        "may_set": may_set,
    }
    return render(request, "rights/reach.html", context)


def _load(request: StaffRequest, client: Client) -> Client:
    access.require(request, AgencyRight.SIGN_OFF, client)
    return client


@form_page(
    FactsForm,
    right=Permission.HANDLE_REQUESTS,
    load=_load,
    title=lambda client: f"Figures of {client.name}",
    lede=(
        "Enter what the client reports. Leave a figure empty if you do not know it; then the law counts as applying."
        " Requests that arrived earlier keep their dates."
    ),
    button="Save",
    crumbs=lambda client: [("Thresholds", reverse("rights:reach", args=[client.slug]))],
    fill=lambda _, client: {"row": selectors.said_by(client), "laws": selectors.of_interest(client)},
    refused=422,
)
def set_facts(request: StaffRequest, client: Client, form: FactsForm) -> str:
    row = selectors.said_by(client)
    figures.set_facts(client=client, said=form.said(row), by=request.actor, at=request.at)
    return "Saved. The figures apply to requests that arrive from now on."
