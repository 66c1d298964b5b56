"""
Changes of policies: what one would do, before it is saved; those that wait; and those that were.

What a change does is worked out for every category at every client, for they bound and follow each other: shortening
call records shortens recordings that are kept as long as these.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership, User
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Agency, Client, Place
from retention import targets
from retention.enums import GO_LIVE, Category, ChangeState, Then
from retention.law import categories, rules
from retention.law.rules import Finding
from retention.models import PolicyChange
from retention.selectors import house, policies, preview
from retention.selectors.policies import Effective, Levels
from retention.selectors.policies import Own as Said

DELAY: Final = timedelta(hours=24)
"""How long a change that shortens waits where nobody else could agree to it."""

OPEN: Final = (ChangeState.WAITING, ChangeState.DELAYED)
"""The states of a change that is not in force and may still be."""


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What somebody wants of one category.

    :param client: for this client alone; None: wherever a client has no policy of its own.
    :param days: None: the client inherits again, or the agency says nothing of its own any more.
    """

    agency: Agency
    client: Client | None
    category: Category
    days: int | None
    then: Then = Then.ERASE


@dataclass(frozen=True, slots=True)
class Touched:
    """A client at which something changes: what holds now, and what would."""

    client: Client
    before: Mapping[Category, Effective]
    after: Mapping[Category, Effective]

    @property
    def changed(self) -> list[Category]:
        """The categories whose days or end change here."""
        return _changed(categories.OF_CLIENTS, self.before, self.after)

    @property
    def is_live(self) -> bool:
        """Whether what is due leaves."""
        return self.client.retention_state == RetentionState.LIVE


@dataclass(frozen=True, slots=True)
class Own:
    """What the agency keeps of its own, that is no client's: what holds now, and what would."""

    agency: Agency
    before: Mapping[Category, Effective]
    after: Mapping[Category, Effective]

    @property
    def changed(self) -> list[Category]:
        """The categories whose days change there, and the trail where its months begin or cease to leave."""
        moved = _changed(categories.OF_HOUSE, self.before, self.after)
        if self.moves_months and Category.TRAIL not in moved:
            moved.append(Category.TRAIL)
        return moved

    @property
    def moves_months(self) -> bool:
        """Whether the agency begins or ceases to say how long the trail is kept: months of it leave where it does."""
        return bool(self.before[Category.TRAIL].version) != bool(self.after[Category.TRAIL].version)


def _changed(
    among: Iterable[Category], before: Mapping[Category, Effective], after: Mapping[Category, Effective]
) -> list[Category]:
    return [category for category in among if _differs(before[category], after[category])]


def _differs(one: Effective, other: Effective) -> bool:
    return (one.days, one.then) != (other.days, other.then)


def _shortens(before: Effective, after: Effective) -> bool:
    """Whether less is kept: fewer days, or no totals any more."""
    return after.days < before.days or (before.then, after.then) == (Then.REDUCE, Then.ERASE)


