"""Sends letters and questions to clients, a few at a time, and reminds of days that come near."""

from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import Fault, hand_over, with_html
from callprivacy.tenancy.jobs import agency_job
from rights.letters import Filled
from rights.services import approvals, letters, reminders

log = logger(__name__)

_A_RUN: Final = 60


def _sent(sender: str, to: str, text: Filled, language: str = "en", answers_to: str = "") -> Fault | None:
    """Hand a letter to the mail server in somebody's name; None where it was taken."""
    own = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    headers = {"From": formataddr((sender, own))} | ({"Reply-To": answers_to} if answers_to else {})
    plain = EmailMessage(text.subject, text.body, own, [to], headers=headers)
    fault = hand_over(with_html(plain, language=language))
    if fault is not None:
        log.warning("request.mail_not_taken", error=fault.kind)
    return fault


@agency_job(name="rights.send_letters", every=30)
def send_letters(agency_id: int, at: datetime) -> None:
    """Send the letters that are due, one after the other; what the server does not take comes back."""
    letters.note_extensions(agency_id=agency_id, at=at)
    for mail in letters.claim_letters(agency_id=agency_id, at=at, limit=_A_RUN):
        if timezone.now() >= at + letters.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        fault = _sent(mail.sender, mail.to, Filled(mail.subject, mail.body), mail.language, mail.answers_to)
        if fault is None:
            letters.letter_sent(agency_id=agency_id, letter_id=mail.letter_id, at=timezone.now())
        else:
            letters.letter_not_taken(agency_id=agency_id, letter_id=mail.letter_id, fault=fault)


@agency_job(name="rights.ask_clients", every=30)
def ask_clients(agency_id: int, at: datetime) -> None:
    """Send clients their questions, and give back what nobody answered in time."""
    for mail in approvals.claim_mails(agency_id=agency_id, at=at, limit=_A_RUN):
        if timezone.now() >= at + approvals.MAIL_AGAIN_AFTER:
            return
        if _sent(mail.sender, mail.to, mail.text) is None:
            approvals.mail_sent(agency_id=agency_id, approval_id=mail.approval_id, at=timezone.now())
    approvals.sweep(agency_id=agency_id, at=at)


remind = agency_job(name="rights.remind_staff", every=600)(reminders.remind)
