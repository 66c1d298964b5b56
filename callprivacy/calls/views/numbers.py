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
from callprivacy.calls.forms.connections import NumberForm
from callprivacy.calls.models import TrackingNumber
from callprivacy.calls.services import numbers
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


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
