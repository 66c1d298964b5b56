"""How the agency's trail leaves: reasons that name no client a batch at a time, events by whole seals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import DatabaseError

from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from retention.enums import Category
from retention.models import Hold
from retention.selectors import trail as selectors
from retention.targets import Deed, HouseLine, HouseTarget

log = logger(__name__)


def _remove(line: HouseLine, ids: Sequence[UUID], deed: Deed) -> tuple[UUID, ...]:
    if not selectors.is_events(ids):
        found = audit.erase_own_reasons(agency_id=line.agency.pk, event_ids=selectors.event_ids(ids))
        return tuple(UUID(int=event_id) for event_id in found)
    if line.months is None:
        return ()
    # Looked at again in the transaction that removes them: a hold may have come between.
    now = selectors.due(line.months, most=selectors.EVENTS_A_BATCH)
    if now is None or now.events != len(ids):
        return ()
    wish = audit.Wish(
        first=now.first,
        last=now.last,
        before=line.months.before,
        keep_for_days=line.months.keep_for_days,
        version=line.months.version,
    )
    try:
        return selectors.named(audit.leave(agency_id=line.agency.pk, wish=wish, by=deed.by, at=deed.at))
    except audit.BusyError:
        # Whoever verifies or exports it has it first; what is due is due tomorrow.
        return ()


def leave_again(*, agency: Agency, by: Actor, at: datetime) -> int:
    """
    Let leave once more what an old dump brought back, by what the checkpoints say of it; returns how many events.

    What an open hold keeps by now stays, and what the seals do not know; the next run looks at it again. Outside any
    scope, a transaction for each statement.
    """
    with job_scope(agency_id=agency.pk):
        if Hold.objects.open().filter(agency_id=agency.pk).exists():
            return 0
        said = audit.said_before(agency.pk)
    count = 0
    for statement in said:
        try:
            with job_scope(agency_id=agency.pk):
                count += audit.leave_again(agency_id=agency.pk, statement=statement, by=by, at=at)
        except (audit.NotLeavingError, DatabaseError) as error:
            log.error("trail.not_left_again", agency_id=agency.pk, error=type(error).__name__)  # noqa: TRY400  (no values)
            break
    return count


TARGET: Final = HouseTarget(
    category=Category.TRAIL,
    noun="trail_rows",
    batch=1_000,
    count=selectors.count,
    due=selectors.due_ids,
    destroy=lambda line, ids: None,
    remove=_remove,
    by_day=selectors.by_day,
    told=selectors.told,
)
