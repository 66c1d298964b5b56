"""
Which calls may leave in a release, and what of them can be released.

Never a number, a name, a recording or words; never what a person is called here. A call leaves only where it may be
measured and nobody said no: not to being measured, not to being analysed, not to sharing, whether to this call or for
good, and not by a number that was erased since. Calls of known minors, of people who had their use restricted, and of
callers without a number never leave. A pseudonymised row is still one person's, so sharing each call must besides be
allowed by the rules of its places.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from analytics.anonymise import ColumnSpec, Spec
from analytics.anonymise.own import Own, as_shipped
from analytics.models.releases import OwnGroups, Release
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call, CallRef
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.decide import decide
from consent.enums import NO_KINDS, NO_STATES, Purpose, Scope
from consent.models import ConsentEvent, ConsentState, MinorMark
from consent.selectors import cases, law, standards
from consent.selectors.decisions import calls_open_to

NOES: Final = (Purpose.ANALYSE, Purpose.SHARE)
"""Beside measuring, whoever said no to one of these is in no release."""
CALLER: Final = "caller"
"""The column that says whose call it is: k counts its values, and it is not released."""
ROWS_AT_MOST: Final = 1_000_000
_BATCH: Final = 500
_VALUES: Final = ((0, "none"), (10_000, "up to 100"), (50_000, "100 to 500"), (200_000, "500 to 2,000"))


@dataclass(frozen=True, slots=True)
class Offered:
    """
    One column that a release may have.

    :ivar role: `quasi`, what others may know of a call, generalised; `sensitive`, not to be learnt, released as it is.
    :ivar read: its text for a call at a place on the clock of the client's zone.
    """

    name: str
    label: str
    role: str
    hierarchy: str
    read: Callable[[Mapping[str, Any], datetime], str]

    @property
    def words(self) -> str:
        """What happens to it, for who ticks it."""
        return "made coarser" if self.role == "quasi" else "as it is, never alone in its class"

    def spec(self, own: Own, *, l: int | None, t: float | None) -> ColumnSpec:  # noqa: E741  (what the papers call it)
        """As the anonymiser takes it, in a client's own groups."""
        if self.role == "sensitive":
            return ColumnSpec(role="sensitive", l=l, t=t)
        return ColumnSpec(role="quasi", levels=own.levels(self.hierarchy) if self.hierarchy else None)


def _place(call: Mapping[str, Any], _at: datetime) -> str:
    country, region = call["country"], call["region"]
    # The plans of numbers name islands as their own regions.
    return f"{country}-{region}" if country and region not in {"", country} else country or "unknown"


def _value(call: Mapping[str, Any], _at: datetime) -> str:
    cents = call["value_cents"]
    if cents is None:
        return "not known"
    return next((words for most, words in _VALUES if cents <= most), "over 2,000")


def _said(fact: bool | None) -> str:
    return {None: "not known", True: "yes", False: "no"}[fact]


_COLUMNS: Final = (
    Offered("day", "Day", "quasi", "day", lambda call, at: at.date().isoformat()),
    Offered(
        "hour", "Weekday and hour", "quasi", "instant",
        lambda call, at: at.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes"),
    ),
    Offered("place", "State or country", "quasi", "place", _place),
    Offered("seconds", "Length", "quasi", "seconds", lambda call, at: str(call["seconds"] or 0)),
    Offered("source", "Source", "quasi", "source", lambda call, at: call["source"] or "unknown"),
    Offered("campaign", "Campaign", "quasi", "", lambda call, at: call["campaign"] or "none"),
    Offered("medium", "Medium", "quasi", "", lambda call, at: call["medium"] or "none"),
    Offered("direction", "Direction", "quasi", "", lambda call, at: Direction(call["direction"]).label),
    Offered("first", "First call", "quasi", "", lambda call, at: _said(call["first_call"])),
    Offered("outcome", "Outcome", "sensitive", "", lambda call, at: Outcome(call["outcome"]).label),
    Offered("qualified", "Qualified", "sensitive", "", lambda call, at: _said(call["qualified"])),
    Offered("value", "Value, in bands", "sensitive", "", _value),
)  # fmt: skip
COLUMNS: Final = {column.name: column for column in _COLUMNS}
_READ: Final = (
    "pk", "caller_id", "country", "region", "seconds", "source", "campaign", "medium", "direction", "first_call",
    "outcome", "qualified", "value_cents",
)  # fmt: skip


def measured(client: Client, *, from_on: date, until_on: date, at: datetime) -> QuerySet[Call]:
    """The calls of some days that reports count. In the scope of a job."""
    begins, ends = days(client, from_on, until_on)
    calls = calls_open_to(client, Purpose.MEASURE, at=at)
    return calls.started_from(begins).started_before(ends)  # type: ignore[attr-defined,no-any-return]  # our queryset has it


def days(client: Client, from_on: date, until_on: date) -> tuple[datetime, datetime]:
    """The instants at which the first day begins and the last one, which is not meant, begins, in the client's zone."""
    zone = ZoneInfo(client.time_zone)
    return datetime.combine(from_on, time.min, tzinfo=zone), datetime.combine(until_on, time.min, tzinfo=zone)


