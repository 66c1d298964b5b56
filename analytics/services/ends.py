"""
How a release ends where a policy of retention says so, before the date that two people signed.

When is retention's to say; a run takes releases with these steps, and each may be repeated. What goes is the file and
the list of members; that it was released, to whom and with which figures stays. The date that was signed is kept by
`releases.expire`, within a minute: what it ends no run meets.
"""

import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from django.db.models import QuerySet

from analytics.models import Release
from analytics.selectors import releases as selectors
from analytics.services import releases
from callprivacy.calls.services import erasure
from callprivacy.calls.services.erasure import Chosen, Extent, Line, Removed
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files

_COUNT = """
    SELECT w.client_id, count(*)
    FROM unnest(%(clients)s::bigint[], %(cutoffs)s::timestamptz[]) AS w (client_id, cutoff)
    JOIN analytics_release r ON r.client_id = w.client_id AND r.state = 'released' AND r.released_at < w.cutoff
    GROUP BY 1
"""


def count(lines: Collection[Line]) -> dict[int, Extent]:
    """Count the live releases of several clients that are past the date of the policy."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, erasure.bounds(lines))
        return {client_id: Extent(rows=rows) for client_id, rows in cursor.fetchall()}


def _due(line: Line) -> QuerySet[Release]:
    return Release.objects.for_client(line.client).live().filter(released_at__lt=line.cutoff)


def due(line: Line, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """The next releases that end, by id."""
    rows = _due(line) if after is None else _due(line).filter(pk__gt=after)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def destroy(line: Line, chosen: Chosen) -> None:
    """Step 2, outside any scope: files and lists of members, each with the key at its head."""
    with job_scope(agency_id=line.client.agency_id):
        stored = list(_due(line).filter(pk__in=chosen.ids).values_list("file_key", "members_key"))
    for keys in stored:
        for key in keys:
            if key is not None:
                files.delete(line.client.pk, key)


def remove(line: Line, chosen: Chosen, *, by: Actor, at: datetime) -> Removed:
    """
    Step 3: they have ended, and their recipients are told.

    A file that was written anew meanwhile, without somebody's rows, goes with the next sweep of what has ended.
    """
    rows = _due(line).filter(pk__in=chosen.ids).select_for_update(of=("self",)).order_by("pk")
    found = list(rows)
    for release in found:
        releases.end_by_policy(release=release, by=by, at=at)
    return Removed(ids=tuple(release.pk for release in found))


def by_day(client_ids: Sequence[int], limits: Sequence[datetime]) -> Mapping[int, int]:
    """How many releases of these clients end by their policy in each span; of the others the signed date is sooner."""
    clients = Client.objects.select_related("agency").filter(pk__in=client_ids)
    kept = {client.pk: selectors.kept_for_at_most(client) for client in clients}
    rows = Release.objects.filter(client_id__in=client_ids).live()
    rows = rows.filter(released_at__gte=limits[0], released_at__lt=limits[-1])
    found = rows.values_list("client_id", "released_at", "ends_at")
    return Counter(
        bisect_right(limits, since) - 1
        for client_id, since, ends in found
        if since is not None and ends is not None and ends > since + timedelta(days=kept[client_id])
    )


def told(client: Client, ids: Sequence[uuid.UUID]) -> list[tuple[datetime, str]]:
    """When these were released, and what they are; in the order of their ids."""
    rows = Release.objects.for_client(client).filter(pk__in=ids).select_related("recipient").order_by("pk")
    return [
        (row.released_at, f"{row.get_kind_display()} for {row.recipient.name}, {selectors.days(row)}")
        for row in rows
        if row.released_at is not None
    ]


def count_signed(agency_id: int, on: date) -> int:
    """How many releases end by the end of a day, by the date that two people signed; as far as the scope sees them."""
    ends = datetime.combine(on, time.max, tzinfo=UTC)
    return Release.objects.filter(agency_id=agency_id, ends_at__lte=ends).live().count()
