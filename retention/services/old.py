"""What runs and alerts leave behind, removed once nobody looks for it: counts, and no fact of a person."""

from datetime import datetime

from retention.enums import PartState
from retention.models import Alert, RunPart
from retention.selectors.old import ALERTS_FOR, EMPTY_FOR


def remove_old(*, agency_id: int, at: datetime, limit: int = 20_000) -> int:
    """
    Remove parts of runs that found nothing, and alerts that are long over; returns how many. In a job's scope.

    A part that erased, held or failed at anything stays with its run, which is the proof of it.

    :param limit: rows of each table at most; the next run finds the rest.
    """
    nothing = RunPart.objects.filter(
        agency_id=agency_id,
        run__finished_at__lt=at - EMPTY_FOR,
        state__in=[PartState.DONE, PartState.OBSERVED],
        rows_due=0,
        rows_erased=0,
        rows_held=0,
        vendor_steps=0,
    )
    over = Alert.objects.filter(agency_id=agency_id, ended_at__lt=at - ALERTS_FOR, due_at=None)
    parts = RunPart.objects.filter(pk__in=nothing.order_by().values("pk")[:limit]).remove()
    return parts + Alert.objects.filter(pk__in=over.order_by().values("pk")[:limit]).remove()
