"""A client's ways in and numbers as its page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, Q

from callprivacy.calls.enums import InboxState
from callprivacy.calls.models import Connection, ConnectionSecret, Inbox, TrackingNumber
from callprivacy.calls.providers import PROVIDERS
from callprivacy.tenancy.models import Client

NUMBERS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection and how it is doing now."""

    connection: Connection
    provider_title: str
    waiting: int
    rejected: int

    @property
    def error_percent(self) -> float | None:
        """Of a hundred events, how many could not be read; None before the first."""
        if not self.connection.events:
            return None
        return round(100 * self.connection.rejected / self.connection.events, 1)


def title_of(provider: str) -> str:
    """A provider's name as a person reads it."""
    return PROVIDERS[provider].title if provider in PROVIDERS else provider.capitalize()


def connections_of(client: Client) -> list[ConnectionState]:
    """A client's connections, the open ones first, then by name; two queries however many there are."""
    counts = {
        row["connection_id"]: (row["waiting"], row["rejected"])
        for row in Inbox.objects.filter(client=client)
        .values("connection_id")
        .annotate(
            waiting=Count("id", filter=Q(state=InboxState.WAITING)),
            rejected=Count("id", filter=Q(state=InboxState.REJECTED)),
        )
    }
    rows = Connection.objects.filter(client=client).order_by("-is_active", "name", "id")
    return [ConnectionState(row, title_of(row.provider), *counts.get(row.pk, (0, 0))) for row in rows]


def state_of(connection: Connection) -> ConnectionState:
    """One connection and how it is doing now."""
    counts = Inbox.objects.filter(client_id=connection.client_id, connection=connection).aggregate(
        waiting=Count("id", filter=Q(state=InboxState.WAITING)),
        rejected=Count("id", filter=Q(state=InboxState.REJECTED)),
    )
    return ConnectionState(connection, title_of(connection.provider), counts["waiting"], counts["rejected"])


def active_secrets(connection: Connection, *, at: datetime) -> Sequence[ConnectionSecret]:
    """Secrets that count at `at`, newest first; what they are is not read."""
    counting = Q(ends_at__isnull=True) | Q(ends_at__gt=at)
    rows = ConnectionSecret.objects.filter(counting, client_id=connection.client_id, connection=connection)
    return list(rows.defer("secret").order_by("-created_at", "-id"))


def numbers_page(
    client: Client, *, after: UUID | None, limit: int = NUMBERS_A_PAGE
) -> tuple[list[TrackingNumber], UUID | None]:
    """
    A page of a client's numbers in their own order.

    :param after: id of the last number of the page before; numbers themselves stay out of addresses.
    :returns: the page, and the id to ask the next one with.
    """
    rows = TrackingNumber.objects.filter(client=client).order_by("number")
    if after is not None:
        last = TrackingNumber.objects.filter(client=client, pk=after).values("number")
        rows = rows.filter(number__gt=last[:1])
    page = list(rows[: limit + 1])
    return page[:limit], page[limit - 1].pk if len(page) > limit else None


@dataclass(frozen=True, slots=True)
class RejectedGroup:
    """Events of one connection that were refused for the same reason."""

    connection_name: str
    reason: str
    count: int
    oldest_at: datetime
    leaves_at: datetime


def rejected_of(client: Client, *, kept_for: timedelta, limit: int = 100) -> list[RejectedGroup]:
    """What a client's connections sent and nobody could read, by connection and reason, oldest first."""
    rows = (
        Inbox.objects.rejected()
        .filter(client=client)
        .values("connection__name", "reason")
        .annotate(count=Count("id"), oldest=Min("received_at"))
        .order_by("oldest", "reason")[:limit]
    )
    return [
        RejectedGroup(
            row["connection__name"], row["reason"], row["count"], row["oldest"], row["oldest"] + kept_for
        )
        for row in rows
    ]


def rejected_count(client: Client) -> int:
    """How many of a client's events are rejected."""
    return Inbox.objects.rejected().filter(client=client).count()


def has_due(agency_id: int, *, at: datetime) -> bool:
    """Whether anything waits in an agency's inbox and its time has come."""
    return Inbox.objects.due(at).filter(agency_id=agency_id).exists()
