"""Consent expiry: for the agency, for one client, and what a change would end before it is saved."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Purpose
from consent.forms.ages import AgesForm, months_words
from consent.selectors import ages as selectors
from consent.selectors.ages import Age, Effect
from consent.services import ages
from consent.tasks.ages import nudge_ages


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def choose_for_agency(request: StaffRequest) -> HttpResponse:
    now = selectors.of_agency(request.agency.pk)
    form = AgesForm(request.POST or None, now=now)
    context: dict[str, Any] = {"form": form, "rows": _rows(now), "may_choose": True}
    if request.method == "POST" and form.is_valid():
        clients = access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at)
        ids = list(clients.values_list("pk", flat=True))
        wanted = {
            purpose: months
            for purpose, choice in form.chosen().items()
            if (months := ages.months_of(choice)) != _months(now, purpose)
        }
        where = {purpose: selectors.followers(request.agency.pk, purpose, ids) for purpose in wanted}
        effects = selectors.effects(wanted, where, at=request.at)
        if _is_confirmed(request, effects):
            try:
                ages.choose_for_agency(
                    agency=request.agency, chosen=form.chosen(), officer=request.membership, at=request.at
                )
            except ages.NotYoursError as error:
                form.add_error(None, str(error))
            else:
                return _saved(request, effects, "consent:agency_ages")
        context |= _shown(request, effects)
        context["unseen"] = selectors.unseen(request.agency.pk, wanted, ids)
    return render(request, "consent/ages.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def choose_for_client(request: StaffRequest, client: Client) -> HttpResponse:
    may_choose = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    if request.method == "POST" and not may_choose:
        raise PermissionDenied("Only a compliance officer can change consent expiry.")
    behind, now = selectors.of_agency(client.agency_id), selectors.of_client(client)
    form = AgesForm(request.POST or None, now=now, of_agency=behind)
    context: dict[str, Any] = {
        "client": client,
        "form": form,
        "rows": _rows(now),
        "may_choose": may_choose,
    }
    if request.method == "POST" and form.is_valid():
        wanted = {
            purpose: months
            for purpose, choice in form.chosen().items()
            if (months := _meant(choice, purpose, behind)) != _months(now, purpose)
            or (choice == ages.AS_THE_AGENCY) == (purpose in now and now[purpose].is_own)
        }
        effects = selectors.effects(wanted, {purpose: [client.pk] for purpose in wanted}, at=request.at)
        if _is_confirmed(request, effects):
            ages.choose_for_client(client=client, chosen=form.chosen(), by=request.actor, at=request.at)
            return _saved(request, effects, "consent:ages", client)
        context |= _shown(request, effects)
    return render(request, "consent/ages.html", context)


def _meant(choice: ages.Choice, purpose: Purpose, behind: Mapping[Purpose, Age]) -> int | None:
    return _months(behind, purpose) if choice == ages.AS_THE_AGENCY else ages.months_of(choice)


def _months(ages_of: Mapping[Purpose, Age], purpose: Purpose) -> int | None:
    return ages_of[purpose].months if purpose in ages_of else None


def _rows(now: Mapping[Purpose, Age]) -> list[dict[str, Any]]:
    return [
        {
            "purpose": purpose,
            "words": months_words(_months(now, purpose)),
            "age": now.get(purpose),
        }
        for purpose in Purpose
    ]


def _sum(effects: list[Effect]) -> int:
    return sum(effect.at_once for effect in effects)


def _is_confirmed(request: StaffRequest, effects: list[Effect]) -> bool:
    """Whether the person has seen exactly these counts."""
    return bool(effects) and request.POST.get("seen", "") == str(_sum(effects))


def _shown(request: StaffRequest, effects: list[Effect]) -> dict[str, Any]:
    """What the page shows of a change that is not saved yet."""
    return {
        "effects": [{"effect": one, "words": months_words(one.months)} for one in effects],
        "at_once": _sum(effects),
        "is_unchanged": not effects,
        "has_moved": bool(request.POST.get("seen")) and bool(effects),
    }


def _saved(
    request: StaffRequest, effects: list[Effect], where: str, client: Client | None = None
) -> HttpResponse:
    nudge_ages(request.agency.pk)
    count = _sum(effects)
    messages.success(
        request,
        f"Saved. {count:,} consent{'s' if count != 1 else ''} end now. Pages update within minutes."
        if count
        else "Saved. Nothing ends today.",
    )
    return redirect(where, *([] if client is None else [client.slug]))
