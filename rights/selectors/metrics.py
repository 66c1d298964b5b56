"""
The figures of a year that 11 CCR 7102 asks for: requests by kind, how many were received, complied with, denied, and in
how many days.

A business that handles the data of ten million people or more in a year publishes them by the first of July; here they
are counted for every client, whatever its size.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from consent.enums import Language
from rights.enums import Ask, CaseState, Decided, Kind
from rights.models import Case
from rights.selectors import letters

KEPT_MONTHS: Final = 24
CCPA: Final = "ccpa"

_ROWS: Final[tuple[tuple[str, str, frozenset[Kind]], ...]] = (
    ("delete", "Requests to delete", frozenset({Kind.DELETE})),
    ("correct", "Requests to correct", frozenset({Kind.CORRECT})),
    ("know", "Requests to know", frozenset({Kind.ACCESS, Kind.PORTABILITY})),
    ("opt_out", "Requests to opt out of sale or sharing", frozenset({Kind.OPT_OUT})),
    ("limit", "Requests to limit", frozenset({Kind.LIMIT})),
)
_NOT_OF_SALE: Final = frozenset({Ask.DO_NOT_CONTACT})
"""An opt-out of calls and texts is none of sale or sharing."""

HEADER: Final = (
    "kind", "received", "complied_in_whole", "complied_in_part", "denied", "not_ours", "taken_back", "open",
    "median_days", "mean_days",
)  # fmt: skip


RECORD: Final = (
    "reference", "asked_of", "date_of_request", "nature_of_request", "manner", "date_of_response", "nature_of_response",
    "basis_of_denial",
)  # fmt: skip
"""The six fields of 11 CCR 7101(b), beside the reference and of whom it was asked."""


def record_of(cases: QuerySet[Case], *, zone: str) -> Iterator[dict[str, str]]:
    """
    The record of requests, the oldest first: a line each, by the names of `RECORD`; one query.

    What is not answered yet has no response. Nothing of it says who asked.

    :param zone: of requests to the agency itself.
    """
    rows = cases.select_related("client", "agency").defer("answer").order_by("received_at", "pk")
    for case in rows.iterator(chunk_size=2000):
        here = ZoneInfo(case.client.time_zone if case.client else zone)
        yield {
            "reference": case.reference,
            "asked_of": case.client.legal_name if case.client else case.agency.name,
            "date_of_request": f"{case.received_at.astimezone(here):%Y-%m-%d}",
            "nature_of_request": case.get_asks_display(),
            "manner": case.get_channel_display(),
            "date_of_response": f"{case.answered_at.astimezone(here):%Y-%m-%d}" if case.answered_at else "",
            "nature_of_response": _response(case),
            "basis_of_denial": _basis(case),
        }


def _response(case: Case) -> str:
    if case.state == CaseState.WITHDRAWN:
        return CaseState.WITHDRAWN.label
    return Decided(case.decided).label if case.decided else ""


def _basis(case: Case) -> str:
    """The ground of a refusal with where it is written; "" where nothing was refused."""
    return letters.ground_words(case, case.ground, Language.ENGLISH) or case.ground if case.ground else ""


@dataclass(frozen=True, slots=True)
class Row:
    """
    One kind of request in a year.

    :ivar whole: complied with, :ivar part: in part, :ivar denied: refused. :ivar not_ours: handed to who answers it.
    :ivar open: not answered yet. :ivar median: days from receipt to answer, in local days; None where none is answered.
    """

    name: str
    label: str
    received: int
    whole: int
    part: int
    denied: int
    not_ours: int
    taken_back: int
    open: int
    median: float | None
    mean: float | None

    def cells(self) -> list[str]:
        counts = (
            self.received, self.whole, self.part, self.denied, self.not_ours, self.taken_back, self.open,
        )  # fmt: skip
        days = ("" if value is None else f"{value:.1f}" for value in (self.median, self.mean))
        return [self.name, *map(str, counts), *days]


def year_of(cases: QuerySet[Case], year: int, *, zone: str, only_california: bool) -> list[Row]:
    """
    The rows of a calendar year in a zone; one query.

    :param cases: of which clients.
    :param only_california: the requests under California's law alone; else everybody's.
    """
    here = ZoneInfo(zone)
    begin, end = (datetime.combine(date(one, 1, 1), time.min, tzinfo=here) for one in (year, year + 1))
    rows = cases.filter(received_at__gte=begin, received_at__lt=end)
    if only_california:
        rows = rows.filter(laws__contains=[{"law": CCPA}])
    found: dict[str, list[_Case]] = defaultdict(list)
    for case in _read(rows, here):
        found[case.name].append(case)
    return [_row(name, label, found[name]) for name, label, _ in _ROWS]


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    state: str
    decided: str
    days: int | None


def _read(rows: QuerySet[Case], here: ZoneInfo) -> Iterator[_Case]:
    names = {kind: name for name, _, kinds in _ROWS for kind in kinds}
    values = rows.filter(kind__in=list(names)).exclude(asks__in=_NOT_OF_SALE)
    for kind, state, decided, received_at, answered_at in values.values_list(
        "kind", "state", "decided", "received_at", "answered_at"
    ).iterator(chunk_size=5000):
        days = None
        if answered_at is not None:
            days = (answered_at.astimezone(here).date() - received_at.astimezone(here).date()).days
        yield _Case(names[Kind(kind)], state, decided, days)


def _row(name: str, label: str, cases: list[_Case]) -> Row:
    answered = [case for case in cases if case.days is not None]
    days = [case.days for case in answered if case.days is not None]

    def count(decided: Decided) -> int:
        return sum(case.decided == decided for case in answered)

    taken_back = sum(case.state == CaseState.WITHDRAWN for case in cases)
    return Row(
        name=name,
        label=label,
        received=len(cases),
        whole=count(Decided.FULFIL),
        part=count(Decided.PART),
        denied=count(Decided.REFUSE),
        not_ours=count(Decided.NOT_OURS),
        taken_back=taken_back,
        open=sum(case.days is None and case.state != CaseState.WITHDRAWN for case in cases),
        median=statistics.median(days) if days else None,
        mean=statistics.fmean(days) if days else None,
    )
