"""The queue and the bell as one person may see them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership, User
from callprivacy.tenancy.enums import Permission
from callprivacy.work import kinds
from callprivacy.work.enums import ItemState, Told
from callprivacy.work.kinds import Kind
from callprivacy.work.models import Item, MailChoice, Notification, Period

KEPT_FOR = timedelta(days=400)
"""How long people find what they were told and what was done: a year, and the month in which one looks back at it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one person may act on: the clients of each permission, the rights of the role, and what is its own."""

    clients: Mapping[str, frozenset[int]]
    rights: frozenset[AgencyRight]
    is_active: bool = True

    def of(self, permission: Permission) -> frozenset[int]:
        """The clients on which the person holds a permission."""
        return self.clients.get(permission.value, frozenset())

    def covers(self, kind: Kind, client_id: int | None) -> bool:
        """Whether the person may act on a thing of this kind: the one rule of queue, bell and mail."""
        if kind.is_own:
            return self.is_active
        if not kind.is_open_to(self.rights):
            return False
        if kind.permission is not None:
            return client_id in self.of(kind.permission)
        return client_id is None or client_id in self.of(Permission.VIEW_CLIENT)


def reach_of(membership: Membership | None, *, at: datetime) -> Reach:
    """A person's reach, one query; none for who is no member, suspended or inactive."""
    if membership is None or not membership.is_active:
        return Reach({}, frozenset(), is_active=False)
    granted: dict[str, set[int]] = {}
    rows = access.grants_of(membership, at=at).values_list("permission__codename", "content_object_id")
    for codename, client_id in rows:
        granted.setdefault(codename, set()).add(client_id)
    clients = {name: frozenset(ids) for name, ids in granted.items()}
    return Reach(clients, membership.rights)


def memberships_of(user_ids: Collection[int], *, agency_id: int) -> dict[int, Membership]:
    rows = Membership.objects.filter(agency_id=agency_id, user_id__in=list(user_ids)).select_related("user")
    return {row.user_id: row for row in rows}


def people_for(kind: Kind, *, agency_id: int, client_id: int | None, at: datetime) -> list[int]:
    """User ids of everybody who may act on a thing of this kind, two queries at most."""
    if client_id is None:
        if kind.permission is not None or kind.right is None:
            return []
        return access.people_with_right(kind.right, agency_id=agency_id)
    needed = kind.permission or Permission.VIEW_CLIENT
    granted = access.people_with(needed, client_id, agency_id=agency_id, at=at)
    if kind.right is None:
        return granted
    entitled = set(access.people_with_right(kind.right, agency_id=agency_id))
    return [user_id for user_id in granted if user_id in entitled]


def is_open(kind: str, *, agency_id: int, key: str) -> bool:
    """Whether something waits under this kind and key."""
    return Item.objects.open().filter(agency_id=agency_id, kind=kind, key=key).exists()


def is_claimed(*, agency_id: int, job: str, period: str) -> bool:
    return Period.objects.filter(agency_id=agency_id, job=job, period=period).exists()


def is_about(item: Item, user_id: int | None, *, at: datetime) -> bool:
    """Whether an item is about what this person did, and somebody else may look at it."""
    about = item.about
    if about.whom is None or user_id is None or about.whom(item.key) != user_id:
        return False
    people = people_for(about, agency_id=item.agency_id, client_id=item.client_id, at=at)
    return any(one != user_id for one in people)


def choices_of(user_id: int, *, agency_id: int) -> dict[str, Told]:
    """Kind -> how a person wants to be told of it."""
    rows = MailChoice.objects.filter(agency_id=agency_id, user_id=user_id)
    return {kind: Told(told) for kind, told in rows.values_list("kind", "told")}


def how_told(user_ids: Iterable[int], *, agency_id: int) -> Callable[[int, str], Told]:
    """How each of these people is told of a kind: as they chose for it, for everything, or at once; one query."""
    rows = MailChoice.objects.filter(agency_id=agency_id, user_id__in=list(user_ids))
    chosen = {
        (user_id, kind): Told(told) for user_id, kind, told in rows.values_list("user_id", "kind", "told")
    }

    def told(user_id: int, kind: str) -> Told:
        return chosen.get((user_id, kind)) or chosen.get((user_id, "")) or Told.AT_ONCE

    return told


def kinds_for(membership: Membership, *, at: datetime) -> list[Kind]:
    """The kinds of thing that a person can be told of."""
    reach = reach_of(membership, at=at)
    return [
        kind
        for kind in kinds.every()
        if kind.is_open_to(reach.rights) and (kind.permission is None or reach.of(kind.permission))
    ]


