"""Clients: the list, a new one, and the pages of one."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_GET

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed, Role
from callprivacy.accounts.forms import ClientFilter, ClientForm, EngagementForm, NewClientForm
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import agencies, people
from callprivacy.accounts.views.form_pages import Done, form_page
from callprivacy.accounts.views.pages import page_of
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Pill, Table, list_page
from callprivacy.tenancy.models import Client, Engagement, Place

PAGE = 50


@dataclass(frozen=True, slots=True)
class _ClientLine:
    client: Client
    why: str
    people: int


_NEW = Link("New client", reverse_lazy("accounts:new_client"), tone="primary")
_CLIENTS = Table(
    label="Clients",
    columns=(
        Column("Client", "client.name", link=lambda line: _address(line.client)),
        Column("Open tasks", "why", nothing="nothing"),
        Column("Sector", "client.get_sector_display"),
        Column(
            "Last call",
            lambda line: line.client.last_call_at and Moment(line.client.last_call_at, line.client.time_zone),
            nothing="none yet",
        ),
        Column("People", "people", is_number=True),
        Column(
            "Retention",
            lambda line: (
                Pill("Enforced", "good") if line.client.retention_state == "live" else Pill("Dry run", "warn")
            ),
        ),
    ),
    empty=Empty(
        "No client yet",
        "Each client's calls, numbers, people and policies are kept apart from every other client's.",
        "clients",
        _NEW,
    ),
)
_NOT_GRANTED = Empty(
    "No client is granted to you yet",
    "Ask an admin or the compliance officer of your agency to give you the clients that you work for.",
    "clients",
)


@require_GET
def list_clients(request: StaffRequest) -> HttpResponse:
    visible = access.visible_clients(request.membership, at=request.at)
    if not access.sees_every_client(request.membership):
        slugs = list(visible.values_list("slug", flat=True)[:2])
        if len(slugs) == 1:
            return redirect("accounts:client", slugs[0])
    narrowed = ClientFilter(request.GET, queryset=visible.filter(archived_at=None).select_related("agency"))
    ranked = selectors.worst_first(narrowed.qs, membership=request.membership, at=request.at)
    page = page_of(request, ranked, size=PAGE)
    counts = selectors.count_people_of([client.pk for client, _ in page], at=request.at)
    rows = [_ClientLine(client, why, counts.get(client.pk, 0)) for client, why in page]
    may_add = access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS)
    context = {
        "table": _CLIENTS.draw(request, rows, empty=None if may_add else _NOT_GRANTED)
        | {
            "form": narrowed.form,
            "active": sum(bool(value) for value in narrowed.form.cleaned_data.values()),
        },
        "page": page,
        "about": "The companies you work for, most open tasks first.",
        "actions": [_NEW] if may_add else [],
    }
    return render(request, "accounts/clients.html", context)


def _above(client: Client | None) -> list[tuple[str, str]]:
    return [("Clients", reverse("accounts:clients")), *([(client.name, _address(client))] if client else [])]


def _address(client: Client) -> str:
    return reverse("accounts:client", args=[client.slug])


@form_page(
    NewClientForm,
    right=AgencyRight.MANAGE_CLIENTS,
    title="New client",
    lede=(
        "A new client starts in dry run: calls arrive and are encrypted, and nothing is deleted until an officer takes"
        " it live."
    ),
    button="Add the client",
    crumbs=_above,
    fill=lambda request, _: {
        "initial": {"time_zone": request.agency.time_zone},
        "people": _people_to_choose(request),
    },
    errors={agencies.SlugTakenError: "name"},
)
def new_client(request: StaffRequest, _: None, form: NewClientForm) -> Done:
    client = agencies.create_client(
        agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data
    )
    return Done(f"{client.name} is added. It is in dry run until it goes live.", _address(client))


def _people_to_choose(request: StaffRequest) -> list[Membership]:
    """Active people whom this person may grant something; officers are granted every client anyway."""
    if not access.has_right(request.membership, AgencyRight.MANAGE_PEOPLE):
        return []
    members = selectors.people(at=request.at).active().exclude(role=Role.OFFICER)
    if not people.may_change_grants_of(request.membership, request.membership):
        members = members.exclude(pk=request.membership.pk)
    return list(members)


def _known_client_or_404(request: StaffRequest, slug: str) -> Client:
    """A client that the person may know of; its profile holds nothing of its callers."""
    visible = access.visible_clients(request.membership, at=request.at)
    return get_object_or_404(visible.select_related("agency"), slug=slug)


@require_GET
def show_client(request: StaffRequest, slug: str) -> HttpResponse:
    client = _known_client_or_404(request, slug)
    context = {
        "client": client,
        "places": list(Place.objects.for_client(client).order_by("country", "region")),
        "engagement": Engagement.objects.for_client(client).first(),
        "may_edit": access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS),
    }
    return render(request, "accounts/client.html", context)


def _fill_profile(_: StaffRequest, client: Client) -> dict[str, Any]:
    places = Place.objects.for_client(client).order_by("country", "region").values_list("country", "region")
    return {"initial": ClientForm.values_of(client, list(places))}


@form_page(
    ClientForm,
    right=AgencyRight.MANAGE_CLIENTS,
    load=_known_client_or_404,
    title=lambda client: f"Profile of {client.name}",
    button="Save",
    crumbs=_above,
    fill=_fill_profile,
)
def edit_client(request: StaffRequest, client: Client, form: ClientForm) -> str:
    agencies.update_client(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    return "Saved."


@form_page(
    EngagementForm,
    right=AgencyRight.MANAGE_CLIENTS,
    confirms=Deed.POLICY,
    load=_known_client_or_404,
    title=lambda client: f"Engagement of {client.name}",
    button="Save",
    crumbs=_above,
    fill=lambda _, client: {"initial": EngagementForm.values_of(Engagement.objects.for_client(client).get())},
    errors={agencies.NotSignedError: "delete_at_vendor"},
)
def edit_engagement(request: StaffRequest, client: Client, form: EngagementForm) -> str:
    agencies.update_engagement(
        client=client,
        is_signed=access.has_right(request.membership, AgencyRight.SIGN_OFF),
        by=request.actor,
        at=request.at,
        **form.cleaned_data,
    )
    return "Saved."


@dataclass(frozen=True, slots=True)
class _Watcher:
    membership: Membership
    cell: selectors.Cell
    client: Client
    may_change: bool

    def link(self) -> str:
        return reverse("accounts:person", args=[self.membership.pk]) if self.may_change else ""

    def links(self) -> list[Link]:
        if not self.may_change:
            return []
        back = {"back": reverse("accounts:client_people", args=[self.client.slug])}
        cell = reverse("accounts:cell", args=[self.membership.pk, self.client.slug], query=back)
        return [Link("Change", cell, f"what {self.membership.user} may do")]


def _people_links(request: StaffRequest, slug: str) -> list[Link]:
    if not access.has_right(request.membership, AgencyRight.MANAGE_PEOPLE):
        return []
    name = _known_client_or_404(request, slug).name
    return [Link("Open the matrix", reverse("accounts:matrix", query={"c": name}))]


@list_page(
    Table(
        label="People who see this client",
        columns=(
            Column("Person", "membership.user", link=_Watcher.link),
            Column("May do as", "cell.bundle.label"),
            Column("Until", "cell.last_instant", nothing="no end"),
            Column("Granted by", "cell.granted_by"),
            Column("Granted", "cell.granted_at"),
        ),
        links=_Watcher.links,
        empty=Empty(
            "No one can see this client",
            "An admin or compliance officer grants access to the people who work for it.",
            "people",
        ),
    ),
    right=None,
    actions=_people_links,
)
def list_people(request: StaffRequest, slug: str) -> list[_Watcher]:
    client = _known_client_or_404(request, slug)
    may_change = access.has_right(request.membership, AgencyRight.MANAGE_PEOPLE)
    return [
        _Watcher(one.membership, one.cell, client, may_change)
        for one in selectors.people_who_see(client, at=request.at)
    ]
