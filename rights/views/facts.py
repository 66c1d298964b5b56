"""Which laws reach a client, and what it said of itself."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from rights.forms.facts import FactsForm
from rights.selectors import facts as selectors
from rights.services import figures


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_reach(request: StaffRequest, client: Client) -> HttpResponse:
    """For each law with thresholds: whether it reaches the client, why, and what is missing."""
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.HANDLE_REQUESTS)
def set_facts(request: StaffRequest, client: Client) -> HttpResponse:
    """Write down what the client said of itself."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = selectors.said_by(client)
    form = FactsForm(request.POST or None, row=row, laws=selectors.of_interest(client))
    if request.method == "POST" and form.is_valid():
        figures.set_facts(client=client, said=form.said(row), by=request.actor, at=request.at)
        messages.success(request, "Written down. It holds for requests that come in from now on.")
        return redirect("rights:reach", client.slug)
    context = {"client": client, "form": form}
    status = 422 if request.method == "POST" else 200
    return render(request, "rights/reach_facts.html", context, status=status)
