"""Releases: prepared, signed, downloaded and revoked."""

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from analytics.forms.releases import FloorForm, ReleaseForm, SettingForm, WhyForm
from analytics.models.releases import Release, ReleaseKind, ReleaseState, ReleaseTrial
from analytics.selectors import plans
from analytics.selectors import releases as selectors
from analytics.selectors.releasable import COLUMNS
from analytics.services import recipients, releases
from analytics.tasks import releases as tasks
from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import ERROR, FORM, Confirmation, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.calls.enums import JobState
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake
from callprivacy.tenancy.models import Client


def _address(release: Release) -> str:
    return reverse("analytics:release", args=[release.client.slug, release.pk])


def _find(request: StaffRequest, client: Client, release_id: UUID) -> Release:
    """One release; a pseudonymized one holds rows of persons, so only for a person who may see the client's calls."""
    release = get_object_or_404(selectors.rows(client).select_related("client__agency"), pk=release_id)
    if release.kind == ReleaseKind.PSEUDONYMISED:
        access.require(request, Permission.VIEW_CALLS, client)
    return release


_TONES: Final = {
    ReleaseState.RELEASED: "good",
    ReleaseState.WAITING: "warn",
    ReleaseState.APPROVED: "warn",
    ReleaseState.REFUSED: "bad",
    ReleaseState.REVOKED: "bad",
}


def _state(release: Release) -> Pill:
    return Pill(release.get_state_display(), _TONES.get(ReleaseState(release.state), "neutral"))


def _ends_on(release: Release) -> date | None:
    at = release.ended_at or release.ends_at
    return at and calendars.day_in(release.client.time_zone, at)


_DECIDED: Final = Table(
    label="Completed releases",
    columns=(
        Column("Recipient", "recipient.name", link=_address),
        Column("Client", "client.name"),
        Column("Data", "get_kind_display", note=lambda release: f"k {release.k}" if release.k else ""),
        Column("Days", selectors.days),
        Column("State", _state),
        Column("Calls", "rows", is_number=True),
        Column("Ends", _ends_on),
    ),
    empty=Empty(
        "No releases yet",
        "A release shares calls with a recipient: generalized so that callers are hidden among others, signed by two"
        " people, and ended on its date.",
        "reports",
    ),
    size=selectors.PAGE,
)


def _tables(request: StaffRequest, clients: list[Client], table: Table, empty: Empty) -> dict[str, Any]:
    pending = replace(table, label="Pending releases")
    return {
        "pending": pending.draw(request, selectors.open_releases(clients)),
        "decided": table.draw(request, selectors.decided_releases(clients), empty=empty),
        "caveat": selectors.CAVEAT,
    }