def calls_for_release(client: Client, *, from_on: date, until_on: date, at: datetime) -> QuerySet[Call]:
    """The calls of some days that may leave anonymised. In the scope of a job."""
    calls = (
        measured(client, from_on=from_on, until_on=until_on, at=at)
        .filter(caller__isnull=False, redact_due_at__isnull=True)
        .filter(Q(caller__restricted_at__isnull=True) | Q(pk__lt=F("caller__restricted_from")))
        .exclude(outcome=Outcome.UNDERWAY)
    )
    said_no = ConsentState.objects.for_client(client).filter(
        purpose__in=NOES, state__in=NO_STATES, caller_id=OuterRef("caller_id")
    )
    minors = MinorMark.objects.for_client(client).filter(caller_id=OuterRef("caller_id"))
    calls = calls.exclude(Exists(said_no)).exclude(Exists(minors))
    refused = ConsentEvent.objects.for_client(client).filter(
        purpose__in=NOES, scope=Scope.THIS_CALL, kind__in=NO_KINDS
    )
    if refused.exists():
        references = CallRef.objects.for_client(client).filter(digest__in=refused.values("call_digest"))
        calls = calls.exclude(pk__in=references.values("call_id"))
    on = standards.today_at(client, at)
    gone = {one for purpose in NOES for one in vault.callers_who_refused(client.pk, purpose, on=on)}
    found: QuerySet[Call] = calls.filter(~Q(caller_id__in=list(gone))) if gone else calls
    return found


def known_to_have_left(client: Client, *, since: datetime, at: datetime) -> set[uuid.UUID]:
    """
    Callers of whom nothing may leave any more, whether a call of theirs is here or not: who said no or is a minor, or
    was erased since then. In the scope of a job.
    """
    purposes = (Purpose.MEASURE, *NOES)
    noes = ConsentState.objects.for_client(client).filter(purpose__in=purposes, state__in=NO_STATES)
    minors = MinorMark.objects.for_client(client)
    on = standards.today_at(client, at)
    return {
        *noes.values_list("caller_id", flat=True),
        *minors.values_list("caller_id", flat=True),
        *(one for purpose in purposes for one in vault.callers_who_refused(client.pk, purpose, on=on)),
        *vault.callers_erased_since(client.pk, since),
    }


def shared_ids(client: Client, calls: QuerySet[Call], *, at: datetime) -> Iterator[list[uuid.UUID]]:
    """Of these calls, batch by batch, those of which the rules of their places allow sharing as they are."""
    rules = law.rules_of(client.agency_id)
    ids = list(calls.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        batch = cases.calls_for(client, ids[start : start + _BATCH])
        asked = cases.cases(client, batch, Purpose.SHARE, at=at)
        yield [case.call.pk for case in asked if decide(case.question, rules).allowed]


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read of calls: their ids, their callers, and each column's texts, all in one order."""

    ids: list[uuid.UUID]
    callers: list[uuid.UUID]
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def people(self) -> int:
        """How many callers there are."""
        return len(set(self.callers))

    def without(self, callers: AbstractSet[uuid.UUID]) -> "Rows":
        """The same without the calls of some callers."""
        places = [place for place, one in enumerate(self.callers) if one not in callers]
        return Rows(
            [self.ids[place] for place in places],
            [self.callers[place] for place in places],
            {name: [texts[place] for place in places] for name, texts in self.columns.items()},
        )


def read(client: Client, calls: QuerySet[Call], names: Sequence[str]) -> Rows:
    """
    Read the columns of these names, oldest call first.

    :raises TooManyRowsError: there are more than `ROWS_AT_MOST`.
    """
    found = Rows([], [], {name: [] for name in names})
    for call, started_at in _each(client, calls):
        found.ids.append(call["pk"])
        found.callers.append(call["caller_id"])
        for name in names:
            found.columns[name].append(COLUMNS[name].read(call, started_at))
    return found


def _each(client: Client, calls: QuerySet[Call]) -> Iterator[tuple[Mapping[str, Any], datetime]]:
    """Each call with its beginning on the clock of the client's zone, oldest first."""
    zone = ZoneInfo(client.time_zone)
    rows = calls.order_by("pk").values(*_READ)[: ROWS_AT_MOST + 1].iterator(chunk_size=5_000)
    for number, call in enumerate(rows, 1):
        if number > ROWS_AT_MOST:
            raise TooManyRowsError(f"More than {ROWS_AT_MOST:,} calls. Choose fewer days.")
        yield call, Call(pk=call["pk"]).started_at.astimezone(zone)


class TooManyRowsError(ValueError):
    """A selection is too large for one release; the text says what to do."""


def own_of(release: Release) -> Own:
    """By what a release is grouped; its `groups` are read with it."""
    return own_in(release.groups)


def own_in(row: OwnGroups | None) -> Own:
    return as_shipped() if row is None else Own.read(row.said)


def spec_of(
    release: Release,
    *,
    k: int,
    l: int | None,  # noqa: E741  (what the papers call it)
    t: float | None,
    most_suppressed: float,
    population: int | None,
) -> Spec:
    """
    What is demanded of a release's columns; `most_suppressed` is a share.

    :raises SpecError: no column is among them that others may know.
    """
    own = own_of(release)
    return Spec(
        columns={name: COLUMNS[name].spec(own, l=l, t=t) for name in release.columns},
        k=k,
        suppression=most_suppressed,
        person=CALLER,
        population=population,
    )
