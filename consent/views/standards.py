"""What a client asks of itself beyond the law, and on what it rests measuring its calls."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Basis, Language, Standard
from consent.forms.standards import DeclarationForm, StandardForm
from consent.selectors import notices as notice_selectors
from consent.selectors import standards as selectors
from consent.selectors import wording
from consent.services import declarations, standards
from consent.tasks.decisions import nudge_decisions


def _context(request: StaffRequest, client: Client, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "may_lower": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        **more,
    }


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_standard(request: StaffRequest, client: Client) -> HttpResponse:
    """The standard and the declaration in force, with those before."""
    today = selectors.today_at(client, request.at)
    chosen = selectors.chosen(client)
    context = _context(
        request,
        client,
        standard=selectors.standard_of(client, at=request.at),
        is_lowered=bool(chosen and chosen.expires_on and chosen.expires_on > today),
        claimed_reason=chosen.reason
        if chosen and chosen.counts_claimed and chosen.expires_on and chosen.expires_on > today
        else "",
        chosen=chosen,
        ends_soon=bool(chosen and chosen.expires_on and chosen.expires_on - today <= selectors.SOON),
        standards=selectors.history_of(client)[:20],
        declaration=selectors.declaration_of(client),
        declarations=selectors.declarations_of(client)[:20],
    )
    return render(request, "consent/standard.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def choose_standard(request: StaffRequest, client: Client) -> HttpResponse:
    """Choose a standard; less than express consent is an officer's, with a reason, for a year."""
    now = selectors.standard_of(client, at=request.at)
    may_lower = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    chosen = selectors.chosen(client)
    initial: dict[str, Any] = {"standard": now}
    if chosen is not None:
        initial |= {"counts_claimed": chosen.counts_claimed, "unknown_age": chosen.unknown_age}
    form = StandardForm(request.POST or None, may_lower=may_lower, initial=initial)
    if request.method == "POST" and form.is_valid():
        row = standards.choose(
            client=client,
            standard=form.cleaned_data["standard"],
            reason=form.cleaned_data["reason"],
            counts_claimed=form.cleaned_data["counts_claimed"],
            unknown_age=form.cleaned_data["unknown_age"],
            by=request.actor,
            at=request.at,
        )
        nudge_decisions(client.agency_id)
        until = f" until {row.expires_on:%-d %b %Y}" if row.expires_on else ""
        label = Standard(row.standard).label
        messages.success(request, f"{label}{until}. Recordings are decided again within minutes.")
        return redirect("consent:standard", client.slug)
    today = selectors.today_at(client, request.at)
    context = _context(request, client, form=form, now=now, until=standards.a_year_after(today))
    return render(request, "consent/standard_choose.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def declare_basis(request: StaffRequest, client: Client) -> HttpResponse:
    now = selectors.declaration_of(client)
    ready = wording.ready_balancing_test(Language.ENGLISH, notice_selectors.facts_about(client))
    initial = {
        "basis": now.basis if now else Basis.LEGITIMATE_INTERESTS,
        "balancing_test": now.balancing_test if now else ready,
    }
    form = DeclarationForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        declarations.declare(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(request, "Declaration saved. The previous one is kept.")
        return redirect("consent:standard", client.slug)
    return render(request, "consent/standard_declare.html", _context(request, client, form=form, now=now))
