"""How a code reaches a phone: by a text through a vendor, or, on this machine alone, on the page of mails."""

from __future__ import annotations

from dataclasses import dataclass
from smtplib import SMTPException
from typing import Final, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from callprivacy.lib import phone
from consent.channels import twilio
from consent.enums import Language

_WORDS: Final = {
    Language.ENGLISH: "{name}: your code is {code}. It counts for 10 minutes. Nobody of us ever asks you for it.",
    Language.SPANISH: "{name}: su código es {code}. Vale 10 minutos. Nadie de nosotros se lo pedirá nunca.",
}
_LONGEST_NAME: Final = 40
# An address that leads nowhere (RFC 2606): the mail is only ever a file here.
_NOBODY: Final = "phone@text.invalid"


class NotSentError(RuntimeError):
    """The vendor did not take the message. Its answer is not repeated, for it may hold the number."""


class HasOptedOutError(NotSentError):
    """The number has said no to texts of this sender, at the carrier or the vendor."""


class CodeSender(Protocol):
    """Something that brings words to a phone; called outside any scope."""

    def send(self, *, number: str, words: str) -> None:
        """
        Bring these words to a number in E.164.

        :raises HasOptedOutError: the number said no to texts.
        :raises NotSentError: they were not taken.
        """
        ...


def words_of(code: str, *, name: str, language: Language) -> str:
    """
    The message that carries a code. Its last line lets the phone's browser fill it in on our page and no other
    (wicg.github.io/sms-one-time-codes).
    """
    host = urlsplit(settings.CALLPRIVACY_URL).hostname or ""
    said = _WORDS[language].format(name=" ".join(name.split())[:_LONGEST_NAME], code=code)
    return f"{said}\n\n@{host} #{code}"


@dataclass(frozen=True, slots=True)
class PageOfMails:
    """Writes the text among the mails of this machine, for trying things out without a vendor."""

    def send(self, *, number: str, words: str) -> None:
        letter = EmailMessage(f"Text message to {phone.mask(number)}", words, to=[_NOBODY])
        try:
            letter.send()
        except (SMTPException, OSError) as error:
            raise NotSentError(type(error).__name__) from None


@dataclass(frozen=True, slots=True, repr=False)
class ByTwilio:
    """
    Sends the text from one of the client's own numbers.

    :ivar sender: that number, in E.164.
    """

    account: twilio.Account
    sender: str

    def send(self, *, number: str, words: str) -> None:
        try:
            twilio.send_text(self.account, to=number, sender=self.sender, words=words)
        except twilio.OptedOutError:
            raise HasOptedOutError("opted out") from None
        except twilio.TwilioError as error:
            raise NotSentError(str(error)) from None
