"""
How old a consent may become: by purpose, for an agency and for each client, and what a choice would end.

Months are counted in UTC, by the calendar: what was given on the 31st ends with the month that has no such day. A
choice ends nothing before it was made.
"""

import calendar
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from callprivacy.accounts.models import User
from callprivacy.calls.models import Caller
from callprivacy.tenancy.models import Client
from consent.enums import Purpose, State
from consent.models import AgencyAge, ConsentAge, ConsentState

SOON: Final = timedelta(days=30)
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Age:
    """
    How old consents to a purpose may become somewhere.

    :ivar months: None, they have no end. :ivar since: what was chosen ends nothing before.
    :ivar is_own: whether the client chose it, or has what its agency chose.
    """

    months: int | None
    since: datetime
    is_own: bool
    chosen_by: User | None = None

    def ends_at(self, given_at: datetime) -> datetime | None:
        """When a consent given at an instant ends; None, never."""
        return None if self.months is None else max(months_after(given_at, self.months), self.since)


def months_after(instant: datetime, months: int) -> datetime:
    """The same day and time so many months later; the next month's first moment, where there is no such day."""
    instant = instant.astimezone(UTC)
    year, month = _shifted(instant, months)
    if instant.day > calendar.monthrange(year, month)[1]:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return datetime(year, month, 1, tzinfo=UTC)
    return instant.replace(year=year, month=month)


def newest_ended(at: datetime, months: int) -> datetime:
    """What was given then or before is so many months old at an instant: `months_after` of it is no later."""
    at = at.astimezone(UTC)
    year, month = _shifted(at, -months)
    if at.day > calendar.monthrange(year, month)[1]:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return datetime(year, month, 1, tzinfo=UTC) - _INSTANT
    return at.replace(year=year, month=month)


def _shifted(instant: datetime, months: int) -> tuple[int, int]:
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    return year, month + 1


# --- What is chosen -------------------------------------------------------------------------------------------------


def of_agency(agency_id: int) -> dict[Purpose, Age]:
    """Purpose -> what an agency chose for all its clients; where it chose nothing there is none. One query."""
    rows = AgencyAge.objects.filter(agency_id=agency_id).select_related("chosen_by")
    return {
        Purpose(row.purpose): Age(row.months, row.chosen_at, is_own=False, chosen_by=row.chosen_by)
        for row in rows
    }


def of_clients(agency_id: int, client_ids: Collection[int]) -> dict[int, dict[Purpose, Age]]:
    """Client id -> purpose -> what holds there; purposes of which nobody chose anything are left out. Two queries."""
    shared = of_agency(agency_id)
    found = {client_id: dict(shared) for client_id in client_ids}
    rows = ConsentAge.objects.filter(client_id__in=list(client_ids)).select_related("chosen_by")
    for row in rows:
        purpose, ages = Purpose(row.purpose), found[row.client_id]
        if row.is_own:
            ages[purpose] = Age(row.months, row.chosen_at, is_own=True, chosen_by=row.chosen_by)
        elif purpose in shared:
            behind = shared[purpose]
            since = max(behind.since, row.chosen_at)
            ages[purpose] = Age(behind.months, since, is_own=False, chosen_by=behind.chosen_by)
    return found


def of_client(client: Client) -> dict[Purpose, Age]:
    """Purpose -> what holds at a client; two queries."""
    return of_clients(client.agency_id, [client.pk])[client.pk]


def followers(agency_id: int, purpose: Purpose, client_ids: Collection[int]) -> list[int]:
    own = ConsentAge.objects.filter(agency_id=agency_id, purpose=purpose, is_own=True)
    return sorted(set(client_ids) - set(own.values_list("client_id", flat=True)))


def unseen(agency_id: int, purposes: Collection[Purpose], client_ids: Collection[int]) -> list[Client]:
    """
    The clients besides these at which a choice of the agency for one of these purposes may end something, by name.

    Who is not granted a client does not see what it chose itself, so it is taken for one that follows. At a client that
    has left nothing ends.
    """
    others = Client.objects.filter(agency_id=agency_id, archived_at=None).exclude(pk__in=list(client_ids))
    found = {client.pk: client for client in others.order_by("name")}
    following = {one for purpose in purposes for one in followers(agency_id, purpose, found)}
    return [client for client_id, client in found.items() if client_id in following]


# --- What ends ------------------------------------------------------------------------------------------------------


def ended(client_id: int, purpose: Purpose, months: int, *, at: datetime) -> QuerySet[ConsentState]:
    """
    The consents of a client that are too old at an instant, the oldest first.

    Those of erased people are left out: only their evidence is kept, and nothing rests on it any more.
    """
    rows = ConsentState.objects.filter(
        Exists(Caller.objects.filter(client_id=client_id, pk=OuterRef("caller_id"))),
        client_id=client_id,
        purpose=purpose,
        state=State.GIVEN,
        since__lte=newest_ended(at, months),
    )
    return rows.order_by("since", "pk")


@dataclass(frozen=True, slots=True)
class Effect:
    """
    What a choice does to the consents of one purpose.

    :ivar given: how many there are. :ivar at_once: how many of them end with the choice. :ivar soon: and how many more
        within thirty days.
    """

    purpose: Purpose
    months: int | None
    given: int
    at_once: int
    soon: int


def effects(
    wanted: Mapping[Purpose, int | None], where: Mapping[Purpose, Collection[int]], *, at: datetime
) -> list[Effect]:
    """What choosing these months would do at these clients; one query a purpose."""
    return [_effect(purpose, months, where[purpose], at) for purpose, months in wanted.items()]


def _effect(purpose: Purpose, months: int | None, client_ids: Collection[int], at: datetime) -> Effect:
    known = Exists(Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id")))
    rows = ConsentState.objects.filter(
        known, client_id__in=list(client_ids), purpose=purpose, state=State.GIVEN
    )
    if months is None:
        return Effect(purpose, None, rows.count(), 0, 0)
    now, then = newest_ended(at, months), newest_ended(at + SOON, months)
    counted = rows.aggregate(
        given=Count("pk"),
        at_once=Count("pk", filter=Q(since__lte=now)),
        soon=Count("pk", filter=Q(since__gt=now, since__lte=then)),
    )
    return Effect(purpose, months, **counted)
