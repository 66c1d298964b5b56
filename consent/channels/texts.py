"""
The few texts that we send ourselves: invitations, and the one answer to a message. None of them advertises.

None promises that nothing is recorded: a tracker records before anybody can ask who calls. What is promised is what we
do with a recording.
"""

from collections.abc import Collection
from typing import Final

from callprivacy.tenancy.models import Client
from consent.enums import Language, Purpose
from consent.models import Invitation

ANSWER_AT_MOST: Final = 320
"""What an answer may be long: two parts of a text message."""

INVITATION_AT_MOST: Final = 1600
_NAME_AT_MOST: Final = 60
_EN, _ES = Language.ENGLISH, Language.SPANISH
_LISTENING: Final = frozenset({Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE})

_NO_CONTACT: Final = {
    _EN: "will not call or text you anymore",
    _ES: "no le llamaremos ni le escribiremos más",
}
_NO_LISTENING: Final = {
    _EN: "will not use recordings of your calls, listen to them, or analyze them",
    _ES: "no usaremos grabaciones de sus llamadas, ni las escucharemos o analizaremos",
}
_NO_SHARING: Final = {
    _EN: "will not share or sell your data",
    _ES: "no compartiremos ni venderemos sus datos",
}
_AND: Final = {_EN: "and", _ES: "y"}
_WE: Final = {
    _EN: "{name}: we {parts}.{codes} This is our only reply.",
    _ES: "{name}: {parts}.{codes} Es nuestra única respuesta.",
}
_CODES: Final = {
    _EN: " You only get codes that are requested with this number.",
    _ES: " Solo llega un código si se pide uno con este número.",
}
_AGAIN: Final = {
    _EN: "{name}: you can get texts from us again. Reply STOP to opt out.",
    _ES: "{name}: puede recibir de nuevo nuestros mensajes. Responda STOP para terminarlos.",
}
_HELP: Final = {
    _EN: "{name}: this number is for messages about your calls and your privacy. Reply STOP and we will not call or "
    "text you anymore, and will not use recordings of your calls.",
    _ES: "{name}: este número recibe mensajes sobre sus llamadas y su privacidad. Responda STOP y no le llamaremos "
    "ni escribiremos más, ni usaremos grabaciones de sus llamadas.",
}
_YES: Final = {_EN: "Reply YES to agree.", _ES: "Responda SI para aceptar."}
_STOP: Final = {_EN: "Reply STOP to end.", _ES: "Responda STOP para terminar."}
_SAY_AGAIN: Final = {
    _EN: "{name}: thank you. You opted out of sharing and selling your data before. Reply YES once more if we may do "
    "it from now on. If you do not reply, we will not. Reply STOP to end.",
    _ES: "{name}: gracias. Usted nos dijo antes que no compartiéramos ni vendiéramos sus datos. Responda SI una vez "
    "más si podemos hacerlo desde ahora. Sin respuesta no lo haremos. Responda STOP para terminar.",
}


def confirming(
    client: Client, label: str, purposes: Collection[Purpose], *, language: Language, restores: bool
) -> str:
    """
    What is answered to a message, once; "" where nothing is.

    :param purposes: what was withdrawn.
    :param restores: whether the message was START or its kin.
    """
    name = _name(client)
    if label == "withdraw":
        parts = _parts(frozenset(purposes), language)
        codes = _CODES[language] if Purpose.CONTACT in purposes else ""
        return _WE[language].format(name=name, parts=parts, codes=codes)[:ANSWER_AT_MOST] if parts else ""
    if label == "consent" and restores:
        return _AGAIN[language].format(name=name)
    return _HELP[language].format(name=name) if label == "help" else ""


def _parts(purposes: frozenset[Purpose], language: Language) -> str:
    parts = []
    if Purpose.CONTACT in purposes:
        parts.append(_NO_CONTACT[language])
    if purposes & _LISTENING:
        parts.append(_NO_LISTENING[language])
    if Purpose.SHARE in purposes:
        parts.append(_NO_SHARING[language])
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {_AND[language]} {parts[-1]}"


def inviting(client: Client, invitation: Invitation) -> str:
    """
    The words of an invitation, the same each time they are asked for: the version's own, who asks, how to agree and
    how to end it. With its version and that version's notice.
    """
    version = invitation.version
    language = Language(version.notice.language)
    if invitation.confirms_id is not None:
        return _SAY_AGAIN[language].format(name=_name(client))
    text = " ".join(f"{version.words} {version.withdraw}".split())
    known = (client.name, client.legal_name, version.controller)
    if not any(name and name.lower() in text.lower() for name in known):
        text = f"{_name(client)}: {text}"
    spoken = text.upper().replace("SÍ", "SI").split()
    signs = {word.strip(".,;:!¡\"'“”()") for word in spoken}
    yes = "" if signs & {"YES", "SI"} else f" {_YES[language]}"
    stop = "" if "STOP" in signs else f" {_STOP[language]}"
    return f"{text[: INVITATION_AT_MOST - 80]}{yes}{stop}"


def _name(client: Client) -> str:
    return " ".join((client.legal_name or client.name).split())[:_NAME_AT_MOST]
