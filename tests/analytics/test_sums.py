"""Sums of which no caller's part follows, and an attacker who has all of them (docs/adr/0152)."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics import cells, groups
from analytics.enums import Dimension, Grain, Measure, Sheet, Step, Sum
from analytics.groups import NOBODY, Amounts, Groups, Ints
from analytics.selectors import reports
from analytics.selectors.reports import Asked, Report
from analytics.services import making
from callprivacy.accounts.enums import Role
from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.attacker import _Simplex
from tests.analytics.calls import callers, calls, work
from tests.analytics.sums_referee import Lists, found
from tests.analytics.test_cells import LAST_WEEK, MONTH, NEXT_MONTH, NOON
from tests.analytics.test_groups import END, START, K, P, columns
from tests.cast import Cast
from tests.scale import some

pytestmark = pytest.mark.django_db

type Drawn = tuple[int, int, int, int, int]

BY = (Dimension.SOURCE, Dimension.CAMPAIGN, Dimension.OUTCOME, Dimension.DIRECTION)


def ints(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


# --- What protects a caller's part ---


@pytest.mark.parametrize(
    ("amounts", "callers", "is_told"),
    [
        ([222, 0, 0, 0, 0], range(5), False),  # One caller's value.
        ([222, 40, 0, 0, 0], range(5), False),  # Each of two learns the other's.
        ([100, 100, 5, 5, 4], range(5), False),  # All but the two largest are 14 percent of the largest.
        ([100, 100, 5, 5, 5], range(5), True),
        ([100, 100, 15, 0, 0], range(5), False),  # Three of five bring something.
        ([50, 50, 50, 50, 50], [0, 0, 1, 2, 3], False),  # Four callers.
        ([60, 60, 5, 5, 5, 1], [0, 0, 1, 2, 3, 4], False),  # Per caller, not per call.
        ([100, 20, 20, 20, 20, 900], [0, 1, 2, 3, 4, NOBODY], False),  # Withheld numbers may be one person's.
        ([100, 5, 5, 2, 2, 900], [0, 1, 2, 3, 4, NOBODY], False),  # ... and protect nobody.
        ([0, 0, 0, 0, 0], range(5), True),  # Nobody brings anything.
    ],
)
def test_a_sum_protects_the_part_of_each_caller(
    amounts: Sequence[int], callers: Sequence[int], is_told: bool
) -> None:
    found = Amounts(ints(*amounts), 15).protect(np.zeros(len(amounts), np.int64), ints(*callers), 1, k=5)
    assert found.tolist() == [is_told]


def test_parts_of_another_list_leave_no_rest_that_is_one_callers() -> None:
    # A campaign of 10 calls lies in a source of 15: of the 5 others one brings 222 and four bring 2.
    source, campaign = np.repeat([0, 1, 2], [15, 20, 20]), np.repeat([0, 1], [10, 45])
    brought = np.repeat([100, 2, 50], [10, 5, 40])
    brought[12] = 222
    made = Groups(source, (np.ones(55, np.bool_),), 3)
    alone, beside = (
        groups.apart(made, others, np.arange(55), k=5, amounts=Amounts(brought, P))
        for others in ([], [campaign])
    )
    assert alone.shown[0][:15].all()
    assert not beside.shown[0][:15].any()


# --- The attacker ---

FACTS = ("source", "outcome", "region", "day")


def lists_of(calls: list[Drawn], amounts: Ints, monkeypatch: pytest.MonkeyPatch) -> Lists | None:
    """All that is told of these calls and of what they bring; None where no sum is."""
    said: dict[tuple[Sum, Sheet], dict[str, Any]] = {}
    of: dict[tuple[Sum, Sheet], Ints] = {}
    codes: dict[str, Ints] = {}
    before = cells._Lists._cells

    def spy(
        self: cells._Lists, sheet: Sheet, made: Groups, names: Sequence[str], sums: Sum
    ) -> list[cells.Line]:
        if made.count:
            said[sums, sheet] = dict(zip(names, made.shown, strict=True))
            of[sums, sheet] = made.of
            codes.update(self.codes)
        return before(self, sheet, made, names, sums)

    with monkeypatch.context() as patch:
        patch.setattr(cells._Lists, "_cells", spy)
        cells.cells_of(
            replace(columns(calls), cents=amounts), START, END, "UTC", Grain.MONTH, hourly=False, k=K, p=P
        )
    if (Sum.VALUE, Sheet.GROUPS) not in of:
        return None
    none = np.zeros(len(calls), np.bool_)
    sheets = {fact: Sheet.TIME if fact == "day" else Sheet[fact.upper()] for fact in FACTS}
    return Lists(
        {fact: codes[fact] for fact in FACTS},
        {fact: said[Sum.CALLS, Sheet.GROUPS].get(fact, none) for fact in FACTS},
        of[Sum.CALLS, Sheet.GROUPS],
        of[Sum.VALUE, Sheet.GROUPS],
        {fact: of[Sum.VALUE, sheet] for fact, sheet in sheets.items()},
    )


def drawn(seed: int) -> tuple[list[Drawn], Ints]:
    """Calls of which few bring much."""
    chance = random.Random(seed)
    size = chance.randint(20, 120)
    calls = [
        (
            chance.randrange(size), chance.randrange(3), chance.choice([0, 0, 0, 1, 1, 2]),
            chance.choice([0, 0, 0, 1]), chance.choice([0, 0, 0, 0, 1, 2]),
        )
        for _ in range(size)
    ]  # fmt: skip
    return calls, ints(*(chance.choice([0, 0, 0, 1, 10, 10, 12, 20, 30, 100]) for _ in calls))


def attacked(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, float]]:
    calls, amounts = drawn(seed)
    lists = lists_of(calls, amounts, monkeypatch)
    return [] if lists is None else list(found(lists, ints(*(call[0] for call in calls)), amounts, p=P))


@pytest.mark.parametrize("seed", some(range(40), one_in=4))
def test_an_attacker_with_every_list_finds_no_callers_part(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attacked(seed, monkeypatch) == []


def test_the_attacker_finds_what_a_rule_for_each_cell_alone_leaves_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "apart", lambda made, *_args, **_more: made)
    assert [(caller, part, round(most)) for caller, part, most in attacked(11, monkeypatch)] == [(32, 20, 20)]


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_told_of_no_call_by_what_its_count_does_not_tell(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, amounts = drawn(seed)
    lists = lists_of(calls, amounts, monkeypatch)
    assert lists is not None
    assert len(np.unique(np.stack([lists.groups, lists.sums]), axis=1).T) == len(np.unique(lists.groups))
    protect = Amounts(amounts, P).protect
    callers = ints(*(call[0] for call in calls))
    for of in (lists.sums, *lists.alone.values()):
        assert protect(of, callers, int(of.max()) + 1, k=K)[np.unique(of)].all()


# --- Reports ---

MEASURES = (Measure.CALLS, Measure.VALUE, Measure.SECONDS)
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"step": Step.WEEK},
    {"step": Step.DAY},
    *({"dimensions": (one,)} for one in BY),
    *({"dimensions": pair} for pair in itertools.combinations(BY, 2)),
    *({"dimensions": (one,), "step": Step.WEEK} for one in BY),
    *({"filters": {Dimension.SOURCE: (source,)}} for source in ("Bing Ads", "Facebook", "Google Ads")),
)
"""Every kind of table that a reader of one client's month can ask for."""