@require_safe
def show_all(request: StaffRequest) -> HttpResponse:
    clients = list(access.clients_with(request.membership, Permission.RELEASE_DATA, at=request.at))
    if not clients:
        raise PermissionDenied("Releasing data is not granted to you for any client.")
    context = {
        "clients_here": clients,
        **_tables(request, clients, _DECIDED, _DECIDED.empty),
        "floor": selectors.floor_of(request.agency.pk),
        "may_set_floor": access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    return render(request, "analytics/releases_all.html", context)


def _floor(request: StaffRequest, _: Any) -> dict[str, Any]:
    floor = selectors.floor_of(request.agency.pk)
    return {"initial": {"k": floor.k, "most_suppressed": floor.most_suppressed}}


@form_page(
    FloorForm,
    right=AgencyRight.SIGN_OFF,
    title="Minimum for releases",
    lede="It applies when a release is proposed, signed or built. Released files stay until they end.",
    button="Save the minimum",
    crumbs=lambda _: [("Releases", reverse("analytics:releases"))],
    fill=_floor,
)
def set_floor(request: StaffRequest, _: Any, form: FloorForm) -> str:
    recipients.set_floor(agency=request.agency, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. The minimum applies to every release that is proposed or signed from now on."


def _of_client(client: Client) -> str:
    return reverse("analytics:client_releases", args=[client.slug])


def _empty_of(client: Client, *, has_recipients: bool) -> Empty:
    if not has_recipients:
        return Empty(
            "No recipient yet",
            "First add who may receive data: the company, its address, and the contract.",
            "people",
            Link("New recipient", reverse("analytics:recipient_new", args=[client.slug])),
        )
    if selectors.why_no_row_leaves(client):
        return Empty("No releases", "No rows of this client’s calls may be released.", "reports")
    return Empty(
        "No releases yet",
        "Select days and columns, see the cost and risk of a setting, and have a second officer sign it.",
        "reports",
        Link("New release", reverse("analytics:release_new", args=[client.slug])),
    )


@require_safe
@needs(Permission.RELEASE_DATA)
def show_client(request: StaffRequest, client: Client) -> HttpResponse:
    known = selectors.recipients(client)
    table = replace(_DECIDED, columns=[one for one in _DECIDED.columns if one.label != "Client"])
    context = {
        "client": client,
        **_tables(request, [client], table, _empty_of(client, has_recipients=bool(known))),
        "recipients": known,
        "groups": selectors.groups_of(client),
        "closed": selectors.why_no_row_leaves(client),
    }
    return render(request, "analytics/releases_client.html", context)


def _choices(request: StaffRequest, client: Client) -> dict[str, Any]:
    return {
        "recipients": selectors.recipients(client),
        "today": calendars.day_in(client.time_zone, request.at),
        "terms": selectors.terms(client),
        "kinds": [
            kind
            for kind in ReleaseKind
            if kind == ReleaseKind.ANONYMISED
            or access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at)
        ],
        "initial": {"recipient": request.GET.get("recipient", "")},
    }


@form_page(
    ReleaseForm,
    right=Permission.RELEASE_DATA,
    confirms=Deed.RELEASE,
    title=lambda client: f"New release of {client.name}",
    lede=f"{selectors.CAVEAT} Next you see what a setting costs and risks.",
    button="Next: see cost and risk",
    crumbs=lambda client: [("Releases", _of_client(client))],
    fill=_choices,
    more=lambda _, client: {
        "closed": selectors.why_no_row_leaves(client),
        "recipients": selectors.recipients(client),
    },
    errors={releases.NotReleasableError: FORM},
    template="analytics/release_new.html",
)
def new(request: StaffRequest, client: Client, form: ReleaseForm) -> Done:
    release = releases.draft_release(
        client=client, recipient=form.picked, wish=form.wish, by=request.actor, at=request.at
    )
    return Done(to=_address(release))


@require_safe
@needs(Permission.RELEASE_DATA)
def show(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    release = _find(request, client, release_id)
    if release.state == ReleaseState.DRAFT:
        return _draft(request, release, _setting_form(release), None)
    return _shown(request, release, WhyForm())


def _plan(release: Release, report: dict[str, Any]) -> list[plans.Step]:
    return plans.plan(release, report) if release.kind == ReleaseKind.ANONYMISED else []


def _shown(request: StaffRequest, release: Release, form: WhyForm, status: int = 200) -> HttpResponse:
    is_live = release.state == ReleaseState.RELEASED
    context = {
        "client": release.client,
        "release": release,
        "days": selectors.days(release),
        "columns": [COLUMNS[name] for name in release.columns],
        "is_pseudonymised": release.kind == ReleaseKind.PSEUDONYMISED,
        "state": _state(release),
        "found": selectors.found(release.report) if release.report else [],
        "plan": _plan(release, release.report),
        "in_words": plans.risk_in_words(release.report),
        "risks": selectors.risks(release.report),
        "risk_now": selectors.risk_now(release),
        "digest": bytes(release.digest).hex() if release.digest else "",
        "may_decide": selectors.may_decide(release, request.membership, at=request.at),
        "doubt": seconding.may_second(
            proposer=release.proposed_by_id or request.membership.user_id,
            signer=request.membership.user_id,
            agency_id=release.agency_id,
            at=request.at,
        )
        if release.state == ReleaseState.WAITING
        else None,
        "is_mine": release.proposed_by_id == request.user.pk,
        "nobody_signs": release.state == ReleaseState.WAITING
        and not selectors.deciders(release, at=request.at),
        "is_waiting": release.state == ReleaseState.WAITING,
        "is_building": release.state == ReleaseState.APPROVED,
        "is_live": is_live,
        "can_take": is_live and release.file_key is not None,
        "ended_over": selectors.ended_over(release) if release.state == ReleaseState.WAITING else [],
        "form": form,
        "caveat": selectors.CAVEAT,
    }
    return render(request, "analytics/release_show.html", context, status=status)


# --- A draft --------------------------------------------------------------------------------------------------------


def _setting_form(release: Release, data: Any = None) -> SettingForm:
    return SettingForm(
        data,
        floor=selectors.floor_of(release.agency_id).k,
        has_sensitive=any(COLUMNS[name].role == "sensitive" for name in release.columns),
    )


def _draft(
    request: StaffRequest, release: Release, form: SettingForm, trial: ReleaseTrial | None
) -> HttpResponse:
    context = {
        "client": release.client,
        "release": release,
        "days": selectors.days(release),
        "columns": [COLUMNS[name] for name in release.columns],
        "is_pseudonymised": release.kind == ReleaseKind.PSEUDONYMISED,
        "form": form,
        "ended_over": selectors.ended_over(release),
        "caveat": selectors.CAVEAT,
        **_tried(trial),
    }
    return render(request, "analytics/release_draft.html", context)


def _tried(trial: ReleaseTrial | None) -> dict[str, Any]:
    if trial is None:
        return {"trial": None}
    release = trial.release
    is_done = trial.state == JobState.DONE
    return {
        "trial": trial,
        "release": release,
        "client": release.client,
        "is_done": is_done,
        "found": selectors.found(trial.result) if trial.result else [],
        "plan": _plan(release, trial.result),
        "in_words": plans.risk_in_words(trial.result),
        "risks": selectors.risks(trial.result),
        "progress": {
            "id": "trial-progress",
            "label": trial.step or "Reading the calls",
            "value": trial.done,
            "max": trial.total or None,
        },
        "url": reverse("analytics:tried", args=[release.client.slug, release.pk, trial.pk]),
    }


@require_POST
@needs(Permission.RELEASE_DATA)
def try_setting(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    release = _find(request, client, release_id)
    form = _setting_form(release, request.POST)
    is_part = bool(request.htmx)  # type: ignore[attr-defined]  # django-htmx sets it
    if release.kind == ReleaseKind.PSEUDONYMISED:
        setting: dict[str, Any] = {"k": selectors.floor_of(release.agency_id).k, "l": None, "t": None}
    elif form.is_valid():
        setting = form.setting
    else:
        if is_part:
            return render(request, "analytics/release_trial.html", {"trial": None, "form": form})
        return _draft(request, release, form, None)
    try:
        trial = releases.ask_trial(release=release, **setting, at=request.at)
    except (releases.NotOpenError, releases.NotReleasableError) as error:
        messages.error(request, str(error))
        return redirect(_address(release))
    if trial.due_at is not None:
        wake(tasks.try_setting, agency_id=trial.agency_id, trial_id=str(trial.pk))
    if is_part:
        trial.release = release
        return render(request, "analytics/release_trial.html", _tried(trial))
    return redirect("analytics:tried", client.slug, release.pk, trial.pk)


def _find_trial(request: StaffRequest, client: Client, release_id: UUID, trial_id: UUID) -> ReleaseTrial:
    release = _find(request, client, release_id)
    rows = ReleaseTrial.objects.for_client(client).filter(release=release)
    trial = get_object_or_404(rows, pk=trial_id)
    trial.release = release
    return trial


@require_safe
@needs(Permission.RELEASE_DATA)
def tried(request: StaffRequest, client: Client, release_id: UUID, trial_id: UUID) -> HttpResponse:
    trial = _find_trial(request, client, release_id, trial_id)
    if request.htmx:  # type: ignore[attr-defined]  # django-htmx sets it
        return render(request, "analytics/release_trial.html", _tried(trial))
    form = _setting_form(trial.release)
    form.initial = {"k": trial.k, "l": trial.l or 1, "t": trial.t if trial.t is not None else 1}
    return _draft(request, trial.release, form, trial)


_REFUSALS: Final = {
    releases.NotOpenError: ERROR,
    releases.NotReleasableError: ERROR,
    seconding.NotCountedError: ERROR,
}
_action = partial(action, right=Permission.RELEASE_DATA, load=_find, back=_address, errors=_REFUSALS)


@_action(load=_find_trial, back=lambda trial: _address(trial.release), confirms=Deed.RELEASE)
def propose(request: StaffRequest, trial: ReleaseTrial, _: Any) -> str:
    releases.propose(release=trial.release, trial=trial, by=request.actor, at=request.at)
    return "Proposed. A second officer must sign before data is shared."


# --- Deciding -------------------------------------------------------------------------------------------------------


def _find_to_sign(request: StaffRequest, client: Client, release_id: UUID) -> Release:
    access.require(request, AgencyRight.SIGN_OFF, client)
    return _find(request, client, release_id)


@_action(load=_find_to_sign, confirms=Deed.RELEASE, second=releases.approve)
def approve(request: StaffRequest, release: Release, _: Any) -> str:
    releases.approve(release=release, officer=request.membership, at=request.at)
    wake(tasks.build_release, agency_id=release.agency_id, release_id=str(release.pk))
    return "Signed. The file is being built, and compared with everything released before."


@_action(WhyForm, load=_find_to_sign, redraw=_shown, secret=("reason",))
def refuse(request: StaffRequest, release: Release, form: WhyForm) -> str:
    releases.refuse(
        release=release, officer=request.membership, reason=form.cleaned_data["reason"], at=request.at
    )
    return "Refused. The proposer is notified."


@_action()
def withdraw(request: StaffRequest, release: Release, _: Any) -> Done:
    releases.withdraw(release=release, by=request.actor, at=request.at)
    return Done("Withdrawn. No data was shared.", _of_client(release.client))


def _find_to_revoke(request: StaffRequest, client: Client, release_id: UUID) -> Release | HttpResponse:
    release = _find(request, client, release_id)
    if release.state == ReleaseState.RELEASED:
        return release
    messages.error(request, "Only a released file can be revoked.")
    return redirect(_address(release))


def _before_revoking(_: StaffRequest, release: Release) -> Confirmation:
    return Confirmation(
        "End it before its date",
        "The file can no longer be downloaded. It is destroyed with its key, and the recipient is asked by email to"
        " delete its copy.",
        extent=[
            {"label": "File", "value": f"{release.rows:,} calls, {selectors.days(release)}"},
            {"label": "Recipient", "value": release.recipient.name},
            {"label": "Notified at", "value": release.recipient.email},
        ],
        stays=[
            "Copies that the recipient already has, until it deletes them: the email asks for that.",
            "The data sheet’s figures, and the audit log.",
        ],
    )


@form_page(
    WhyForm,
    right=Permission.RELEASE_DATA,
    load=_find_to_revoke,
    title="Revoke a release",
    button="Revoke and notify the recipient",
    crumbs=lambda release: [
        ("Releases", _of_client(release.client)),
        (release.recipient.name, _address(release)),
    ],
    confirm=_before_revoking,
    errors=_REFUSALS,
    secret=("reason",),
)
def revoke(request: StaffRequest, release: Release, form: WhyForm) -> str:
    releases.revoke(release=release, reason=form.cleaned_data["reason"], by=request.actor, at=request.at)
    wake(tasks.end_releases, agency_id=release.agency_id)
    return "Revoked. Our file is destroyed within a minute, and the recipient is notified."


# --- The file -------------------------------------------------------------------------------------------------------


@require_POST
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def take(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    release = _find(request, client, release_id)
    try:
        file = releases.open_file(release=release, by=request.actor, at=request.at)
    except releases.GoneError:
        return _shown(request, release, WhyForm(), status=410)
    except releases.BeingChangedError as error:
        messages.error(request, str(error))
        return _shown(request, release, WhyForm(), status=409)
    name = f"{release.kind}-{client.slug}-{release.from_on:%Y-%m-%d}.csv"
    answer = FileResponse(file, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    # A streamed answer is no HttpResponse to the type checker; every middleware of ours takes both.
    return cast(HttpResponse, answer)


@require_safe
@needs(Permission.RELEASE_DATA)
def take_sheet(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    release = _find(request, client, release_id)
    answer = HttpResponse(selectors.sheet(release), content_type="text/markdown; charset=utf-8")
    name = f"data-sheet-{client.slug}-{release.from_on:%Y-%m-%d}.md"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer
