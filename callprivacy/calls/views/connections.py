"""
The client's tab "Numbers and connections": connections, their secrets, what pressed keys mean, drop folders.
"""

from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, Confirmation, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.calls.forms import fields
from callprivacy.calls.forms.connections import ConnectionForm, RotationForm
from callprivacy.calls.forms.presses import press_rows
from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.providers import mapped
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.selectors import pulls, values
from callprivacy.calls.services import connections, drops, inbox
from callprivacy.calls.services.imports import FORMATS
from callprivacy.calls.tasks.drops import look_at_drop
from callprivacy.calls.tasks.inbox import nudge_on_commit
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_MANAGE: Final = Permission.MANAGE_CONNECTIONS


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def load(request: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    connection = get_object_or_404(Connection.objects.filter(client=client), pk=connection_id)
    connection.client = client
    return connection


def page_url(connection: Connection) -> str:
    return reverse("calls:connection", args=[connection.client.slug, connection.pk])


def above_new(client: Client) -> list[tuple[str, str]]:
    return [("Numbers and connections", reverse("calls:client_connections", args=[client.slug]))]


def above(connection: Connection) -> list[tuple[str, str]]:
    return [*above_new(connection.client), (connection.name, page_url(connection))]


_page = partial(form_page, right=_MANAGE, load=load, crumbs=above)
_button = partial(action, right=_MANAGE, load=load, back=page_url)


def _address(connection: Connection) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('calls:hook', args=[connection.provider, connection.key])}"


def _failed(state: selectors.ConnectionState) -> str:
    if not state.calls_us:
        return "by files"
    return "" if state.error_percent is None else f"{state.error_percent}\u00a0%"


_CONNECTIONS: Final = Table(
    label="Connections",
    columns=(
        Column("Name", "connection.name", link=lambda state: page_url(state.connection)),
        Column("Tracker", "provider_title"),
        Column("State", lambda state: Pill("Open", "good") if state.connection.is_active else Pill("Closed")),
        Column("Last event", "connection.last_event_at", nothing="never"),
        Column("Events", "connection.events", is_number=True),
        Column("Could not be read", _failed, nothing="none yet", is_number=True),
        Column("Waiting", "waiting", is_number=True),
    ),
    empty=Empty("No tracker is connected"),
)


def _records(number: TrackingNumber) -> Pill | str:
    return Pill("Not known", "warn") if number.records is None else "Yes" if number.records else "No"


def _announced(number: TrackingNumber) -> object:
    if number.announced_from or number.records is False:
        return number.announced_from
    return Pill("None saved", "warn")


_NUMBERS: Final = Table(
    label="Tracking numbers",
    columns=(
        Column(
            "Number",
            lambda number: number.label or number.number,
            link=lambda number: reverse("calls:describe_number", args=[number.client.slug, number.pk]),
            note=lambda number: number.number if number.label else "",
        ),
        Column("Source", "source", nothing="not set"),
        Column("Campaign", "campaign", nothing="not set"),
        Column("Vendor records", _records),
        Column("Announced since", _announced, nothing="none"),
        Column("Last test call", "tested_at", nothing="never"),
    ),
    empty=Empty(
        "No number yet",
        "Numbers appear here by themselves with their first call, or when you add them. Set for each whether the vendor"
        " records, and what a caller hears.",
        "connections",
    ),
)


@require_safe
@needs(_MANAGE)
def list_connections(request: StaffRequest, client: Client) -> HttpResponse:
    states = selectors.connections_of(client)
    for state in states:
        state.connection.client = client
    numbers = TrackingNumber.objects.filter(client=client).select_related("client").order_by("number")
    unconnected = Empty(
        "No tracker is connected",
        "A connection is an address at which CallRail, Twilio or CallTrackingMetrics reports each call, signed;"
        " Invoca’s calls come by files. Numbers appear here by themselves with their first call.",
        "connections",
        Link("Connect a tracker", reverse("calls:create_connection", args=[client.slug])),
    )
    context = _context(
        client,
        connections=_CONNECTIONS.draw(request, states, empty=unconnected, zone=client.time_zone),
        rejected=sum(state.rejected for state in states),
        new_values=values.has_waiting(client),
        numbers=_NUMBERS.draw(request, numbers, zone=client.time_zone),
    )
    return render(request, "calls/client_connections.html", context)


