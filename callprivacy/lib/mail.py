"""Mail as plain text, and the same words as HTML beside it."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string


def letter(subject: str, text: str, to: Sequence[str]) -> EmailMultiAlternatives:
    """A message that is not sent yet, in both forms."""
    return with_html(EmailMultiAlternatives(subject, text, None, list(to)))


def with_html(message: EmailMessage, *, language: str = "en") -> EmailMultiAlternatives:
    """A message of text alone with the same words as HTML: paragraphs, and addresses that can be pressed."""
    both = EmailMultiAlternatives(
        message.subject, message.body, message.from_email, message.to, headers=message.extra_headers
    )
    said = {"subject": message.subject, "text": str(message.body).strip(), "language": language}
    both.attach_alternative(render_to_string("mail.html", said), "text/html")
    return both
