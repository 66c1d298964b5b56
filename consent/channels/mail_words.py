"""The words of letters that ask for consent, and the addresses that answers go to."""

import json
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from callprivacy.tenancy.models import Client
from consent.enums import Language
from consent.models import NoticeVersion

_SUBJECT: Final = {
    Language.ENGLISH: (
        "{name}: may we record our calls with you?",
        "{name}: reminder about our calls",
    ),
    Language.SPANISH: (
        "{name}: ¿podemos grabar nuestras llamadas?",
        "{name}: una última pregunta sobre llamadas",
    ),
}
_LETTER: Final = {
    Language.ENGLISH: (
        "{words}\n\n{withdraw}\n\nAnswer yes or no here. Each purpose has its own box:\n{url}\n\n"
        "{answer}{reminder}Without an answer, nothing is agreed. We remove your address within 30 days.\n\n"
        "{controller}\n{policy}"
    ),
    Language.SPANISH: (
        "{words}\n\n{withdraw}\n\nDiga sí o no aquí; cada finalidad tiene su casilla:\n{url}\n\n"
        "{answer}{reminder}Si no responde, no acepta nada, y su dirección se borra dentro de 30 días.\n\n"
        "{controller}\n{policy}"
    ),
}
_ANSWER: Final = {
    Language.ENGLISH: 'You can also reply to this email with "I agree" or "no".\n',
    Language.SPANISH: "También puede responder a este mensaje con «acepto» o con «no».\n",
}
_REMINDER: Final = {
    Language.ENGLISH: "This is the only reminder.\n",
    Language.SPANISH: "Este es el único recordatorio.\n",
}


def host() -> str:
    """The name under which our letters go out."""
    return urlsplit(settings.CALLPRIVACY_URL).hostname or "localhost"


def are_answers_read() -> bool:
    """Whether there is a mailbox for answers; whoever set it has them brought here, by a provider or by people."""
    return bool(settings.CALLPRIVACY_MAIL_REPLY)


def reply_to(mail_key: str, secret: str) -> str:
    """
    Where an answer goes: our mailbox, with whose client it is and which invitation behind the plus sign.

    Only where there is such a mailbox.
    """
    local, _, domain = settings.CALLPRIVACY_MAIL_REPLY.rpartition("@")
    return f"{local}+{mail_key}.{secret}@{domain}"


def read_recipient(address: str) -> tuple[str, str] | None:
    """The client's name and the secret in an address that we gave out; None where it is none of ours."""
    local, _, _ = address.rpartition("@")
    _, plus, token = local.partition("+")
    key, dot, secret = token.partition(".")
    return (key, secret) if plus and dot and key and secret else None


def marks(mail_key: str, secret: str) -> dict[str, str]:
    """Headers by which a provider that sends our mail tells of which letter it speaks; none where none is heard."""
    if not settings.CALLPRIVACY_TAKES_MAIL:
        return {}
    letter = f"{mail_key}.{secret}"
    return {"X-PM-Metadata-letter": letter, "X-SMTPAPI": json.dumps({"unique_args": {"letter": letter}})}


def read_mark(letter: str) -> tuple[str, str] | None:
    """The client's name and the secret in what a provider tells of a letter; None where it is none of ours."""
    key, dot, secret = letter.partition(".")
    return (key, secret) if dot and key and secret else None


def subject(client: Client, language: Language, *, is_reminder: bool) -> str:
    """One line, in the client's name."""
    return _SUBJECT[language][is_reminder].format(name=" ".join(client.name.split()))


def letter(client: Client, version: NoticeVersion, language: Language, *, url: str, is_reminder: bool) -> str:
    """The letter: the very words of the version, how to take it back, and the link."""
    return _LETTER[language].format(
        words=version.words,
        withdraw=version.withdraw,
        url=url,
        answer=_ANSWER[language] if are_answers_read() else "",
        reminder=_REMINDER[language] if is_reminder else "",
        controller=version.controller or client.legal_name,
        policy=version.policy_url or client.policy_url,
    )
