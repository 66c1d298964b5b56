"""How django-anymail hands over what a mail provider brought: its webhook has been authenticated before."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone

from callprivacy.lib.logs import logger
from consent.services import mail
from consent.services.ledger import CallerGoneError
from consent.tasks.menu_calls import nudge_stops

log = logger(__name__)


def take_mail(*, event: Any, esp_name: str, **_: Any) -> None:
    """
    Take in one message; what is none, or nobody's, is dropped with a line in the log that names neither.

    Whatever else fails is answered with an error, so that the provider brings the message again.
    """
    message = event.message
    if message.envelope_recipient:
        del message["X-Original-To"]
        message["X-Original-To"] = message.envelope_recipient
    try:
        outcome, agency_id = mail.take_in_by_address(
            message.as_bytes(), trusted=settings.CALLPRIVACY_MAIL_AUTHSERV, at=timezone.now()
        )
    except (mail.UnreadableError, mail.NobodysError, CallerGoneError) as error:
        log.warning("mail.dropped", esp=esp_name, error=type(error).__name__)
        return
    nudge_stops(agency_id)
    log.info("mail.taken_in", esp=esp_name, outcome=outcome.value)
