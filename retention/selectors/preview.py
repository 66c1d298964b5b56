"""
What is past its date, by client and category: the selection of a run, counted and shown before anything leaves.

A run plans with these very counts and chooses with these very targets, so that a preview is right to the row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from callprivacy.lib import calendars
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client
from retention import targets
from retention.enums import Category
from retention.law import categories
from retention.models import Hold
from retention.selectors import holds, policies
from retention.selectors.policies import Effective
from retention.targets import Extent, Line

NEEDS: Final[Mapping[Category, Permission]] = dict.fromkeys(Category, Permission.VIEW_CALLS) | {
    Category.EXPORT: Permission.EXPORT_CALLS,
    Category.RELEASE: Permission.RELEASE_DATA,
    Category.INBOX: Permission.MANAGE_CONNECTIONS,
    Category.REQUEST: Permission.HANDLE_REQUESTS,
}
"""What a person needs on a client to see rows of a category there; row security hides the rest."""


def is_live(client: Client) -> bool:
    """Whether a run deletes what is due at a client."""
    return client.retention_state == RetentionState.LIVE


@dataclass(frozen=True, slots=True)
class Held:
    """
    What a hold keeps of a client: its open holds, the callers of whom nothing may leave, and whether it is everything,
    whenever it was.
    """

    holds: tuple[Hold, ...] = ()
    caller_ids: frozenset[UUID] = frozenset()
    keeps_all: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a client's lines stand at one instant, by its policies, and what holds keep."""

    client: Client
    policies: dict[Category, Effective]
    cutoffs: dict[Category, datetime]
    held: Held

    def of(self, category: Category, *, at_most: datetime | None = None) -> Line:
        """
        The line of one category.

        :param at_most: a line that was drawn before; it moves back with a policy, never on.
        """
        cutoff = self.cutoffs[category]
        return Line(
            client=self.client,
            cutoff=cutoff if at_most is None else min(cutoff, at_most),
            call_cutoff=self.cutoffs[Category.CALL],
            call_out_cutoff=self.cutoffs[Category.CALL_OUT],
            held=self.held.caller_ids,
            is_held=bool(self.held.holds),
            keeps_all=self.held.keeps_all,
        )

    def evidence_until(self, at: datetime) -> date:
        """The client's first day on which all evidence of a person who is forgotten now is past its date."""
        days = max(self.policies[one].days for one in (Category.CONSENT, Category.WITHDRAWAL))
        return calendars.day_in(self.client.time_zone, at) + timedelta(days=days + 1)


def lines(clients: Sequence[Client], at: datetime) -> dict[int, Lines]:
    """The lines of several clients at one instant, by client's id; few queries, and some for each that has a hold."""
    effective = policies.every_effective(clients)
    held = held_of(clients)
    return {
        client.pk: Lines(
            client,
            effective[client.pk],
            {
                category: tenancy.cutoff_for_days(client, policy.days, at)
                for category, policy in effective[client.pk].items()
            },
            held.get(client.pk, Held()),
        )
        for client in clients
    }


def held_of(clients: Sequence[Client]) -> dict[int, Held]:
    """What open holds keep, of those of these clients that have any."""
    by_client: dict[int, list[Hold]] = {}
    for hold in (
        Hold.objects.open().filter(client_id__in=[client.pk for client in clients]).order_by("placed_at")
    ):
        by_client.setdefault(hold.client_id, []).append(hold)
    return {
        client.pk: Held(
            tuple(by_client[client.pk]),
            frozenset(holds.held_caller_ids(client)),
            holds.keep_all(by_client[client.pk]),
        )
        for client in clients
        if client.pk in by_client
    }


def extents(found: dict[int, Lines]) -> dict[int, dict[Category, Extent]]:
    """What is past its date at each client, by category; one statement a category. None where nothing is."""
    counted: dict[int, dict[Category, Extent]] = {client_id: {} for client_id in found}
    for category, target in targets.TARGETS.items():
        for client_id, extent in target.count([one.of(category) for one in found.values()]).items():
            counted[client_id][category] = extent
    return counted


# --- Pages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """
    One category of one client on the page.

    :ivar is_seen: whether the person may see rows of it; else nothing is counted.
    """

    category: Category
    policy: Effective
    cutoff: datetime
    extent: Extent
    is_seen: bool


@dataclass(frozen=True, slots=True)
class ClientPreview:
    """What a run would take at one client, by category, and what holds keep of it."""

    client: Client
    lines: Lines
    rows: tuple[Row, ...]

    @property
    def total(self) -> int:
        """How many rows would leave."""
        return sum(row.extent.rows for row in self.rows)

    @property
    def held(self) -> int:
        """How many are past their date and kept by holds."""
        return sum(row.extent.held for row in self.rows)

    @property
    def size(self) -> int:
        """Bytes of stored files that would leave."""
        return sum(row.extent.size for row in self.rows)

    @property
    def is_live(self) -> bool:
        """Whether what is due leaves."""
        return is_live(self.client)

    @property
    def besides(self) -> list[Row]:
        """The rows of everything but the call records."""
        return [row for row in self.rows if row.category not in categories.RECORDS]

    @property
    def besides_shown(self) -> str:
        """How much of everything but the call records the person sees past its date, as a form carries it."""
        return " ".join(f"{row.category.value}:{row.extent.rows}" for row in self.besides if row.is_seen)

    def row(self, category: Category) -> Row:
        return next(row for row in self.rows if row.category is category)


def of_client(client: Client, permissions: Collection[str], at: datetime) -> ClientPreview:
    """What a run would take at one client now; `permissions` are the person's there."""
    return of_clients([client], {client.pk: permissions}, at)[0]


def of_clients(
    clients: Sequence[Client], permissions: Mapping[int, Collection[str]], at: datetime
) -> list[ClientPreview]:
    """The same for several clients, one statement a category; in the clients' order."""
    found = lines(clients, at)
    counted = extents(found)
    return [
        ClientPreview(
            client,
            found[client.pk],
            tuple(
                Row(
                    category=category,
                    policy=found[client.pk].policies[category],
                    cutoff=found[client.pk].cutoffs[category],
                    extent=counted[client.pk].get(category, Extent()),
                    is_seen=NEEDS[category] in permissions.get(client.pk, ()),
                )
                for category in targets.TARGETS
            ),
        )
        for client in clients
    ]