@dataclass(frozen=True, slots=True)
class Beyond:
    """A rule of the law that a client's policy would be beyond after a change."""

    finding: Finding
    client: Client


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a wish does.

    :param was: what holds now at the level that is changed; `becomes`: what would.
    :param touched: the clients at which anything changes. :param own: what changes of the agency's own rows.
    :param beyond: the rules of the law that it would be beyond, those that refuse first.
    :param clash: why it cannot be, in words, where another category forbids it.
    """

    wish: Wish
    was: Effective
    becomes: Effective
    touched: Sequence[Touched]
    own: Own | None
    beyond: Sequence[Beyond]
    clash: str

    @property
    def is_nothing(self) -> bool:
        """Whether it changes nothing: the same is said already."""
        same = (self.was.set_days, self.was.then, self.was.inherited) == (
            self.becomes.set_days,
            self.becomes.then,
            self.becomes.inherited,
        )
        return same and not self.touched and not (self.own is not None and self.own.moves_months)

    @property
    def shortens(self) -> bool:
        """Whether anything is kept for a shorter time, at the level or at any client."""
        return (
            _shortens(self.was, self.becomes)
            or self._begins_months
            or any(
                _shortens(one.before[category], one.after[category])
                for one in self.touched
                for category in one.changed
            )
        )

    @property
    def _begins_months(self) -> bool:
        return self.own is not None and self.own.moves_months and bool(self.becomes.version)

    @property
    def refusals(self) -> list[Beyond]:
        """What the law refuses."""
        return [one for one in self.beyond if one.finding.rule.refuses]

    @property
    def rule_ids(self) -> list[str]:
        """The rules that want a written reason, each once."""
        return sorted({one.finding.rule.id for one in self.beyond if not one.finding.rule.refuses})

    @property
    def by_rule(self) -> list[tuple[Finding, list[Client]]]:
        found: dict[tuple[str, Category], tuple[Finding, list[Client]]] = {}
        for one in self.beyond:
            key = (one.finding.rule.id, one.finding.category)
            found.setdefault(key, (one.finding, []))[1].append(one.client)
        return list(found.values())

    @property
    def changed(self) -> list[Category]:
        """The categories that change at any client, in the order of pages."""
        moved = {category for one in self.touched for category in one.changed}
        moved |= set(self.own.changed if self.own is not None else ())
        return [category for category in categories.ABOUT if category in moved]

    @property
    def counted(self) -> list[Category]:
        """The categories of which more or less becomes due: those that change, and what hangs on a call record."""
        moved = set(self.changed)
        if moved & set(categories.RECORDS):
            moved |= {Category.IDENTITY, *categories.SAID}
        return [category for category in categories.ABOUT if category in moved]


def plan(wish: Wish) -> Plan:
    """
    Work out what a wish does; a few queries however many clients.

    :raises ValueError: an agency always says how long calls in are kept, and alone what its own rows are.
    """
    if wish.client is not None and wish.category not in categories.OF_CLIENTS:
        raise ValueError("Clients have no rows of this; the agency says how long it is kept.")
    if wish.client is None and wish.category is Category.CALL and wish.days is None:
        raise ValueError("An agency always says how long calls in are kept.")
    if wish.client is not None:
        clients = [wish.client]
    else:
        clients = list(Client.objects.filter(agency=wish.agency).select_related("agency").order_by("name"))
    levels = policies.levels_of(clients)
    touched = []
    for client in clients:
        before = policies.resolve(levels[client.pk])
        after = policies.resolve(_after(levels[client.pk], wish))
        one = Touched(client, before, after)
        if one.changed:
            touched.append(one)
    level = levels[wish.client.pk] if wish.client is not None else Levels(policies.house_of(wish.agency), {})
    was, becomes = policies.resolve(level), policies.resolve(_after(level, wish))
    own = Own(wish.agency, was, becomes) if wish.client is None else None
    return Plan(
        wish=wish,
        was=was[wish.category],
        becomes=becomes[wish.category],
        touched=touched,
        own=own,
        beyond=_beyond(touched, own, clients),
        clash=_clash(wish, becomes),
    )


def _after(levels: Levels, wish: Wish) -> Levels:
    said = None if wish.days is None else Said(wish.days, wish.then, version=1)
    if wish.client is not None:
        return levels.with_own(wish.category, said)
    return levels.with_house(wish.category, said)


def _beyond(touched: Sequence[Touched], own: Own | None, clients: Sequence[Client]) -> list[Beyond]:
    """
    What the changed categories would be beyond; what stays as it was is not asked about again.

    The agency's own rows may be of people and of work for any of its clients, so each client's rules are asked.
    """
    grounds = grounds_of(clients)
    days: dict[Client, dict[Category, int]] = {
        one.client: {category: one.after[category].days for category in one.changed} for one in touched
    }
    if own is not None and own.changed:
        for client in clients:
            for category in own.changed:
                days.setdefault(client, {}).setdefault(category, own.after[category].days)
    beside = {one.client: {category: after.days for category, after in one.after.items()} for one in touched}
    found = [
        Beyond(finding, client)
        for client, kept in days.items()
        for finding in rules.judge(grounds[client.pk], kept, beside=beside.get(client))
    ]
    return sorted(found, key=lambda beyond: not beyond.finding.rule.refuses)


def grounds_of(clients: Sequence[Client]) -> dict[int, rules.Ground]:
    """Where each of these clients does business and in which trade, one query however many."""
    business: dict[int, list[tuple[str, str]]] = {}
    rows = Place.objects.filter(client_id__in=[client.pk for client in clients])
    for client_id, country, region in rows.values_list("client_id", "country", "region"):
        business.setdefault(client_id, []).append((country, region))
    return {
        client.pk: rules.ground_of(client.home_country, business.get(client.pk, ()), client.sector)
        for client in clients
    }


def _clash(wish: Wish, becomes: Mapping[Category, Effective]) -> str:
    """Why the days cannot be these, given what else is said at the same level; "" where they can."""
    if wish.days is None:
        return ""
    return _limit(wish, wish.days) or _hangs(wish.category, wish.days, becomes)


def _limit(wish: Wish, days: int) -> str:
    """What the category itself does not allow."""
    about = categories.ABOUT[wish.category]
    if refused := about.refused(days):
        return refused
    if wish.then is Then.REDUCE and not about.may_reduce:
        return "There are no daily totals of this; it can only be erased."
    return ""


def _hangs(category: Category, days: int, becomes: Mapping[Category, Effective]) -> str:
    """What the categories that it hangs on, or that hang on it, do not allow."""
    record = max(becomes[Category.CALL].days, becomes[Category.CALL_OUT].days)
    said = max(becomes[one].days for one in categories.SAID)
    identity = becomes[Category.IDENTITY].set_days
    if category in categories.OF_A_CALL and days > record:
        return (
            f"Call records are kept for {record:,} days, and this never outlives them. Say {record:,} or less, or"
            " lengthen call records first."
        )
    if category is Category.IDENTITY and days < said:
        return (
            f"Recordings or transcripts are kept for {said:,} days and open with the caller's key, which is destroyed"
            f" with number and identity. Say {said:,} or more, or shorten those first."
        )
    if category in categories.SAID and days > identity:
        return (
            f"Number and identity are kept for {identity:,} days, and the key that opens this is destroyed with them."
            f" Say {identity:,} or less, or lengthen number and identity first."
        )
    return ""


# --- What it makes due ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """How much of one category is past its date, now and after a change, and how much more of it leaves at once."""

    category: Category
    before: int
    after: int
    leaving: int

    @property
    def more(self) -> int:
        """How many rows become due; negative where fewer are."""
        return self.after - self.before

    @property
    def words(self) -> str:
        """How many more or fewer become due, in words: "12,408 recordings"."""
        return categories.ABOUT[self.category].counted(abs(self.more))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change makes due at an instant, by category."""

    at: datetime
    moved: Sequence[Moved]

    @property
    def due_before(self) -> int:
        """What of the changed categories is past its date now."""
        return sum(one.before for one in self.moved)

    @property
    def due_after(self) -> int:
        return sum(one.after for one in self.moved)

    @property
    def more(self) -> int:
        """How many rows become due; negative where fewer are."""
        return self.due_after - self.due_before

    @property
    def leaving(self) -> int:
        """How many of these leave with the next run, at clients that are live."""
        return sum(one.leaving for one in self.moved)


