"""
Mail as plain text, and the same words as HTML beside it; and how it is handed over.

Whoever sends what waits in a table hands it over here, so that one rule says what a refusal counts for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import AddressHeader
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Final

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string

# RFC 3463, "5.class.detail" at the head of an answer. No such recipient: but neither 5.1.7 and 5.1.8, which are about
# the sender's address, nor what vendors number above, such as the limit of an account.
_ENHANCED: Final = re.compile(rb"\s*(5\.\d{1,3}\.\d{1,3})\b").match
_NO_SUCH_BOX: Final = frozenset({b"5.1.0", b"5.1.1", b"5.1.2", b"5.1.3", b"5.1.4", b"5.1.6", b"5.1.10"})
# A box that is shut, full, or takes no such letter.
_BOX_REFUSES: Final = frozenset({b"5.2.1", b"5.2.2", b"5.2.3", b"5.2.4"})
# RFC 5321, 4.2.3; RFC 7504 for 556. Not 554, by which servers refuse whom they do not know, and never 53x.
_ABOUT_A_BOX: Final = frozenset({501, 550, 551, 552, 553, 556})
# Servers that give no enhanced code say "relay not permitted" with 550 to an account that has ended, and the like.
_ABOUT_US: Final = re.compile(rb"relay|authenticat|sender|polic|block|spam|denied", re.IGNORECASE).search


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Why a message was not taken.

    :ivar kind: the error's name; an answer of the server may quote the address, so there is nothing else of it.
    :ivar is_recipients: this recipient is refused for good. Everything else is a matter of the server, the way to it
        or our account: it counts against nobody, and the message is tried until its own purpose ends.
    """

    kind: str
    is_recipients: bool

    @property
    def may_have_gone(self) -> bool:
        """Whether the line broke after it was up: the server may have taken the message, and its answer was lost."""
        return self.kind == SMTPServerDisconnected.__name__


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


def hand_over(message: EmailMessage) -> Fault | None:
    """Hand a message for one recipient to the mail server; None where it was taken."""
    try:
        message.send()
    except (SMTPException, OSError, ValueError) as error:
        return Fault(type(error).__name__, _is_recipients(error, message.to))
    return None


def _is_recipients(error: Exception, to: Sequence[str]) -> bool:
    """Whether the server said for good that this recipient is none, or the address is one to which no mail can go."""
    match error:
        case SMTPRecipientsRefused():
            answers = list(error.recipients.values())
            return bool(answers) and all(_refuses_for_good(code, bytes(said)) for code, said in answers)
        case SMTPDataError():
            # It refuses the whole message: its words, its size, or what an account may send in a day. Only where the
            # server names the box is it the recipient's.
            enhanced = _enhanced(error.smtp_error)
            return 500 <= error.smtp_code < 600 and enhanced in _NO_SUCH_BOX
        case ValueError():
            return not all(_can_be_written(address) for address in to)
    return False


def _refuses_for_good(code: int, said: bytes) -> bool:
    """Whether an answer to RCPT is a permanent one about the recipient. In doubt it is not."""
    if not 500 <= code < 600:
        return False
    enhanced = _enhanced(said)
    if enhanced is not None:
        return enhanced in _NO_SUCH_BOX | _BOX_REFUSES
    return code in _ABOUT_A_BOX and _ABOUT_US(said) is None


def _enhanced(said: bytes | str) -> bytes | None:
    found = _ENHANCED(said if isinstance(said, bytes) else said.encode(errors="replace"))
    return found[1] if found else None


def _can_be_written(address: str) -> bool:
    parsed = AddressHeader.value_parser(address)
    if parsed.all_defects or len(parsed.all_mailboxes) != 1:
        return False
    try:
        (parsed.all_mailboxes[0].domain or "").encode("idna")
    except UnicodeError:
        return False
    return True
