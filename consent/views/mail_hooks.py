"""
Mail that a provider brings by webhook: it is bounded before django-anymail takes it apart, as a mail from a file is.

One over a bound is dropped with a line in the log that names nobody: the provider would only bring it again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from anymail.webhooks.postmark import PostmarkInboundWebhookView
from anymail.webhooks.sendgrid import SendGridInboundWebhookView
from django.http import HttpRequest

from callprivacy.lib import bounds
from callprivacy.lib.logs import logger
from consent.channels import mail_in
from consent.channels.mail_in import UnreadableError

log = logger(__name__)

_RECIPIENTS: Final = ("ToFull", "CcFull", "BccFull")
_RECIPIENTS_AT_MOST: Final = 8 * 1024


class _Bounded:
    """A view of django-anymail's, asked for a mail only once its bounds hold."""

    def parse_events(self, request: HttpRequest) -> list[Any]:
        try:
            found: list[Any] = super().parse_events(request)  # type: ignore[misc]  # of the view beside it
        except (UnreadableError, RecursionError, UnicodeError) as error:
            log.warning("mail.dropped", esp=self.esp_name, error=type(error).__name__)  # type: ignore[attr-defined]  # the view's
            return []
        return found


class PostmarkView(_Bounded, PostmarkInboundWebhookView):
    """Postmark's, with the whole mail or its parts."""

    def esp_to_anymail_event(self, esp_event: Mapping[str, Any]) -> Any:
        whole = esp_event.get("RawEmail")
        mail_in.require_bounds(whole if isinstance(whole, str) else _lines(_headers(esp_event)))
        return super().esp_to_anymail_event(esp_event)


class SendGridView(_Bounded, SendGridInboundWebhookView):
    """SendGrid's, with the whole mail or its parts."""

    def esp_to_anymail_event(self, esp_event: HttpRequest) -> Any:
        mail_in.require_bounds(esp_event.POST.get("headers") or esp_event.POST.get("email", ""))
        try:
            charsets = bounds.from_json(esp_event.POST.get("charsets", "{}"))
        except ValueError:
            charsets = {}
        if not all(mail_in.is_charset(str(charset).lower()) for charset in charsets.values()):
            raise UnreadableError("The message uses an unknown character set.")
        return super().esp_to_anymail_event(esp_event)


def _headers(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """
    Every header that Postmark's parts are made into.

    :raises UnreadableError: the recipients are more than django-anymail writes in a moment.
    """
    for header in event.get("Headers", []):
        yield header["Name"], header["Value"]
    yield "From", _names([event.get("FromFull") or {}])
    yield "From", event.get("ReplyTo") or ""  # bounded as a sender is
    if any(len(_names(event.get(field) or [])) > _RECIPIENTS_AT_MOST for field in _RECIPIENTS):
        raise UnreadableError("The message was not read because its recipient list is over 8 KB.")
    for attachment in event.get("Attachments", []):
        yield "Content-Type", attachment["ContentType"]
        yield "Content-Disposition", attachment.get("Name") or ""


def _names(people: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{person.get('Name', '')} {person.get('Email', '')}" for person in people)


def _lines(headers: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}: {' '.join(str(value).split())}\n" for name, value in headers)
