"""Client setup: one page with every step, and the next one as one button; and blueprints."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import FORM, Done, action
from callprivacy.calls.forms.connections import ConnectionForm
from callprivacy.calls.forms.imports import UploadForm
from callprivacy.calls.models import Connection
from callprivacy.calls.selectors import connections as connection_selectors
from callprivacy.calls.selectors import imports as import_selectors
from callprivacy.calls.services import connections, numbers
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client, Engagement
from consent.channels import embed
from consent.enums import SetupStep
from consent.forms.onboarding import (
    AgreedForm,
    BlueprintForm,
    ChooseForm,
    FixesForm,
    MarkForm,
    NumbersForm,
)
from consent.selectors import blueprints as blueprint_selectors
from consent.selectors import onboarding as selectors
from consent.selectors import standards, web
from consent.selectors.blueprints import Blueprint, Plan, UnknownBlueprintError
from consent.services import blueprints, setup
from consent.tasks.decisions import nudge_decisions

CLIENTS_AT_ONCE: Final = 50


def _url(client: Client, step: SetupStep | None = None) -> str:
    address = reverse("consent:setup", args=[client.slug])
    return f"{address}?step={step.value}" if step is not None else address


@require_safe
@never_cache
@needs(Permission.MANAGE_CONSENT)
def show_setup(request: StaffRequest, client: Client) -> HttpResponse:
    """Every step with its status; the next one, or the one in the URL, is open."""
    return _show(request, client)


def _show(
    request: StaffRequest, client: Client, *, step: SetupStep | None = None, **forms: Any
) -> HttpResponse:
    state = selectors.setup_of(client, at=request.at)
    chosen = state.get(step or request.GET.get("step", ""))
    current = chosen or state.next or state.steps[-1]
    held = access.permissions_on(request.membership, client.pk, at=request.at)
    context: dict[str, Any] = {
        "client": client,
        "setup": state,
        "current": current,
        "is_next": current == state.next,
        "may_manage": access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS),
        "may_sign": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "may_connect": Permission.MANAGE_CONNECTIONS in held,
        **_facts_of(current.step, request, client),
        **forms,
    }
    return render(request, "consent/onboarding.html", context)


def _facts_of(step: SetupStep, request: StaffRequest, client: Client) -> dict[str, Any]:
    """The context of the open step."""
    gather = {
        SetupStep.BLUEPRINT: _blueprint_facts,
        SetupStep.ENGAGEMENT: _engagement_facts,
        SetupStep.TRACKER: _tracker_facts,
        SetupStep.BACKFILL: _backfill_facts,
        SetupStep.NUMBERS: _numbers_facts,
        SetupStep.FINDINGS: _findings_facts,
        SetupStep.WORDS: _words_facts,
    }.get(step)
    return gather(request, client) if gather is not None else {}


def _blueprint_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    pairs = [(blueprint, blueprint.is_for(client)) for blueprint in blueprint_selectors.blueprints().values()]
    return {"blueprints": sorted(pairs, key=lambda pair: not pair[1])}


def _engagement_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    engagement = Engagement.objects.for_client(client).get()
    initial = {"contract_on": engagement.contract_on, "dpa_on": engagement.dpa_on}
    return {"form": AgreedForm(initial=initial), "engagement": engagement}


def _tracker_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    ways = [
        {"state": state, "address": _address(state.connection)}
        for state in connection_selectors.connections_of(client)
        if state.connection.is_active
    ]
    return {"form": ConnectionForm(initial={"name": client.name}), "ways": ways}


def _address(connection: Connection) -> str:
    """Where the tracker sends its events; "" if its calls come by file imports."""
    if not connection_selectors.calls_us(connection.provider):
        return ""
    return f"{settings.CALLPRIVACY_URL}{reverse('calls:hook', args=[connection.provider, connection.key])}"


def _backfill_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    running = selectors.running_import(client)
    return {
        "form": UploadForm(
            connections=import_selectors.connections_for_files(client),
            own_zone=client.time_zone,
            initial={
                "format": "callrail",
                "time_zone": client.time_zone,
                "connection": _only_connection(client),
            },
        ),
        "running": running,
        "progress_url": reverse("calls:import_progress", args=[client.slug, running.pk]) if running else "",
        "imports": import_selectors.import_rows(client).order_by("-created_at")[:5],
    }


def _only_connection(client: Client) -> Connection | None:
    rows = list(Connection.objects.for_client(client).filter(is_active=True)[:2])
    return rows[0] if len(rows) == 1 else None


def _numbers_form(request: StaffRequest, client: Client) -> dict[str, Any]:
    return {
        "numbers": selectors.numbers_to_confirm(client),
        "used": selectors.recorded_by_number(client),
        "words": selectors.announcement_words(client),
        "today": standards.today_at(client, request.at),
    }


def _numbers_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    return {"form": NumbersForm(**_numbers_form(request, client))}


def _findings_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    proposals = selectors.proposals(client, at=request.at)
    return {
        "findings": selectors.findings_of(client, at=request.at),
        "proposals": proposals,
        "form": FixesForm(proposals=proposals),
        "standard": standards.standard_of(client, at=request.at),
        "open_fixes": selectors.open_fixes(client),
    }


def _words_facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    page = web.page_of(client)
    return {"page": page, "snippet": embed.tag_for(page.key) if page is not None else ""}


# --- Its steps ------------------------------------------------------------------------------------------------------


def _redraw(step: SetupStep) -> Callable[[StaffRequest, Client, forms.Form], HttpResponse]:
    return lambda request, client, form: _show(request, client, step=step, form=form)


_action: Final = partial(action, right=Permission.MANAGE_CONSENT, back=_url)


def _load_managed(request: StaffRequest, client: Client) -> Client:
    if not access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS):
        raise PermissionDenied("You do not have permission to enter contract dates.")
    return client


@_action(AgreedForm, load=_load_managed, redraw=_redraw(SetupStep.ENGAGEMENT))
def save_agreed(request: StaffRequest, client: Client, form: AgreedForm) -> str:
    setup.agree(client=client, facts=form.cleaned_data, by=request.actor, at=request.at)
    return "Dates saved."


@_action(
    ConnectionForm,
    right=Permission.MANAGE_CONNECTIONS,
    back=lambda client: _url(client, SetupStep.TRACKER),
    errors={connections.VendorNotReviewedError: "provider"},
    redraw=_redraw(SetupStep.TRACKER),
)
def connect(request: StaffRequest, client: Client, form: ConnectionForm) -> Done:
    connection = connections.create_connection(
        client=client, by=request.actor, at=request.at, **form.cleaned_data
    )
    sets_up = access.may(request.membership, Permission.MANAGE_CONSENT, client, at=request.at)
    return Done(
        "Tracker connected. Paste the address at the tracker as described on its page.",
        "" if sets_up else reverse("calls:connection", args=[client.slug, connection.pk]),
    )


def _load_connectable(request: StaffRequest, client: Client) -> Client:
    if not access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at):
        raise PermissionDenied("You do not have permission to change tracking numbers.")
    return client


@_action(
    NumbersForm,
    load=_load_connectable,
    fill=_numbers_form,
    errors={numbers.HeardSinceError: FORM},
    redraw=_redraw(SetupStep.NUMBERS),
)
def confirm_numbers(request: StaffRequest, client: Client, form: NumbersForm) -> str:
    setup.confirm_numbers(client=client, said=form.said(), by=request.actor, at=request.at)
    nudge_decisions(client.agency_id)
    return "Numbers confirmed. Recordings are decided again."


@_action(
    FixesForm,
    fill=lambda request, client: {"proposals": selectors.proposals(client, at=request.at)},
    redraw=_redraw(SetupStep.FINDINGS),
)
def accept_fixes(request: StaffRequest, client: Client, form: FixesForm) -> str:
    made = setup.accept_fixes(client=client, fixes=form.fixes(), by=request.actor, at=request.at)
    tasks = f"{len(made)} task{'' if len(made) == 1 else 's'}"
    return f"{tasks} created for the tracker. Find them in the inbox."


@_action(MarkForm, invalid="You cannot mark this step as done. Complete it on its page.")
def mark_step(request: StaffRequest, client: Client, form: MarkForm) -> None:
    step, note = form.cleaned_data["step"], form.cleaned_data["note"]
    if form.cleaned_data["undo"]:
        setup.unmark(client=client, step=step, by=request.actor, at=request.at)
    else:
        setup.mark(client=client, step=step, note=note, by=request.actor, at=request.at)


# --- Blueprints -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def apply_blueprint(request: StaffRequest, client: Client) -> HttpResponse:
    if not access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS):
        raise PermissionDenied("You do not have permission to apply blueprints.")
    blueprint = _blueprint(request.GET.get("name", ""))
    if blueprint is None:
        return redirect(_url(client, SetupStep.BLUEPRINT))
    plan = blueprint_selectors.plan_for(client, blueprint, at=request.at)
    form = BlueprintForm(_posted(request), lowers=_signs(request, [plan]))
    if request.method == "POST" and form.is_valid():
        done = blueprints.apply(
            client=client, blueprint=blueprint, by=request.actor, at=request.at, **form.cleaned_data
        )
        messages.success(request, f"{blueprint.title}: {done.published} in force, {done.drafted} drafted.")
        return redirect(_url(client))
    context = {
        "client": client,
        "blueprint": blueprint,
        "plans": [plan],
        "form": form,
        "may_sign": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "is_refused": plan.lowers and not access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    return render(request, "consent/onboarding_blueprint.html", context)


def _blueprint(name: str) -> Blueprint | None:
    try:
        return blueprint_selectors.get(name)
    except UnknownBlueprintError:
        return None


def _posted(request: StaffRequest) -> Any:
    """The POST data, also of a form without a tick, which sends none."""
    return request.POST if request.method == "POST" else None


def _signs(request: StaffRequest, plans: list[Plan]) -> bool:
    """Whether applying lowers a standard, which only an officer may sign for, with a reason."""
    lowers = any(plan.lowers for plan in plans)
    if lowers and request.method == "POST" and not access.has_right(request.membership, AgencyRight.SIGN_OFF):
        raise PermissionDenied(
            "Only a compliance officer can apply this blueprint because it requires less than express consent."
        )
    return lowers


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.MANAGE_CLIENTS)
def list_blueprints(request: StaffRequest) -> HttpResponse:
    """Blueprints, and what one would change at many clients; then apply it to them."""
    clients = list(
        access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at)
        .filter(archived_at=None)
        .select_related("agency")[:CLIENTS_AT_ONCE]
    )
    choose = ChooseForm(request.GET or None, names=blueprints.names(), clients=clients)
    wanted = choose.cleaned_data if choose.is_valid() else {}
    blueprint = _blueprint(wanted.get("name", ""))
    chosen = [client for client in clients if client.slug in wanted.get("client", [])]
    plans = (
        [blueprint_selectors.plan_for(client, blueprint, at=request.at) for client in chosen]
        if blueprint is not None
        else []
    )
    form = BlueprintForm(_posted(request), lowers=_signs(request, plans)) if plans else None
    if request.method == "POST" and form is not None and blueprint is not None and form.is_valid():
        for client in chosen:
            blueprints.apply(
                client=client, blueprint=blueprint, by=request.actor, at=request.at, **form.cleaned_data
            )
        number = f"{len(chosen)} client{'' if len(chosen) == 1 else 's'}"
        messages.success(request, f"{blueprint.title} applied to {number}.")
        return redirect("consent:blueprints")
    context = {
        "blueprints": list(blueprint_selectors.blueprints().values()),
        "blueprint": blueprint,
        "choose": choose,
        "clients": clients,
        "plans": plans,
        "form": form,
        "may_sign": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "is_refused": any(plan.lowers for plan in plans)
        and not access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    return render(request, "consent/onboarding_blueprints.html", context)
