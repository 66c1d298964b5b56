"""The inbox's one line a client for its open requests: how many, and the soonest date."""

from datetime import datetime

from django.db.models import Count, Min, Q

from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.work import services as work
from callprivacy.work.models import Item
from rights import kinds
from rights.models import Case
from rights.models.cases import CaseQuerySet


def renew(*, agency_id: int, client_id: int | None, by: Actor, at: datetime) -> None:
    """
    Bring the line up to date; without an open request it is closed. In the scope that changed something.

    Cases that a client has taken over, with its receipt, are no longer ours to answer. What comes in by a public page
    is left to the job, which is a minute behind: such a page sees no queue.
    """
    scope = lib_scope.current()
    if scope is None or scope.kind is ScopeKind.CLIENT:
        return
    found = (
        _ours(agency_id)
        .filter(Q(client_id=None) if client_id is None else Q(client_id=client_id))
        .aggregate(count=Count("pk"), due_at=Min("answer_due_at"))
    )
    _renew(agency_id, client_id, (found["count"], found["due_at"]), by, at)


def renew_all(*, agency_id: int, by: Actor, at: datetime) -> None:
    """Bring the lines of all clients of an agency up to date. In the agency's scope."""
    rows = (
        _ours(agency_id)
        .values("client_id")
        .annotate(count=Count("pk"), due_at=Min("answer_due_at"))
        .order_by()
    )
    found = {row["client_id"]: (row["count"], row["due_at"]) for row in rows}
    lines = Item.objects.open().filter(
        agency_id=agency_id, kind__in=[kinds.REQUESTS, kinds.REQUESTS_OF_AGENCY]
    )
    for client_id in {*found, *lines.values_list("client_id", flat=True)}:
        count, due_at = found.get(client_id, (0, None))
        _renew(agency_id, client_id, (count, due_at), by, at)


def _ours(agency_id: int) -> CaseQuerySet:
    return Case.objects.filter(agency_id=agency_id).ours()


def _renew(
    agency_id: int, client_id: int | None, found: tuple[int, datetime | None], by: Actor, at: datetime
) -> None:
    count, due_at = found
    kind = kinds.REQUESTS_OF_AGENCY if client_id is None else kinds.REQUESTS
    key = "agency" if client_id is None else str(client_id)
    if count:
        work.open_item(
            kind,
            agency_id=agency_id,
            client_id=client_id,
            key=key,
            at=at,
            due_at=due_at,
            count=count,
        )
    else:
        work.close_item(kind, agency_id=agency_id, key=key, at=at, by=by)
