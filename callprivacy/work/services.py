"""Opening, handing over and closing what waits for a person, and telling people about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from callprivacy.accounts import selectors as accounts
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import leaving
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.work import kinds, selectors
from callprivacy.work.enums import ItemState, Told
from callprivacy.work.models import HANDED, Item, MailChoice, Notification, Period

MAIL_AGAIN_AFTER = timedelta(minutes=10)
HEARD_WITHIN = timedelta(days=7)
"""How long after it the officers hear of a new one, and of a signature that did not count, where no job has run."""
OF_A_CLOCK = timedelta(days=35)
"""How long the claim of a period that the clock names is kept: it is asked for while it lasts."""
OF_A_THING = timedelta(days=1_096)
"""How long any other claim is kept: a hold's date or a request's stage is asked for while the thing waits."""
_TO_THE_MICROSECOND = "%Y%m%dT%H%M%S.%f"
DAILY_AT = time(8)
"""When the mail of a day goes to who wants one a day, in the agency's zone."""


@dataclass(frozen=True, slots=True)
class Handed:
    """How many items found their new owner, and how many were left because the person may not act on them."""

    handed: int
    without_grant: int = 0
    without_right: int = 0

    @property
    def left(self) -> int:
        """How many stayed as they were."""
        return self.without_grant + self.without_right


@dataclass(frozen=True, slots=True)
class Changed:
    """How many items were closed or put off, and how many stayed: their own step closes them, or it is another's."""

    changed: int
    by_step: int = 0
    own: int = 0


def open_item(
    kind: str,
    *,
    agency_id: int,
    key: str,
    at: datetime,
    client_id: int | None = None,
    due_at: datetime | None = None,
    count: int | None = None,
) -> bool:
    """
    Let something wait for a person, and tell everybody who may act on it.

    Where the same kind and key waits already, its count and date are renewed, and nobody is told again.

    :returns: whether a new item was opened.
    :raises UnknownKindError: no app registered the kind.
    """
    about = kinds.get(kind)
    waiting = Item.objects.open().filter(agency_id=agency_id, kind=kind, key=key)
    if waiting.update(count=count, due_at=due_at):
        return False
    item = Item(
        agency_id=agency_id,
        client_id=client_id,
        kind=kind,
        key=key,
        count=count,
        opened_at=at,
        due_at=due_at,
    )
    Item.objects.bulk_create([item], ignore_conflicts=True)
    if not Item.objects.filter(pk=item.pk).exists():  # another transaction opened it in the meantime
        waiting.update(count=count, due_at=due_at)
        return False
    notify(
        kind,
        agency_id=agency_id,
        client_id=client_id,
        user_ids=selectors.people_for(about, agency_id=agency_id, client_id=client_id, at=at),
        at=at,
        key=key,
    )
    return True


def close_item(kind: str, *, agency_id: int, key: str, at: datetime, by: Actor) -> bool:
    """Close what waits under this kind and key; returns whether anything did."""
    open_items = Item.objects.open().filter(agency_id=agency_id, kind=kind, key=key)
    return open_items.update(state=ItemState.DONE, closed_at=at, closed_by_id=by.user_id) > 0


def renew_item(
    kind: str,
    *,
    agency_id: int,
    client_id: int,
    count: int,
    by: Actor,
    at: datetime,
    due_at: datetime | None = None,
) -> None:
    """Keep a client's one item of a kind with how many wait, or close it where none does."""
    key = str(client_id)
    if count:
        open_item(kind, agency_id=agency_id, client_id=client_id, key=key, at=at, due_at=due_at, count=count)
    else:
        close_item(kind, agency_id=agency_id, key=key, at=at, by=by)


@transaction.atomic
def decide_items(*, item_ids: Collection[UUID], by: Actor, at: datetime) -> Changed:
    """Close several open items as done by a person, each written down; some kinds stay (`kinds.Kind`)."""
    found = list(_locked(item_ids))
    rest = [item for item in found if not item.about.is_closed_by_step]
    items = _not_about(rest, by, at)
    Item.objects.filter(pk__in=[item.pk for item in items]).update(
        state=ItemState.DONE, closed_at=at, closed_by_id=by.user_id
    )
    for item in items:
        audit.record("item.closed", subject=item, client_id=item.client_id, by=by, at=at, kind=item.kind)
    return Changed(len(items), by_step=len(found) - len(rest), own=len(rest) - len(items))


