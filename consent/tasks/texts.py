"""Sends our texts, and puts before people what a message may have meant."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.scope import in_each_agency
from consent.services import text_sending, texts
from consent.tasks.nudges import nudge_on_commit

# A text takes twelve seconds at most and three are claimed at once, which ends within the limit of a task.
_WORK_FOR: Final = 15.0


@shared_task(name="consent.send_texts", acks_late=True)
def send_texts(*, agency_id: int, **_: Any) -> None:
    """Send the answers and invitations of one agency that are due, and renew its items in the inbox."""
    texts.renew_items(agency_id=agency_id, at=timezone.now())
    until = time.monotonic() + _WORK_FOR
    for claim in (text_sending.claim_answers, text_sending.claim_invitations):
        while time.monotonic() < until and (claimed := claim(agency_id=agency_id, at=timezone.now())):
            for outgoing in claimed:
                sent = text_sending.send(outgoing)
                text_sending.settle(
                    agency_id=agency_id, outgoing=outgoing, sent=sent, chance=pauses.dice(), at=timezone.now()
                )


def nudge_texts(agency_id: int) -> None:
    """Have what a message left be done as soon as it is committed."""
    nudge_on_commit(send_texts, agency_id)


@shared_task(name="consent.sweep_texts", acks_late=True)
def sweep_texts(**_: Any) -> None:
    """In every agency: send what is due, settle what nobody decided, remove what is a month old; each by itself."""
    at = timezone.now()

    def send(agency_id: int) -> None:
        if text_sending.has_due(agency_id=agency_id, at=at):
            send_texts.delay(agency_id=agency_id)

    in_each_agency(send)
    # Each by itself, so that what fails keeps neither the other steps nor another agency's.
    in_each_agency(lambda agency_id: texts.settle_undecided(agency_id=agency_id, at=at))
    in_each_agency(lambda agency_id: texts.purge(agency_id=agency_id, at=at))
    in_each_agency(lambda agency_id: texts.renew_items(agency_id=agency_id, at=at))
