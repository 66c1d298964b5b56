"""
Which requests are past their date, by the policies of retention: what previews count and runs take, alike.

A request's days count from the instant at which the last of its cases was closed; one of which a case is open again has
none, nor has one whose erasure had to leave something that a hold or a law keeps, or of which somebody is told only
once a hold ends: it says what is still to be done.
Of whom a hold keeps anything, the requests stay; a hold of everything of a client, whenever it was, keeps all of that
client's.
"""

import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Agency, Client
from retention.enums import Category
from retention.models import Hold
from retention.selectors import holds, policies
from retention.targets import Extent, HouseLine, Line, Told
from rights.enums import Copies, StepKind, StepState
from rights.models import Case, Finding, Identity, Package, Step, Submission

_COUNT = """
    SELECT w.client_id, count(*) FROM unnest(%s::bigint[], %s::timestamptz[]) AS w (client_id, before)
    JOIN rights_submission s ON s.client_id = w.client_id AND s.ended_at < w.before
    WHERE NOT EXISTS (SELECT FROM rights_case c WHERE c.submission_id = s.id AND c.closed_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM rights_case c JOIN rights_step t ON t.agency_id = c.agency_id AND t.case_id = c.id
        WHERE c.submission_id = s.id AND t.state <> 'done'
        AND (t.kind = 'rest' OR t.kind = 'pass_on' AND t.wanted ? 'left')
    )
    AND NOT EXISTS (
        SELECT FROM rights_finding f
        WHERE f.submission_id = s.id AND f.caller_id IS NULL AND f.copies = 'calls' AND f.kept_why = 'hold'
    )
    GROUP BY 1
"""


def kept_for(row: Submission | Case) -> int:
    """For how many days the record of a request is kept from its end on, by the policy of who holds it."""
    if row.client is None:
        return policies.house_effective(row.agency)[Category.REQUEST].days
    return policies.effective(row.client, Category.REQUEST).days


def _over() -> QuerySet[Submission]:
    """Requests that have come to their end, and of whose erasures nothing is left to be done."""
    is_open = Exists(Case.objects.filter(submission=OuterRef("pk")).open())
    waits = Q(kind=StepKind.REST) | Q(kind=StepKind.PASS_ON, wanted__has_key="left")
    rests = Step.objects.filter(waits, case__submission=OuterRef("pk"))
    lone = Finding.objects.filter(
        submission=OuterRef("pk"), caller_id=None, copies=Copies.CALLS, kept_why="hold"
    )
    left = Exists(rests.exclude(state=StepState.DONE)) | Exists(lone)
    return Submission.objects.filter(~is_open, ~left, ended_at__isnull=False)


# --- A client's ---------------------------------------------------------------------------------------------------


def due(line: Line) -> QuerySet[Submission]:
    """A client's requests that are past their date and that no hold keeps."""
    rows = _over().filter(client_id=line.client.pk, ended_at__lt=line.cutoff)
    if line.keeps_all:
        return rows.none()
    return rows.exclude(pk__in=_held(line.client.pk, line.held)) if line.held else rows


def due_ids(line: Line, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """Their ids, in order."""
    rows = due(line) if after is None else due(line).filter(pk__gt=after)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def count(lines: Collection[Line]) -> dict[int, Extent]:
    """How many are past their date at each client; one statement, and two for each client that has a hold."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [[one.client.pk for one in lines], [one.cutoff for one in lines]])
        found = {client_id: Extent(rows=number) for client_id, number in cursor.fetchall()}
    for line in lines:
        if line.is_held and line.client.pk in found:
            leaving = due(line).count()
            found[line.client.pk] = Extent(rows=leaving, held=found[line.client.pk].rows - leaving)
    return found


def _held(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """A client's own requests, and the agency's, of people of whom an open hold of the client keeps something."""
    found: set[uuid.UUID] = set()
    for rows in (Identity.objects.all(), Finding.objects.all()):
        mine = rows.filter(client_id=client_id, caller_id__in=caller_ids)
        found |= set(mine.values_list("submission_id", flat=True))
    return found


def by_day(client_ids: Sequence[int], limits: Sequence[datetime]) -> Mapping[int, int]:
    """How many of these clients' requests fall due in each span."""
    rows = _over().filter(client_id__in=client_ids, ended_at__gte=limits[0], ended_at__lt=limits[-1])
    held, whole = set[uuid.UUID](), []
    with_holds = Hold.objects.open().filter(client_id__in=client_ids).values("client_id")
    for client in Client.objects.filter(pk__in=with_holds):
        if holds.keep_all(holds.open_holds(client)):
            whole.append(client.pk)
        else:
            held |= _held(client.pk, holds.held_caller_ids(client))
    rows = rows.exclude(client_id__in=whole)
    return _spans(rows.exclude(pk__in=held) if held else rows, limits)


def _spans(rows: QuerySet[Submission], limits: Sequence[datetime]) -> Mapping[int, int]:
    ended = rows.values_list("ended_at", flat=True)
    return Counter(bisect_right(limits, at) - 1 for at in ended if at is not None)


def told(ids: Collection[uuid.UUID]) -> list[Told]:
    """When these requests were answered, and what they asked for; in the order of their ids."""
    rows = Submission.objects.filter(pk__in=ids).prefetch_related("cases").order_by("pk")
    return [
        (
            row.ended_at,
            ", ".join(
                sorted(f"{case.reference} ({case.get_asks_display().lower()})" for case in row.cases.all())
            ),
        )
        for row in rows
        if row.ended_at is not None
    ]


# --- The agency's own, of which no client is named ----------------------------------------------------------------


def own_due(line: HouseLine) -> QuerySet[Submission]:
    """The agency's own requests that are past their date and that no hold keeps."""
    if line.is_held:
        return Submission.objects.none()
    held = _held_own(line.agency.pk)
    return _own(line).exclude(pk__in=held) if held else _own(line)


def _own(line: HouseLine) -> QuerySet[Submission]:
    return _over().filter(agency_id=line.agency.pk, client=None, ended_at__lt=line.cutoff)


def _held_own(agency_id: int) -> set[uuid.UUID]:
    """Requests of people of whom any hold of the agency keeps something."""
    found: set[uuid.UUID] = set()
    rows = Hold.objects.open().filter(agency_id=agency_id).values("client_id")
    for client in Client.objects.filter(pk__in=rows):
        found |= _held(client.pk, holds.held_caller_ids(client))
    return found


def count_own(line: HouseLine) -> Extent:
    """How many of them are past their date, and how many of these a hold keeps."""
    leaving, every = own_due(line).count(), _own(line).count()
    return Extent(rows=leaving, held=every - leaving)


def own_by_day(agency: Agency, limits: Sequence[datetime]) -> Mapping[int, int]:
    """How many of them fall due in each span."""
    rows = own_due(HouseLine(agency, limits[-1])).filter(ended_at__gte=limits[0])
    return _spans(rows, limits)


# --- Packages -----------------------------------------------------------------------------------------------------


def count_packages(agency_id: int, on: date) -> int:
    """How many packages leave by the end of a day."""
    ends = datetime.combine(on, time.max, tzinfo=UTC)
    return Package.objects.filter(agency_id=agency_id, gone_at=None, expires_at__lte=ends).count()
