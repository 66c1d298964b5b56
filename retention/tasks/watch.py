"""Figures and alerts, read every five minutes, and the messages that notify the agency's system."""

from datetime import datetime

from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job
from consent.services import webhooks
from retention.services import news, old, watch

watch_agencies = agency_job(name="retention.watch_agencies", every=300)(watch.look)
remove_old = agency_job(name="retention.remove_old", every=3600, in_scope=True)(old.remove_old)


@agency_job(name="retention.send_alerts", every=30, work_for=40)
def send_alerts(agency_id: int, at: datetime) -> bool:
    """Bring one message to the agency's system: an alert first, then what waits for people where it asks for that."""
    news.collect(agency_id=agency_id, at=at)
    for queue in (watch, news):
        letter = queue.claim(agency_id=agency_id, at=at)
        if letter is not None:
            status, words = webhooks.send(letter)
            queue.settle(
                agency_id=agency_id,
                letter=letter,
                status=status,
                words=words,
                chance=pauses.dice(),
                at=timezone.now(),
            )
            return True
    return False
