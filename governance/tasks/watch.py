"""What the programme looks at by itself: clocks of breaches, and what ends at vendors."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from governance.services import breaches, premises, training, vendors


@shared_task(name="governance.watch_clocks", acks_late=True)
def watch_clocks(**_: Any) -> None:
    """Tell of notices that are due within a day, and of those that are late."""
    at = timezone.now()
    in_each_agency(lambda agency_id: breaches.watch_clocks(agency_id=agency_id, at=at))


@shared_task(name="governance.watch_vendors", acks_late=True)
def watch_vendors(**_: Any) -> None:
    """Let wait what falls due at vendors."""
    at = timezone.now()
    in_each_agency(lambda agency_id: vendors.watch_vendors(agency_id=agency_id, at=at))


@shared_task(name="governance.watch_training", acks_late=True)
def watch_training(**_: Any) -> None:
    """Assign what rules call for, remind, and withhold from who is overdue."""
    at = timezone.now()
    in_each_agency(lambda agency_id: training.watch_training(agency_id=agency_id, at=at))


@shared_task(name="governance.settle_training", acks_late=True)
def settle_training(*, agency_id: int, user_id: int, **_: Any) -> None:
    """Give back what was withheld from somebody who has passed; the next watch would, too."""
    training.settle_person(agency_id=agency_id, user_id=user_id, at=timezone.now())


@shared_task(name="governance.watch_premises", acks_late=True)
def watch_premises(**_: Any) -> None:
    """Flag who never left."""
    at = timezone.now()
    in_each_agency(lambda agency_id: premises.watch_premises(agency_id=agency_id, at=at))
