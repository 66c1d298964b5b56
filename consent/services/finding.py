"""
Finding a person by number, without opening anything: callers that are here, and, for officers, erased ones by what
remembers them. That somebody looked is written down, not for whom.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services import people as callers
from callprivacy.calls.services.searches import NotANumberError
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.models import ConsentEvent
from consent.selectors import people
from consent.selectors.people import Erased

__all__ = ["Found", "Hit", "NotANumberError", "find_people", "meet"]


@dataclass(frozen=True, slots=True)
class Hit:
    """
    A person that a number is, or was, at one client.

    :ivar erased: for who was erased. :ivar has_page: whether there is anything to show of the person.
    """

    client: Client
    caller_id: uuid.UUID
    name: str
    erased: Erased | None = None
    has_page: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. Of the number only the mask is left."""

    mask: str
    hits: list[Hit]


@transaction.atomic
def find_people(
    *, clients: Sequence[Client], number: str, with_erased: bool, by: Actor, at: datetime
) -> Found:
    """
    Find who a number is at each of these clients; without country code it is read as each client's country has it.

    :raises NotANumberError: it is none in any of them.
    """
    meant: dict[str, list[Client]] = {}
    for client in clients:
        read = phone.normalise(number, client.home_country)
        if read is not None:
            meant.setdefault(read, []).append(client)
    if not meant:
        raise NotANumberError("This is not a valid phone number.")
    hits: list[Hit] = []
    for read, of in meant.items():
        hits += _living(of, read)
        if with_erased:
            hits += _erased(of, read)
    order = {client.pk: place for place, client in enumerate(clients)}
    hits.sort(key=lambda hit: (order[hit.client.pk], hit.erased is not None))
    audit.record("number.searched", by=by, at=at, clients=len(clients), found=len(hits))
    return Found(" or ".join(sorted({phone.mask(read) for read in meant})), hits)


def _living(clients: Sequence[Client], number: str) -> list[Hit]:
    found = vault.find_callers([client.pk for client in clients], number)
    rows = Caller.objects.filter(client_id__in=list(found), pk__in=list(found.values()))
    here = set(rows.values_list("pk", flat=True))
    return [
        Hit(client, found[client.pk], people.name_of(found[client.pk]))
        for client in clients
        if found.get(client.pk) in here
    ]


def _erased(clients: Sequence[Client], number: str) -> list[Hit]:
    remembered = people.remembered(clients, number)
    ids = [caller_id for of in remembered.values() for caller_id in of]
    known = set(
        ConsentEvent.objects.filter(client_id__in=list(remembered), caller_id__in=ids)
        .order_by()
        .values_list("caller_id", flat=True)
        .distinct()
    )
    return [
        Hit(client, caller_id, people.name_of(caller_id), erased, has_page=caller_id in known)
        for client in clients
        for caller_id, erased in remembered.get(client.pk, {}).items()
    ]


@transaction.atomic
def meet(*, client: Client, number: str, by: Actor, at: datetime) -> uuid.UUID:
    """
    Return the caller that a number is at a client; whoever nobody knew becomes one: for who is on the phone.

    :raises NotANumberError: it is none.
    """
    read = phone.normalise(number, client.home_country)
    if read is None:
        raise NotANumberError("This is not a valid phone number.")
    known = vault.find_callers([client.pk], read).get(client.pk)
    audit.record("number.searched", by=by, at=at, clients=1, found=int(known is not None))
    if known is not None and Caller.objects.for_client(client).filter(pk=known).exists():
        return known
    caller_id = callers.add_callers(client=client, numbers=[read], at=at)[read]
    audit.record("caller.added", by=by, at=at, subject=Caller(pk=caller_id, client_id=client.pk))
    return caller_id
