"""Figures and alerts, looked at every five minutes, and the messages that tell the agency's system."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.scope import in_each_agency, job_scope
from consent.services import webhooks
from retention.services import news, old, watch

_WORK_FOR: Final = 40.0


@shared_task(name="retention.watch_agencies", acks_late=True)
def watch_agencies(**_: Any) -> None:
    """Begin the alerts that an agency's figures call for, and end those whose cause is gone."""
    at = timezone.now()
    in_each_agency(lambda agency_id: watch.look(agency_id=agency_id, at=at))


@shared_task(name="retention.remove_old", acks_late=True)
def remove_old(**_: Any) -> None:
    """Let parts of runs that had nothing to do, and alerts that are long over, go."""

    def remove(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            old.remove_old(agency_id=agency_id, at=timezone.now())

    in_each_agency(remove)


@shared_task(name="retention.send_alerts", acks_late=True)
def send_alerts(**_: Any) -> None:
    """Bring alerts, and what waits for people where it is asked for, to the agencies' systems."""
    until = time.monotonic() + _WORK_FOR

    def send(agency_id: int) -> None:
        news.collect(agency_id=agency_id, at=timezone.now())
        for queue in (watch, news):
            while time.monotonic() < until:
                letter = queue.claim(agency_id=agency_id, at=timezone.now())
                if letter is None:
                    break
                status, words = webhooks.send(letter)
                queue.settle(
                    agency_id=agency_id,
                    letter=letter,
                    status=status,
                    words=words,
                    chance=pauses.dice(),
                    at=timezone.now(),
                )

    in_each_agency(send)