def effect(plan: Plan, at: datetime) -> Effect:
    """
    Count what a plan makes due by a run's own selection, as that run would find it at an instant; two statements a
    category. Recordings that leave with their calls count as recordings.
    """
    clients = [one.client for one in plan.touched]
    held = preview.held_of(clients)
    before = _extents([(one.client, one.before) for one in plan.touched], held, plan.counted, at)
    after = _extents([(one.client, one.after) for one in plan.touched], held, plan.counted, at)
    live = {one.client.pk for one in plan.touched if one.is_live}
    if plan.own is not None and plan.own.changed:
        # Nobody signs that the agency's own rows begin to leave: they do with each run.
        live.add(_OWN)
        for category in plan.own.changed:
            before[category][_OWN] = house.extent(plan.own.agency, category, plan.own.before, at).rows
            after[category][_OWN] = house.extent(plan.own.agency, category, plan.own.after, at).rows
    elif plan.wish.category is Category.TRAIL and plan.touched:
        # Months of the agency's trail leave by the longest that anybody says, so that a client's word moves them.
        live.add(_OWN)
        kept, only = policies.house_effective(plan.wish.agency), plan.touched[0]
        for found, said in ((before, only.before), (after, only.after)):
            instead = (only.client.pk, said[Category.TRAIL].days)
            found[Category.TRAIL][_OWN] = house.extent(
                plan.wish.agency, Category.TRAIL, kept, at, instead=instead
            ).rows
    moved = []
    for category in plan.counted:
        now, then = before[category], after[category]
        leaving = sum(max(0, then.get(pk, 0) - now.get(pk, 0)) for pk in live)
        moved.append(Moved(category, sum(now.values()), sum(then.values()), leaving))
    return Effect(at, moved)


