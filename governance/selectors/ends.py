"""Rows of training and premises past their retention period."""

import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.db.models.functions import Least, TruncDate

from callprivacy.lib import calendars
from callprivacy.tenancy.models import Agency, ScopedQuerySet
from governance.models import Attempt, Completion, Entry
from retention.enums import Category
from retention.selectors import policies
from retention.targets import Extent, HouseLine, Told


def entries_for(agency: Agency) -> int:
    """The retention period of entries, in days."""
    return policies.house_effective(agency)[Category.PREMISES].days


def _day(agency: Agency, at: datetime) -> date:
    return calendars.day_in(agency.time_zone, at)


# --- Training -----------------------------------------------------------------------------------------------------


def old_tries(line: HouseLine) -> ScopedQuerySet[Attempt]:
    return Attempt.objects.filter(agency_id=line.agency.pk, started_at__lt=line.cutoff)


def old_proofs(line: HouseLine) -> ScopedQuerySet[Completion]:
    day = _day(line.agency, line.cutoff)
    start = datetime.combine(day, time.min, tzinfo=ZoneInfo(line.agency.time_zone))
    rows: ScopedQuerySet[Completion] = Completion.objects.filter(
        Q(valid_until__lt=day) | Q(ended_at__lt=start), agency_id=line.agency.pk
    )
    return rows


def _last_on(agency: Agency) -> Least:
    """The last day on which a completion was valid, or the day it was revoked."""
    return Least("valid_until", TruncDate("ended_at", tzinfo=ZoneInfo(agency.time_zone)))


def count_training(line: HouseLine) -> Extent:
    count = old_tries(line).count() + old_proofs(line).count()
    return Extent(held=count) if line.is_held else Extent(rows=count)


def training_due(line: HouseLine, limit: int) -> list[uuid.UUID]:
    """Ids, attempts first."""
    if line.is_held:
        return []
    tries = list(old_tries(line).order_by("pk").values_list("pk", flat=True)[:limit])
    left = limit - len(tries)
    return tries + list(old_proofs(line).order_by("pk").values_list("pk", flat=True)[:left])


def training_by_day(agency: Agency, limits: Sequence[datetime]) -> Mapping[int, int]:
    """The number of rows due in each span."""
    tries = Attempt.objects.filter(agency_id=agency.pk, started_at__gte=limits[0], started_at__lt=limits[-1])
    attempts = Counter(bisect_right(limits, at) - 1 for at in tries.values_list("started_at", flat=True))
    days = [_day(agency, limit) for limit in limits]
    proofs = (
        Completion.objects.filter(agency_id=agency.pk)
        .annotate(last_on=_last_on(agency))
        .filter(last_on__gte=days[0], last_on__lt=days[-1])
    )
    ended = Counter(bisect_right(days, day) - 1 for day in proofs.values_list("last_on", flat=True))
    return attempts + ended


def training_told(agency: Agency, ids: Collection[uuid.UUID]) -> list[Told]:
    """Labels without names."""
    zone = ZoneInfo(agency.time_zone)
    tries = Attempt.objects.filter(pk__in=ids).order_by("pk").values_list("started_at", "course")
    proofs = (
        Completion.objects.filter(pk__in=ids)
        .annotate(last_on=_last_on(agency))
        .order_by("pk")
        .values_list("last_on", "course")
    )
    return [(at, f"an attempt at {course}") for at, course in tries] + [
        (datetime.combine(day, time.min, tzinfo=zone), f"a completion of {course}") for day, course in proofs
    ]


# --- Premises -----------------------------------------------------------------------------------------------------


def old_entries(line: HouseLine) -> ScopedQuerySet[Entry]:
    rows: ScopedQuerySet[Entry] = Entry.objects.filter(agency_id=line.agency.pk, entered_at__lt=line.cutoff)
    return rows


def count_entries(line: HouseLine) -> Extent:
    count = old_entries(line).count()
    return Extent(held=count) if line.is_held else Extent(rows=count)


def entries_due(line: HouseLine, limit: int) -> list[uuid.UUID]:
    if line.is_held:
        return []
    return list(old_entries(line).order_by("entered_at", "pk").values_list("pk", flat=True)[:limit])


def entries_by_day(agency: Agency, limits: Sequence[datetime]) -> Mapping[int, int]:
    rows = Entry.objects.filter(agency_id=agency.pk, entered_at__gte=limits[0], entered_at__lt=limits[-1])
    return Counter(bisect_right(limits, at) - 1 for at in rows.values_list("entered_at", flat=True))


def entries_told(agency: Agency, ids: Collection[uuid.UUID]) -> list[Told]:
    """Labels without names."""
    rows = Entry.objects.filter(agency_id=agency.pk, pk__in=ids).select_related("site")
    return [(row.entered_at, f"{_who(row)} at {row.site.name}") for row in rows.order_by("entered_at", "pk")]


def _who(row: Entry) -> str:
    if row.visitor:
        return "a visitor"
    return "a member" if row.user_id is not None else "an unknown badge"
