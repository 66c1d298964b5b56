"""
The board of requests: the cases of every client that a person looks after, the soonest answer first.

A page begins behind the last row of the one before it. Nothing is counted beyond `COUNTS_TO`; what is closed is walked
by the day on which it came in.
"""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import FETCH_RAISE, F, Q, QuerySet, Value

from callprivacy.lib import calendars
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.arrays import among, among_texts
from rights.enums import Ask, CaseState, Channel, Decided, Kind
from rights.law import load
from rights.models import Case
from rights.models.cases import CaseQuerySet

PAGE: Final = 50
COUNTS_TO: Final = 999
MANY: Final = 100
"""From so many clients on a page is walked along the agency's cases in their order."""
NEAR: Final = timedelta(days=3)

OPEN, LATE, CLOSED, EVERY = "open", "late", "closed", "all"
STATES: Final[tuple[tuple[str, str], ...]] = (
    (OPEN, "Open"),
    (LATE, "Overdue"),
    (CaseState.PROVING, "Waiting for proof"),
    (CaseState.WITH_CLIENT, "With the client"),
    (CaseState.DECIDED, "Being carried out"),
    (CLOSED, "Answered"),
    (EVERY, "All"),
)
DUE: Final[tuple[tuple[str, str], ...]] = (
    ("late", "Overdue"),
    ("3", "Within 3 days"),
    ("10", "Within 10 days"),
    ("30", "Within 30 days"),
)


SORTS: Final[Mapping[str, str]] = {
    "answer": "answer_due_at",
    "-answer": "answer_due_at",
    "received": "received_at",
    "-received": "received_at",
}
"""By the day of the answer or of receipt; with "-" the newest first. Cases without a day of an answer stand last."""


@dataclass(frozen=True, slots=True)
class Filters:
    """
    What the board shows; empty is not asked.

    :ivar owner: "me", "nobody", a person's id or "". :ivar due: a value of `DUE`. :ivar sort: a name of `SORTS`, "" for
    what fits the state.
    """

    state: str = OPEN
    kind: str = ""
    law: str = ""
    owner: str = ""
    due: str = ""
    sort: str = ""

    @property
    def count(self) -> int:
        """How many are in use beside the state, which the tabs choose, and the order."""
        return sum(
            bool(getattr(self, field.name)) for field in fields(self) if field.name not in {"state", "sort"}
        )

    @property
    def order(self) -> str:
        """The name in `SORTS` of the order in which the cases stand."""
        if self.sort in SORTS:
            return self.sort
        return "-received" if self.state in {CLOSED, EVERY} else "answer"


@dataclass(frozen=True, slots=True)
class Clock:
    """
    How a case stands with its day.

    :ivar days: days left, in the client's zone; below zero when late; None where no day runs for us.
    :ivar words: as the board says it. :ivar tone: of its mark.
    """

    days: int | None
    words: str
    tone: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Line:
    """
    One case on the board.

    :ivar asks: and :ivar channel: as they are written. :ivar client: its client's name, "" for the agency's own.
    :ivar law: the law's short name.
    """

    case: Case
    asks: str
    channel: str
    client: str
    zone: str
    law: str
    clock: Clock
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class Board:
    """A page of cases. :ivar older: the cursor of the next page, "" at the end."""

    lines: list[Line]
    older: str


@dataclass(frozen=True, slots=True)
class Counts:
    """
    How many open cases there are, and how many of those that are ours to answer are late, or come to their day within
    three days; each up to `COUNTS_TO`.
    """

    open: int
    late: int
    near: int

    @property
    def open_shown(self) -> str:
        """How many are open, as it is written: "999+" where nobody counted on."""
        return _shown(self.open)

    @property
    def late_shown(self) -> str:
        """How many are late, as it is written."""
        return _shown(self.late)

    @property
    def near_shown(self) -> str:
        """How many come to their day, as it is written."""
        return _shown(self.near)


def _shown(count: int) -> str:
    return f"{COUNTS_TO}+" if count > COUNTS_TO else str(count)


def cases_of(client_ids: Collection[int], *, with_own: bool) -> CaseQuerySet:
    """The cases of these clients and, `with_own`, those of the agency itself."""
    wanted = Q(among("client_id", client_ids))
    if with_own:
        wanted |= Q(client_id__isnull=True)
    return Case.objects.filter(wanted)


