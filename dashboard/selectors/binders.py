"""Binders of proof and their links, as the scope sees them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.paginator import Page, Paginator

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from dashboard.models import Binder, BinderLink

_PAGE = 25


@dataclass(frozen=True, slots=True)
class Newest:
    """A client with its newest binder, if it has one."""

    client: Client
    binder: Binder | None
    is_there: bool


def newest_by_client(membership: Membership, *, at: datetime) -> list[Newest]:
    """The clients a person is granted, those without a binder that can be taken first; two queries."""
    clients = list(access.clients_with(membership, Permission.VIEW_CLIENT, at=at).filter(archived_at=None))
    rows = (
        Binder.objects.filter(client__in=clients)
        .select_related("created_by")
        .order_by("client_id", "-number")
        .distinct("client_id")
    )
    known = {row.client_id: row for row in rows}
    found = [
        Newest(client, row := known.get(client.pk), row is not None and row.is_there(at))
        for client in clients
    ]
    return sorted(found, key=lambda one: (one.is_there, one.client.name))


def page_of(client: Client, number: str | None) -> Page[Binder]:
    """One page of a client's binders, newest first; an unknown number is the nearest page."""
    rows = Binder.objects.for_client(client).select_related("created_by").order_by("-number")
    return Paginator(rows, _PAGE).get_page(number)


def find(client: Client, binder_id: UUID) -> Binder | None:
    rows = Binder.objects.for_client(client).select_related("created_by", "client__agency")
    return rows.filter(pk=binder_id).first()


def links_of(binder: Binder) -> list[BinderLink]:
    """A binder's links, newest first."""
    return list(BinderLink.objects.filter(binder=binder).select_related("made_by").order_by("-made_at"))