def queue_of(membership: Membership, *, at: datetime) -> QuerySet[Item]:
    """
    Open items whose kind a person may act on, those put off left out, earliest due first.

    An item of a client needs the kind's permission there; a kind with a right needs the role's right as well.
    """
    reach = reach_of(membership, at=at)
    # A hundred kinds, of which most ask for the same clients: one condition each would take a tenth of a second.
    kinds_at: dict[tuple[frozenset[int], bool], list[str]] = {}
    for kind in kinds.every():
        if not kind.is_own and kind.is_open_to(reach.rights):
            clients = reach.of(kind.permission or Permission.VIEW_CLIENT)
            kinds_at.setdefault((clients, kind.permission is None), []).append(kind.name)
    wanted = Q(pk__in=[])
    for (clients, needs_no_permission), names in kinds_at.items():
        where = Q(client_id__in=clients)
        wanted |= Q(kind__in=names) & (where | Q(client_id__isnull=True) if needs_no_permission else where)
    return (
        Item.objects.awake(at)
        .filter(wanted)
        .select_related("client", "owner")
        .order_by("due_at", "opened_at", "id")
    )


def folded(rows: QuerySet[Item]) -> QuerySet[Item]:
    """The first item of each case: of one client, owner, and page where the next step is taken."""
    place = Window(
        RowNumber(),
        partition_by=[_page(), "client_id", "owner_id"],
        order_by=[F("due_at").asc(nulls_last=True), F("opened_at"), F("id")],
    )
    first = rows.order_by().annotate(place=place).filter(place=1)
    heads = Item.objects.filter(pk__in=first.values("pk")).select_related("client", "owner")
    return heads.order_by("due_at", "opened_at", "id")


def of_cases(rows: QuerySet[Item], heads: Collection[Item]) -> dict[UUID, list[Item]]:
    """Head of a case -> all items of its case among these, in their order; one query."""
    cases: dict[tuple[str, int | None, int | None], list[Item]] = {}
    for row in rows.filter(Q(client_id__in={head.client_id for head in heads}) | Q(client_id=None)):
        cases.setdefault((row.about.url_name, row.client_id, row.owner_id), []).append(row)
    return {head.pk: cases[head.about.url_name, head.client_id, head.owner_id] for head in heads}


def _page() -> Case:
    """The page of an item's next step, by its kind."""
    pages: dict[str, list[str]] = {}
    for kind in kinds.every():
        pages.setdefault(kind.url_name, []).append(kind.name)
    return Case(
        *(When(kind__in=names, then=Value(page)) for page, names in pages.items()),
        default=F("kind"),
        output_field=CharField(),
    )


def kinds_in(rows: QuerySet[Item]) -> dict[str, int]:
    """How many of these items there are of each kind that there is among them; one query."""
    found = rows.order_by().values_list("kind").annotate(count=Count("pk"))
    return dict(found)


def notifications_of(membership: Membership) -> QuerySet[Notification]:
    """A person's notifications, newest first."""
    rows = Notification.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    return rows.select_related("client").order_by("-at", "-id")


def unread_count(membership: Membership) -> int:
    """How many of a person's notifications are unread, counted to 100 at most."""
    mine = Notification.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    return mine.filter(read_at__isnull=True)[:100].count()


def count_told(agency_id: int, on: date) -> int:
    """How many notifications leave by a day, as far as the scope sees them."""
    return Notification.objects.filter(agency_id=agency_id, at__lt=_before(on)).count()


def count_done(agency_id: int, on: date) -> int:
    """How many things that were done leave by a day, as far as the scope sees them."""
    return Item.objects.filter(agency_id=agency_id, closed_at__lt=_before(on), state=ItemState.DONE).count()


def _before(on: date) -> datetime:
    return datetime.combine(on + timedelta(days=1), time.min, tzinfo=UTC) - KEPT_FOR


def count_owned(membership: Membership) -> int:
    """How many open items a person owns in their agency."""
    return Item.objects.open().filter(agency_id=membership.agency_id, owner_id=membership.user_id).count()


def colleagues(membership: Membership) -> list[User]:
    """The active people of a person's agency, by name: whom work can be handed to."""
    rows = Membership.objects.filter(agency_id=membership.agency_id).active().select_related("user")
    return [row.user for row in rows.order_by("user__name", "user_id")]
