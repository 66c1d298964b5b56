"""The consent standard of a client beyond the law, and its legal basis for measuring calls."""

from typing import Any

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
from consent.enums import Basis, Language, Standard
from consent.forms.standards import DeclarationForm, StandardForm
from consent.selectors import notices as notice_selectors
from consent.selectors import standards as selectors
from consent.selectors import wording
from consent.services import declarations, standards
from consent.tasks.decisions import nudge_decisions


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_standard(request: StaffRequest, client: Client) -> HttpResponse:
    today = selectors.today_at(client, request.at)
    chosen = selectors.chosen(client)
    is_lowered = bool(chosen and chosen.expires_on and chosen.expires_on > today)
    context = {
        "client": client,
        "standard": selectors.standard_of(client, at=request.at),
        "is_lowered": is_lowered,
        "claimed_reason": chosen.reason if chosen and chosen.counts_claimed and is_lowered else "",
        "chosen": chosen,
        "ends_soon": bool(chosen and chosen.expires_on and chosen.expires_on - today <= selectors.SOON),
        "standards": selectors.history_of(client)[:20],
        "declaration": selectors.declaration_of(client),
        "declarations": selectors.declarations_of(client)[:20],
    }
    return render(request, "consent/standard.html", context)


def _above(client: Client) -> list[tuple[str, str]]:
    return [("Standard and basis", reverse("consent:standard", args=[client.slug]))]


def _may_lower(request: StaffRequest) -> bool:
    return access.has_right(request.membership, AgencyRight.SIGN_OFF)


def _current_standard(request: StaffRequest, client: Client) -> dict[str, Any]:
    initial: dict[str, Any] = {"standard": selectors.standard_of(client, at=request.at)}
    chosen = selectors.chosen(client)
    if chosen is not None:
        initial |= {"counts_claimed": chosen.counts_claimed, "unknown_age": chosen.unknown_age}
    return {"may_lower": _may_lower(request), "initial": initial}


@form_page(
    StandardForm,
    right=Permission.MANAGE_CONSENT,
    title="Choose standard",
    lede="A recording is kept only if both the law and this standard allow it.",
    button="Save standard",
    crumbs=_above,
    fill=_current_standard,
    more=lambda request, client: {
        "may_lower": _may_lower(request),
        "until": standards.a_year_after(selectors.today_at(client, request.at)),
    },
    template="consent/standard_choose.html",
)
def choose_standard(request: StaffRequest, client: Client, form: StandardForm) -> str:
    """Choose a standard; less than express consent is an officer's, with a reason, for a year."""
    row = standards.choose(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    nudge_decisions(client.agency_id)
    until = f" until {row.expires_on:%-d %b %Y}" if row.expires_on else ""
    return f"{Standard(row.standard).label}{until}. Recordings are decided again within minutes."


def _current_basis(_: StaffRequest, client: Client) -> dict[str, Any]:
    row = selectors.declaration_of(client)
    if row is not None:
        return {"initial": {"basis": row.basis, "balancing_test": row.balancing_test}}
    ready = wording.ready_balancing_test(Language.ENGLISH, notice_selectors.facts_about(client))
    return {"initial": {"basis": Basis.LEGITIMATE_INTERESTS, "balancing_test": ready}}


@form_page(
    DeclarationForm,
    right=Permission.MANAGE_CONSENT,
    title="Declare the legal basis for measuring",
    lede=(
        "Measuring means counting which ads bring calls; callers can opt out, and recording, listening, and analysis"
        " need their own evidence."
    ),
    button="Declare legal basis",
    crumbs=_above,
    fill=_current_basis,
)
def declare_basis(request: StaffRequest, client: Client, form: DeclarationForm) -> str:
    declarations.declare(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    return "Declaration saved. The previous one is kept."
