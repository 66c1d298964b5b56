"""Webhook endpoints of the agency's systems, which get withdrawals, and where numbers go for advertising."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.forms.withdrawals import DestinationForm, EndpointForm
from consent.models import AdDestination, WebhookDelivery, WebhookEndpoint
from consent.selectors import withdrawals as selectors
from consent.services import destinations, webhooks


def _list_address(client: Client) -> str:
    return reverse("consent:endpoints", args=[client.slug])


def _address(row: WebhookEndpoint) -> str:
    return reverse("consent:endpoint", args=[row.client.slug, row.pk])


def _load(_: StaffRequest, client: Client, endpoint_id: UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.for_client(client).select_related("client")
    return get_object_or_404(rows, pk=endpoint_id)


def _load_delivery(_: StaffRequest, client: Client, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    rows = WebhookDelivery.objects.for_client(client).select_related("endpoint__client")
    return get_object_or_404(rows, endpoint_id=endpoint_id, pk=delivery_id)


_ENDPOINTS: Final = Table(
    label="Endpoints",
    columns=(
        Column("Name", "name", link=_address, sort="name"),
        Column("Address", "url"),
        Column("State", lambda row: Pill("Active", "good") if row.is_active else Pill("Closed")),
        Column("Contents", lambda row: Pill("With numbers", "warn") if row.with_number else "No numbers"),
        Column("Pending", "waiting", is_number=True),
        Column("Failed", "dead", is_number=True),
    ),
    empty=Empty(
        "No endpoints yet", "Send withdrawals to your CRM or dialer as signed messages.", "connections"
    ),
)


@list_page(
    _ENDPOINTS,
    right=Permission.MANAGE_CONNECTIONS,
    lede="CallPrivacy sends every withdrawal to your systems as a signed message and retries for three days.",
    actions=lambda _, client: [
        Link("Add endpoint", reverse("consent:add_endpoint", args=[client.slug]), tone="primary")
    ],
)
def list_endpoints(request: StaffRequest, client: Client) -> QuerySet[WebhookEndpoint]:
    return selectors.endpoints(client)


def _may_number(request: StaffRequest) -> bool:
    return access.has_right(request.membership, AgencyRight.SIGN_OFF)


def _show_secret(request: StaffRequest, row: WebhookEndpoint, secret: str) -> HttpResponse:
    context = {"client": row.client, "row": row, "secret": secret}
    return render(request, "consent/endpoint_secret.html", context)


@never_cache
@form_page(
    EndpointForm,
    right=Permission.MANAGE_CONNECTIONS,
    title="New endpoint",
    lede="CallPrivacy sends every withdrawal to this address, so use only an address you control.",
    button="Add endpoint",
    crumbs=lambda client: [("Webhooks", _list_address(client))],
    fill=lambda request, _: {"may_number": _may_number(request)},
    errors={webhooks.AddressError: "url"},
)
def add_endpoint(request: StaffRequest, client: Client, form: EndpointForm) -> HttpResponse:
    """Add an endpoint; its secret is shown once."""
    row, secret = webhooks.add_endpoint(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    return _show_secret(request, row, secret)


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def show_endpoint(request: StaffRequest, client: Client, endpoint_id: UUID) -> HttpResponse:
    row = _load(request, client, endpoint_id)
    context: dict[str, Any] = {"client": client, "row": row, "deliveries": selectors.deliveries(row)}
    context["may_number"] = _may_number(request)
    return render(request, "consent/endpoint.html", context)


_action: Final = partial(action, right=Permission.MANAGE_CONNECTIONS, load=_load, back=_address)


@_action()
def ping(request: StaffRequest, row: WebhookEndpoint, _: Any) -> str:
    webhooks.ping(endpoint=row, by=request.actor, at=request.at)
    return "Test message queued. Reload in a minute to see the result."


@never_cache
@_action()
def rotate_secret(request: StaffRequest, row: WebhookEndpoint, _: Any) -> HttpResponse:
    return _show_secret(request, row, webhooks.rotate_secret(endpoint=row, by=request.actor, at=request.at))


@_action()
def switch_number(request: StaffRequest, row: WebhookEndpoint, _: Any) -> str:
    """Include callers' numbers in its messages, which an officer decides, or leave them out."""
    on = request.POST.get("on") == "yes"
    if on:
        access.require(request, AgencyRight.SIGN_OFF, row.client)
    if not webhooks.switch_number(endpoint=row, on=on, by=request.actor, at=request.at):
        return ""
    return "Messages now include numbers." if on else "Messages no longer include numbers."


@_action(back=lambda row: _list_address(row.client))
def close_endpoint(request: StaffRequest, row: WebhookEndpoint, _: Any) -> str:
    is_closed = webhooks.close_endpoint(endpoint=row, by=request.actor, at=request.at)
    return "Endpoint closed. Pending messages are discarded." if is_closed else ""


@_action(load=_load_delivery, back=lambda delivery: _address(delivery.endpoint))
def send_again(request: StaffRequest, delivery: WebhookDelivery, _: Any) -> Done:
    if webhooks.send_again(delivery=delivery, by=request.actor, at=request.at):
        return Done("Message queued. It is sent again within a minute.")
    return Done("Not sent: the message was delivered, or its contents are deleted.", level=INFO)


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
    context = {"client": client, "form": form, "rows": selectors.ad_destinations(client)}
    return render(request, "consent/destinations.html", context)


@action(
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client, destination_id: get_object_or_404(
        AdDestination.objects.for_client(client).select_related("client"), pk=destination_id
    ),
    back=lambda row: reverse("consent:destinations", args=[row.client.slug]),
)
def close_destination(request: StaffRequest, row: AdDestination, _: Any) -> str:
    is_closed = destinations.close(destination=row, by=request.actor, at=request.at)
    return "Destination ended. Open vendor steps stay open." if is_closed else ""
