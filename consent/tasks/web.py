"""News by e-mail to who asked for it, and what public pages and systems leave behind."""

from email.utils import formataddr, parseaddr
from typing import Any, Final

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import Fault, hand_over, with_html
from callprivacy.tenancy.scope import in_each_agency, job_scope
from consent.services import codes, events, preferences
from consent.services.preferences import Letter

log = logger(__name__)

_BATCH: Final = 50


@shared_task(name="consent.send_updates", acks_late=True)
def send_updates(**_: Any) -> None:
    """Tell people of changes who asked to be told, and ask for the confirmation of new addresses."""
    in_each_agency(_send_of)


def _send_of(agency_id: int) -> None:
    at = timezone.now()
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


@shared_task(name="consent.purge_public", acks_late=True)
def purge_public(**_: Any) -> None:
    """Remove codes that no limit looks at any more, and addresses that nobody confirmed."""
    at = timezone.now()

    def purge(agency_id: int) -> None:
        codes.purge(agency_id=agency_id, at=at)
        preferences.purge(agency_id=agency_id, at=at)

    in_each_agency(purge)


@shared_task(name="consent.purge_writes", acks_late=True)
def purge_writes(**_: Any) -> None:
    """Forget under which keys systems wrote more than thirty days ago; what they wrote stays in the ledger."""
    at = timezone.now()

    def purge(agency_id: int) -> None:
        events.purge(agency_id=agency_id, at=at)

    in_each_agency(purge)