@pytest.fixture
def shop(cast: Cast) -> Client:
    """Three sources by three campaigns, with the value of one caller in each of three cells of several callers."""
    people = iter(callers(cast.dentist, 200))
    for place, (source, campaign) in enumerate(
        itertools.product(("Bing Ads", "Facebook", "Google Ads"), ("Financing", "Trade-in", "Spring"))
    ):
        at = LAST_WEEK + place % 3 * timedelta(days=1, hours=1)
        said = {"source": source, "campaign": campaign}
        calls(cast.dentist, [next(people) for _ in range(8)], at=at, seconds=95 + 10 * place, **said)
        if place % 2:
            calls(cast.dentist, [next(people) for _ in range(7)], at=at, value_cents=10_000, **said)
        elif place < 6:
            calls(
                cast.dentist, [next(people)], at=at, value_cents=(22_200, 75_000, 60_700)[place // 2], **said
            )
    work(cast.dentist, at=NOON)
    return cast.dentist


def tables(client: Client) -> list[tuple[dict[str, Any], Report]]:
    with job_scope(agency_id=client.agency_id):
        return [
            (
                way,
                reports.report(
                    Asked(client_ids=(client.pk,), measures=MEASURES, first=MONTH, last=NEXT_MONTH, **way)
                ),
            )
            for way in WAYS
        ]


def _day(call: Call, client: Client) -> date:
    return datetime.fromtimestamp((call.pk.int >> 80) / 1000, ZoneInfo(client.time_zone)).date()


def determined(client: Client) -> list[int]:
    """Values of a caller that follow to within 15 percent from all tables, for who knows the facts of all calls."""
    with job_scope(agency_id=client.agency_id):
        rows = list(Call.objects.for_client(client).order_by("pk"))

    def key(call: Call, way: dict[str, Any]) -> tuple[Any, ...]:
        day = _day(call, client)
        step = way.get("step", Step.ALL)
        at = {Step.ALL: None, Step.DAY: day}.get(step, day - timedelta(days=day.weekday()))
        return (at, *(getattr(call, one.value) for one in way.get("dimensions", ())))

    known: list[tuple[list[bool], int]] = []
    for way, table in tables(client):
        wanted = way.get("filters", {}).get(Dimension.SOURCE)
        among = [wanted is None or call.source in wanted for call in rows]
        for row in (*table.rows, table.total):
            is_total = row is table.total
            inside = [
                meets and (is_total or key(call, way) == (row.at, *row.keys))
                for call, meets in zip(rows, among, strict=True)
            ]
            figure = row.figures[Measure.VALUE]
            if figure.is_told and sum(inside) == row.calls:
                assert figure.value == sum(
                    call.value_cents or 0 for call, meets in zip(rows, inside, strict=True) if meets
                ), "what is shown is true"
                known.append((inside, figure.value))
    simplex = _Simplex(
        np.array([one for one, _ in known], float), np.array([cents for _, cents in known], float)
    )
    found = []
    for place, call in enumerate(rows):
        own = np.arange(len(rows)) == place
        most, cents = -simplex.least(np.where(own, -1.0, 0.0)), call.value_cents or 0
        if cents and most < 1.15 * cents - 1e-6:
            found.append(cents)
    return found


def test_from_no_table_follows_what_one_caller_brought(shop: Client) -> None:
    shown = [row.figures[Measure.VALUE].is_told for _, table in tables(shop) for row in table.rows]

    assert determined(shop) == []
    assert any(shown)
    assert not all(shown)


def test_values_of_one_caller_that_are_planted_are_found(
    cast: Cast, shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Amounts, "protect", lambda self, keys, _callers, count, **_more: np.ones(count, np.bool_)
    )
    with job_scope(agency_id=cast.acme.pk):
        making.touch(client=shop, hours=[None])
    work(shop, at=NOON)

    assert {22_200, 75_000, 60_700} <= set(determined(shop))


def test_a_page_says_what_is_suppressed_and_a_total_as_it_is(cast: Cast, shop: Client) -> None:
    analyst = make.person(cast.acme, "ann", Role.ANALYST)
    make.grant(analyst, shop)
    query = f"from_on={MONTH}&until_on={NEXT_MONTH - timedelta(days=1)}&period=own&kind=bars&measure=value"

    page = (
        signed_in(analyst).get(f"/reports/clients/dentist/?{query}&by=source&by2=campaign").content.decode()
    )

    assert "Suppressed" in page
    assert "4,379.00 in all" in page
    assert "222.00" not in page
