"""How long each category is kept: a client's own policy, else its agency's, else what the category says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Q

from callprivacy.calls.enums import Direction, RecordingState, TranscriptState
from callprivacy.calls.models import Call, Recording, Transcript
from callprivacy.calls.selectors import calls
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
    :param set_days: what is set, where the days that hold are bounded by another category.
    :param is_said: whether client or agency says anything about it.
    """

    category: Category
    days: int
    then: Then
    version: int
    inherited: bool
    set_days: int
    is_said: bool = True

    @property
    def is_bounded(self) -> bool:
        """Whether another category decides, not what is set for this one."""
        return self.set_days != self.days


@dataclass(frozen=True, slots=True)
class Own:
    """What one level, an agency or a client, says of one category."""

    days: int
    then: Then = Then.ERASE
    version: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """What an agency says and what one client says instead, by category; nothing where it says nothing."""

    house: Mapping[Category, Own]
    own: Mapping[Category, Own]

    def with_house(self, category: Category, said: Own | None) -> "Levels":
        """The same with another word of the agency."""
        return Levels(_with(self.house, category, said), self.own)

    def with_own(self, category: Category, said: Own | None) -> "Levels":
        """The same with another word of the client; None: it inherits."""
        return Levels(self.house, _with(self.own, category, said))


def _with(said: Mapping[Category, Own], category: Category, one: Own | None) -> dict[Category, Own]:
    rest = {other: words for other, words in said.items() if other != category}
    return rest if one is None else rest | {category: one}


# --- What holds -----------------------------------------------------------------------------------------------------


def effective(client: Client, category: Category) -> Effective:
    """What holds for one category at one client; all of them are read, for they bound each other."""
    return all_effective(client)[category]


def all_effective(client: Client) -> dict[Category, Effective]:
    """What holds for each category at one client, one query. Its `agency` must have been read along."""
    return every_effective([client])[client.pk]


def every_effective(clients: Sequence[Client]) -> dict[int, dict[Category, Effective]]:
    """What holds for each category that clients have rows of, at each of these; one query however many."""
    found = {}
    for client_id, levels in levels_of(clients).items():
        every = resolve(levels)
        found[client_id] = {category: every[category] for category in categories.OF_CLIENTS}
    return found


def house_effective(agency: Agency) -> dict[Category, Effective]:
    """What holds for each category where a client has no policy of its own, one query."""
    return resolve(Levels(house_of(agency), {}))


def house_of(agency: Agency) -> Mapping[Category, Own]:
    """What an agency itself says, one query."""
    return _house(agency, _rows([agency.pk], []))


def levels_of(clients: Sequence[Client]) -> dict[int, Levels]:
    """What the agencies of these clients and what they themselves say, by client's id; one query however many."""
    rows = _rows({client.agency_id for client in clients}, [client.pk for client in clients])
    return {client.pk: Levels(_house(client.agency, rows), _of_client(client, rows)) for client in clients}


def _rows(agency_ids: Iterable[int], client_ids: Iterable[int]) -> dict[Key, Policy]:
    found = Policy.objects.filter(
        Q(client=None) | Q(client_id__in=list(client_ids)), agency_id__in=list(agency_ids)
    )
    return {(row.client_id, Category(row.category)): row for row in found}


def _house(agency: Agency, rows: Mapping[Key, Policy]) -> dict[Category, Own]:
    columns = {
        Category.CALL: agency.keep_calls_for_days,
        Category.CALL_OUT: agency.keep_calls_out_for_days,
        Category.RELEASE: agency.keep_releases_for_days,
    }
    return _said(None, columns, rows)


def _of_client(client: Client, rows: Mapping[Key, Policy]) -> dict[Category, Own]:
    columns = {
        Category.CALL: client.keep_calls_for_days,
        Category.CALL_OUT: client.keep_calls_out_for_days,
        Category.RELEASE: client.keep_releases_for_days,
    }
    return _said(client.pk, columns, rows)


def _said(
    client_id: int | None, columns: Mapping[Category, int | None], rows: Mapping[Key, Policy]
) -> dict[Category, Own]:
    """
    Days of call records and releases are columns, for lower rooms read them; a row adds what happens then, and the
    version. A row that says other days was overtaken, and its version is none.
    """
    found = {}
    for category in categories.ABOUT:
        row = rows.get((client_id, category))
        days = columns.get(category, None if row is None else row.keep_for_days)
        if days is None:
            continue
        if row is None:
            found[category] = Own(days)
        else:
            found[category] = Own(days, Then(row.then), row.version if row.keep_for_days == days else 0)
    return found


_UNSAID: Final = Own(0)


def resolve(levels: Levels) -> dict[Category, Effective]:
    """What holds for each category: the client's word, else the agency's, else the category's; then their bounds."""
    chosen = {**levels.house, **levels.own}
    days = {category: said.days for category, said in chosen.items()}
    days.setdefault(Category.CALL_OUT, days[Category.CALL])
    record = max(days[Category.CALL], days[Category.CALL_OUT])
    for category, about in categories.ABOUT.items():
        days.setdefault(category, record if about.days is None else about.days)
    kept = categories.bounded(days)
    found = {}
    for category in categories.ABOUT:
        said = chosen.get(category, _UNSAID)
        found[category] = Effective(
            category=category,
            days=kept[category],
            then=said.then,
            version=said.version,
            inherited=category not in levels.own,
            set_days=days[category],
            is_said=category in chosen,
        )
    return found


@dataclass(frozen=True, slots=True)
class Sooner:
    """
    What of a call leaves before its record: the first day on which its recording and its transcript are past their
    date, and how many days after the last contact its number is. None: it is not there, or leaves with the record.
    """

    recording_on: date | None = None
    words_on: date | None = None
    number_days: int | None = None


def sooner(call: Call, client: Client) -> Sooner:
    """What of a call leaves before its record, by the days of the client's zone; at most two queries."""
    kept = all_effective(client)
    record = kept[Category.CALL_OUT if call.direction == Direction.OUTBOUND else Category.CALL].days

    def days(category: Category, *, is_there: bool) -> int | None:
        return kept[category].days if is_there and kept[category].days < record else None

    def on(category: Category, row: Recording | Transcript | None) -> date | None:
        is_there = row is not None and row.state not in {RecordingState.GONE, TranscriptState.GONE}
        found = days(category, is_there=is_there)
        return None if found is None else calls.first_day_after(call, client, found)

    return Sooner(
        on(Category.RECORDING, getattr(call, "recording", None)),
        on(Category.TRANSCRIPT, getattr(call, "transcript", None)),
        days(Category.IDENTITY, is_there=call.caller_id is not None),
    )


# --- Cut-offs -------------------------------------------------------------------------------------------------------


def cutoff(client: Client, category: Category, at: datetime) -> datetime:
    """The instant before which a category's moment is past its date, by the days of the client's zone."""
    return tenancy.cutoff_for_days(client, effective(client, category).days, at)


def all_cutoffs(clients: Sequence[Client], at: datetime) -> dict[int, dict[Category, datetime]]:
    """Each category's cut-off at each of these clients, by client's id; one query however many."""
    found = every_effective(clients)
    return {client.pk: cutoffs_of(client, found[client.pk], at) for client in clients}


def cutoffs_of(client: Client, kept: Mapping[Category, Effective], at: datetime) -> dict[Category, datetime]:
    """Each category's cut-off at one client, given what holds there."""
    by_days: dict[int, datetime] = {}
    for one in kept.values():
        if one.days not in by_days:
            by_days[one.days] = tenancy.cutoff_for_days(client, one.days, at)
    return {category: by_days[one.days] for category, one in kept.items()}
