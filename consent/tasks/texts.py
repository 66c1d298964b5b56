"""Sends our texts, and puts before people what a message may have meant."""

import time
from datetime import datetime
from typing import Final

from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, waker
from consent.services import text_sending, texts

# A text takes twelve seconds at most and three are claimed at once, which ends within the limit of a task.
_WORK_FOR: Final = 15.0


@agency_job(name="consent.send_texts", every=30, due=text_sending.has_due)
def send_texts(agency_id: int, at: datetime) -> None:
    """Send the answers and invitations that are due, and renew the items in the inbox."""
    texts.renew_items(agency_id=agency_id, at=at)
    until = time.monotonic() + _WORK_FOR
    for claim in (text_sending.claim_answers, text_sending.claim_invitations):
        while time.monotonic() < until and (claimed := claim(agency_id=agency_id, at=timezone.now())):
            for outgoing in claimed:
                sent = text_sending.send(outgoing)
                text_sending.settle(
                    agency_id=agency_id, outgoing=outgoing, sent=sent, chance=pauses.dice(), at=timezone.now()
                )


# Each by itself, so that what fails keeps none of the others.
settle_texts = agency_job(name="consent.settle_texts", every=30)(texts.settle_undecided)
purge_texts = agency_job(name="consent.purge_texts", every=60)(texts.purge)
renew_texts = agency_job(name="consent.renew_texts", every=30)(texts.renew_items)
nudge_texts = waker(send_texts)