def _not_about(items: list[Item], by: Actor, at: datetime) -> list[Item]:
    return [item for item in items if not selectors.is_about(item, by.user_id, at=at)]


@transaction.atomic
def assign_items(
    *, agency_id: int, item_ids: Collection[UUID], owner_id: int | None, by: Actor, at: datetime
) -> Handed:
    """
    Hand several open items to a person who is then told, or to nobody.

    Items that this person may not act on stay as they are.
    """
    items = list(_locked(item_ids))
    left: list[Item] = []
    if owner_id is not None:
        owner = selectors.memberships_of([owner_id], agency_id=agency_id).get(owner_id)
        reach = selectors.reach_of(owner, at=at)
        left = [item for item in items if not reach.covers(item.about, item.client_id)]
        items = [item for item in items if reach.covers(item.about, item.client_id)]
    Item.objects.filter(pk__in=[item.pk for item in items]).update(owner_id=owner_id)
    for item in items:
        audit.record("item.assigned", subject=item, client_id=item.client_id, by=by, at=at, person=owner_id)
    if owner_id is not None and owner_id != by.user_id:
        _tell_of_handed([item for item in items if item.owner_id != owner_id], owner_id, at)
    without_grant = sum(item.client_id is not None for item in left)
    return Handed(len(items), without_grant, len(left) - without_grant)


def _locked(item_ids: Collection[UUID]) -> QuerySet[Item]:
    """Open items, held until the end of the transaction, in one order so that two deeds never wait crosswise."""
    return Item.objects.open().filter(pk__in=list(item_ids)).order_by("pk").select_for_update()


def _tell_of_handed(items: list[Item], owner_id: int, at: datetime) -> None:
    Notification.objects.bulk_create(
        Notification(
            agency_id=item.agency_id,
            user_id=owner_id,
            client_id=item.client_id,
            kind=item.kind,
            key=f"{HANDED}{item.pk}",
            at=at,
            mail_due_at=at,
        )
        for item in items
    )


@transaction.atomic
def snooze_items(*, item_ids: Collection[UUID], until: datetime, by: Actor, at: datetime) -> Changed:
    """Put several open items off until an instant, for everybody; what is about the person stays (`kinds.Kind`)."""
    found = list(_locked(item_ids))
    items = _not_about(found, by, at)
    Item.objects.filter(pk__in=[item.pk for item in items]).update(snoozed_until=until)
    for item in items:
        audit.record(
            "item.snoozed", subject=item, client_id=item.client_id, by=by, at=at, until=until.isoformat()
        )
    return Changed(len(items), own=len(found) - len(items))


# --- People who come to be looked over, and who leave ---


@dataclass(frozen=True, slots=True)
class Gone:
    """What a leaving ended, and how many tasks found another owner or wait for anybody again."""

    left: leaving.Left
    handed: int
    nobodys: int


@transaction.atomic
def let_go(*, membership: Membership, to_id: int | None, by: Actor, at: datetime) -> Gone:
    """
    See somebody off: end what they have in the agency, and hand their open tasks over.

    Tasks on which the other one may not act, and all of them without one, are nobody's: they wait for who may.

    :raises LastManagerError: nobody else could manage people.
    :raises OwnRightsError: people do not see themselves off.
    """
    left = leaving.leave(membership=membership, by=by, at=at)
    owned = Item.objects.open().filter(agency_id=membership.agency_id, owner_id=membership.user_id)
    item_ids = list(owned.values_list("pk", flat=True))
    handed = 0
    if to_id is not None and to_id != membership.user_id:
        handed = assign_items(
            agency_id=membership.agency_id, item_ids=item_ids, owner_id=to_id, by=by, at=at
        ).handed
    rest = list(owned.values_list("pk", flat=True))
    if rest:
        assign_items(agency_id=membership.agency_id, item_ids=rest, owner_id=None, by=by, at=at)
    return Gone(left, handed, len(rest))


