"""The queue and the bell as one person may see them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.access import grants_of
from callprivacy.accounts.enums import MembershipState
from callprivacy.accounts.models import Membership, User
from callprivacy.work import kinds
from callprivacy.work.models import Item, Notification


def queue_of(membership: Membership, *, at: datetime) -> QuerySet[Item]:
    """
    Open items whose kind a person may act on, those put off left out, earliest due first.

    An item of a client needs the kind's permission there; one without needs the kind's right.
    """
    granted: dict[str, list[int]] = {}
    rows = grants_of(membership, at=at).values_list("permission__codename", "content_object_id")
    for codename, client_id in rows:
        granted.setdefault(codename, []).append(client_id)
    wanted = Q(pk__in=[])
    for kind in kinds.every():
        if kind.permission is not None and kind.permission.value in granted:
            wanted |= Q(kind=kind.name, client_id__in=granted[kind.permission.value])
        if kind.right is not None and access.has_right(membership, kind.right):
            wanted |= Q(kind=kind.name)
    return (
        Item.objects.awake(at)
        .filter(wanted)
        .select_related("client", "owner")
        .order_by("due_at", "opened_at", "id")
    )


def notifications_of(membership: Membership) -> QuerySet[Notification]:
    """A person's notifications, newest first."""
    rows = Notification.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    return rows.select_related("client").order_by("-at", "-id")


def unread_count(membership: Membership) -> int:
    """How many of a person's notifications are unread, counted to 100 at most."""
    return notifications_of(membership).filter(read_at__isnull=True)[:100].count()


def colleagues(membership: Membership) -> list[User]:
    """The active people of a person's agency, by name: whom work can be handed to."""
    return list(
        User.objects.filter(
            is_active=True,
            memberships__agency_id=membership.agency_id,
            memberships__state=MembershipState.ACTIVE,
        ).order_by("name", "pk")
    )
