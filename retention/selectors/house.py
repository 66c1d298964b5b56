"""
What the agency keeps of its own, and no client's: what of it is past its date, when the rest falls due, and a sample.

By the agency's own policies and the days of its own zone; a run takes with these very lines and these very targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Q, QuerySet

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from retention import targets
from retention.enums import Category
from retention.models import Hold, HousePart, Run
from retention.selectors import policies, trail
from retention.selectors.policies import Effective
from retention.targets import Extent, HouseLine, Told

SAMPLE: Final = 25


def is_held() -> bool:
    """Whether any hold of the agency does, of clients too that are not granted to who looks."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute("SELECT retention_house_held()")
        return bool(cursor.fetchone()[0])


def during(rows: QuerySet[Hold], run: Run) -> QuerySet[Hold]:
    """Those of these holds that were open while a run went on."""
    ended = run.finished_at or run.created_at
    return rows.filter(Q(lifted_at=None) | Q(lifted_at__gt=run.created_at), placed_at__lte=ended)


def holds_during(run: Run) -> QuerySet[Hold]:
    """
    The holds that kept what the agency has of its staff while a run went on, or requests that are no client's; where
    events of the trail were held, every hold, for each keeps them.
    """
    holds = Hold.objects.filter(agency_id=run.agency_id)
    trail_held = HousePart.objects.filter(run=run, category=Category.TRAIL, rows_held__gt=0)
    return during(holds if trail_held.exists() else holds.filter(keeps_house=True), run)


def line(
    agency: Agency,
    kept: Effective,
    at: datetime,
    *,
    is_held: bool,
    instead: tuple[int, int] | None = None,
) -> HouseLine:
    """
    Where the line of one category stands.

    :param instead: of the trail, a client and for how many days it would keep it.
    """
    cutoff = tenancy.cutoff_in_zone(agency.time_zone, kept.days, at)
    months = trail.months(agency, kept, at, instead=instead) if kept.category is Category.TRAIL else None
    return HouseLine(agency, cutoff, is_held, months)


def lines(agency: Agency, at: datetime) -> dict[Category, HouseLine]:
    """Where the lines of all its categories stand at one instant; two queries."""
    kept = policies.house_effective(agency)
    held = is_held()
    return {category: line(agency, kept[category], at, is_held=held) for category in targets.HOUSE}


def extent(
    agency: Agency,
    category: Category,
    kept: Mapping[Category, Effective],
    at: datetime,
    *,
    instead: tuple[int, int] | None = None,
) -> Extent:
    """
    What of one category would be past its date, were these its policies.

    :param instead: of the trail, a client and for how many days it would keep it.
    """
    found = line(agency, kept[category], at, is_held=is_held(), instead=instead)
    return targets.HOUSE[category].count(found)


def extents(agency: Agency, at: datetime) -> dict[Category, Extent]:
    """What of each category is past its date."""
    return {category: targets.HOUSE[category].count(one) for category, one in lines(agency, at).items()}


@dataclass(frozen=True, slots=True)
class Row:
    """
    One category on a page.

    :ivar soon: how many more fall due by the calendar's last day. :ivar kept_by: why months of the trail whose date has
    come stay, in words. :ivar holds: that keep what is held, as far as the scope sees them.
    """

    category: Category
    policy: Effective
    cutoff: datetime
    extent: Extent
    soon: int
    kept_by: str = ""
    holds: Sequence[Hold] = ()


def rows(agency: Agency, at: datetime, *, days: int) -> list[Row]:
    """Every category, in the order of pages, as far as the scope sees its rows."""
    kept = policies.house_effective(agency)
    now, then = lines(agency, at), by_day(agency, at, days=days)
    counted = {category: targets.HOUSE[category].count(line) for category, line in now.items()}
    holds: list[Hold] = []
    if any(extent.held for extent in counted.values()):
        found = Hold.objects.open().filter(agency=agency).select_related("client")
        holds = list(found.order_by("name", "pk"))
    return [
        Row(
            category,
            kept[category],
            now[category].cutoff,
            counted[category],
            sum(then[category].values()),
            trail.kept_by(now[category].months),
            _keeping(category, holds) if counted[category].held else (),
        )
        for category in targets.HOUSE
    ]


def _keeping(category: Category, holds: Sequence[Hold]) -> list[Hold]:
    """Those of these holds that keep the agency's rows of a category; months of the trail every hold does."""
    return [hold for hold in holds if category is Category.TRAIL or hold.keeps_house]


def by_day(agency: Agency, at: datetime, *, days: int) -> dict[Category, Mapping[int, int]]:
    """How much of each category falls due at the start of each day to come, by its number from 0; held is none."""
    kept = policies.house_effective(agency)
    held = is_held()
    found: dict[Category, Mapping[int, int]] = {}
    for category, target in targets.HOUSE.items():
        limits = [
            tenancy.cutoff_in_zone(agency.time_zone, kept[category].days - number, at)
            for number in range(days + 1)
        ]
        found[category] = {} if held else target.by_day(agency, limits)
    return found


def sample(agency: Agency, category: Category, at: datetime) -> list[Told]:
    """The rows of one category that a run would take first."""
    target = targets.HOUSE[category]
    return target.told(agency, target.due(lines(agency, at)[category], SAMPLE)[:SAMPLE])


def parts_of(run: Run) -> Sequence[HousePart]:
    """What a run did with the agency's own, in its order, without what had nothing to do."""
    order = list(targets.HOUSE)
    found = HousePart.objects.filter(run=run).exclude(rows_due=0, rows_held=0, rows_erased=0, failures=0)
    return sorted(found, key=lambda part: order.index(Category(part.category)))
