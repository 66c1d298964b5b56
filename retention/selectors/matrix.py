"""The matrix: how long each client keeps each category, which of it is its own, and what is beyond the law."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from callprivacy.tenancy.models import Agency, Client
from retention.enums import Category, Then
from retention.law import categories, rules
from retention.law.categories import About
from retention.law.rules import Finding, Rule
from retention.models import PolicyChange
from retention.selectors import changes, policies
from retention.selectors.policies import Effective


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One category at one level.

    :param beyond: the rules of the law that it is beyond.
    :param change: the change that waits, if one does.
    """

    about: About
    kept: Effective
    beyond: Sequence[Finding]
    change: PolicyChange | None

    @property
    def category(self) -> Category:
        return self.about.category

    @property
    def is_own(self) -> bool:
        """Whether the client says so itself."""
        return not self.kept.inherited

    @property
    def reduces(self) -> bool:
        """Whether daily totals stay."""
        return self.kept.then is Then.REDUCE

    @property
    def origin(self) -> str:
        """Whence the days are, in words."""
        if self.kept.is_bounded:
            return self._bound()
        if self.is_own:
            return "own"
        return "agency" if self.kept.is_said else self.follows or "default"

    @property
    def follows(self) -> str:
        """What its days follow where nobody says anything about it, in words; "" where they are the product's own."""
        if self.kept.is_said or self.about.days is not None:
            return ""
        return "as calls in" if self.category is Category.CALL_OUT else "as the call record"

    @property
    def beyond_ids(self) -> set[str]:
        return {finding.rule.id for finding in self.beyond}

    def _bound(self) -> str:
        longer = self.kept.days > self.kept.set_days
        return "as what it opens" if longer else "with the call"


@dataclass(frozen=True, slots=True)
class Row:
    """One client's line in the matrix."""

    client: Client
    cells: Sequence[Cell]

    @property
    def has_own(self) -> bool:
        """Whether the client differs from its agency anywhere."""
        return any(cell.is_own for cell in self.cells)

    @property
    def is_beyond(self) -> bool:
        """Whether anything is beyond a rule of the law."""
        return any(cell.beyond for cell in self.cells)

    @property
    def in_short(self) -> str:
        """How much of it is its own and how much is beyond the law, in words."""
        own = sum(cell.is_own for cell in self.cells)
        beyond = sum(bool(cell.beyond) for cell in self.cells)
        parts = [f"{own} of its own" if own else "all as the agency"]
        return ", ".join(parts + [f"{beyond} beyond the law"] * bool(beyond))


def rows(clients: Sequence[Client]) -> list[Row]:
    """The matrix's lines of these clients, in their order; three queries however many."""
    kept = policies.every_effective(clients)
    grounds = changes.grounds_of(clients)
    waiting = _waiting({client.pk for client in clients})
    return [
        Row(client, _cells(client.pk, kept[client.pk], grounds[client.pk], waiting)) for client in clients
    ]


def house(agency: Agency) -> list[Cell]:
    """What the agency says, for its own line; a rule of the law is asked where a client is known."""
    kept = policies.house_effective(agency)
    return [
        cell
        for cell in _cells(None, kept, rules.Ground(frozenset(), ""), _waiting(()))
        if cell.about.of_clients
    ]


def _waiting(client_ids: Collection[int]) -> dict[tuple[int | None, str], PolicyChange]:
    found = changes.open_changes().filter(client=None) | changes.open_changes().filter(
        client_id__in=list(client_ids)
    )
    return {(change.client_id, change.category): change for change in found}


def _cells(
    client_id: int | None,
    kept: dict[Category, Effective],
    ground: rules.Ground,
    waiting: dict[tuple[int | None, str], PolicyChange],
) -> list[Cell]:
    beyond: dict[Category, list[Finding]] = {}
    for finding in rules.judge(ground, {category: one.days for category, one in kept.items()}):
        beyond.setdefault(finding.category, []).append(finding)
    return [
        Cell(about, kept[category], beyond.get(category, ()), waiting.get((client_id, category)))
        for category, about in categories.ABOUT.items()
        if about.of_clients or client_id is None
    ]


def own_cells(agency: Agency) -> dict[Category, Cell]:
    """
    What the agency keeps of its own, by category: requests that are no client's, training, entries, reasons.

    A rule of the law is asked at the places and in the trades of all its clients.
    """
    kept = policies.house_effective(agency)
    clients = list(Client.objects.filter(agency=agency))
    days = {category: kept[category].days for category in categories.OF_HOUSE}
    beyond: dict[Category, dict[str, Finding]] = {}
    for ground in changes.grounds_of(clients).values():
        for finding in rules.judge(ground, days):
            beyond.setdefault(finding.category, {})[finding.rule.id] = finding
    waiting = _waiting(())
    return {
        category: Cell(
            categories.ABOUT[category],
            kept[category],
            list(beyond.get(category, {}).values()),
            waiting.get((None, category)),
        )
        for category in categories.OF_HOUSE
    }


@dataclass(frozen=True, slots=True)
class Law:
    """The rules of the law about one category, with the clients for which each holds."""

    rule: Rule
    clients: Sequence[Client]


def law_about(category: Category, clients: Sequence[Client]) -> list[Law]:
    """The rules about a category that hold for any of these clients; one query however many."""
    return _law(category, clients, changes.grounds_of(clients))


def own_law(agency: Agency) -> dict[Category, list[Law]]:
    """The rules about what the agency keeps of its own that hold for any of its clients."""
    clients = list(Client.objects.filter(agency=agency))
    grounds = changes.grounds_of(clients)
    return {category: _law(category, clients, grounds) for category in categories.OF_HOUSE}


def law_of(client: Client) -> dict[Category, list[Law]]:
    """The rules about every category that hold for one client, one query."""
    grounds = changes.grounds_of([client])
    return {category: _law(category, [client], grounds) for category in categories.OF_CLIENTS}


def _law(category: Category, clients: Sequence[Client], grounds: Mapping[int, rules.Ground]) -> list[Law]:
    found = []
    for rule in rules.all_rules():
        if category in rule.categories:
            bound = [client for client in clients if rule.holds_for(grounds[client.pk])]
            if bound:
                found.append(Law(rule, bound))
    return found
