"""
The client's tab "Numbers and connections": ways in, their secrets, what pressed keys mean, what could not be read.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.forms import fields
from callprivacy.calls.forms.connections import ConnectionForm, RotationForm
from callprivacy.calls.forms.presses import press_rows
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import mapped
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.selectors import pulls, values
from callprivacy.calls.services import connections, drops, inbox
from callprivacy.calls.services.imports import FORMATS
from callprivacy.calls.tasks.drops import look_at_drop
from callprivacy.calls.tasks.inbox import nudge_on_commit
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, connection_id: UUID) -> Connection:
    return get_object_or_404(Connection.objects.filter(client=client), pk=connection_id)


def _address(connection: Connection) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('calls:hook', args=[connection.provider, connection.key])}"


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def list_connections(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's connections and a page of its numbers."""
    after = _uuid_or_none(request.GET.get("after", ""))
    numbers, more = selectors.numbers_page(client, after=after)
    states = selectors.connections_of(client)
    context = _context(
        client,
        connections=states,
        rejected=sum(state.rejected for state in states),
        new_values=values.has_waiting(client),
        numbers=numbers,
        more=more,
        after=after,
    )
    return render(request, "calls/client_connections.html", context)


def _uuid_or_none(raw: str) -> UUID | None:
    try:
        return UUID(raw)
    except ValueError:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def create_connection(request: StaffRequest, client: Client) -> HttpResponse:
    """Open a way in for a tracker."""
    form = ConnectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connection = connections.create_connection(
                client=client,
                provider=form.cleaned_data["provider"],
                name=form.cleaned_data["name"],
                secret=form.cleaned_data["secret"],
                by=request.actor,
                at=request.at,
            )
        except connections.VendorNotReviewedError as error:
            form.add_error("provider", str(error))
        else:
            messages.success(request, _opened(connection))
            return redirect("calls:connection", client.slug, connection.pk)
    return render(request, "calls/connection_new.html", _context(client, form=form))


def _opened(connection: Connection) -> str:
    if selectors.calls_us(connection.provider):
        return "The connection is open. Paste its address at the tracker, as below."
    return "The connection is there. Bring its calls by a file, as below."


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def show_connection(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """One connection: its address, what to set at the vendor, its secrets and how it is doing."""
    connection = _find(client, connection_id)
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
        abilities=selectors.abilities_of(connection.provider),
        rules=selectors.press_rules(connection),
        lists_calls=pulls.lists_calls(connection.provider),
        provider_title=selectors.title_of(connection.provider),
        drop=_drop(connection),
        is_mapped=connection.provider in mapped.NAMES,
        mapping=mapped.Fields.of(connection.mapping.get("fields")),
        pulling=pulls.state_of(connection, at=request.at),
    )
    return render(request, "calls/connection.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def map_presses(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Say what keys mean that callers press in the tracker's menu."""
    connection = _find(client, connection_id)
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
@needs(Permission.MANAGE_CONNECTIONS)
def map_fields(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Say what the fields of a tracker without a module of its own mean, beside the masked shape of an event."""
    connection = _find(client, connection_id)
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


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def retry_drops(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Let dropped files that could not be read be read again."""
    connection = _find(client, connection_id)
    count = drops.try_again(connection=connection, by=request.actor, at=request.at)
    messages.success(request, f"{count} file{'' if count == 1 else 's'} will be read again within a minute.")
    return redirect("calls:connection", client.slug, connection.pk)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def test_drop(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Have what lies in a connection's folder listed and counted, without reading any of it."""
    connection = _find(client, connection_id)
    if _has_folder(connection):
        drops.ask_look(connection=connection, at=request.at)
        look_at_drop.delay_on_commit(agency_id=client.agency_id, connection_id=str(connection.pk))
    return redirect("calls:connection", client.slug, connection.pk)


@require_safe
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def show_drop(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """The test of a folder while it goes on."""
    connection = _find(client, connection_id)
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def rotate_secret(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Give a connection a new secret, with an overlap."""
    connection = _find(client, connection_id)
    if not selectors.calls_us(connection.provider):
        raise Http404
    form = RotationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        connections.rotate_secret(
            connection=connection,
            secret=form.cleaned_data["secret"],
            overlap=timedelta(hours=form.cleaned_data["overlap_hours"]),
            by=request.actor,
            at=request.at,
        )
        messages.success(request, "The new secret counts from now on.")
        return redirect("calls:connection", client.slug, connection.pk)
    context = _context(
        client,
        form=form,
        connection=connection,
        provider_title=selectors.title_of(connection.provider),
        secrets=selectors.active_secrets(connection, at=request.at),
    )
    return render(request, "calls/connection_rotate.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def deactivate_connection(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Close a way in, after saying what that means."""
    connection = _find(client, connection_id)
    if request.method == "POST":
        connections.deactivate_connection(connection=connection, by=request.actor, at=request.at)
        messages.success(request, "The connection is closed. Its address answers “not found” from now on.")
        return redirect("calls:connection", client.slug, connection.pk)
    state = selectors.state_of(connection)
    return render(
        request, "calls/connection_deactivate.html", _context(client, connection=connection, state=state)
    )


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def reactivate_connection(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Open a way in again."""
    connection = _find(client, connection_id)
    try:
        connections.reactivate_connection(connection=connection, by=request.actor, at=request.at)
    except connections.VendorNotReviewedError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "The connection is open again, under the same address and secrets.")
    return redirect("calls:connection", client.slug, connection.pk)


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def list_rejected(request: StaffRequest, client: Client) -> HttpResponse:
    """Events that were genuine and could not be read, by connection and reason."""
    groups = selectors.rejected_of(client, kept_for=inbox.REJECTED_FOR)
    return render(
        request,
        "calls/connection_rejected.html",
        _context(client, groups=groups, total=selectors.rejected_count(client)),
    )


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def retry_rejected(request: StaffRequest, client: Client) -> HttpResponse:
    """Have every rejected event of a client read again."""
    count = inbox.retry_rejected(client=client, by=request.actor, at=request.at)
    nudge_on_commit(client.agency_id)
    messages.success(
        request, f"{_events(count)} will be read again within a minute. What fails comes back here."
    )
    return redirect("calls:rejected_events", client.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def discard_rejected(request: StaffRequest, client: Client) -> HttpResponse:
    """Delete every rejected event of a client, after saying how many that is."""
    if request.method == "POST":
        seen = request.POST.get("seen", "")
        try:
            count = inbox.discard_rejected(
                client=client,
                seen=int(seen) if seen.isdecimal() and len(seen) < 10 else -1,
                by=request.actor,
                at=request.at,
            )
        except inbox.ExtentChangedError:
            messages.warning(request, "There are more or fewer events by now. Nothing was deleted.")
            return redirect("calls:discard_rejected", client.slug)
        messages.success(request, f"{_events(count)} deleted.")
        return redirect("calls:rejected_events", client.slug)
    groups = selectors.rejected_of(client, kept_for=inbox.REJECTED_FOR)
    return render(
        request,
        "calls/connection_discard.html",
        _context(client, groups=groups, total=selectors.rejected_count(client)),
    )


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count} events"
