"""Events of trackers that could not be read: try them again, or discard them."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import WARNING, Confirmation, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Table, list_page
from callprivacy.calls.forms.connections import SeenForm
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.services import inbox
from callprivacy.calls.tasks.inbox import nudge_on_commit
from callprivacy.calls.views.connections import above_new
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_MANAGE: Final = Permission.MANAGE_CONNECTIONS


def _rejected_url(client: Client) -> str:
    return reverse("calls:rejected_events", args=[client.slug])


def _for_all(request: StaffRequest, client: Client) -> list[Link]:
    count = selectors.rejected_count(client)
    retry, discard = (reverse(f"calls:{name}_rejected", args=[client.slug]) for name in ("retry", "discard"))
    again = Link(f"Read all {count:,} again", retry, tone="primary", posts=True)
    return [again, Link("Delete all", discard, tone="danger")] if count else []


@list_page(
    Table(
        label="Events that could not be read",
        columns=(
            Column("Why", "reason"),
            Column("Connection", "connection_name"),
            Column("Events", "count", is_number=True),
            Column("Oldest", "oldest_at"),
            Column("Deleted from", "leaves_at"),
        ),
        empty=Empty(
            "Every event was read",
            "What a tracker sends and cannot be read waits here with the reason, so that nothing is lost.",
        ),
    ),
    right=_MANAGE,
    lede="Signed by the tracker, so they are genuine; but something in them is not as expected. They are kept encrypted"
    " for seven days, then deleted.",
    actions=_for_all,
)
def list_rejected(request: StaffRequest, client: Client) -> list[selectors.RejectedGroup]:
    """Events that were genuine and could not be read, by connection and reason."""
    return selectors.rejected_of(client, kept_for=inbox.REJECTED_FOR)


@action(right=_MANAGE, back=_rejected_url)
def retry_rejected(request: StaffRequest, client: Client, _: Any) -> str:
    count = inbox.retry_rejected(client=client, by=request.actor, at=request.at)
    nudge_on_commit(client.agency_id)
    return f"{_events(count)} will be read again within a minute. What fails comes back here."


def _load_rejected(request: StaffRequest, client: Client) -> Client | HttpResponse:
    if request.method != "POST" and not selectors.rejected_count(client):
        messages.info(request, "Nothing to delete. Every event of this client was read.")
        return redirect(_rejected_url(client))
    return client


def _discarding(request: StaffRequest, client: Client) -> Confirmation:
    return Confirmation(
        f"Delete {_events(selectors.rejected_count(client))} of {client.name}",
        "This cannot be undone, and the tracker does not send them again.",
        [
            {"label": f"{group.connection_name}: {group.reason}", "value": f"{group.count:,}"}
            for group in selectors.rejected_of(client, kept_for=inbox.REJECTED_FOR)
        ],
        ["Calls that other events report.", "In the audit log: that you deleted them, and how many."],
    )


@form_page(
    SeenForm,
    right=_MANAGE,
    load=_load_rejected,
    title="Delete events that could not be read",
    button="Delete the events",
    crumbs=lambda client: [*above_new(client), ("Events that could not be read", _rejected_url(client))],
    fill=lambda _, client: {"initial": {"seen": selectors.rejected_count(client)}},
    confirm=_discarding,
)
def discard_rejected(request: StaffRequest, client: Client, form: SeenForm) -> Done:
    """Delete every rejected event of a client, after saying how many that is."""
    try:
        count = inbox.discard_rejected(
            client=client, seen=form.cleaned_data["seen"], by=request.actor, at=request.at
        )
    except inbox.ExtentChangedError:
        return Done("There are more or fewer events by now. Nothing was deleted.", request.path, WARNING)
    return Done(f"{_events(count)} deleted.")


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count:,} events"