def mind_people(*, agency_id: int, at: datetime) -> None:
    """
    Let an open access review, and second factors and officers that wait for a second person, wait in the queue, too.

    Of each new or removed officer, and of each second signature that did not count, the officers hear once.
    """
    review = accounts.open_review()
    waiting = (
        {} if review is None else {str(review.pk): (accounts.count_open_lines(review), review.answer_by)}
    )
    _mind(kinds.ACCESS_REVIEW, waiting, agency_id=agency_id, at=at)
    resets = {str(reset.pk): (1, reset.ends_at) for reset in accounts.open_resets(at=at)}
    _mind(kinds.FACTOR_RESET, resets, agency_id=agency_id, at=at)
    waiting_for = {str(row.pk): (1, row.expires_at) for row in accounts.unconfirmed(at=at)}
    _mind(kinds.OFFICER_WAITS, waiting_for, agency_id=agency_id, at=at)
    since = at - HEARD_WITHIN
    made = accounts.officers_of(agency_id).filter(made_at__gt=since)
    news = [
        (kinds.NEW_OFFICER, f"{row.pk}:{row.user_id}", f"{row.made_at:{_TO_THE_MICROSECOND}}") for row in made
    ]
    removed = Membership.objects.filter(agency_id=agency_id, officer_until__gt=since)
    news += [
        (kinds.OFFICER_REMOVED, f"{row.pk}:{row.user_id}", f"{row.officer_until:{_TO_THE_MICROSECOND}}")
        for row in removed
    ]
    uncounted = accounts.uncounted(agency_id=agency_id, since=since)
    news += [(kinds.NOT_COUNTED, f"{row.pk}:{row.actor_user_id}", "") for row in uncounted]
    for kind, key, period in news:
        if claim_period(agency_id=agency_id, job=f"{kind} {key}", period=period, at=at):
            open_item(kind, agency_id=agency_id, key=key, at=at)


def _mind(kind: str, waiting: dict[str, tuple[int, datetime]], *, agency_id: int, at: datetime) -> None:
    keys = [key for key, (count, _) in waiting.items() if count]
    over = Item.objects.open().filter(agency_id=agency_id, kind=kind).exclude(key__in=keys)
    over.update(state=ItemState.DONE, closed_at=at)
    for key in keys:
        count, due_at = waiting[key]
        open_item(kind, agency_id=agency_id, key=key, at=at, count=count, due_at=due_at)


def notify(
    kind: str,
    *,
    agency_id: int,
    user_ids: Collection[int],
    at: datetime,
    client_id: int | None = None,
    key: str = "",
    by_mail: bool = True,
) -> None:
    """
    Tell people that something happened: in the app at once, and by mail with the next sweep.

    :raises UnknownKindError: no app registered the kind.
    """
    kinds.get(kind)
    Notification.objects.bulk_create(
        Notification(
            agency_id=agency_id,
            user_id=user_id,
            client_id=client_id,
            kind=kind,
            key=key,
            at=at,
            mail_due_at=at if by_mail else None,
        )
        for user_id in sorted(set(user_ids))
    )


def mark_read(*, user_id: int, at: datetime, notification_id: UUID | None = None) -> int:
    """Mark one of a person's notifications as read, or all; returns how many were not."""
    unread = Notification.objects.filter(user_id=user_id, read_at__isnull=True)
    if notification_id is not None:
        unread = unread.filter(pk=notification_id)
    return unread.update(read_at=at)