@form_page(
    ConnectionForm,
    right=_MANAGE,
    title="New connection",
    lede="The tracker signs what it sends; we accept what this client's key has signed, and nothing else. Where it"
    " signs nothing, its calls come by files.",
    button="Open the connection",
    crumbs=above_new,
    errors={connections.VendorNotReviewedError: "provider"},
)
def create_connection(request: StaffRequest, client: Client, form: ConnectionForm) -> Done:
    connection = connections.create_connection(
        client=client, **form.cleaned_data, by=request.actor, at=request.at
    )
    return Done(_opened(connection), page_url(connection))


def _opened(connection: Connection) -> str:
    if selectors.calls_us(connection.provider):
        return "The connection is open. Paste its address at the tracker, as below."
    return "The connection is there. Bring its calls by a file, as below."


_PRESSES: Final = Table(
    label="What callers press",
    columns=(
        Column("Menu, or name of the key", "name", nothing="any menu"),
        Column("Key", "value", nothing="by its name"),
        Column("The caller", "kind_words"),
        Column("About", "purpose_words"),
        Column(
            "For", "scope_words", note=lambda rule: "the recording starts only after it" if rule.gates else ""
        ),
    ),
    empty=Empty(
        "No key is set",
        "No key has a meaning, so nothing happens whatever callers press in the menu. Where it offers “do not record"
        " me”, set which key it is.",
        "connections",
    ),
)
_SECRETS: Final = Table(
    label="Active secrets",
    columns=(Column("Entered", "created_at"), Column("Valid until", "ends_at", nothing="it is changed")),
    empty=Empty("No active secret", picture="connections"),
)


