"""What vendors still have, as people see it and ask for its deletion."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import FORM, INFO, WARNING, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.calls.models import Connection
from callprivacy.calls.selectors.connections import title_of
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.enums import LeftoverState
from retention.forms.vendors import AccessForm, LeftoverFilter
from retention.selectors import runs as run_selectors
from retention.selectors import vendors as selectors
from retention.services import truth, vendors
from retention.views.runs import uuids

_PAGE: Final = 50


_STATES: Final = {
    LeftoverState.OPEN: Pill("Not confirmed deleted", "warn"),
    LeftoverState.ASKED: Pill("Deletion step open", "info"),
    LeftoverState.GONE: Pill("Deleted", "good"),
}
_COPIES: Final = Table(
    label="Copies at vendors",
    columns=(
        Column("Call of", "row.call_started_at", nothing="time not known"),
        Column("Vendor", "vendor", note="row.connection.name"),
        Column("State", lambda line: _STATES[line.row.state]),
        Column("Outlives ours (days)", "days", is_number=True),
        Column("Last on record", lambda line: line.row.gone_at or line.row.seen_at),
    ),
    filters=LeftoverFilter,
    empty=Empty(
        "No copies at vendors",
        "When a recording is deleted here and a vendor may keep its copy, it is listed here until it is deleted there.",
    ),
    lines=lambda request, rows: selectors.lines(rows, request.at),
    pick="leftover",
)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def list_leftovers(request: StaffRequest, client: Client) -> HttpResponse:
    """What vendors still have of what is deleted here, by connection, with its age and what is requested."""
    checks = selectors.checks_of(client)
    is_instructed = selectors.is_instructed(client)
    asks = access.may(request.membership, Permission.MANAGE_CONSENT, client, at=request.at)
    request_it = Link(
        "Request deletion", reverse("retention:ask_leftovers", args=[client.slug]), tone="primary"
    )
    note_it = Link("Mark as deleted there", reverse("retention:note_leftovers", args=[client.slug]))
    context = {
        "client": client,
        "checks": checks,
        "ways": list({checked.connection.provider: checked for checked in checks}.values()),
        "table": _COPIES.draw(
            request,
            selectors.leftovers(client, state=request.GET.get("state", "")),
            bulk=[request_it, note_it] if is_instructed and asks else [note_it],
            zone=client.time_zone,
        ),
        "instructed": is_instructed,
        "deletions": selectors.open_deletions(client)[:_PAGE],
        "errands": run_selectors.errands_of(client).count(),
    }
    return render(request, "retention/leftovers.html", context)


def _copies(client: Client) -> str:
    return reverse("retention:leftovers", args=[client.slug])


def _load_for_steps(request: StaffRequest, client: Client) -> Client:
    """The steps are consent's, and so is the permission to open them."""
    access.require(request, Permission.MANAGE_CONSENT, client)
    return client


@action(right=Permission.MANAGE_RETENTION, load=_load_for_steps, back=_copies)
def ask_leftovers(request: StaffRequest, client: Client, form: Any) -> Done:
    try:
        count = vendors.ask_for_leftovers(
            client=client, leftover_ids=_ticked(request), by=request.actor, at=request.at
        )
    except vendors.NotInstructedError:
        return Done(
            f"{client.name} has not instructed you to have recordings deleted at vendors. Record the instruction in the"
            " engagement first; until then nothing is sent.",
            level=WARNING,
        )
    return _done(
        count, f"Requested: {count} deletion{'' if count == 1 else 's'}. Letters wait for you below."
    )


@action(right=needs(Permission.MANAGE_RETENTION, also_left=True), back=_copies)
def note_leftovers(request: StaffRequest, client: Client, form: Any) -> Done:
    """Save that the ticked ones are not there any more, as the person states."""
    count = vendors.note_gone(client=client, leftover_ids=_ticked(request), by=request.actor, at=request.at)
    return _done(count, f"Saved: {count} cop{'y is' if count == 1 else 'ies are'} gone at the vendor.")


def _done(count: int, text: str) -> Done:
    return Done(text) if count else Done("Nothing was ticked that is still open.", level=WARNING)


def _ticked(request: StaffRequest) -> list[UUID]:
    return uuids(request.POST.getlist("leftover")[:1000])


def _load_way(request: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    way = (
        Connection.objects.for_client(client)
        .select_related("client")
        .filter(pk=connection_id, provider="callrail")
        .first()
    )
    if way is None:
        raise Http404
    return way


@form_page(
    AccessForm,
    right=Permission.MANAGE_RETENTION,
    load=_load_way,
    title=lambda way: f"What opens {title_of(way.provider)}’s list",
    lede=lambda way: (
        "With it the vendor is asked each night which recordings it still has. It is used for nothing else:"
        f" {title_of(way.provider)}’s interface deletes none, so deletions go by letter."
    ),
    button="Save the key",
    crumbs=lambda way: [("Copies at vendors", _copies(way.client))],
    errors={truth.NoSuchListError: FORM},
    secret=("key",),
)
def open_list(request: StaffRequest, way: Connection, form: AccessForm) -> str:
    entered = {name: text.strip() for name, text in form.cleaned_data.items()}
    truth.set_access(connection=way, **entered, by=request.actor, at=request.at)
    return "Saved, encrypted. The list is checked within minutes, and then each night."


@action(right=Permission.MANAGE_RETENTION, load=_load_way, back=lambda way: _copies(way.client))
def close_list(request: StaffRequest, way: Connection, _: Any) -> Done:
    if truth.forget_access(connection=way, by=request.actor, at=request.at):
        return Done("The key is deleted; the list is asked no more.")
    return Done("No key was kept.", level=INFO)
