"""One tracking number: where it is shown, and what a caller hears there."""

from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.forms.connections import NewNumberForm, NumberForm, StrikeForm
from callprivacy.calls.models import Announcement, TrackingNumber
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.services import numbers
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def add_number(request: StaffRequest, client: Client) -> HttpResponse:
    """Write down a number before its first call."""
    zone = ZoneInfo(client.time_zone)
    with timezone.override(zone):
        form = NewNumberForm(request.POST or None, country=client.home_country, zone=zone)
        if request.method == "POST" and form.is_valid():
            facts = dict(form.cleaned_data)
            number, provider = facts.pop("number"), facts.pop("provider")
            try:
                numbers.add_number(
                    client=client,
                    number=number,
                    provider=provider,
                    facts=facts,
                    by=request.actor,
                    at=request.at,
                )
            except numbers.NumberKnownError as error:
                form.add_error("number", str(error))
            except numbers.HeardSinceError as error:
                form.add_error("announced_from", str(error))
            else:
                messages.success(request, "The number is written down.")
                return redirect("calls:client_connections", client.slug)
        context = {"client": client, "form": form}
        return render(request, "calls/number_new.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def describe_number(request: StaffRequest, client: Client, number_id: UUID) -> HttpResponse:
    number = get_object_or_404(TrackingNumber.objects.filter(client=client), pk=number_id)
    zone = ZoneInfo(client.time_zone)
    with timezone.override(zone):
        form = NumberForm(request.POST or None, number=number, zone=zone)
        if request.method == "POST" and form.is_valid():
            try:
                numbers.describe_number(
                    number=number, facts=form.cleaned_data, by=request.actor, at=request.at
                )
            except numbers.HeardSinceError as error:
                form.add_error("announced_from", str(error))
            else:
                messages.success(request, "Saved.")
                return redirect("calls:client_connections", client.slug)
        context = {
            "client": client,
            "number": number,
            "form": form,
            "heard": selectors.heard_on(number),
            "now": request.at,
        }
        return render(request, "calls/number.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def strike_announcement(
    request: StaffRequest, client: Client, number_id: UUID, announcement_id: UUID
) -> HttpResponse:
    """Strike out what callers of a number never heard, or not then."""
    rows = Announcement.objects.for_client(client).select_related("tracking_number")
    row = get_object_or_404(rows, pk=announcement_id, tracking_number_id=number_id)
    form = StrikeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            numbers.strike_announcement(
                announcement=row, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
            )
        except numbers.StruckError:
            messages.info(request, "It was struck out already.")
        else:
            messages.success(request, "Struck out. Calls that rest on it are decided anew within minutes.")
        return redirect("calls:describe_number", client.slug, number_id)
    # Who manages ways in may see no calls; a count of none would say that nothing rests on it.
    may_count = access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at)
    context = {
        "client": client,
        "row": row,
        "form": form,
        "recordings": selectors.recordings_under(row) if may_count else None,
    }
    return render(request, "calls/announcement_strike.html", context)
