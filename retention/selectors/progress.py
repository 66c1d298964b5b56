"""How far a run is: added up, by category and by client, as the scope sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Min, Q, Sum

from retention import targets
from retention.enums import PartState
from retention.models import HousePart, Run, RunPart

CLIENTS_A_PAGE: Final = 50
_OBSERVED: Final = Q(state=PartState.OBSERVED)


@dataclass(frozen=True, slots=True)
class Progress:
    """
    A run's parts, added up: those that erase, and those that were only counted.

    :ivar rate: rows a second since the first batch began; None before anything left.
    :ivar remaining: how long the rest takes at that rate; None where nobody knows.
    """

    due: int
    erased: int
    held: int
    recordings: int
    callers: int
    size: int
    vendor_steps: int
    observed: int
    failed: int
    rate: float | None
    remaining: timedelta | None


def added_up(run: Run, at: datetime) -> Progress:
    """How far a run is, as the scope sees it; two queries."""
    live = ~_OBSERVED
    found = RunPart.objects.filter(run=run).aggregate(
        due=Sum("rows_due", filter=live, default=0),
        erased=Sum("rows_erased", default=0),
        held=Sum("rows_held", filter=live, default=0),
        recordings=Sum("recordings_erased", default=0),
        callers=Sum("callers_erased", default=0),
        size=Sum("bytes_erased", default=0),
        vendor_steps=Sum("vendor_steps", default=0),
        observed=Sum("rows_due", filter=_OBSERVED, default=0),
        failed=Count("pk", filter=Q(state=PartState.FAILED)),
        began=Min("started_at"),
    )
    own = HousePart.objects.filter(run=run).aggregate(
        due=Sum("rows_due", default=0),
        erased=Sum("rows_erased", default=0),
        held=Sum("rows_held", default=0),
        failed=Count("pk", filter=Q(state=PartState.FAILED)),
        began=Min("started_at", filter=Q(rows_erased__gt=0)),
    )
    instants = [one for one in (found.pop("began"), own.pop("began")) if one is not None]
    began = min(instants, default=None)
    for name, number in own.items():
        found[name] += number
    rate = remaining = None
    if began is not None and found["erased"]:
        seconds = max(((run.finished_at or at) - began).total_seconds(), 1.0)
        rate = found["erased"] / seconds
        if run.finished_at is None:
            remaining = timedelta(seconds=round(max(found["due"] - found["erased"], 0) / rate))
    return Progress(**found, rate=rate, remaining=remaining)


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of one category, or of one client, in a run; `title` says of which."""

    title: str
    slug: str
    client_id: int
    due: int
    erased: int
    held: int
    callers: int
    state: str


def by_category(run: Run) -> list[Tally]:
    """
    A run's rows by category, in its order; categories without any, and what was only counted, are left out; one query.
    """
    found = {row["category"]: row for row in _tallied(run, "category").exclude(state=PartState.OBSERVED)}
    return [
        _tally(category.label, found[category.value])
        for category in targets.TARGETS
        if category.value in found and (found[category.value]["due"] or found[category.value]["held"])
    ]


def by_client(run: Run, page: str | None) -> tuple[Page[Any], list[Tally]]:
    """A page of a run's clients by how much is due, most first; two queries however many parts there are."""
    rows = _tallied(run, "client_id", "client__name", "client__slug").order_by("-due", "client__name")
    shown = Paginator(rows, CLIENTS_A_PAGE).get_page(page)
    return shown, [_tally(row["client__name"], row) for row in shown.object_list]


def _tallied(run: Run, *by: str) -> Any:
    return (
        RunPart.objects.filter(run=run)
        .order_by()
        .values(*by)
        .annotate(
            due=Sum("rows_due"),
            erased=Sum("rows_erased"),
            held=Sum("rows_held"),
            callers=Sum("callers_erased"),
            open=Count("pk", filter=Q(state__in=[PartState.WAITING, PartState.RUNNING])),
            observed=Count("pk", filter=_OBSERVED),
            failed=Count("pk", filter=Q(state=PartState.FAILED)),
            parts=Count("pk"),
        )
    )


def _tally(title: str, row: Mapping[str, Any]) -> Tally:
    if row["observed"] == row["parts"]:
        state = PartState.OBSERVED
    elif row["open"]:
        state = PartState.RUNNING if row["erased"] else PartState.WAITING
    else:
        state = PartState.FAILED if row["failed"] else PartState.DONE
    return Tally(
        title=title,
        slug=row.get("client__slug", ""),
        client_id=row.get("client_id", 0),
        due=row["due"],
        erased=row["erased"],
        held=row["held"],
        callers=row["callers"],
        state=state.value,
    )
