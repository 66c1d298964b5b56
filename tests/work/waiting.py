"""Short words for what waits: opened, told, shown and done, each in the scope it needs."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Item, Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

EVENTS = "inbox_rejected"
LIMIT = "reveal_limit"
EVENTS_TITLE = "Tracker events that could not be read"
LIMIT_TITLE = "Hourly limit of revealed numbers reached"


def of_client(client: Client, key: str = "k", *, kind: str = EVENTS, **fields: Any) -> Item:
    """An item of a client, opened an hour ago."""
    at = fields.pop("at", make.now() - timedelta(hours=1))
    with job_scope(agency_id=client.agency_id):
        work.open_item(kind, agency_id=client.agency_id, client_id=client.pk, key=key, at=at, **fields)
        return Item.objects.open().select_related("client").get(kind=kind, key=key)


def of_agency(agency: Agency, key: str = "person-1", **fields: Any) -> Item:
    """An item without a client, for who signs off."""
    at = fields.pop("at", make.now() - timedelta(hours=1))
    with job_scope(agency_id=agency.pk):
        work.open_item(LIMIT, agency_id=agency.pk, key=key, at=at, **fields)
        return Item.objects.open().get(kind=LIMIT, key=key)


def manager(cast: Cast, name: str, *clients: Client) -> Membership:
    """An account manager, who may look after the connections of these clients."""
    person = make.person(cast.acme, name, Role.ACCOUNT_MANAGER)
    for client in clients:
        make.grant(person, client)
    return person


def suspend(person: Membership) -> None:
    """Take a person's membership out of force."""
    with job_scope(agency_id=person.agency_id):
        Membership.objects.filter(pk=person.pk).update(state=MembershipState.SUSPENDED)


def told(agency: Agency, **wanted: Any) -> list[Notification]:
    """The notifications of an agency, oldest first."""
    with job_scope(agency_id=agency.pk):
        rows = Notification.objects.filter(**wanted).select_related("user").order_by("at", "user_id", "pk")
        return list(rows)


def forget_all(agency: Agency) -> None:
    """Remove every notification, so that what follows stands alone."""
    with job_scope(agency_id=agency.pk):
        Notification.objects.filter(agency_id=agency.pk).delete()


def again(item: Item) -> Item:
    """The item as it stands now."""
    with job_scope(agency_id=item.agency_id):
        return Item.objects.get(pk=item.pk)


def queue_of(person: Membership, query: str = "") -> list[Item]:
    """The items on a person's page of the queue."""
    answer = signed_in(person).get(f"/work/{query}")
    assert answer.status_code == 200
    ids = ids_of(answer)
    with job_scope(agency_id=person.agency_id):
        items = Item.objects.in_bulk(ids)
    return [items[pk] for pk in ids]


def ids_of(answer: Any) -> list[UUID]:
    """The ids of the rows of a list, in their order."""
    return [row["id"] for row in answer.context["table"]["rows"]]


def do(person: Membership, deed: str, *items: Item | UUID, **fields: Any) -> Any:
    """Do something with ticked items, and return the page that follows."""
    ids = [item.pk if isinstance(item, Item) else item for item in items]
    return signed_in(person).post("/work/items/", {"deed": deed, "item": ids} | fields, follow=True)


def said(answer: Any) -> list[str]:
    """What the page that follows says."""
    return [str(message) for message in answer.context["messages"]]