def board(
    cases: CaseQuerySet,
    filters: Filters,
    *,
    user_id: int,
    zone: str,
    at: datetime,
    before: str = "",
    clients: int = 1,
) -> Board:
    """
    One page of the board; one query.

    :param cases: what the person may see. :param clients: of how many clients. :param zone: of the agency, for cases of
        its own.
    :param before: the cursor of a page; one that cannot be read begins anew.
    """
    rows = _filtered(cases, filters, user_id=user_id, at=at)
    # Not the submission: joined before the limit it would be read for every case that there is.
    rows = rows.select_related("client", "owner").defer("answer", "laws")
    found, older = _page(rows, filters.order, before, walks=clients >= MANY)
    return Board([line_of(case, zone=zone, at=at) for case in found], older)


def counts(cases: CaseQuerySet, *, at: datetime) -> Counts:
    """What is open, late and near: three bounded counts in one statement."""
    rows = cases.ours().order_by()
    wanted = (
        cases.open().order_by(),
        rows.filter(answer_due_at__lte=at),
        rows.filter(answer_due_at__gt=at, answer_due_at__lte=at + NEAR),
    )
    asked = [found.values_list(Value(1))[: COUNTS_TO + 1].query.sql_with_params() for found in wanted]
    counted = ", ".join(f"(SELECT count(*) FROM ({inner}) AS found)" for inner, _ in asked)  # noqa: S608  (Django's words)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counted}", [value for _, values in asked for value in values])
        return Counts(*cursor.fetchone())


def running(cases: CaseQuerySet) -> CaseQuerySet:
    """Those of these cases whose clock runs for us: there is a day, as none is while it stands, and no answer yet."""
    return cases.ours().filter(answered_at__isnull=True, answer_due_at__isnull=False)


def soonest(cases: CaseQuerySet, *, zone: str, at: datetime) -> Line | None:
    """The one of these cases whose answer is due first. :param zone: of the agency, for cases of its own."""
    case = running(cases).select_related("client").order_by("answer_due_at", "pk").first()
    return None if case is None else line_of(case, zone=zone, at=at)


def _filtered(rows: CaseQuerySet, filters: Filters, *, user_id: int, at: datetime) -> CaseQuerySet:
    rows = _in_state(rows, filters.state, at)
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    if filters.law:
        rows = under_law(rows, filters.law)
    if filters.owner:
        owner_id = (
            user_id if filters.owner == "me" else None if filters.owner == "nobody" else int(filters.owner)
        )
        rows = rows.filter(owner_id=owner_id)
    if filters.due:
        within = timedelta(days=0 if filters.due == "late" else int(filters.due))
        rows = rows.ours().filter(answer_due_at__lte=at + within)
    return rows


# One probe of the index for each set of laws that stands in the scope's cases, of which there are few.
_SETS: Final = """
    WITH RECURSIVE met (law_ids) AS (
        (SELECT c.law_ids FROM rights_case c WHERE c.agency_id = %(agency)s ORDER BY c.law_ids LIMIT 1)
        UNION ALL
        SELECT (
            SELECT c.law_ids FROM rights_case c
            WHERE c.agency_id = %(agency)s AND c.law_ids > m.law_ids ORDER BY c.law_ids LIMIT 1
        ) FROM met m WHERE m.law_ids IS NOT NULL
    )
    SELECT law_ids FROM met WHERE law_ids IS NOT NULL
"""


