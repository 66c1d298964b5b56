"""Addresses of the agency's systems that are told of withdrawals, and where numbers go for advertising."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.forms.withdrawals import DestinationForm, EndpointForm
from consent.models import AdDestination, WebhookDelivery, WebhookEndpoint
from consent.selectors import withdrawals as selectors
from consent.services import destinations, webhooks


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def list_endpoints(request: StaffRequest, client: Client) -> HttpResponse:
    """Who is told, and how that goes."""
    context = {"client": client, "endpoints": selectors.endpoints(client)}
    return render(request, "consent/endpoints.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def add_endpoint(request: StaffRequest, client: Client) -> HttpResponse:
    """Have an address told; its secret is shown this once. Numbers are sent where an officer says so."""
    may_number = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    form = EndpointForm(request.POST or None, may_number=may_number)
    context: dict[str, Any] = {"client": client, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            row, secret = webhooks.add_endpoint(
                client=client, by=request.actor, at=request.at, **form.cleaned_data
            )
        except webhooks.AddressError as error:
            form.add_error("url", str(error))
        else:
            return render(request, "consent/endpoint_secret.html", context | {"row": row, "secret": secret})
    return render(request, "consent/endpoint_new.html", context)


def _find(client: Client, endpoint_id: UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.for_client(client).select_related("client")
    return get_object_or_404(rows, pk=endpoint_id)


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def show_endpoint(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    """One address and its newest messages."""
    row = _find(client, endpoint_id)
    context = {
        "client": client,
        "row": row,
        "deliveries": selectors.deliveries(row),
        "may_number": access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    return render(request, "consent/endpoint.html", context)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def ping(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    """Send a message that says nothing."""
    webhooks.ping(endpoint=_find(client, endpoint_id), by=request.actor, at=request.at)
    messages.success(request, "Test message queued. Reload in a minute to see the result.")
    return redirect("consent:endpoint", client.slug, endpoint_id)


@require_POST
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def rotate_secret(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    """Give it another secret, shown this once."""
    row = _find(client, endpoint_id)
    secret = webhooks.rotate_secret(endpoint=row, by=request.actor, at=request.at)
    context = {"client": client, "row": row, "secret": secret}
    return render(request, "consent/endpoint_secret.html", context)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def switch_number(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    """Have it told callers' numbers, which an officer decides, or no more."""
    on = request.POST.get("on") == "yes"
    if on:
        access.require(request, AgencyRight.SIGN_OFF, client)
    if webhooks.switch_number(endpoint=_find(client, endpoint_id), on=on, by=request.actor, at=request.at):
        messages.success(
            request, "Messages now include numbers." if on else "Messages no longer include numbers."
        )
    return redirect("consent:endpoint", client.slug, endpoint_id)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def close_endpoint(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    """Tell it nothing more."""
    if webhooks.close_endpoint(endpoint=_find(client, endpoint_id), by=request.actor, at=request.at):
        messages.success(request, "Endpoint closed. Pending messages are discarded.")
    return redirect("consent:endpoints", client.slug)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def send_again(request: StaffRequest, client: Client, endpoint_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Try a dead letter once more."""
    rows = WebhookDelivery.objects.for_client(client).filter(endpoint=_find(client, endpoint_id))
    delivery = get_object_or_404(rows, pk=delivery_id)
    if webhooks.send_again(delivery=delivery, by=request.actor, at=request.at):
        messages.success(request, "Message queued. It is sent again within a minute.")
    else:
        messages.info(request, "Not sent: the message was delivered, or its contents are deleted.")
    return redirect("consent:endpoint", client.slug, endpoint_id)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def list_destinations(request: StaffRequest, client: Client) -> HttpResponse:
    """Where a client's numbers are sent for advertising; one more is added here."""
    form = DestinationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            destinations.add(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        except destinations.NameTakenError:
            form.add_error("name", "A destination with this name exists already. Choose another name.")
        else:
            messages.success(request, "Destination added. Later opt-outs of sharing open a step for it.")
            return redirect("consent:destinations", client.slug)
    context = {
        "client": client,
        "form": form,
        "rows": selectors.ad_destinations(client),
    }
    return render(request, "consent/destinations.html", context)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def close_destination(request: StaffRequest, client: Client, destination_id: UUID) -> HttpResponse:
    """Nothing is sent there any more."""
    row = get_object_or_404(AdDestination.objects.for_client(client), pk=destination_id)
    if destinations.close(destination=row, by=request.actor, at=request.at):
        messages.success(request, "Destination ended. Open vendor steps stay open.")
    return redirect("consent:destinations", client.slug)
