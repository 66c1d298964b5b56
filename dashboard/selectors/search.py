"""What the command palette finds: clients, people, requests and callers, each only where the person may open it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q
from django.urls import reverse

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.calls.selectors import named
from callprivacy.tenancy.enums import Permission
from rights.selectors import board

_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that was found, and its page."""

    kind: str
    label: str
    url: str


def things(membership: Membership, words: str, *, at: datetime) -> list[Hit]:
    """What is called so, a few of each kind."""
    found = [*_clients(membership, words, at), *_people(membership, words)]
    if words.upper().startswith("R-"):
        found += _requests(membership, words, at)
    return [*found, *_callers(membership, words, at)]


def _clients(membership: Membership, words: str, at: datetime) -> Iterator[Hit]:
    for client in access.visible_clients(membership, at=at).filter(name__icontains=words)[:_MOST]:
        yield Hit("Client", client.name, reverse("accounts:client", args=[client.slug]))


def _people(membership: Membership, words: str) -> Iterator[Hit]:
    if not access.has_right(membership, AgencyRight.MANAGE_PEOPLE):
        return
    wanted = Q(user__name__icontains=words) | Q(user__email__icontains=words)
    people = Membership.objects.filter(wanted, agency_id=membership.agency_id).select_related("user")
    for one in people.order_by("user__email")[:_MOST]:
        yield Hit("Person", str(one.user), reverse("accounts:person", args=[one.pk]))


def _requests(membership: Membership, words: str, at: datetime) -> Iterator[Hit]:
    cases = board.cases_of(
        access.client_ids_with(membership, Permission.HANDLE_REQUESTS, at=at),
        with_own=access.has_right(membership, AgencyRight.SIGN_OFF),
    )
    for case in cases.filter(reference__istartswith=words).order_by("reference")[:_MOST]:
        yield Hit("Request", case.reference, reverse("rights:case", args=[case.pk]))


def _callers(membership: Membership, words: str, at: datetime) -> Iterator[Hit]:
    clients = access.client_ids_with(membership, Permission.VIEW_CALLS, at=at)
    for caller in named.callers_named(clients, words)[:_MOST]:
        url = reverse("consent:caller", args=[caller.client.slug, caller.pk])
        yield Hit("Caller", f"{caller.label}, {caller.client.name}", url)
