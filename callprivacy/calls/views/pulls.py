"""A connection's list of calls at its tracker: what opens it, a test, a backfill, and how asking goes."""

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import action, form_page
from callprivacy.calls.forms.pulls import AccessForm, BackfillForm
from callprivacy.calls.models import Connection, Pull, PullRun
from callprivacy.calls.selectors import connections as ways
from callprivacy.calls.selectors import pulls as selectors
from callprivacy.calls.services import pulls
from callprivacy.calls.tasks.pulls import nudge_on_commit
from callprivacy.calls.views.connections import above, load, page_url
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_MANAGE: Final = Permission.MANAGE_CONNECTIONS


def _context(client: Client, connection: Connection, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "connection": connection,
        "provider_title": ways.title_of(connection.provider),
        "calls_us": ways.calls_us(connection.provider),
        **more,
    }


def _load(request: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    connection = load(request, client, connection_id)
    if not selectors.lists_calls(connection.provider):
        raise Http404
    return connection


def _load_pull(request: StaffRequest, client: Client, connection_id: UUID) -> Pull:
    connection = _load(request, client, connection_id)
    pull = selectors.pull_of(connection)
    if pull is None:
        raise Http404
    pull.connection = connection
    return pull


def _load_run(request: StaffRequest, client: Client, connection_id: UUID, pull_run_id: UUID) -> PullRun:
    pull = _load_pull(request, client, connection_id)
    run = get_object_or_404(PullRun.objects.filter(client=client, pull=pull), pk=pull_run_id)
    run.pull = pull
    return run


def _back(pull: Pull) -> str:
    return page_url(pull.connection)


def _access(request: StaffRequest, connection: Connection) -> dict[str, Any]:
    pull = selectors.pull_of(connection)
    has_secret = pull is not None and pull.secret_set_at is not None
    return {"provider": connection.provider, "pull": pull, "has_secret": has_secret}


def _missed(connection: Connection) -> str:
    by_webhook = (
        ", so that a webhook that never came costs nothing" if ways.calls_us(connection.provider) else ""
    )
    return (
        f"Each hour for the last hours and each night for the last three days{by_webhook}. The list is read and nothing"
        " is changed there."
    )


@form_page(
    AccessForm,
    right=_MANAGE,
    load=_load,
    title=lambda connection: f"Ask {ways.title_of(connection.provider)} for its calls",
    lede=_missed,
    button="Encrypt the key and test it",
    crumbs=above,
    fill=_access,
    more=lambda _, connection: _context(connection.client, connection, pull=selectors.pull_of(connection)),
    errors={pulls.NoListError: "secret"},
    template="calls/pull.html",
)
def set_up(request: StaffRequest, connection: Connection, form: AccessForm) -> str:
    """Enter what opens the tracker's list; what is there is never shown."""
    entered: dict[str, Any] = {"company": "", "login": "", "only_known": False} | form.cleaned_data
    pulls.set_access(connection=connection, **entered, by=request.actor, at=request.at)
    nudge_on_commit(connection.agency_id)
    return "Saved. The list is being tried now."


@action(right=_MANAGE, load=_load_pull, back=_back)
def test(request: StaffRequest, pull: Pull, form: Any) -> None:
    pulls.test(pull=pull, by=request.actor, at=request.at)
    nudge_on_commit(pull.agency_id)


def _days(request: StaffRequest, pull: Pull) -> dict[str, Any]:
    client = pull.connection.client
    return {
        "today": calendars.day_in(client.time_zone, request.at),
        "keep_for_days": max(client.keep_for_days, client.keep_out_for_days),
    }


@form_page(
    BackfillForm,
    right=_MANAGE,
    load=_load_pull,
    title=lambda pull: f"Backfill from {ways.title_of(pull.connection.provider)}",
    lede=lambda pull: (
        f"Its calls of these days are asked for. Days are those of {pull.connection.client.time_zone}."
    ),
    button="Ask for these days",
    crumbs=lambda pull: above(pull.connection),
    fill=_days,
    more=lambda _, pull: {"client": pull.connection.client},
    errors={pulls.WindowError: "from_on"},
    template="calls/pull_backfill.html",
)
def backfill(request: StaffRequest, pull: Pull, form: BackfillForm) -> str:
    zone = ZoneInfo(pull.connection.client.time_zone)
    run = pulls.backfill(pull=pull, **form.cleaned_data, zone=zone, by=request.actor, at=request.at)
    nudge_on_commit(pull.agency_id)
    return "These days are being asked for." if run else "These days are being asked for already."


@action(right=_MANAGE, load=_load_pull, back=_back)
def stop(request: StaffRequest, pull: Pull, form: Any) -> str:
    is_deleted = pulls.forget_access(pull=pull, by=request.actor, at=request.at)
    return "The key is deleted, and the list is not asked for any more." if is_deleted else ""


@action(right=_MANAGE, load=_load_run, back=lambda run: _back(run.pull))
def cancel(request: StaffRequest, run: PullRun, form: Any) -> str:
    """Stop one run; what it brought stays."""
    is_stopped = pulls.cancel(run=run, by=request.actor, at=request.at)
    return "Stopped. What came until then stays." if is_stopped else ""


@require_safe
@never_cache
@needs(_MANAGE)
def progress(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    connection = _load(request, client, connection_id)
    context = _context(client, connection, pulling=selectors.state_of(connection, at=request.at))
    return render(request, "calls/pull_state.html", context)
