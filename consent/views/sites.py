"""Answering sites of a client, their numbers, and the acknowledgements of staff who answer calls."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, Confirmation, Done, action, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language
from consent.forms.sites import AcknowledgementForm, LeftForm, NumbersForm, SiteForm
from consent.models import Acknowledgement, AnsweringSite
from consent.selectors import notices as notice_selectors
from consent.selectors import sites as selectors
from consent.selectors import standards, wording
from consent.services import sites
from consent.tasks.decisions import nudge_decisions

_LAW: Final = (
    "The law at this location applies to every call answered there; saving a change decides recordings again."
)


def _find(client: Client, site_id: UUID) -> AnsweringSite:
    return get_object_or_404(selectors.site_rows(client), pk=site_id)


@require_safe
@needs(Permission.VIEW_CLIENT)
def list_sites(request: StaffRequest, client: Client) -> HttpResponse:
    return _list(request, client)


def _list(request: StaffRequest, client: Client, form: NumbersForm | None = None) -> HttpResponse:
    rows = selectors.sites_of(client)
    numbers = selectors.numbers_by_site(client)
    if form is None and rows:
        form = NumbersForm(rows=numbers, sites=rows)
    context = {"client": client, "sites": rows, "numbers": numbers, "form": form}
    return render(request, "consent/sites.html", context)


@form_page(
    SiteForm,
    right=Permission.MANAGE_CONSENT,
    title="New answering site",
    lede=_LAW,
    button="Save site",
    crumbs=lambda client: [("Answering sites", reverse("consent:sites", args=[client.slug]))],
    fill=lambda _, client: {"initial": {"country": client.home_country}},
    errors={sites.NameTakenError: "name"},
)
def add_site(request: StaffRequest, client: Client, form: SiteForm) -> Done:
    site = sites.add_site(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    nudge_decisions(client.agency_id)
    address = reverse("consent:site", args=[client.slug, site.pk])
    return Done("Site added. Recordings are decided again within minutes.", address)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_site(request: StaffRequest, client: Client, site_id: UUID) -> HttpResponse:
    """One site: its location, numbers and acknowledgements."""
    return _show(request, _find(client, site_id))


def _show(
    request: StaffRequest, site: AnsweringSite, form: AcknowledgementForm | None = None
) -> HttpResponse:
    today = standards.today_at(site.client, request.at)
    words = wording.ready_acknowledgement(Language.ENGLISH, notice_selectors.facts_about(site.client))
    initial = {"acknowledged_on": today, "words": words}
    context = {
        "client": site.client,
        "site": site,
        "numbers": list(selectors.numbers_at(site)[:50]),
        "people": list(selectors.acknowledgements_of(site)[:200]),
        "form": form or AcknowledgementForm(today=today, initial=initial),
    }
    return render(request, "consent/site.html", context)


def _above(site: AnsweringSite) -> list[tuple[str, str]]:
    slug = site.client.slug
    return [
        ("Answering sites", reverse("consent:sites", args=[slug])),
        (site.name, reverse("consent:site", args=[slug, site.pk])),
    ]


@form_page(
    SiteForm,
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client, site_id: _find(client, site_id),
    title=lambda site: f"Edit {site.name}",
    lede=_LAW,
    button="Save site",
    crumbs=_above,
    fill=lambda _, site: {"initial": {name: getattr(site, name) for name in SiteForm.base_fields}},
    errors={sites.NameTakenError: "name", sites.StillNamedError: "is_default"},
)
def change_site(request: StaffRequest, site: AnsweringSite, form: SiteForm) -> str | None:
    if not _may_rename(request, site, form.cleaned_data["name"]):
        form.add_error("name", "You do not have permission to rename a site that tracking numbers use.")
        return None
    sites.change_site(site=site, client=site.client, by=request.actor, at=request.at, **form.cleaned_data)
    nudge_decisions(site.agency_id)
    return "Site saved. Recordings are decided again within minutes."


def _may_rename(request: StaffRequest, site: AnsweringSite, name: str) -> bool:
    if name == site.name or not selectors.numbers_at(site).exists():
        return True
    return access.may(request.membership, Permission.MANAGE_CONNECTIONS, site.client, at=request.at)


def _load_removable(request: StaffRequest, client: Client, site_id: UUID) -> AnsweringSite | HttpResponse:
    site = _find(client, site_id)
    if selectors.numbers_at(site).exists():
        messages.warning(request, "Tracking numbers use this site. Assign them to another site first.")
        return redirect("consent:site", client.slug, site.pk)
    return site


@form_page(
    right=Permission.MANAGE_CONSENT,
    load=_load_removable,
    title=lambda site: f"Remove {site.name}",
    button="Remove site",
    crumbs=_above,
    confirm=lambda _, site: Confirmation(
        "The site and its acknowledgements are deleted",
        "This cannot be undone. Its law no longer applies, and recordings are decided again.",
        extent=[
            {"label": "Acknowledgements to delete", "value": selectors.acknowledgements_of(site).count()},
            {"label": "Location", "value": f"{site.country}-{site.region}".rstrip("-")},
        ],
    ),
    errors={sites.StillNamedError: WARNING},
)
def remove_site(request: StaffRequest, site: AnsweringSite, _: Any) -> Done:
    sites.remove_site(site=site, client=site.client, by=request.actor, at=request.at)
    nudge_decisions(site.agency_id)
    return Done("Site removed.", reverse("consent:sites", args=[site.client.slug]))


def _load_connectable(request: StaffRequest, client: Client) -> Client:
    if not access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at):
        raise PermissionDenied("You do not have permission to change tracking numbers.")
    return client


@action(
    NumbersForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_connectable,
    back=lambda client: reverse("consent:sites", args=[client.slug]),
    fill=lambda _, client: {"rows": selectors.numbers_by_site(client), "sites": selectors.sites_of(client)},
    redraw=_list,
)
def assign_numbers(request: StaffRequest, client: Client, form: NumbersForm) -> str:
    changed = sites.assign_numbers(client=client, chosen=form.chosen(), by=request.actor, at=request.at)
    nudge_decisions(client.agency_id)
    return f"{changed} number{'' if changed == 1 else 's'} changed."


@action(
    AcknowledgementForm,
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client, site_id: _find(client, site_id),
    back=lambda site: _above(site)[-1][1],
    fill=lambda request, site: {"today": standards.today_at(site.client, request.at)},
    errors={sites.AcknowledgedError: "person"},
    redraw=_show,
)
def acknowledge(request: StaffRequest, site: AnsweringSite, form: AcknowledgementForm) -> str:
    sites.acknowledge(
        site=site,
        person=form.cleaned_data["person"],
        words=form.cleaned_data["words"],
        on=form.cleaned_data["acknowledged_on"],
        by=request.actor,
        at=request.at,
    )
    return "Acknowledgment saved."


def _load_acknowledgement(
    _: StaffRequest, client: Client, site_id: UUID, acknowledgement_id: UUID
) -> Acknowledgement:
    rows = selectors.acknowledgements_of(_find(client, site_id)).select_related("site__client")
    return get_object_or_404(rows, pk=acknowledgement_id)


@form_page(
    LeftForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_acknowledgement,
    title=lambda row: f"{row.person} no longer answers calls",
    lede="The acknowledgement is kept for earlier calls.",
    button="Save date",
    crumbs=lambda row: _above(row.site),
    fill=lambda request, row: {"initial": {"left_on": standards.today_at(row.site.client, request.at)}},
    errors={sites.LeftTooEarlyError: "left_on"},
)
def note_left(request: StaffRequest, row: Acknowledgement, form: LeftForm) -> str:
    sites.note_left(acknowledgement=row, on=form.cleaned_data["left_on"], by=request.actor, at=request.at)
    return "Saved."
