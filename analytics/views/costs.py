"""What campaigns cost: files of costs, read first, then imported or discarded."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from analytics.channels import cost_file
from analytics.enums import CostState
from analytics.forms import explorer as asking
from analytics.models import CostImport
from analytics.selectors import costs as selectors
from analytics.selectors import showing
from analytics.selectors.rules import money_of_client
from analytics.services import costs
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import INFO, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Pill, Table
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_SHOWN: Final = 100
_TONES: Final = {CostState.DONE: "good", CostState.DRAFT: "warn"}


def _address(brought: CostImport) -> str:
    return reverse("analytics:costs_show", args=[brought.client.slug, brought.pk])


_FILES: Final = Table(
    label="Imports",
    columns=(
        Column("Imported", "created_at", link=_address),
        Column("By", "created_by.name"),
        Column("Days", lambda row: asking.days_in_words(row.first_on, row.last_on)),
        Column("Lines", "count", is_number=True),
        Column("Replaced", "replaced", is_number=True),
        Column("State", lambda row: Pill(row.get_state_display(), _TONES.get(row.state, ""))),
    ),
    empty=Empty(
        "No costs yet",
        "With costs, the campaigns page shows what each call and each qualified call cost.",
        "reports",
    ),
    size=20,
)


def _lede(client: Client) -> str:
    known = selectors.known_costs(client)
    if known.first_on is None or known.last_on is None:
        return "Import what campaigns cost, and the reports show what a call and a qualified call cost."
    return f"Costs are known from {asking.days_in_words(known.first_on, known.last_on)}."


def _context(request: StaffRequest, client: Client) -> dict[str, Any]:
    money = money_of_client(client)
    return {
        "money": money,
        "example": [money.number(cost, 2) for cost in (120.5, 1118)],
        "table": _FILES.draw(request, selectors.brought(client), zone=client.time_zone),
    }


@form_page(
    asking.CostForm,
    right=Permission.VIEW_ANALYTICS,
    title="Campaign costs",
    lede=_lede,
    button="Read the file",
    crumbs=lambda client: [("Campaigns", reverse("analytics:campaigns", args=[client.slug]))],
    more=_context,
    template="analytics/costs.html",
    refused=400,
)
def bring(request: StaffRequest, client: Client, form: asking.CostForm) -> Done | None:
    content = form.cleaned_data["file"].read(cost_file.BYTES_AT_MOST + 1)
    today = calendars.day_in(client.time_zone, request.at)
    try:
        rows = cost_file.read(content, today=today, money=money_of_client(client))
    except cost_file.CostFileError as error:
        form.wrong = error
        form.add_error("file", "Nothing was imported. Fix the errors above, and select the file again.")
        return None
    return Done(to=_address(costs.bring_costs(client=client, rows=rows, by=request.actor, at=request.at)))


def _brought(request: StaffRequest, client: Client, cost_import_id: UUID) -> CostImport:
    row = selectors.find_import(client, cost_import_id)
    if row is None:
        raise Http404
    return row


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def show(request: StaffRequest, client: Client, cost_import_id: UUID) -> HttpResponse:
    brought = _brought(request, client, cost_import_id)
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


@action(right=Permission.VIEW_ANALYTICS, load=_brought, back=_address, errors={costs.CostsDecidedError: INFO})
def take(request: StaffRequest, brought: CostImport, _: Any) -> Done:
    done = costs.take_costs(brought=brought, by=request.actor, at=request.at)
    text = f"{done.count:,} costs imported, {done.replaced:,} earlier ones replaced."
    return Done(text, reverse("analytics:campaigns", args=[done.client.slug]))


@action(
    right=Permission.VIEW_ANALYTICS,
    load=_brought,
    back=lambda brought: reverse("analytics:costs", args=[brought.client.slug]),
)
def discard(request: StaffRequest, brought: CostImport, _: Any) -> Done:
    if costs.discard_costs(brought=brought, at=request.at):
        return Done("The file was discarded. None of its costs were imported.", level=INFO)
    return Done("This file was already imported or discarded.", level=INFO)
