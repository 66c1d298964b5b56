"""A connection's list of calls at its tracker: what opens it, a test, a backfill, and how asking goes."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.forms.pulls import AccessForm, BackfillForm
from callprivacy.calls.models import Connection, Pull, PullRun
from callprivacy.calls.selectors import connections as ways
from callprivacy.calls.selectors import pulls as selectors
from callprivacy.calls.services import pulls
from callprivacy.calls.tasks.pulls import nudge_on_commit
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _context(client: Client, connection: Connection, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "connection": connection,
        "provider_title": ways.title_of(connection.provider),
        "calls_us": ways.calls_us(connection.provider),
        **more,
    }


def _find(client: Client, connection_id: UUID) -> Connection:
    row = get_object_or_404(Connection.objects.filter(client=client), pk=connection_id)
    if not selectors.lists_calls(row.provider):
        raise Http404
    return row


def _pull(connection: Connection) -> Pull:
    pull = selectors.pull_of(connection)
    if pull is None:
        raise Http404
    return pull


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def set_up(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Enter what opens the tracker's list; what is there is never shown."""
    connection = _find(client, connection_id)
    pull = selectors.pull_of(connection)
    has_secret = pull is not None and pull.secret_set_at is not None
    form = AccessForm(request.POST or None, provider=connection.provider, pull=pull, has_secret=has_secret)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            pulls.set_access(
                connection=connection,
                account=said["account"],
                company=said.get("company", ""),
                login=said.get("login", ""),
                secret=said["secret"],
                only_known=said.get("only_known", False),
                by=request.actor,
                at=request.at,
            )
        except pulls.NoListError as error:
            form.add_error("secret", str(error))
        else:
            nudge_on_commit(client.agency_id)
            messages.success(request, "Saved. The list is being tried now.")
            return redirect("calls:connection", client.slug, connection.pk)
    return render(request, "calls/pull.html", _context(client, connection, form=form, pull=pull))


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def test(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Ask for one page and keep nothing of it."""
    connection = _find(client, connection_id)
    pulls.test(pull=_pull(connection), by=request.actor, at=request.at)
    nudge_on_commit(client.agency_id)
    return redirect("calls:connection", client.slug, connection.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def backfill(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Have the calls of days in the past asked for."""
    connection = _find(client, connection_id)
    pull = _pull(connection)
    zone = ZoneInfo(client.time_zone)
    today = request.at.astimezone(zone).date()
    longest = max(client.keep_for_days, client.keep_out_for_days)
    form = BackfillForm(request.POST or None, today=today, keep_for_days=longest)
    if request.method == "POST" and form.is_valid():
        try:
            run = pulls.backfill(pull=pull, **form.cleaned_data, zone=zone, by=request.actor, at=request.at)
        except pulls.WindowError as error:
            form.add_error("from_on", str(error))
        else:
            nudge_on_commit(client.agency_id)
            messages.success(
                request,
                "These days are being asked for." if run else "These days are being asked for already.",
            )
            return redirect("calls:connection", client.slug, connection.pk)
    return render(request, "calls/pull_backfill.html", _context(client, connection, form=form, pull=pull))


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def stop(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Forget the key and ask no more."""
    connection = _find(client, connection_id)
    if pulls.forget_access(pull=_pull(connection), by=request.actor, at=request.at):
        messages.success(request, "The key is forgotten, and the list is not asked for any more.")
    return redirect("calls:connection", client.slug, connection.pk)


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def cancel(request: StaffRequest, client: Client, connection_id: UUID, pull_run_id: UUID) -> HttpResponse:
    """Stop one run; what it brought stays."""
    connection = _find(client, connection_id)
    runs = PullRun.objects.filter(client=client, pull__connection=connection)
    if pulls.cancel(run=get_object_or_404(runs, pk=pull_run_id), by=request.actor, at=request.at):
        messages.success(request, "Stopped. What came until then stays.")
    return redirect("calls:connection", client.slug, connection.pk)


@require_safe
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def progress(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """The panel while something moves."""
    connection = _find(client, connection_id)
    context = _context(client, connection, pulling=selectors.state_of(connection, at=request.at))
    return render(request, "calls/pull_state.html", context)
