"""One tracking number: where it is shown, and what a caller hears there."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.forms.connections import NewNumberForm, NumberForm
from callprivacy.calls.models import TrackingNumber
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
            else:
                messages.success(request, "The number is written down.")
                return redirect("calls:client_connections", client.slug)
        context = {"client": client, "tab": "connections", "form": form}
        return render(request, "calls/number_new.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def describe_number(request: StaffRequest, client: Client, number_id: UUID) -> HttpResponse:
    """Say what is known of a number."""
    number = get_object_or_404(TrackingNumber.objects.filter(client=client), pk=number_id)
    zone = ZoneInfo(client.time_zone)
    with timezone.override(zone):
        form = NumberForm(request.POST or None, number=number, zone=zone)
        if request.method == "POST" and form.is_valid():
            numbers.describe_number(number=number, facts=form.cleaned_data, by=request.actor, at=request.at)
            messages.success(request, "Saved.")
            return redirect("calls:client_connections", client.slug)
        context = {"client": client, "tab": "connections", "number": number, "form": form}
        return render(request, "calls/number.html", context)
