"""How long each category is kept: a client's own policy, else its agency's, else what the category says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency, Client
from retention.enums import Category, Then
from retention.law import categories
from retention.models import Policy

type Key = tuple[int | None, Category]


@dataclass(frozen=True, slots=True)
class Effective:
    """
    How long a category is kept at a client, and what happens then.

    :param version: of the policy that says so; 0 where nobody has set one.
    :param inherited: the client has none of its own.
    :param set_days: what the policy says, where the days that hold are bounded by another category.
    """

    category: Category
    days: int
    then: Then
    version: int
    inherited: bool
    set_days: int = 0

    @property
    def is_bounded(self) -> bool:
        """Whether another category decides, not this policy's own days."""
        return self.version > 0 and self.set_days != self.days


def effective(client: Client, category: Category) -> Effective:
    """What holds for one category at one client; all of them are read, for they bound each other."""
    return all_effective(client)[category]


def all_effective(client: Client) -> dict[Category, Effective]:
    """What holds for each category at one client, one query."""
    return every_effective([client])[client.pk]


def every_effective(clients: Sequence[Client]) -> dict[int, dict[Category, Effective]]:
    """What holds for each category at each of these clients, one query however many."""
    rows = policy_rows(clients)
    return {client.pk: resolve(client, rows) for client in clients}


def policy_rows(clients: Iterable[Client]) -> dict[Key, Policy]:
    """The policies of these clients and of their agencies, by client's id (None: the agency's) and category."""
    clients = list(clients)
    found = Policy.objects.filter(
        Q(client=None) | Q(client_id__in=[client.pk for client in clients]),
        agency_id__in={client.agency_id for client in clients},
    )
    return {(row.client_id, Category(row.category)): row for row in found}


def resolve(client: Client, rows: Mapping[Key, Policy]) -> dict[Category, Effective]:
    """What holds for each category at a client, given the rows; its `agency` must have been read along."""
    own = {category: rows.get((client.pk, category)) for category in categories.ABOUT}
    house = {category: rows.get((None, category)) for category in categories.ABOUT}
    return _resolve(client.agency, client, own, house)


def _resolve(
    agency: Agency,
    client: Client | None,
    own: Mapping[Category, Policy | None],
    house: Mapping[Category, Policy | None],
) -> dict[Category, Effective]:
    """A call record's days are columns that the lower rooms read; its row adds only what happens then."""
    is_own = {category: row is not None for category, row in own.items()}
    if client is None:
        call_in, call_out = agency.keep_calls_for_days, agency.keep_calls_out_for_days
        call_out = call_out or call_in
    else:
        call_in, call_out = client.keep_for_days, client.keep_out_for_days
        is_own[Category.CALL] = client.keep_calls_for_days is not None
        is_own[Category.CALL_OUT] = client.keep_calls_out_for_days is not None
    days = {Category.CALL: call_in, Category.CALL_OUT: call_out}
    chosen = {
        category: own[category] if is_own[category] else house[category] for category in categories.ABOUT
    }
    for category, about in categories.ABOUT.items():
        row = chosen[category]
        if category not in days:
            said = row.keep_for_days if row is not None else about.days
            days[category] = said if said is not None else max(call_in, call_out)
    kept = categories.bounded(days)
    found = {}
    for category in categories.ABOUT:
        row = chosen[category]
        found[category] = Effective(
            category=category,
            days=kept[category],
            then=Then(row.then) if row is not None else Then.ERASE,
            version=row.version if row is not None else 0,
            inherited=client is not None and not is_own[category],
            set_days=days[category],
        )
    return found


def cutoff(client: Client, category: Category, at: datetime) -> datetime:
    """The instant before which a category's moment is past its date, by the days of the client's zone."""
    return tenancy.cutoff_for_days(client, effective(client, category).days, at)


def all_cutoffs(clients: Sequence[Client], at: datetime) -> dict[int, dict[Category, datetime]]:
    """Each category's cut-off at each of these clients, by client's id; one query however many."""
    found = every_effective(clients)
    return {
        client.pk: {
            category: tenancy.cutoff_for_days(client, kept.days, at)
            for category, kept in found[client.pk].items()
        }
        for client in clients
    }