@require_safe
@needs(_MANAGE)
def show_connection(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """One connection: its address, what to set at the vendor, its secrets and how it is doing."""
    connection = load(request, client, connection_id)
    calls_us = selectors.calls_us(connection.provider)
    secrets = selectors.active_secrets(connection, at=request.at)
    context = _context(
        client,
        state=selectors.state_of(connection),
        heard=selectors.heard_of(connection, secrets) if "tested" in request.GET else None,
        connection=connection,
        calls_us=calls_us,
        address=_address(connection) if calls_us else "",
        columns=",".join(selectors.columns_read(connection.provider)),
        secrets=secrets,
        table=_SECRETS.draw(request, secrets, zone=client.time_zone),
        abilities=selectors.abilities_of(connection.provider),
        presses=_PRESSES.draw(request, selectors.press_rules(connection)),
        lists_calls=pulls.lists_calls(connection.provider),
        provider_title=selectors.title_of(connection.provider),
        drop=_drop(connection),
        is_mapped=connection.provider in mapped.NAMES,
        mapping=mapped.Fields.of(connection.mapping.get("fields")),
        pulling=pulls.state_of(connection, at=request.at),
    )
    return render(request, "calls/connection.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_MANAGE)
def map_presses(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    connection = load(request, client, connection_id)
    may = access.permissions_on(request.membership, client.pk, at=request.at)
    rows = press_rows(
        request.POST or None,
        rules=selectors.press_rules(connection),
        may_agree=Permission.MANAGE_CONSENT in may,
    )
    if request.method == "POST" and rows.is_valid():
        rules = rows.rules()
        connections.map_presses(connection=connection, rules=rules, by=request.actor, at=request.at)
        messages.success(request, _mapped(len(rules)))
        return redirect("calls:connection", client.slug, connection.pk)
    context = _context(
        client,
        connection=connection,
        rows=rows,
        provider_title=selectors.title_of(connection.provider),
        pressed=selectors.pressed_lately(connection),
    )
    return render(request, "calls/connection_presses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_MANAGE)
def map_fields(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Say what the fields of a tracker without a module of its own mean, beside the masked shape of an event."""
    connection = load(request, client, connection_id)
    if connection.provider not in mapped.NAMES:  # this tracker's fields are known
        return redirect("calls:connection", client.slug, connection.pk)
    seen = fields.read_sample(inbox.sample(connection=connection))
    form = fields.FieldsForm(
        request.POST or None,
        paths=seen.paths,
        stored=mapped.Fields.of(connection.mapping.get("fields")),
        zone=client.time_zone,
    )
    if request.method == "POST" and form.is_valid():
        if "look" not in request.POST:
            connections.map_fields(
                connection=connection, fields=form.fields_said(), by=request.actor, at=request.at
            )
            nudge_on_commit(client.agency_id)
            messages.success(request, "Saved. What was refused until now is read again within a minute.")
            return redirect("calls:connection", client.slug, connection.pk)
        seen = fields.read_with(seen, form.fields_said(), at=request.at)
    context = _context(client, connection=connection, form=form, sample=seen)
    return render(request, "calls/connection_fields.html", context)


@_button()
def retry_drops(request: StaffRequest, connection: Connection, _: Any) -> str:
    count = drops.try_again(connection=connection, by=request.actor, at=request.at)
    return f"{count} file{'' if count == 1 else 's'} will be read again within a minute."


@_button()
def test_drop(request: StaffRequest, connection: Connection, form: Any) -> None:
    """Have what lies in a connection's folder listed and counted, without reading any of it."""
    if _has_folder(connection):
        drops.ask_look(connection=connection, at=request.at)
        look_at_drop.delay_on_commit(agency_id=connection.agency_id, connection_id=str(connection.pk))


@require_safe
@never_cache
@needs(_MANAGE)
def show_drop(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    connection = load(request, client, connection_id)
    if not _has_folder(connection):
        return redirect("calls:connection", client.slug, connection.pk)
    context = _context(client, connection=connection, drop=_drop(connection))
    return render(request, "calls/drop_look.html", context)


def _has_folder(connection: Connection) -> bool:
    return connection.provider == drops.FOLDER and drops.is_set_up()


def _drop(connection: Connection) -> dict[str, Any] | None:
    if connection.provider != drops.FOLDER:
        return None
    layout = drops.layout_of(connection)
    return {
        "is_set_up": drops.is_set_up(),
        "folder": drops.folder_of(connection),
        "layout": layout,
        "format_title": FORMATS.get(layout.format, "") if layout else "",
        "fault": drops.fault_of(connection),
        "look": drops.look_of(connection),
        "refused": drops.refused_of(connection),
    }


def _mapped(count: int) -> str:
    if not count:
        return "Saved. Whatever callers press changes nothing."
    return "Saved. One key has a meaning." if count == 1 else f"Saved. {count} keys have a meaning."


def _load_signing(request: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    connection = load(request, client, connection_id)
    if not selectors.calls_us(connection.provider):
        raise Http404
    return connection


@_page(
    RotationForm,
    load=_load_signing,
    title="Change the secret",
    lede=lambda connection: (
        f"Enter the new one here first, then let {selectors.title_of(connection.provider)} use it. The address stays"
        " the same."
    ),
    button="Change the secret",
    more=lambda request, connection: {
        "table": _SECRETS.draw(
            request, selectors.active_secrets(connection, at=request.at), zone=connection.client.time_zone
        )
    },
    template="calls/connection_rotate.html",
)
def rotate_secret(request: StaffRequest, connection: Connection, form: RotationForm) -> str:
    connections.rotate_secret(
        connection=connection,
        secret=form.cleaned_data["secret"],
        overlap=timedelta(hours=form.cleaned_data["overlap_hours"]),
        by=request.actor,
        at=request.at,
    )
    return "The new secret counts from now on."


def _closing(request: StaffRequest, connection: Connection) -> Confirmation:
    state = selectors.state_of(connection)
    return Confirmation(
        f"Stop accepting events of {state.provider_title}",
        f"Calls that {state.provider_title} reports while the connection is closed are not received. You may open it"
        " again.",
        [
            {"label": "Events so far", "value": f"{connection.events:,}"},
            {"label": "Waiting, still to be read", "value": f"{state.waiting:,}"},
        ],
        ["Every call that came this way.", "The address and the secrets, for when it is opened again."],
    )


@_page(title=lambda connection: f"Close {connection.name}", button="Close the connection", confirm=_closing)
def deactivate_connection(request: StaffRequest, connection: Connection, _: Any) -> str:
    connections.deactivate_connection(connection=connection, by=request.actor, at=request.at)
    return "The connection is closed. Its address answers “not found” from now on."


@_button(errors={connections.VendorNotReviewedError: WARNING})
def reactivate_connection(request: StaffRequest, connection: Connection, _: Any) -> str:
    connections.reactivate_connection(connection=connection, by=request.actor, at=request.at)
    return "The connection is open again, under the same address and secrets."
