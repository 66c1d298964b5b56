"""
How a code reaches a phone: by a text or a call that reads it, through a vendor, or, on this machine alone, on the page
of mails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from smtplib import SMTPException
from typing import Final, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from callprivacy.lib import phone
from consent.channels import twilio, twiml
from consent.enums import CodeWay, Language

_WORDS: Final = {
    Language.ENGLISH: "{name}: your code is {code}. It is valid for 10 minutes. We never ask you for it.",
    Language.SPANISH: "{name}: su código es {code}. Vale 10 minutos. Nadie de nosotros se lo pedirá nunca.",
}
# Said by a machine: a digit at a time, and all of it three times, for who looks for a pen first.
_SPOKEN: Final = {
    Language.ENGLISH: "Hello. You requested a code from {name}. Your code is: {digits}.",
    Language.SPANISH: "Hola. Usted pidió un código a {name}. Su código es: {digits}.",
}
_AGAIN: Final = {Language.ENGLISH: "Again: {digits}.", Language.SPANISH: "Otra vez: {digits}."}
_LONGEST_NAME: Final = 40
# An address that leads nowhere (RFC 2606): the mail is only ever a file here.
_NOBODY: Final = "phone@text.invalid"


class NotSentError(RuntimeError):
    """The vendor did not take the message. Its answer is not repeated, for it may hold the number."""


class HasOptedOutError(NotSentError):
    """The number has said no to texts of this sender, at the carrier or the vendor."""


class CodeSender(Protocol):
    """Something that brings words to a phone, written or spoken; called outside any scope."""

    def send(self, *, number: str, words: str) -> None:
        """
        Bring these words to a number in E.164.

        :raises HasOptedOutError: the number said no to texts.
        :raises NotSentError: they were not taken.
        """
        ...

    def read_aloud(self, *, number: str, sentences: Sequence[str], language: Language) -> str:
        """
        Ring a number in E.164 and say these sentences to who picks up; returns Twilio's id of the call, "" where there
        is none.

        :raises NotSentError: the call was not taken.
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


def sentences_of(code: str, *, name: str, language: Language) -> list[str]:
    """What a call says that carries a code."""
    digits = ", ".join(code)
    first = _SPOKEN[language].format(name=" ".join(name.split())[:_LONGEST_NAME], digits=digits)
    again = _AGAIN[language].format(digits=digits)
    return [first, again, again]


def bring(sender: CodeSender, code: str, *, number: str, name: str, language: Language, way: CodeWay) -> str:
    """
    Bring a code to a number, in somebody's name, by text or by a call; returns Twilio's id of the call, "" where there
    is none.

    :raises HasOptedOutError: the number said no to texts. :raises NotSentError: it was not taken.
    """
    if way == CodeWay.CALL:
        sentences = sentences_of(code, name=name, language=language)
        return sender.read_aloud(number=number, sentences=sentences, language=language)
    sender.send(number=number, words=words_of(code, name=name, language=language))
    return ""


def is_trial() -> bool:
    """Whether this is a trial on one machine, whose mails and codes are files."""
    return settings.CALLPRIVACY_MAIL_IS_FILES and not settings.CALLPRIVACY_URL.startswith("https:")


def of_the_house() -> CodeSender | None:
    """What brings codes where a company has no number of its own at Twilio: this installation's account, if any."""
    if is_trial():
        return PageOfMails()
    if settings.CALLPRIVACY_CODES is None:
        return None
    account, token, sender = settings.CALLPRIVACY_CODES
    return ByTwilio(twilio.Account(account, token, settings.CALLPRIVACY_TWILIO_URL), sender)


@dataclass(frozen=True, slots=True)
class PageOfMails:
    """Writes the text, or what a call would say, among the mails of this machine: a trial without a vendor."""

    def send(self, *, number: str, words: str) -> None:
        self._write(f"Text message to {phone.mask(number)}", words)

    def read_aloud(self, *, number: str, sentences: Sequence[str], language: Language) -> str:
        self._write(f"Phone call to {phone.mask(number)}", "\n".join(sentences))
        return ""

    def _write(self, subject: str, words: str) -> None:
        letter = EmailMessage(subject, words, to=[_NOBODY])
        try:
            letter.send()
        except (SMTPException, OSError) as error:
            raise NotSentError(type(error).__name__) from None


@dataclass(frozen=True, slots=True, repr=False)
class ByTwilio:
    """
    Sends the text, or calls, from one of the client's own numbers.

    :ivar sender: that number, in E.164. :ivar told_at: the address that is told the end of a call, "" where none is.
    """

    account: twilio.Account
    sender: str
    told_at: str = ""

    def send(self, *, number: str, words: str) -> None:
        try:
            twilio.send_text(self.account, to=number, sender=self.sender, words=words)
        except twilio.OptedOutError:
            raise HasOptedOutError("opted out") from None
        except twilio.TwilioError as error:
            raise NotSentError(str(error)) from None

    def read_aloud(self, *, number: str, sentences: Sequence[str], language: Language) -> str:
        script = twiml.reading(sentences, language)
        try:
            return twilio.read_aloud(
                self.account, to=number, sender=self.sender, script=script, told_at=self.told_at
            ).sid
        except twilio.TwilioError as error:
            raise NotSentError(str(error)) from None
