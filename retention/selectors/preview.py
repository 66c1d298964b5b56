"""
What is past its date, by client and category: the selection of a run, counted and shown before anything leaves.

A run plans with these very counts and chooses with these very targets, so that a preview is right to the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from callprivacy.tenancy.models import Client
from retention import targets
from retention.enums import Category
from retention.models import Hold
from retention.selectors import holds, policies
from retention.selectors.policies import Effective
from retention.targets import Extent, Line


@dataclass(frozen=True, slots=True)
class Held:
    """What a hold keeps of a client: its open holds, and the callers of whom nothing may leave."""

    holds: tuple[Hold, ...] = ()
    caller_ids: frozenset = frozenset()  # type: ignore[type-arg]


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
        )

    def evidence_until(self, at: datetime) -> date:
        """When evidence of a person who is forgotten now has come to its own end at the latest."""
        days = max(self.policies[one].days for one in (Category.CONSENT, Category.WITHDRAWAL))
        return (at + timedelta(days=days)).date()


def lines(clients: Sequence[Client], at: datetime) -> dict[int, Lines]:
    """The lines of several clients at one instant, by client's id; few queries, and some for each that has a hold."""
    effective = policies.every_effective(clients)
    cutoffs = policies.all_cutoffs(clients, at)
    held = held_of(clients)
    return {
        client.pk: Lines(client, effective[client.pk], cutoffs[client.pk], held.get(client.pk, Held()))
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
        client.pk: Held(tuple(by_client[client.pk]), frozenset(holds.held_caller_ids(client)))
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
