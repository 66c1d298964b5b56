"""
What of the agency's trail is past its date: reasons that name no client, and whole sealed months of events.

Months leave where the agency itself has said how long the trail is kept, when the longest that it or any of its clients
says is over. Which seals that are is told by one function of the database, to the run and to the preview alike; what is
still asked of an old event keeps it, and all behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from callprivacy.audit import selectors as audit_selectors
from callprivacy.audit import services as audit
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from retention.enums import Category
from retention.selectors import policies, secrets
from retention.selectors.policies import Effective
from retention.targets import Extent, HouseLine, Months, Told

# So that one batch is one statement, and bounded: a seal lists as many at most.
EVENTS_A_BATCH: Final = 20_000
_EVENT: Final = 1 << 64

KEPT_BY: Final[Mapping[str, str]] = {
    "hold": "an open hold",
    "observed": "an event of a client that is observed only",
    "reason": "a reason that is still here",
    "consent": "the recording of consents that are still kept",
    "secret": "since when a secret is in use",
}
"""What keeps the next months, in words."""


@dataclass(frozen=True, slots=True)
class Due:
    """
    Which seals' events leave next.

    :ivar held: how many would, but for an open hold. :ivar kept_by: why no more leave although their date has come, a
    word of `KEPT_BY`; empty where nothing but dates keeps them.
    """

    first: int
    last: int
    events: int
    held: int
    kept_by: str


def due(months: Months, *, most: int | None = None, ahead: int = 0) -> Due | None:
    """
    Which seals' events of before the end of a month leave, as the run finds it; None where nothing of it is due.

    :param most: whole seals up to so many events, one at least. :param ahead: as it will be in so many days.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT first_seal, last_seal, events, held, kept_by FROM retention_trail_due(%s, %s, %s, %s)",
            [months.before, list(months.facts), most, ahead],
        )
        row: tuple[int, int, int, int, str] | None = cursor.fetchone()
    return None if row is None else Due(*row)


def kept_by(found: Months | None) -> str:
    """What keeps months whose date has come, in words; nothing where nothing does."""
    one = None if found is None else due(found)
    return KEPT_BY.get(one.kept_by, "") if one is not None else ""


def months(
    agency: Agency, kept: Effective, at: datetime, *, instead: tuple[int, int] | None = None
) -> Months | None:
    """
    Which months are past their date, given what the agency says of the trail; None where it says nothing itself.

    :param instead: a client, and for how many days it would keep the trail.
    """
    if not kept.version:
        return None
    days, version = max((kept.days, kept.version), *_longest(instead))
    cutoff = tenancy.cutoff_in_zone(agency.time_zone, days, at)
    return Months(month_of(agency, cutoff), days, version, _facts())


def _longest(instead: tuple[int, int] | None) -> list[tuple[int, int]]:
    """The longest that any client says: days and the policy's version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT days, version FROM retention_trail_longest(%s)", [instead and instead[0]])
        found = [(int(days), int(version)) for days, version in cursor.fetchall()]
    return [*found, (instead[1], 0)] if instead else [*found, (0, 0)]


def _facts() -> tuple[str, ...]:
    """Whose first use is asked of the trail: the secrets of the installation, by kind and name."""
    return tuple(sorted(f"{kind.value}:{name}" for kind, name in secrets.house_names().items()))


def month_of(agency: Agency, cutoff: datetime) -> datetime:
    """The start of the month of the agency's zone in which a cut-off lies: all months before it are over."""
    zone = ZoneInfo(agency.time_zone)
    first = cutoff.astimezone(zone).date().replace(day=1)
    return datetime.combine(first, time.min, tzinfo=zone)


# --- As the agency's own rows -------------------------------------------------------------------------------------


def count(line: HouseLine) -> Extent:
    """Reasons that name no client, and events of whole months, that are past their date."""
    words = audit.count_own_reasons(agency_id=line.agency.pk, before=line.cutoff)
    rows, held = (0, words) if line.is_held else (words, 0)
    found = None if line.months is None else due(line.months)
    if found is not None:
        rows, held = rows + found.events, held + found.held
    return Extent(rows=rows, held=held)


def due_ids(line: HouseLine, limit: int) -> list[UUID]:
    """
    Reasons by their event's number, then the events of the next whole seals by theirs beyond 64 bits; never both.

    Of events all of these seals, so that it may be more than the limit.
    """
    if not line.is_held:
        found = audit.own_reasons_before(agency_id=line.agency.pk, before=line.cutoff, limit=limit)
        if found:
            return [UUID(int=event_id) for event_id in found]
    if line.months is None:
        return []
    events = due(line.months, most=EVENTS_A_BATCH)
    if events is None or not events.events:
        return []
    listed = audit_selectors.listed(line.agency.pk, events.first, events.last)
    return [UUID(int=_EVENT | event_id) for event_id in listed]


def is_events(ids: Sequence[UUID]) -> bool:
    return bool(ids) and bool(ids[0].int & _EVENT)


def event_ids(ids: Sequence[UUID]) -> list[int]:
    """The numbers of these events, or of those behind which these reasons are."""
    return [one.int & ~_EVENT for one in ids]


def named(events: Sequence[int]) -> tuple[UUID, ...]:
    """Events as ids that stand beside those of reasons in one digest."""
    return tuple(UUID(int=_EVENT | event_id) for event_id in events)


def told(agency: Agency, ids: Sequence[UUID]) -> list[Told]:
    """When, and what: the reason behind which deed, or which deed itself."""
    rows = audit.told_of(event_ids(ids))
    if not is_events(ids):
        return rows
    return [(at, words.removeprefix("reason behind ")) for at, words in rows]


def by_day(agency: Agency, limits: Sequence[datetime]) -> dict[int, int]:
    """How many reasons, and events of whole months, fall due on each of the days to come, by its number from 0."""
    found = dict(audit.own_reasons_by_day(agency_id=agency.pk, limits=limits))
    kept = policies.house_effective(agency)[Category.TRAIL]
    zone = ZoneInfo(agency.time_zone)
    if not kept.version:
        return found
    longest, version = max((kept.days, kept.version), *_longest(None))
    behind = timedelta(days=longest - kept.days)
    ends = [
        month_of(agency, datetime.combine(limit.astimezone(zone).date() - behind, time.min, tzinfo=zone))
        for limit in limits
    ]
    before, facts = -1, _facts()
    for number, end in enumerate(ends):
        if number and end == ends[number - 1]:
            continue
        one = due(Months(end, longest, version, facts), ahead=number)
        events = 0 if one is None else one.events
        if number and events > before:
            found[number - 1] = found.get(number - 1, 0) + events - before
        before = events
    return found
