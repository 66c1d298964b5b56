"""What vendors still have of what we erased: checks of their lists, leftovers, and what is asked for."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from callprivacy.calls.models import Connection
from callprivacy.calls.providers import by_hand
from callprivacy.calls.providers.base import ByHand
from callprivacy.calls.selectors.connections import title_of
from callprivacy.tenancy.models import Client
from consent.enums import VendorStep
from consent.models import VendorTask
from consent.selectors import decisions
from retention.enums import LeftoverState
from retention.models import Errand, Leftover, VendorCheck

LISTS: Final = frozenset({"twilio", "callrail"})
"""Vendors whose interface lists what they have."""


@dataclass(frozen=True, slots=True)
class Checked:
    """
    One connection and what its vendor says it still has.

    :ivar lists: whether its vendor lists what it has. :ivar is_open: whether what opens the list is known.
    """

    connection: Connection
    title: str
    check: VendorCheck | None
    lists: bool
    is_open: bool
    outliving: int

    @property
    def by_hand(self) -> ByHand | None:
        """How a person has a recording deleted there; None where its interface is asked."""
        return by_hand(self.connection.provider)


def checks_of(client: Client) -> list[Checked]:
    """A client's connections with the newest check of each; three queries."""
    ways = list(Connection.objects.for_client(client).order_by("created_at", "pk"))
    checks = {row.connection_id: row for row in VendorCheck.objects.for_client(client)}
    left: dict[uuid.UUID | None, int] = {}
    for way_id in (
        Leftover.objects.for_client(client)
        .exclude(state=LeftoverState.GONE)
        .values_list("connection_id", flat=True)
    ):
        left[way_id] = left.get(way_id, 0) + 1
    return [
        Checked(
            connection=way,
            title=title_of(way.provider),
            check=checks.get(way.pk),
            lists=way.provider in LISTS,
            is_open=_is_open(way, checks.get(way.pk)),
            outliving=left.get(way.pk, 0),
        )
        for way in ways
    ]


def _is_open(way: Connection, check: VendorCheck | None) -> bool:
    if way.provider == "twilio":
        return bool(way.mapping.get("account"))
    return check is not None and check.secret_set_at is not None


@dataclass(frozen=True, slots=True)
class Line:
    """One leftover, as the page shows it. :ivar days: for how long it is known to outlive ours."""

    row: Leftover
    vendor: str
    days: int

    @property
    def pk(self) -> uuid.UUID:
        return self.row.pk


def leftovers(client: Client, *, state: str = "") -> QuerySet[Leftover]:
    """A client's leftovers, the oldest first; all that are not gone where no state is named."""
    rows = Leftover.objects.for_client(client).select_related("connection").defer("reference")
    rows = (
        rows.filter(state=state) if state in LeftoverState.values else rows.exclude(state=LeftoverState.GONE)
    )
    return rows.order_by("found_at", "pk")


def lines(rows: Collection[Leftover], at: datetime) -> list[Line]:
    """Leftovers with their vendor's title and their age."""
    return [
        Line(row, title_of(row.provider), max((at - row.found_at) // timedelta(days=1), 0)) for row in rows
    ]


def outliving(client_ids: Collection[int]) -> int:
    """How many recordings of these clients a vendor still has although ours is erased."""
    return Leftover.objects.filter(client_id__in=list(client_ids)).exclude(state=LeftoverState.GONE).count()


def open_deletions(client: Client) -> QuerySet[VendorTask]:
    """Steps at vendors that delete recordings of a client and are not done, the oldest first."""
    rows = VendorTask.objects.for_client(client).open().filter(step=VendorStep.DELETE_RECORDING)
    return rows.select_related("connection", "destination", "client").order_by("created_at", "pk")


def backlog(client: Client) -> int:
    """What waits at vendors for a client: open deletions, and errands of before."""
    return open_deletions(client).count() + Errand.objects.for_client(client).count()


def is_instructed(client: Client) -> bool:
    """Whether the client has instructed us to have recordings deleted at vendors."""
    return decisions.deletes_at_vendor(client)


def due_checks(agency_id: int, at: datetime) -> QuerySet[VendorCheck]:
    """Checks of an agency that go on or begin now, the longest waiting first."""
    rows = VendorCheck.objects.filter(agency_id=agency_id, due_at__lte=at, connection__is_active=True)
    return rows.order_by("due_at", "pk")
