"""Where a client's calls are answered, which numbers ring there, and who answers knowing of being recorded."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language
from consent.forms.sites import AcknowledgementForm, LeftForm, NumbersForm, SiteForm
from consent.models import AnsweringSite
from consent.selectors import notices as notice_selectors
from consent.selectors import sites as selectors
from consent.selectors import standards, wording
from consent.services import sites
from consent.tasks.decisions import nudge_decisions

_NOT_YOURS: Final = "You do not have permission to rename a site that tracking numbers use."


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, site_id: UUID) -> AnsweringSite:
    return get_object_or_404(selectors.site_rows(client), pk=site_id)


@require_safe
@needs(Permission.VIEW_CLIENT)
def list_sites(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's sites, and which numbers are answered where."""
    rows = selectors.sites_of(client)
    numbers = selectors.numbers_by_site(client)
    context = _context(
        client, sites=rows, numbers=numbers, form=NumbersForm(rows=numbers, sites=rows) if rows else None
    )
    return render(request, "consent/sites.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def add_site(request: StaffRequest, client: Client) -> HttpResponse:
    form = SiteForm(request.POST or None, initial={"country": client.home_country})
    if request.method == "POST" and form.is_valid():
        try:
            site = sites.add_site(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        except sites.NameTakenError as error:
            form.add_error("name", str(error))
        else:
            nudge_decisions(client.agency_id)
            messages.success(request, "Site added. Recordings are decided again within minutes.")
            return redirect("consent:site", client.slug, site.pk)
    return render(request, "consent/site_form.html", _context(client, form=form, site=None))


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_site(request: StaffRequest, client: Client, site_id: UUID) -> HttpResponse:
    """One site: its law, its numbers, and who answers there."""
    site = _find(client, site_id)
    return _show(request, client, site)


def _show(
    request: StaffRequest, client: Client, site: AnsweringSite, form: AcknowledgementForm | None = None
) -> HttpResponse:
    today = standards.today_at(client, request.at)
    words = wording.ready_acknowledgement(Language.ENGLISH, notice_selectors.facts_about(client))
    initial = {"acknowledged_on": today, "words": words}
    context = _context(
        client,
        site=site,
        numbers=list(selectors.numbers_at(site)[:50]),
        people=list(selectors.acknowledgements_of(site)[:200]),
        form=form or AcknowledgementForm(today=today, initial=initial),
    )
    return render(request, "consent/site.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def change_site(request: StaffRequest, client: Client, site_id: UUID) -> HttpResponse:
    site = _find(client, site_id)
    initial = {name: getattr(site, name) for name in SiteForm.base_fields}
    form = SiteForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        if not _may_rename(request, client, site, form.cleaned_data["name"]):
            form.add_error("name", _NOT_YOURS)
        else:
            try:
                sites.change_site(
                    site=site, client=client, by=request.actor, at=request.at, **form.cleaned_data
                )
            except sites.NameTakenError as error:
                form.add_error("name", str(error))
            except sites.StillNamedError as error:
                form.add_error("is_default", str(error))
            else:
                nudge_decisions(client.agency_id)
                messages.success(request, "Site saved. Recordings are decided again within minutes.")
                return redirect("consent:site", client.slug, site.pk)
    return render(request, "consent/site_form.html", _context(client, form=form, site=site))


def _may_rename(request: StaffRequest, client: Client, site: AnsweringSite, name: str) -> bool:
    if name == site.name or not selectors.numbers_at(site).exists():
        return True
    return access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def remove_site(request: StaffRequest, client: Client, site_id: UUID) -> HttpResponse:
    """Remove a site, after saying what goes with it."""
    site = _find(client, site_id)
    if request.method == "POST":
        try:
            sites.remove_site(site=site, client=client, by=request.actor, at=request.at)
        except sites.StillNamedError as error:
            messages.warning(request, str(error))
            return redirect("consent:site", client.slug, site.pk)
        nudge_decisions(client.agency_id)
        messages.success(request, "Site removed.")
        return redirect("consent:sites", client.slug)
    context = _context(
        client,
        site=site,
        people=selectors.acknowledgements_of(site).count(),
        numbers=selectors.numbers_at(site).count(),
    )
    return render(request, "consent/site_remove.html", context)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def assign_numbers(request: StaffRequest, client: Client) -> HttpResponse:
    """Say at which site each number is answered."""
    if not access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at):
        raise PermissionDenied("You do not have permission to change tracking numbers.")
    rows = selectors.sites_of(client)
    numbers = selectors.numbers_by_site(client)
    form = NumbersForm(request.POST, rows=numbers, sites=rows)
    if form.is_valid():
        changed = sites.assign_numbers(client=client, chosen=form.chosen(), by=request.actor, at=request.at)
        nudge_decisions(client.agency_id)
        messages.success(request, f"{changed} number{'' if changed == 1 else 's'} changed.")
        return redirect("consent:sites", client.slug)
    return render(request, "consent/sites.html", _context(client, sites=rows, numbers=numbers, form=form))


@require_POST
@needs(Permission.MANAGE_CONSENT)
def acknowledge(request: StaffRequest, client: Client, site_id: UUID) -> HttpResponse:
    """Write down that somebody who answers knows of being recorded."""
    site = _find(client, site_id)
    form = AcknowledgementForm(request.POST, today=standards.today_at(client, request.at))
    if form.is_valid():
        try:
            sites.acknowledge(
                site=site,
                person=form.cleaned_data["person"],
                words=form.cleaned_data["words"],
                on=form.cleaned_data["acknowledged_on"],
                by=request.actor,
                at=request.at,
            )
        except sites.AcknowledgedError as error:
            form.add_error("person", str(error))
        else:
            messages.success(request, "Acknowledgment saved.")
            return redirect("consent:site", client.slug, site.pk)
    return _show(request, client, site, form)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def note_left(request: StaffRequest, client: Client, site_id: UUID, acknowledgement_id: UUID) -> HttpResponse:
    """Note that somebody no longer answers there."""
    site = _find(client, site_id)
    row = get_object_or_404(selectors.acknowledgements_of(site), pk=acknowledgement_id)
    initial = {"left_on": standards.today_at(client, request.at)}
    form = LeftForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            sites.note_left(
                acknowledgement=row, on=form.cleaned_data["left_on"], by=request.actor, at=request.at
            )
        except sites.LeftTooEarlyError as error:
            form.add_error("left_on", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("consent:site", client.slug, site.pk)
    context = _context(client, site=site, acknowledgement=row, form=form)
    return render(request, "consent/site_left.html", context)