_OWN: Final = 0
"""In the place of a client's id: the agency itself."""


def _extents(
    kept: Sequence[tuple[Client, Mapping[Category, Effective]]],
    held: Mapping[int, preview.Held],
    wanted: Sequence[Category],
    at: datetime,
) -> dict[Category, Counter[int]]:
    """How many rows of each category are past their date, by client's id."""
    lines = [
        preview.Lines(
            client, dict(said), policies.cutoffs_of(client, said, at), held.get(client.pk, preview.Held())
        )
        for client, said in kept
    ]
    found: dict[Category, Counter[int]] = {category: Counter() for category in categories.ABOUT}
    for category in wanted:
        if category not in targets.TARGETS:
            continue
        for client_id, extent in targets.TARGETS[category].count([one.of(category) for one in lines]).items():
            found[category][client_id] += extent.rows
            if category in categories.RECORDS:
                found[Category.RECORDING][client_id] += extent.recordings
    return found


def unseen(plan: Plan, membership: Membership, *, at: datetime) -> list[Client]:
    """The clients at which a plan changes something that this person may not count."""
    permissions = {preview.NEEDS[category] for category in plan.counted}
    seen = [set(access.client_ids_with(membership, one, at=at)) for one in sorted(permissions)]
    return [one.client for one in plan.touched if not all(one.client.pk in ids for ids in seen)]


@dataclass(frozen=True, slots=True)
class Lacking:
    """An officer who may not agree to a plan yet, and the clients at which something is not granted."""

    officer: User
    clients: Sequence[Client]


@dataclass(frozen=True, slots=True)
class Second:
    """
    Who besides the proposer could agree to a plan.

    :param may: user ids of the officers who may. :param lacking: the other officers, where none may yet.
    :param permissions: what it takes at each client, in words. :param givers: who may grant it.
    :param removed: who was another officer until lately, and still counts as one.
    """

    may: Sequence[int]
    lacking: Sequence[Lacking]
    permissions: Sequence[str]
    givers: Sequence[User]
    removed: Sequence[Membership]

    @property
    def is_there(self) -> bool:
        """Whether the agency has another officer at all, or had one until lately."""
        return bool(self.may or self.lacking or self.removed)


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    A plan with what it makes due, and how it would come about.

    :param state: IN_FORCE at once, WAITING for a second officer, or DELAYED where the agency has no other.
    :param second: who could agree to it, where it waits for a second officer.
    """

    plan: Plan
    effect: Effect
    state: ChangeState
    second: Second | None = None


def proposal(wish: Wish, *, proposer_id: int, at: datetime) -> Proposal:
    """What a wish does and makes due: at once, or when it could take effect at the earliest."""
    found = plan(wish)
    if not found.shortens:
        return Proposal(found, effect(found, at), ChangeState.IN_FORCE)
    second = second_person(found, but=proposer_id, at=at)
    if second.is_there:
        return Proposal(found, effect(found, at), ChangeState.WAITING, second)
    return Proposal(found, effect(found, at + DELAY), ChangeState.DELAYED)


# --- Changes that wait, and those that were -------------------------------------------------------------------------


def changes() -> QuerySet[PolicyChange]:
    """The changes that the scope sees, newest first."""
    return PolicyChange.objects.select_related(
        "agency", "client__agency", "proposed_by", "decided_by"
    ).order_by("-proposed_at", "-pk")


def open_changes() -> QuerySet[PolicyChange]:
    """Those that are not in force and may still be."""
    return changes().filter(state__in=OPEN)


def open_live(client: Client) -> PolicyChange | None:
    """The proposal that a client goes live, where one waits."""
    return open_changes().filter(client=client, category=GO_LIVE).first()


def changes_of(client: Client) -> QuerySet[PolicyChange]:
    """A client's own changes and those of its agency, newest first."""
    return changes().filter(Q(client=client) | Q(client=None), agency_id=client.agency_id)


