"""Sends the letters that ask for consent, a few at a time, and removes those that nobody answered."""

from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import Fault, hand_over, with_html
from callprivacy.tenancy.jobs import agency_job, always, waker
from consent.services import invitations
from consent.services.invitations import Letter

log = logger(__name__)

_A_MINUTE: Final = 60


@agency_job(name="consent.send_invitations", every=60, due=always)
def send_invitations(agency_id: int, at: datetime) -> None:
    """Send the letters of one agency that are due, sixty at most; the next run goes on a minute later."""
    for letter in invitations.claim_letters(agency_id=agency_id, at=at, limit=_A_MINUTE):
        began = timezone.now()
        if began >= at + invitations.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        if not invitations.may_still_go(agency_id=agency_id, letter=letter, at=began):
            continue
        fault = _send(letter)
        if fault is None:
            # As of when it was handed over: links that are ended while the server takes it are this one's, too.
            invitations.letter_sent(agency_id=agency_id, letter=letter, at=began)
        else:
            invitations.letter_not_taken(agency_id=agency_id, letter=letter, at=began, fault=fault)


def _send(letter: Letter) -> Fault | None:
    """Hand a letter to the mail server, in the client's name; None where it was taken."""
    own = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    # What comes back comes to the address of this very letter, so that it is known whose it was.
    back = letter.headers.get("Reply-To", own)
    headers = letter.headers | {"From": formataddr((letter.sender, own))}
    plain = EmailMessage(letter.subject, letter.text, back, [letter.address], headers=headers)
    fault = hand_over(with_html(plain, language=letter.language))
    if fault is not None:
        log.warning("invitation.not_taken", invitation=str(letter.invitation_id), error=fault.kind)
    return fault


purge_invitations = agency_job(name="consent.purge_invitations", every=60)(invitations.purge)
nudge_invitations = waker(send_invitations)