@transaction.atomic
def claim_mail(*, agency_id: int, at: datetime, limit: int) -> list[Notification]:
    """
    Claim notifications whose mail is due; each comes back after `MAIL_AGAIN_AFTER` unless `mail_sent` is told, and
    keeps since when it was due.

    What was read in the meantime needs no mail. What is about a thing on which the person may no longer act,
    and anything for who is suspended, inactive or gone, is never mailed.
    """
    due = Notification.objects.filter(agency_id=agency_id, mail_due_at__lte=at)
    due.filter(read_at__isnull=False).update(mail_due_at=None)
    rows = list(
        due.filter(read_at__isnull=True)
        .select_related("user", "agency")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("mail_due_at", "pk")[:limit]
    )
    members = selectors.memberships_of({row.user_id for row in rows}, agency_id=agency_id)
    reaches = {
        user_id: selectors.reach_of(members.get(user_id), at=at)
        for user_id in sorted({row.user_id for row in rows})
    }
    kept = [row for row in rows if reaches[row.user_id].covers(row.about, row.client_id)]
    told = selectors.how_told(reaches, agency_id=agency_id)
    kept = [row for row in kept if told(row.user_id, row.kind) != Told.BELL]
    later = {
        row.pk: morning
        for row in kept
        if told(row.user_id, row.kind) == Told.DAILY
        and (morning := next_daily_mail(row.at, row.agency.time_zone)) > at
    }
    kept = [row for row in kept if row.pk not in later]
    keep = {row.pk for row in kept}
    dropped = [row.pk for row in rows if row.pk not in keep and row.pk not in later]
    for morning in sorted(set(later.values())):
        waiting = [pk for pk, when in later.items() if when == morning]
        Notification.objects.filter(pk__in=waiting).update(mail_due_at=morning)
    Notification.objects.filter(pk__in=keep).update(
        mail_due_at=at + MAIL_AGAIN_AFTER, mail_due_since=Coalesce("mail_due_since", "mail_due_at")
    )
    Notification.objects.filter(pk__in=dropped).update(mail_due_at=None)
    return kept


def next_daily_mail(at: datetime, zone: str) -> datetime:
    """The first eight o'clock after an instant in an agency's zone."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() if local.time() < DAILY_AT else local.date() + timedelta(days=1)
    return datetime.combine(day, DAILY_AT, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@transaction.atomic
def choose_mail(*, membership: Membership, told: Mapping[str, Told], by: Actor, at: datetime) -> None:
    """
    Say how a person is told of kinds of things; the empty kind is everything without a line of its own.

    What waits for the mail of the day before goes the new way.
    """
    mine = MailChoice.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    mine.delete()
    MailChoice.objects.bulk_create(
        MailChoice(agency_id=membership.agency_id, user_id=membership.user_id, kind=kind, told=how)
        for kind, how in sorted(told.items())
    )
    waiting = Notification.objects.filter(
        agency_id=membership.agency_id, user_id=membership.user_id, mail_due_at__gt=at, mailed_at=None
    )
    waiting.update(mail_due_at=at)
    audit.record("mail.chosen", by=by, at=at, subject=membership, kinds=len(told))


def mail_sent(*, notification_ids: Collection[UUID], at: datetime) -> None:
    """Note that mail went out."""
    Notification.objects.filter(pk__in=list(notification_ids)).update(mailed_at=at, mail_due_at=None)


def claim_period(
    *, agency_id: int, job: str, period: str, at: datetime, kept_for: timedelta | None = OF_A_THING
) -> bool:
    """
    Claim one period of a periodic job for an agency; only the first who asks is told yes.

    Call it in the transaction that does the work, so that a failed run gives the claim back.

    :param kept_for: how long the claim counts; None, for ever. Afterwards whoever asks is told yes again.
    """
    if selectors.is_claimed(agency_id=agency_id, job=job, period=period):
        return False
    try:
        with transaction.atomic():
            Period.objects.create(
                agency_id=agency_id,
                job=job,
                period=period,
                claimed_at=at,
                ends_at=at + kept_for if kept_for is not None else None,
            )
    except IntegrityError:  # another transaction claimed it in the meantime
        return False
    return True


def remove_old(*, agency_id: int, at: datetime, limit: int = 20_000) -> int:
    """
    Remove what was told and done 400 days ago, and claims that are over; returns how many rows. In a job's scope.

    :param limit: rows of each table at most; the next run finds the rest.
    """
    since = at - selectors.KEPT_FOR
    removed = 0
    for rows in (
        Notification.objects.filter(agency_id=agency_id, at__lt=since),
        Item.objects.filter(agency_id=agency_id, closed_at__lt=since, state=ItemState.DONE),
        Period.objects.filter(agency_id=agency_id, ends_at__lt=at),
    ):
        removed += rows.model._default_manager.filter(pk__in=rows.order_by().values("pk")[:limit]).remove()
    return removed