def due_change_ids(at: datetime) -> list[UUID]:
    """Delayed changes of the scope whose hour has come, oldest first."""
    rows = PolicyChange.objects.due(at).order_by("takes_effect_at", "pk")
    return list(rows.values_list("pk", flat=True))


def wish_of(change: PolicyChange) -> Wish:
    """What a change wants; its `agency` and its client's must have been read along."""
    return Wish(change.agency, change.client, Category(change.category), change.days, Then(change.then))


def deciders(plan: Plan, *, but: int, at: datetime) -> list[int]:
    """
    User ids of the officers who may agree to a plan: they sign off, manage retention wherever something changes, and
    may count what does. Two queries.

    :param but: user id of who proposes it.
    """
    return sorted(user_id for user_id, lacks in _lacks(plan, but=but, at=at).items() if not lacks)


def second_person(plan: Plan, *, but: int, at: datetime) -> Second:
    """
    Who could agree to a plan, and where nobody may yet, what the other officers lack. Two queries, four where they lack
    something.

    :param but: user id of who proposes it.
    """
    return _second(_lacks(plan, but=but, at=at), _takes(plan), plan.wish.agency.pk, but=but, at=at)


def second_for_live(client: Client, *, but: int, at: datetime) -> Second:
    """Who could agree that a client goes live, as `second_person`."""
    takes = {Permission.MANAGE_RETENTION}
    lacks = _lacking({client.pk: client}, takes, agency_id=client.agency_id, but=but, at=at)
    return _second(lacks, takes, client.agency_id, but=but, at=at)


def _second(
    lacks: Mapping[int, list[Client]], takes: set[Permission], agency_id: int, *, but: int, at: datetime
) -> Second:
    may = sorted(user_id for user_id, clients in lacks.items() if not clients)
    if may:
        return Second(may, (), (), (), ())
    if not lacks:
        removed = access.removed_lately(AgencyRight.SIGN_OFF, agency_id=agency_id, at=at, but=but)
        return Second((), (), (), (), list(removed))
    officers = User.objects.filter(pk__in=list(lacks)).order_by("name", "pk")
    givers = access.people_with_right(AgencyRight.MANAGE_PEOPLE, agency_id=agency_id)
    return Second(
        may,
        [Lacking(officer, lacks[officer.pk]) for officer in officers],
        sorted(permission.words for permission in takes),
        list(User.objects.filter(pk__in=givers).order_by("name", "pk")),
        (),
    )


def _takes(plan: Plan) -> set[Permission]:
    """What it takes at each client that a plan changes to agree to it."""
    return {Permission.MANAGE_RETENTION, *(preview.NEEDS[category] for category in plan.counted)}


def _lacks(plan: Plan, *, but: int, at: datetime) -> dict[int, list[Client]]:
    """User id of each other active officer -> the clients at which the person lacks what it takes; two queries."""
    clients = {one.client.pk: one.client for one in plan.touched}
    if plan.wish.client is not None:
        clients.setdefault(plan.wish.client.pk, plan.wish.client)
    return _lacking(clients, _takes(plan), agency_id=plan.wish.agency.pk, but=but, at=at)


def _lacking(
    clients: Mapping[int, Client], takes: set[Permission], *, agency_id: int, but: int, at: datetime
) -> dict[int, list[Client]]:
    officers = set(access.people_with_right(AgencyRight.SIGN_OFF, agency_id=agency_id)) - {but}
    if not officers or not clients:
        return {officer: [] for officer in officers}
    held = access.clients_with_all(takes, clients, agency_id=agency_id, at=at)
    return {
        officer: [client for pk, client in clients.items() if pk not in held.get(officer, ())]
        for officer in officers
    }


def next_version(change: PolicyChange) -> int:
    """The number that a policy gets by this change; it counts on over times in which nothing was said."""
    earlier = PolicyChange.objects.filter(
        agency=change.agency, client=change.client, category=change.category, state=ChangeState.IN_FORCE
    )
    return earlier.exclude(pk=change.pk).count() + 1