def under_law(rows: CaseQuerySet, law_id: str) -> CaseQuerySet:
    """
    Those of these cases to which a law applies, the soonest or not; one query.

    By the sets of laws that occur: what stands in JSON cannot be asked by an index beneath row security.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SETS, {"agency": lib_scope.require_agency()})
        sets = [text for (text,) in cursor.fetchall() if law_id in json.loads(text)]
    return rows.filter(among_texts("law_ids", sets)) if sets else rows.none()


def _in_state(rows: CaseQuerySet, state: str, at: datetime) -> CaseQuerySet:
    if state == EVERY:
        return rows
    if state == CLOSED:
        return rows.filter(closed_at__isnull=False)
    rows = rows.open()
    if state == LATE:
        return rows.ours().filter(answer_due_at__lte=at)
    if state == CaseState.WITH_CLIENT:
        return rows.filter(state__in=[CaseState.WITH_CLIENT, CaseState.HANDED_OVER])
    return rows if state == OPEN else rows.filter(state=state)


# The policy and the query both name the clients, and the planner multiplies the two: it expects a fiftieth of the cases
# of many clients, and would read and sort all of them for one page.
_IN_ORDER: Final = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
_AS_EVER: Final = "SET LOCAL enable_bitmapscan TO DEFAULT; SET LOCAL enable_sort TO DEFAULT"


def _page(rows: QuerySet[Case], order: str, before: str, *, walks: bool = False) -> tuple[list[Case], str]:
    """One page in an order of `SORTS`, behind the cursor. :param walks: along an index, rather than sorted."""
    column, falls = SORTS[order], order.startswith("-")
    beyond = "lt" if falls else "gt"
    cursor = _read(before)
    if cursor is not None:
        at, key = cursor
        if at is None:
            rows = rows.filter(**{f"{column}__isnull": True, f"pk__{beyond}": key})
        else:
            rows = rows.filter(
                Q(**{f"{column}__{beyond}": at})
                | Q(**{f"{column}__isnull": True})
                | Q(**{column: at, f"pk__{beyond}": key})
            )
    first = F(column).desc(nulls_last=True) if falls else F(column).asc()
    if falls and column == "received_at":
        first = F(column).desc()
    rows = rows.order_by(first, "-pk" if falls else "pk").fetch_mode(FETCH_RAISE)[: PAGE + 1]
    if walks:
        with connection.cursor() as cursor_of_plan:
            cursor_of_plan.execute(_IN_ORDER)
            found = list(rows)
            cursor_of_plan.execute(_AS_EVER)
    else:
        found = list(rows)
    return found[:PAGE], _cursor(found, column)


def _cursor(found: list[Case], field: str) -> str:
    if len(found) <= PAGE:
        return ""
    last = found[PAGE - 1]
    at = getattr(last, field)
    return f"{'' if at is None else at.isoformat()}_{last.pk}"


def _read(cursor: str) -> tuple[datetime | None, uuid.UUID] | None:
    moment, parted, identity = cursor.partition("_")
    try:
        read = datetime.fromisoformat(moment) if moment else None
        key = uuid.UUID(identity)
    except ValueError:
        return None
    if not parted or (read is not None and read.tzinfo is None):
        return None
    return read, key


# --- One line -----------------------------------------------------------------------------------------------------

_TONES: Final[Mapping[str, str]] = {
    CaseState.PROVING: "warn",
    CaseState.OPEN: "info",
    CaseState.WITH_CLIENT: "warn",
    CaseState.HANDED_OVER: "warn",
    CaseState.DECIDED: "info",
    CaseState.DONE: "good",
    CaseState.WITHDRAWN: "neutral",
}


def line_of(case: Case, *, zone: str, at: datetime) -> Line:
    """A case as the board shows it. :param zone: of the agency, for one without a client."""
    where = zone if case.client is None else case.client.time_zone
    state = CaseState(case.state)
    words = state.label
    if state is CaseState.DONE and case.decided:
        words = Decided(case.decided).label
    elif case.stands:
        words = "Clock stopped"
    return Line(
        case=case,
        asks=str(Ask(case.asks).label),
        channel=str(Channel(case.channel).label).lower(),
        client="" if case.client is None else case.client.name,
        zone=where,
        law=law_name(case.law),
        clock=clock_of(case, zone=where, at=at),
        state=words,
        tone="bad" if case.decided == Decided.REFUSE and state is CaseState.DONE else _TONES[state],
    )


def clock_of(case: Case, *, zone: str, at: datetime) -> Clock:
    """How a case stands with its day: the days left, in words."""
    if case.answered_at is not None or case.closed_at is not None:
        return _answered(case)
    if case.client_answers:
        return Clock(None, "the client answers", "neutral", is_late=False)
    if case.stands:
        return Clock(None, "the clock is paused", "neutral", is_late=False)
    if case.answer_by is None or case.answer_due_at is None:
        return Clock(None, "no day", "neutral", is_late=False)
    days = (case.answer_by - today(zone, at)).days
    is_late = case.answer_due_at <= at
    if is_late:
        return Clock(days, f"{_days(max(-days, 1))} late", "bad", is_late=True)
    words = "due today" if days == 0 else f"{_days(days)} left"
    return Clock(days, words, "bad" if days <= 1 else "warn" if days <= 5 else "good", is_late=False)


def _answered(case: Case) -> Clock:
    end = case.answered_at or case.closed_at
    if end is None or case.answer_due_at is None:
        return Clock(None, "answered", "good", is_late=False)
    late = end >= case.answer_due_at
    return Clock(None, "answered late" if late else "in time", "bad" if late else "good", is_late=late)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def today(zone: str, at: datetime) -> date:
    return calendars.day_in(zone, at)


def law_name(law_id: str) -> str:
    """A law's short name, "" where none applies."""
    found = load().laws.get(law_id)
    return law_id if found is None else found.name


def law_choices() -> list[tuple[str, str]]:
    """The laws by id and short name, for a filter."""
    return [(law.id, law.name) for law in load().laws.values()]


def kind_choices() -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in Kind.choices]
