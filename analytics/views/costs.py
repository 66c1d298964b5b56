"""What campaigns cost: bringing a file, looking at it, taking it in or letting it go."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analytics.channels import cost_file
from analytics.enums import CostState
from analytics.forms.explorer import CostForm
from analytics.models import CostImport
from analytics.selectors import costs as selectors
from analytics.selectors import showing
from analytics.selectors.rules import money_of_client
from analytics.services import costs
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_PAGE: Final = 20
_SHOWN: Final = 100


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW_ANALYTICS)
def bring(request: StaffRequest, client: Client) -> HttpResponse:
    """Bring a file; what was brought before."""
    form = CostForm(request.POST or None, request.FILES or None)
    money = money_of_client(client)
    faults: list[cost_file.Fault] = []
    more = 0
    if request.method == "POST" and form.is_valid():
        today = calendars.day_in(client.time_zone, request.at)
        try:
            rows = cost_file.read(
                form.cleaned_data["file"].read(cost_file.BYTES_AT_MOST + 1), today=today, money=money
            )
        except cost_file.CostFileError as error:
            faults, more = error.faults, error.more
        else:
            brought = costs.bring_costs(client=client, rows=rows, by=request.actor, at=request.at)
            return redirect("analytics:costs_show", client.slug, brought.pk)
    context = {
        "client": client,
        "form": form,
        "faults": faults,
        "more": more,
        "money": money,
        "example": [money.number(cost, 2) for cost in (120.5, 1118)],
        "known": selectors.known_costs(client),
        "page": Paginator(selectors.brought(client), _PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "analytics/costs.html", context, status=400 if faults or form.errors else 200)


def _brought(client: Client, cost_import_id: UUID) -> CostImport:
    found = selectors.find_import(client, cost_import_id)
    if found is None:
        raise Http404
    return found


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def show(request: StaffRequest, client: Client, cost_import_id: UUID) -> HttpResponse:
    """A file before it counts: its lines, what it replaces, campaigns that no call names; or what became of it."""
    brought = _brought(client, cost_import_id)
    money = money_of_client(client)
    context: dict[str, Any] = {"client": client, "brought": brought}
    if brought.state == CostState.DRAFT:
        names = {campaign.casefold(): campaign for _, campaign, _ in brought.rows}
        known = {value.casefold() for value, _ in showing.choices_of(client)["campaign"]}
        context |= {
            "rows": [
                {"day": day, "campaign": campaign, "amount": money.cents(cents)}
                for day, campaign, cents in brought.rows[:_SHOWN]
            ],
            "more": max(0, brought.count - _SHOWN),
            "replaces": costs.would_replace(brought),
            "unknown": sorted(name for key, name in names.items() if key not in known)[:_SHOWN],
            "campaigns": len(names),
        }
    return render(
        request,
        "analytics/costs_show.html",
        context | {"amount": money.cents(brought.cents), "currency": money.currency},
    )


@require_POST
@needs(Permission.VIEW_ANALYTICS)
def take(request: StaffRequest, client: Client, cost_import_id: UUID) -> HttpResponse:
    """Let a file count."""
    try:
        brought = costs.take_costs(brought=_brought(client, cost_import_id), by=request.actor, at=request.at)
    except costs.CostsDecidedError as error:
        messages.info(request, str(error))
        return redirect("analytics:costs_show", client.slug, cost_import_id)
    messages.success(
        request, f"{brought.count:,} costs taken in, {brought.replaced:,} earlier ones replaced."
    )
    return redirect("analytics:campaigns", client.slug)


@require_POST
@needs(Permission.VIEW_ANALYTICS)
def discard(request: StaffRequest, client: Client, cost_import_id: UUID) -> HttpResponse:
    """Let a file go; nothing of it has counted."""
    if costs.discard_costs(brought=_brought(client, cost_import_id), at=request.at):
        messages.info(request, "The file was discarded. Nothing of it has counted.")
    else:
        messages.info(request, "This file was decided about already.")
    return redirect("analytics:costs", client.slug)
