"""Brings a code to a mail address, in the name of who was asked."""

from email.utils import formataddr, parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage

from callprivacy.lib.mail import hand_over, with_html
from consent.channels.codes import NotSentError, words_of
from consent.enums import Language

_SUBJECT: Final = {
    Language.ENGLISH: "{name}: your code",
    Language.SPANISH: "{name}: su código",
}


def bring(code: str, *, address: str, name: str, language: Language) -> None:
    """
    Send a code by mail. Outside any scope.

    :raises NotSentError: the mail server did not take it.
    """
    own = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    said = " ".join(name.split())
    plain = EmailMessage(
        _SUBJECT[language].format(name=said),
        words_of(code, name=said, language=language),
        own,
        [address],
        headers={"From": formataddr((said, own))},
    )
    fault = hand_over(with_html(plain, language=language.value))
    if fault is not None:
        raise NotSentError(fault.kind)
