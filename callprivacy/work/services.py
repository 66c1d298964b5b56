"""Opening, handing over and closing what waits for a person, and telling people about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.work import kinds
from callprivacy.work.enums import ItemState
from callprivacy.work.models import Item, Notification, Period

_MAIL_AGAIN_AFTER = timedelta(minutes=10)


def open_item(
    kind: str,
    *,
    agency_id: int,
    key: str,
    at: datetime,
    client_id: int | None = None,
    due_at: datetime | None = None,
    count: int | None = None,
) -> None:
    """
    Let something wait for a person; where the same kind and key waits already, its count and date are renewed.

    :raises UnknownKindError: no app registered the kind.
    """
    kinds.get(kind)
    Item.objects.bulk_create(
        [
            Item(
                agency_id=agency_id,
                client_id=client_id,
                kind=kind,
                key=key,
                count=count,
                opened_at=at,
                due_at=due_at,
            )
        ],
        ignore_conflicts=True,
    )
    Item.objects.open().filter(agency_id=agency_id, kind=kind, key=key).update(count=count, due_at=due_at)


def close_item(kind: str, *, agency_id: int, key: str, at: datetime, by: Actor) -> bool:
    """Close what waits under this kind and key; returns whether anything did."""
    open_items = Item.objects.open().filter(agency_id=agency_id, kind=kind, key=key)
    return open_items.update(state=ItemState.DONE, closed_at=at, closed_by_id=by.user_id) > 0


@transaction.atomic
def decide_items(*, item_ids: Collection[UUID], by: Actor, at: datetime) -> int:
    """Close several items as done by a person, each written down; returns how many were open."""
    items = list(Item.objects.open().select_for_update().filter(pk__in=list(item_ids)))
    Item.objects.filter(pk__in=[item.pk for item in items]).update(
        state=ItemState.DONE, closed_at=at, closed_by_id=by.user_id
    )
    for item in items:
        audit.record("item.closed", subject=item, client_id=item.client_id, by=by, at=at, kind=item.kind)
    return len(items)


@transaction.atomic
def assign_items(*, item_ids: Collection[UUID], owner_id: int | None, by: Actor, at: datetime) -> int:
    """Hand several open items to a person, or to nobody; returns how many."""
    items = list(Item.objects.open().filter(pk__in=list(item_ids)))
    Item.objects.filter(pk__in=[item.pk for item in items]).update(owner_id=owner_id)
    for item in items:
        audit.record("item.assigned", subject=item, client_id=item.client_id, by=by, at=at, person=owner_id)
    return len(items)


@transaction.atomic
def snooze_items(*, item_ids: Collection[UUID], until: datetime, by: Actor, at: datetime) -> int:
    """Put several open items off until an instant; returns how many."""
    items = list(Item.objects.open().filter(pk__in=list(item_ids)))
    Item.objects.filter(pk__in=[item.pk for item in items]).update(snoozed_until=until)
    for item in items:
        audit.record(
            "item.snoozed", subject=item, client_id=item.client_id, by=by, at=at, until=until.isoformat()
        )
    return len(items)


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
    Claim notifications whose mail is due; each comes back in ten minutes unless `mail_sent` is told.

    Notifications that were read in the meantime need no mail.
    """
    due = Notification.objects.filter(agency_id=agency_id, mail_due_at__lte=at)
    due.filter(read_at__isnull=False).update(mail_due_at=None)
    rows = list(
        due.filter(read_at__isnull=True)
        .select_related("user")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("mail_due_at")[:limit]
    )
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(mail_due_at=at + _MAIL_AGAIN_AFTER)
    return rows


def mail_sent(*, notification_ids: Collection[UUID], at: datetime) -> None:
    """Note that mail went out."""
    Notification.objects.filter(pk__in=list(notification_ids)).update(mailed_at=at, mail_due_at=None)


def claim_period(*, agency_id: int, job: str, period: str, at: datetime) -> bool:
    """
    Claim one period of a periodic job for an agency; only the first who asks is told yes.

    Call it in the transaction that does the work, so that a failed run gives the claim back.
    """
    before = Period.objects.filter(agency_id=agency_id, job=job, period=period).exists()
    if before:
        return False
    Period.objects.bulk_create(
        [Period(agency_id=agency_id, job=job, period=period, claimed_at=at)], ignore_conflicts=True
    )
    return Period.objects.filter(agency_id=agency_id, job=job, period=period, claimed_at=at).exists()
