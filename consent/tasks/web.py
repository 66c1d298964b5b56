"""News by e-mail to who asked for it, and what public pages and systems leave behind."""

from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import Fault, hand_over, with_html
from callprivacy.tenancy.jobs import agency_job
from callprivacy.tenancy.scope import job_scope
from consent.services import codes, events, preferences
from consent.services.preferences import Letter

log = logger(__name__)

_BATCH: Final = 50


@agency_job(name="consent.send_updates", every=60)
def send_updates(agency_id: int, at: datetime) -> None:
    """Notify people who asked for it of changes, and ask for the confirmation of new addresses."""
    with job_scope(agency_id=agency_id):
        letters = preferences.claim_letters(agency_id=agency_id, at=at, limit=_BATCH)
    for letter in letters:
        if timezone.now() >= at + preferences.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        fault = _send(letter)
        with job_scope(agency_id=agency_id):
            if fault is None:
                preferences.letter_sent(letter=letter, at=timezone.now())
            elif fault.is_recipients:
                preferences.letter_refused(letter=letter)


def _send(letter: Letter) -> Fault | None:
    """Hand a letter to the mail server, in the client's name; None where it was taken."""
    own = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    plain = EmailMessage(
        letter.subject, letter.text, formataddr((letter.sender, own)), [letter.address],
        headers={"Auto-Submitted": "auto-generated"},
    )  # fmt: skip
    fault = hand_over(with_html(plain, language=letter.language))
    if fault is not None:
        log.warning("update.not_taken", subscription=str(letter.subscription_id), error=fault.kind)
    return fault


@agency_job(name="consent.purge_public", every=3600)
def purge_public(agency_id: int, at: datetime) -> None:
    """Remove codes that no limit counts any more, and addresses that nobody confirmed."""
    codes.purge(agency_id=agency_id, at=at)
    preferences.purge(agency_id=agency_id, at=at)


purge_writes = agency_job(name="consent.purge_writes", every=3600)(events.purge)
