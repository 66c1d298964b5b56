"""
How django-anymail hands over what a mail provider brought or tells: its webhook has been authenticated before.

Mail that comes in is an inbound event. What became of a letter that went out through the provider is a tracking event.
"""

from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from callprivacy.lib.logs import logger
from consent.services import mail
from consent.services.ledger import CallerGoneError
from consent.services.mail import News
from consent.tasks.menu_calls import nudge_stops

log = logger(__name__)

# Normalised event types of django-anymail: `anymail.signals.EventType`.
_NEWS: Final = {
    "bounced": News.BOUNCED,
    "rejected": News.BOUNCED,
    "complained": News.COMPLAINED,
    "unsubscribed": News.UNSUBSCRIBED,
}


def take_mail(*, event: Any, esp_name: str, **_: Any) -> None:
    """
    Take in one message; what is none, or nobody's, is dropped with a line in the log that names neither.

    Whatever else fails is answered with an error, so that the provider brings the message again.
    """
    message = event.message
    if message.envelope_recipient:
        del message["X-Original-To"]
        message["X-Original-To"] = message.envelope_recipient
    # As it came: folding a long header anew takes time that grows with the square of its length.
    raw = message.as_bytes(policy=message.policy.clone(refold_source="none"))
    try:
        outcome, agency_id = mail.take_in_by_address(
            raw, trusted=settings.CALLPRIVACY_MAIL_HOOK_AUTHSERV, at=timezone.now()
        )
    except (mail.UnreadableError, mail.NobodysError, CallerGoneError) as error:
        log.warning("mail.dropped", esp=esp_name, error=type(error).__name__)
        return
    nudge_stops(agency_id)
    log.info("mail.taken_in", esp=esp_name, outcome=outcome.value)


def take_news(*, event: Any, esp_name: str, **_: Any) -> None:
    """Heed what became of one letter; what is not about a letter of ours, or asks for nothing, is passed over."""
    news = _NEWS.get(event.event_type)
    letter = (event.metadata or {}).get("letter")
    if news is None or not isinstance(letter, str):
        return
    try:
        agency_id = mail.note_news(letter, news=news, at=timezone.now())
    except CallerGoneError as error:
        log.warning("mail.news_dropped", esp=esp_name, error=type(error).__name__)
        return
    if agency_id is not None:
        nudge_stops(agency_id)
    log.info("mail.news", esp=esp_name, news=news.value, known=agency_id is not None)
