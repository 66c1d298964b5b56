"""Clients: the list, a new one, and the pages of one."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed, Role
from callprivacy.accounts.forms import ClientFilter, ClientForm, EngagementForm, NewClientForm
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import agencies, people
from callprivacy.accounts.views.pages import page_of
from callprivacy.tenancy.models import Client, Engagement, Place

PAGE = 50


@require_GET
def list_clients(request: StaffRequest) -> HttpResponse:
    """The clients a person may know of, worst first."""
    visible = access.visible_clients(request.membership, at=request.at)
    if not access.sees_every_client(request.membership):
        slugs = list(visible.values_list("slug", flat=True)[:2])
        if len(slugs) == 1:
            return redirect("accounts:client", slugs[0])
    form = ClientFilter(request.GET)
    wanted: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    found = visible.filter(archived_at=None).select_related("agency")
    if wanted.get("q"):
        found = found.filter(name__icontains=wanted["q"])
    if wanted.get("sector"):
        found = found.filter(sector=wanted["sector"])
    ranked = selectors.worst_first(found, membership=request.membership, at=request.at)
    page = page_of(request, ranked, size=PAGE)
    counts = selectors.count_people_of([client.pk for client, _ in page], at=request.at)
    rows = [{"client": client, "why": why, "people": counts.get(client.pk, 0)} for client, why in page]
    context = {
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "page": page,
        "rows": rows,
        "may_add": access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS),
    }
    return render(request, "accounts/clients.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_CLIENTS)
def new_client(request: StaffRequest) -> HttpResponse:
    initial = {"time_zone": request.agency.time_zone}
    form = NewClientForm(request.POST or None, initial=initial, people=_people_to_choose(request))
    if form.is_valid():
        try:
            client = agencies.create_client(
                agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data
            )
        except agencies.SlugTakenError:
            form.add_error("name", "Another client has this short name. Choose one that differs.")
        else:
            messages.success(request, f"{client.name} is added. It is in dry run until it goes live.")
            return redirect("accounts:client", slug=client.slug)
    return render(request, "accounts/new_client.html", {"form": form})


def _people_to_choose(request: StaffRequest) -> list[Membership]:
    """Active people whom this person may grant something; officers are granted every client anyway."""
    if not access.has_right(request.membership, AgencyRight.MANAGE_PEOPLE):
        return []
    found = selectors.people(at=request.at).active().exclude(role=Role.OFFICER)
    if not people.may_change_grants_of(request.membership, request.membership):
        found = found.exclude(pk=request.membership.pk)
    return list(found)


def _known_client_or_404(request: StaffRequest, slug: str) -> Client:
    """A client that the person may know of; its profile holds nothing of its callers."""
    client = (
        access.visible_clients(request.membership, at=request.at)
        .filter(slug=slug)
        .select_related("agency")
        .first()
    )
    if client is None:
        raise Http404
    return client


@require_GET
def show_client(request: StaffRequest, slug: str) -> HttpResponse:
    """A client's profile and engagement."""
    client = _known_client_or_404(request, slug)
    context = {
        "client": client,
        "places": list(Place.objects.for_client(client).order_by("country", "region")),
        "engagement": Engagement.objects.for_client(client).first(),
        "may_edit": access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS),
    }
    return render(request, "accounts/client.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_CLIENTS)
def edit_client(request: StaffRequest, slug: str) -> HttpResponse:
    """Change a client's profile."""
    client = _known_client_or_404(request, slug)
    places = list(
        Place.objects.for_client(client).order_by("country", "region").values_list("country", "region")
    )
    form = ClientForm(request.POST or None, initial=ClientForm.values_of(client, places))
    if form.is_valid():
        agencies.update_client(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("accounts:client", slug=client.slug)
    context = {"form": form, "client": client, "title": "Profile"}
    return render(request, "accounts/edit_client.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_CLIENTS)
@confirms(Deed.POLICY)
def edit_engagement(request: StaffRequest, slug: str) -> HttpResponse:
    """Change what was agreed with a client."""
    client = _known_client_or_404(request, slug)
    engagement = Engagement.objects.for_client(client).get()
    form = EngagementForm(request.POST or None, initial=EngagementForm.values_of(engagement))
    if form.is_valid():
        try:
            agencies.update_engagement(
                client=client,
                is_signed=access.has_right(request.membership, AgencyRight.SIGN_OFF),
                by=request.actor,
                at=request.at,
                **form.cleaned_data,
            )
        except agencies.NotSignedError as error:
            form.add_error("delete_at_vendor", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("accounts:client", slug=client.slug)
    context = {"form": form, "client": client, "title": "Engagement"}
    return render(request, "accounts/edit_client.html", context)


@require_GET
def list_people(request: StaffRequest, slug: str) -> HttpResponse:
    """Who sees a client, through which bundle, and until when."""
    client = _known_client_or_404(request, slug)
    context = {
        "client": client,
        "watchers": selectors.people_who_see(client, at=request.at),
        "may_change": access.has_right(request.membership, AgencyRight.MANAGE_PEOPLE),
    }
    return render(request, "accounts/client_people.html", context)
