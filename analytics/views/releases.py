"""Releases as people prepare, sign, take and end them."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analytics.forms.releases import FloorForm, ReleaseForm, SettingForm, WhyForm
from analytics.models.releases import Release, ReleaseKind, ReleaseState, ReleaseTrial
from analytics.selectors import plans
from analytics.selectors import releases as selectors
from analytics.selectors.releasable import COLUMNS
from analytics.services import recipients, releases
from analytics.tasks import releases as tasks
from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.calls.enums import JobState
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake
from callprivacy.tenancy.models import Client


@require_safe
@never_cache
def show_all(request: StaffRequest) -> HttpResponse:
    """Releases of every client whose data the person may release, what waits first."""
    clients = list(access.clients_with(request.membership, Permission.RELEASE_DATA, at=request.at))
    if not clients:
        raise PermissionDenied("Releasing data is not granted to you for any client.")
    context = {
        "clients_here": clients,
        "open": selectors.open_releases(clients),
        "page": selectors.page(clients, before=request.GET.get("before", "")),
        "floor": selectors.floor_of(request.agency.pk),
        "may_see_reports": bool(
            access.client_ids_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at)
        ),
        "may_set_floor": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "caveat": selectors.CAVEAT,
    }
    return render(request, "analytics/releases_all.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def set_floor(request: StaffRequest) -> HttpResponse:
    """The least the agency asks of every release."""
    floor = selectors.floor_of(request.agency.pk)
    form = FloorForm(request.POST or None, initial={"k": floor.k, "most_suppressed": floor.most_suppressed})
    if request.method == "POST" and form.is_valid():
        recipients.set_floor(agency=request.agency, **form.cleaned_data, by=request.actor, at=request.at)
        messages.success(
            request, "The floor is set, for every release that is proposed or signed from now on."
        )
        return redirect("analytics:releases")
    return render(request, "analytics/release_floor.html", {"form": form})


@require_safe
@never_cache
@needs(Permission.RELEASE_DATA)
def show_client(request: StaffRequest, client: Client) -> HttpResponse:
    """One client's releases and recipients."""
    context = {
        "client": client,
        "open": selectors.open_releases([client]),
        "page": selectors.page([client], before=request.GET.get("before", "")),
        "recipients": selectors.recipients(client),
        "groups": selectors.groups_of(client),
        "is_health": selectors.is_health(client),
        "is_of_children": selectors.is_of_children(client),
        "caveat": selectors.CAVEAT,
    }
    return render(request, "analytics/releases_client.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def new(request: StaffRequest, client: Client) -> HttpResponse:
    """Begin a release: for whom, what for, which columns, which days."""
    found = selectors.recipients(client)
    today = calendars.day_in(client.time_zone, request.at)
    form = ReleaseForm(
        request.POST or None,
        recipients=found,
        today=today,
        terms=selectors.terms(client),
        kinds=[
            kind
            for kind in ReleaseKind
            if kind == ReleaseKind.ANONYMISED
            or access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at)
        ],
        initial={"recipient": request.GET.get("recipient", "")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            release = releases.draft_release(
                client=client, recipient=form.picked, wish=form.wish, by=request.actor, at=request.at
            )
        except releases.NotReleasableError as error:
            form.add_error(None, str(error))
        else:
            return redirect("analytics:release", client.slug, release.pk)
    context = {
        "client": client,
        "form": form,
        "recipients": found,
        "is_health": selectors.is_health(client),
        "is_of_children": selectors.is_of_children(client),
        "caveat": selectors.CAVEAT,
    }
    return render(request, "analytics/release_new.html", context)


def _find(request: StaffRequest, client: Client, release_id: UUID) -> Release:
    """One release; a pseudonymized one holds rows of persons, so only for a person who may see the client's calls."""
    release = get_object_or_404(selectors.rows(client).select_related("client__agency"), pk=release_id)
    if release.kind == ReleaseKind.PSEUDONYMISED:
        access.require(request, Permission.VIEW_CALLS, client)
    return release


@require_safe
@never_cache
@needs(Permission.RELEASE_DATA)
def show(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """One release: as a draft with its sliders, else with its figures, its state and what can be done."""
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
@never_cache
@needs(Permission.RELEASE_DATA)
def try_setting(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """Try a setting of k, l and t; the answer is the panel that shows what it costs and risks."""
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
        return redirect("analytics:release", client.slug, release.pk)
    if trial.due_at is not None:
        wake(tasks.try_setting, agency_id=trial.agency_id, trial_id=str(trial.pk))
    if is_part:
        trial.release = release
        return render(request, "analytics/release_trial.html", _tried(trial))
    return redirect("analytics:tried", client.slug, release.pk, trial.pk)


@require_safe
@never_cache
@needs(Permission.RELEASE_DATA)
def tried(request: StaffRequest, client: Client, release_id: UUID, trial_id: UUID) -> HttpResponse:
    """How far a trial is, and what it found."""
    release = _find(request, client, release_id)
    rows = ReleaseTrial.objects.for_client(client).filter(release=release)
    trial = get_object_or_404(rows, pk=trial_id)
    trial.release = release
    if request.htmx:  # type: ignore[attr-defined]  # django-htmx sets it
        return render(request, "analytics/release_trial.html", _tried(trial))
    form = _setting_form(release)
    form.initial = {"k": trial.k, "l": trial.l or 1, "t": trial.t if trial.t is not None else 1}
    return _draft(request, release, form, trial)


@require_POST
@never_cache
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def propose(request: StaffRequest, client: Client, release_id: UUID, trial_id: UUID) -> HttpResponse:
    """Propose a draft with what was tried, for a second person to sign."""
    release = _find(request, client, release_id)
    rows = ReleaseTrial.objects.for_client(client).filter(release=release)
    trial = get_object_or_404(rows, pk=trial_id)
    try:
        releases.propose(release=release, trial=trial, by=request.actor, at=request.at)
    except (releases.NotOpenError, releases.NotReleasableError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It waits for a second officer. Nothing has left yet.")
    return redirect("analytics:release", client.slug, release.pk)


# --- Deciding -------------------------------------------------------------------------------------------------------


@require_POST
@never_cache
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def approve(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """Sign another person's release."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    release = _find(request, client, release_id)
    try:
        releases.approve(release=release, officer=request.membership, at=request.at)
    except (releases.NotOpenError, seconding.NotCountedError, releases.NotReleasableError) as error:
        messages.error(request, str(error))
    else:
        wake(tasks.build_release, agency_id=release.agency_id, release_id=str(release.pk))
        messages.success(
            request, "Signed. The file is being built, and compared with everything released before."
        )
    return redirect("analytics:release", client.slug, release.pk)


@require_POST
@never_cache
@needs(Permission.RELEASE_DATA)
@sensitive_post_parameters("reason")
def refuse(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """Say no to another person's release."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    release = _find(request, client, release_id)
    form = WhyForm(request.POST)
    if not form.is_valid():
        return _shown(request, release, form)
    try:
        releases.refuse(
            release=release,
            officer=request.membership,
            reason=form.cleaned_data["reason"],
            at=request.at,
        )
    except (releases.NotOpenError, seconding.SamePersonError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Refused. Who proposed it is told.")
    return redirect("analytics:release", client.slug, release.pk)


@require_POST
@never_cache
@needs(Permission.RELEASE_DATA)
def withdraw(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """Take back a draft, or what waits."""
    release = _find(request, client, release_id)
    try:
        releases.withdraw(release=release, by=request.actor, at=request.at)
    except releases.NotOpenError as error:
        messages.error(request, str(error))
        return redirect("analytics:release", client.slug, release.pk)
    messages.success(request, "It is withdrawn. Nothing left.")
    return redirect("analytics:client_releases", client.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.RELEASE_DATA)
@sensitive_post_parameters("reason")
def revoke(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """End a live release before its date, with a reason; the recipient is told."""
    release = _find(request, client, release_id)
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            releases.revoke(
                release=release, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
            )
        except releases.NotOpenError as error:
            messages.error(request, str(error))
        else:
            wake(tasks.end_releases, agency_id=release.agency_id)
            messages.success(
                request, "Revoked. Our file is destroyed within a minute, and the recipient is told."
            )
        return redirect("analytics:release", client.slug, release.pk)
    if release.state != ReleaseState.RELEASED:
        return redirect("analytics:release", client.slug, release.pk)
    context = {
        "client": client,
        "release": release,
        "form": form,
        "extent": [
            {"label": "File", "value": f"{release.rows:,} calls, {selectors.days(release)}"},
            {"label": "Recipient", "value": release.recipient.name},
            {"label": "Told at", "value": release.recipient.email},
        ],
        "stays": [
            "What the recipient has already taken, until they delete it: the message asks them to.",
            "The data sheet's figures, and the trail.",
        ],
    }
    return render(request, "analytics/release_revoke.html", context)


# --- The file -------------------------------------------------------------------------------------------------------


@require_POST
@never_cache
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def take(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """Give out the file, once it is written down who takes it."""
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
@never_cache
@needs(Permission.RELEASE_DATA)
def take_sheet(request: StaffRequest, client: Client, release_id: UUID) -> HttpResponse:
    """The data sheet that goes with the file."""
    release = _find(request, client, release_id)
    answer = HttpResponse(selectors.sheet(release), content_type="text/markdown; charset=utf-8")
    name = f"data-sheet-{client.slug}-{release.from_on:%Y-%m-%d}.md"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer
