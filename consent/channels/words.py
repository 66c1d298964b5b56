"""What the public pages say, in each language: plain words for callers, no law and no jargon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from consent.enums import Language, Purpose

HONOURED: Final = {
    # The first is the phrase of California's regulation (11 CCR 7025).
    Language.ENGLISH: "Opt-Out Request Honored",
    Language.SPANISH: "Solicitud de exclusión respetada",
}
NAMES: Final = {Language.ENGLISH: "English", Language.SPANISH: "Español"}
_MONTHS: Final = {
    Language.ENGLISH: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    Language.SPANISH: ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
}


@dataclass(frozen=True, slots=True)
class About:
    """
    One purpose as a caller reads it.

    :ivar title: what is done.
    :ivar ask: the sentence beside the box, in the first person.
    :ivar stops: what a withdrawal ends.
    """

    title: str
    ask: str
    stops: str


ORDER: Final = (
    Purpose.RECORD,
    Purpose.REVIEW,
    Purpose.ANALYSE,
    Purpose.CONTACT,
    Purpose.SHARE,
    Purpose.MEASURE,
)
"""In which order callers read them: what they fear most comes first."""

ABOUT: Final[dict[Language, dict[Purpose, About]]] = {
    Language.ENGLISH: {
        Purpose.RECORD: About(
            "Recording", "You may record my calls.", "Calls with this number may not be recorded."
        ),
        Purpose.REVIEW: About(
            "Listening",
            "People may listen to my calls, live or recorded.",
            "Nobody may listen to calls with this number.",
        ),
        Purpose.ANALYSE: About(
            "Analysis",
            "Software may write down and analyse what is said on my calls.",
            "No software may read or analyse calls with this number.",
        ),
        Purpose.CONTACT: About(
            "Calls and texts to me",
            "You may call and text me with offers.",
            "No offers may be sent to this number.",
        ),
        Purpose.SHARE: About(
            "Sharing",
            "You may share or sell my number and facts about my calls.",
            "This number may not be shared or sold.",
        ),
        Purpose.MEASURE: About(
            "Counting",
            "You may count my calls and see which advertisement led to them.",
            "Calls with this number may not be used to measure advertisements.",
        ),
    },
    Language.SPANISH: {
        Purpose.RECORD: About(
            "Grabación", "Pueden grabar mis llamadas.", "Las llamadas con este número no se pueden grabar."
        ),
        Purpose.REVIEW: About(
            "Escucha",
            "Otras personas pueden escuchar mis llamadas, en directo o grabadas.",
            "Nadie puede escuchar las llamadas con este número.",
        ),
        Purpose.ANALYSE: About(
            "Análisis",
            "Un programa puede transcribir y analizar lo que se dice en mis llamadas.",
            "Ningún programa puede leer ni analizar las llamadas con este número.",
        ),
        Purpose.CONTACT: About(
            "Llamadas y mensajes para mí",
            "Pueden llamarme y escribirme con ofertas.",
            "No se pueden enviar ofertas a este número.",
        ),
        Purpose.SHARE: About(
            "Compartir",
            "Pueden compartir o vender mi número y datos de mis llamadas.",
            "Este número no se puede compartir ni vender.",
        ),
        Purpose.MEASURE: About(
            "Recuento",
            "Pueden contar mis llamadas y saber qué anuncio me trajo.",
            "Las llamadas con este número no se pueden usar para medir anuncios.",
        ),
    },
}

TEXTS: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "title": "Your calls with {name}",
        "lede": "Say what may happen with your calls, or take back what you said. It counts at once.",
        "language": "Language",
        "give": "Agree",
        "give_lede": "Tick only what you want. Nothing is ticked for you.",
        "nothing_asked": "There is nothing to agree to here at the moment. What you agreed to earlier can be stopped.",
        "withdraw_how": "How to take it back:",
        "policy": "Privacy policy",
        "number": "Your phone number",
        "number_help": "With the country code where it is from abroad, such as +44 20 7946 0018.",
        "give_button": "I agree to what I ticked",
        "ask_no": "No, thank you",
        "ask_over": "The time for this question is over, so nothing can be agreed to here. A no still counts.",
        "ask_again": "You have answered before. What you answer now counts.",
        "asked_yes": "Thank you: it is written down.",
        "asked_no": "Thank you: that is a no.",
        "asked_no_lede": "Nothing is agreed, and you get no further letter about this.",
        "stop": "Take it back",
        "stop_lede": "One step, no reasons asked. It counts from this second.",
        "stop_all": "Stop everything",
        "stop_some": "Stop only some things",
        "stop_button": "Stop what I ticked",
        "choices": "See and change your choices",
        "choices_lede": "Prove your phone with a code, and see what is kept on record for it.",
        "data": "See, copy or delete your data",
        "data_lede": "Ask for what is kept of your calls, have it corrected or deleted, or say no to its sale.",
        "choices_none": "Codes cannot be sent here at the moment. To see what is on record, ask the company.",
        "send_code": "Send me a code",
        "send_another": "Send another code",
        "code_sent": "If this number can receive texts, a code is on its way. It is valid for 10 minutes.",
        "code_limit": "No code was sent: the limit of codes is reached. You can ask for the next one from {at} on.",
        "code_again": "No code? A number gets at most three an hour. Wait a minute, then ask for another. "
        "After a STOP none comes by text until START is sent.",
        "code": "Code, 6 digits",
        "check_code": "Go on",
        "code_wrong": "That is not the code this page asked for, or it no longer counts. Look again, or ask for a"
        " new one.",
        "another": "Another number",
        "receipt": "Your receipt",
        "agreed": "You agreed",
        "stopped": "Stopped",
        "stopped_at": "Stopped here at {at}",
        "recorded_at": "Recorded at {at}",
        "recorded_on": "Recorded on {at}",
        "for_number": "For the number {mask}",
        "earlier_no": (
            "If this number said no to us before, that no goes on counting until you prove the phone."
        ),
        "prove": "Prove that it is your phone",
        "prove_lede": "A code by text proves your number. Without it, a yes is only claimed and may not count.",
        "proven": "Your phone is proven.",
        "share_later": "You asked us before not to share. To allow it again, say so twice in your choices.",
        "words_shown": "The words you saw",
        "page": "Page",
        "entry": "Entry",
        "kept": "Keep this address to find the receipt again. It opens for 30 days.",
        "back": "Back",
        "to_withdraw": "Take it back",
        "gpc": "Your browser asks us not to share or sell (Global Privacy Control). We follow it.",
        "gpc_asks": "Your browser asks us not to share or sell (Global Privacy Control).",
        "gpc_share": "Sharing cannot be allowed here while your browser asks us not to.",
        "centre": "Your choices",
        "centre_lede": "For the number {mask}. Each switch counts at once.",
        "on": "Allowed",
        "off": "Not allowed",
        "open": "No answer yet",
        "say_no": "Say no",
        "on_since": "Allowed since {at}",
        "off_since": "Stopped since {at}",
        "off_never": "You have not been asked, or have not answered.",
        "on_default": "The company counts its calls without asking. You can object.",
        "off_expired": "Allowed once; that has expired.",
        "no_words": "To allow this, ask the company: it has no words for it here.",
        "all_stopped": "Everything is stopped.",
        "again": "Allow sharing again?",
        "again_lede": "You asked us on {at} not to share or sell. Only go on if you have changed your mind.",
        "again_button": "Yes, allow it again",
        "again_not": "No, leave it stopped",
        "updates": "Tell me by e-mail",
        "updates_lede": "Off unless you turn it on. We use the address for this and nothing else.",
        "address": "E-mail address",
        "on_change": "When my choices change",
        "on_notice": "When a notice that I agreed to changes",
        "save": "Save",
        "saved": "Saved.",
        "held": (
            "You said no to this before, and this link proves nothing about who opens it. So the no goes on counting"
            " until you prove your phone."
        ),
        "asked": "We sent a message to that address. Open the link in it, then it counts.",
        "waiting": "{address} is not confirmed yet. Open the link in the message we sent.",
        "told": "News goes to {address}.",
        "updates_off": "No e-mail is sent any more, and the address is deleted.",
        "confirm": "Confirm your address",
        "confirm_lede": "Do you want {name} to tell you by e-mail when your choices or its notices change?",
        "confirm_button": "Yes, tell me",
        "confirmed": "Confirmed. You can turn it off by the link in each message.",
        "expired": "This link has expired",
        "expired_lede": "Links like this open for a while only. Prove your phone with a code to go on.",
        "until": "This page opens until {at}.",
        "too_old": "The page was open for too long, so nothing was changed. Please send it again.",
        "too_many": "Too much came from your network. Nothing was changed. Wait an hour, then try again.",
        "unknown_limit": "This cannot be taken at the moment. Nothing was changed. Try again in a few minutes.",
        "bad_number": "Write a phone number, such as (404) 555-0142.",
        "none_ticked": "Tick at least one box.",
        "bad_address": "Write an e-mail address, such as name@example.com.",
        "busy": "Something else was written for this number just now. Please send it again.",
        "again_send": "Please correct what is marked, then send it again.",
        "preview": "Preview: nothing is sent.",
        "thanks": "Thank you.",
        "receipt_link": "Receipt, and how to take it back",
        "more_link": "See or change your choices",
    },
    Language.SPANISH: {
        "title": "Sus llamadas con {name}",
        "lede": "Diga qué se puede hacer con sus llamadas, o retire lo que dijo. Cuenta en el acto.",
        "language": "Idioma",
        "give": "Aceptar",
        "give_lede": "Marque solo lo que quiera. Nada está marcado de antemano.",
        "nothing_asked": "Ahora no hay nada que aceptar aquí. Puede retirar lo que aceptó antes.",
        "withdraw_how": "Cómo retirarlo:",
        "policy": "Política de privacidad",
        "number": "Su número de teléfono",
        "number_help": "Con el prefijo del país si es del extranjero, como +34 910 12 34 56.",
        "give_button": "Acepto lo que marqué",
        "ask_no": "No, gracias",
        "ask_over": "El plazo de esta pregunta ya pasó: aquí no se puede aceptar nada. Un no sigue contando.",
        "ask_again": "Ya respondió antes. Cuenta lo que responda ahora.",
        "asked_yes": "Gracias: queda constancia.",
        "asked_no": "Gracias: es un no.",
        "asked_no_lede": "No acepta nada, y no recibirá más cartas sobre esto.",
        "stop": "Retirar",
        "stop_lede": "Un solo paso, sin preguntar por qué. Cuenta desde este segundo.",
        "stop_all": "Parar todo",
        "stop_some": "Parar solo algunas cosas",
        "stop_button": "Parar lo que marqué",
        "choices": "Ver y cambiar sus decisiones",
        "choices_lede": "Demuestre con un código que el teléfono es suyo y vea lo que consta para él.",
        "data": "Ver, copiar o borrar sus datos",
        "data_lede": "Pida lo que se guarda de sus llamadas, que se corrija o se borre, o diga que no a su venta.",
        "choices_none": "Ahora no se pueden enviar códigos. Pregunte a la empresa lo que consta.",
        "send_code": "Envíenme un código",
        "send_another": "Envíenme otro código",
        "code_sent": "Si este número recibe mensajes, un código va en camino. Vale 10 minutos.",
        "code_limit": "No se envió ningún código: se alcanzó el límite. Podrá pedir el siguiente a partir de esta hora:"
        " {at}.",
        "code_again": "¿No llegó? Cada número recibe como mucho tres por hora. Espere un minuto y pida otro. "
        "Después de un STOP no llega ninguno hasta que envíe START.",
        "code": "Código, 6 cifras",
        "check_code": "Continuar",
        "code_wrong": "Ese no es el código que pidió esta página, o ya no vale. Mire otra vez o pida uno nuevo.",
        "another": "Otro número",
        "receipt": "Su comprobante",
        "agreed": "Usted aceptó",
        "stopped": "Parado",
        "stopped_at": "Parado aquí a las {at}",
        "recorded_at": "Anotado a las {at}",
        "recorded_on": "Anotado el {at}",
        "for_number": "Para el número {mask}",
        "earlier_no": (
            "Si este número nos dijo antes que no, ese no sigue valiendo hasta que demuestre el teléfono."
        ),
        "prove": "Demuestre que es su teléfono",
        "prove_lede": "Un código por mensaje demuestra su número. Sin él, un sí no está demostrado y puede no contar.",
        "proven": "Su teléfono está demostrado.",
        "share_later": (
            "Antes nos pidió no compartir. Para permitirlo de nuevo, dígalo dos veces en sus decisiones."
        ),
        "words_shown": "Las palabras que vio",
        "page": "Página",
        "entry": "Entrada",
        "kept": "Guarde esta dirección para encontrar el comprobante. Se abre durante 30 días.",
        "back": "Volver",
        "to_withdraw": "Retirarlo",
        "gpc": "Su navegador nos pide no compartir ni vender (Global Privacy Control). Lo respetamos.",
        "gpc_asks": "Su navegador nos pide no compartir ni vender (Global Privacy Control).",
        "gpc_share": "No se puede permitir compartir mientras su navegador nos lo pida.",
        "centre": "Sus decisiones",
        "centre_lede": "Para el número {mask}. Cada interruptor cuenta en el acto.",
        "on": "Permitido",
        "off": "No permitido",
        "open": "Sin respuesta",
        "say_no": "Decir que no",
        "on_since": "Permitido desde {at}",
        "off_since": "Parado desde {at}",
        "off_never": "No se le ha preguntado, o no ha contestado.",
        "on_default": "La empresa cuenta sus llamadas sin preguntar. Puede oponerse.",
        "off_expired": "Permitido en su día; ha caducado.",
        "no_words": "Para permitirlo, pregunte a la empresa: aquí no tiene palabras para ello.",
        "all_stopped": "Todo está parado.",
        "again": "¿Permitir de nuevo que se comparta?",
        "again_lede": "El {at} nos pidió no compartir ni vender. Siga solo si ha cambiado de idea.",
        "again_button": "Sí, permitirlo de nuevo",
        "again_not": "No, dejarlo parado",
        "updates": "Avísenme por correo",
        "updates_lede": "Apagado si no lo enciende. Usamos la dirección para esto y nada más.",
        "address": "Correo electrónico",
        "on_change": "Cuando cambien mis decisiones",
        "on_notice": "Cuando cambie un aviso que acepté",
        "save": "Guardar",
        "saved": "Guardado.",
        "held": (
            "Antes dijo que no a esto, y este enlace no demuestra quién lo abre. Por eso el no sigue valiendo hasta que"
            " demuestre su teléfono."
        ),
        "asked": "Enviamos un mensaje a esa dirección. Abra el enlace y contará.",
        "waiting": "{address} no está confirmada todavía. Abra el enlace del mensaje que enviamos.",
        "told": "Los avisos van a {address}.",
        "updates_off": "Ya no se envía correo, y la dirección se ha borrado.",
        "confirm": "Confirme su dirección",
        "confirm_lede": "¿Quiere que {name} le avise por correo cuando cambien sus decisiones o sus avisos?",
        "confirm_button": "Sí, avísenme",
        "confirmed": "Confirmado. Puede apagarlo con el enlace de cada mensaje.",
        "expired": "Este enlace ha caducado",
        "expired_lede": "Estos enlaces se abren solo un tiempo. Demuestre su teléfono con un código para seguir.",
        "until": "Esta página se abre hasta el {at}.",
        "too_old": "La página estuvo abierta demasiado tiempo y no se cambió nada. Envíela otra vez.",
        "too_many": "Llegó demasiado desde su red. No se cambió nada. Espere una hora y pruebe otra vez.",
        "unknown_limit": "Ahora no se puede recibir. No se cambió nada. Pruebe dentro de unos minutos.",
        "bad_number": "Escriba un número de teléfono, como (404) 555-0142.",
        "none_ticked": "Marque al menos una casilla.",
        "bad_address": "Escriba un correo, como nombre@example.com.",
        "busy": "Se anotó otra cosa para este número ahora mismo. Envíelo otra vez.",
        "again_send": "Corrija lo que está señalado y envíelo otra vez.",
        "preview": "Vista previa: no se envía nada.",
        "thanks": "Gracias.",
        "receipt_link": "Comprobante, y cómo retirarlo",
        "more_link": "Ver o cambiar sus decisiones",
    },
}

MAIL: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "confirm_subject": "{name}: confirm your address",
        "confirm": (
            "Somebody, you most likely, gave this address to {name}, to be told by e-mail when choices about calls"
            " or the notices behind them change.\n\nOpen this page to confirm it. If it was not you, do nothing:"
            " the address is deleted after a week."
        ),
        "subject": "{name}: a change to your choices",
        "changed": "Your choices about calls with {name} changed:",
        "replaced": "A notice of {name} that you agreed to has new words:",
        "see": "See and change your choices, or turn these messages off (the link opens for 30 days):",
        "on": "allowed",
        "off": "stopped",
        "ended": "no longer allowed, it has ended",
    },
    Language.SPANISH: {
        "confirm_subject": "{name}: confirme su dirección",
        "confirm": (
            "Alguien, probablemente usted, dio esta dirección a {name} para recibir un aviso por correo cuando"
            " cambien las decisiones sobre llamadas o los avisos.\n\nAbra esta página para confirmarla. Si no fue"
            " usted, no haga nada: la dirección se borra en una semana."
        ),
        "subject": "{name}: un cambio en sus decisiones",
        "changed": "Sus decisiones sobre las llamadas con {name} han cambiado:",
        "replaced": "Un aviso de {name} que usted aceptó tiene palabras nuevas:",
        "see": "Vea y cambie sus decisiones, o apague estos mensajes (el enlace se abre durante 30 días):",
        "on": "permitido",
        "off": "parado",
        "ended": "ya no permitido, ha terminado",
    },
}


def language_of(*said: str) -> Language:
    """
    The first of these that names a language of ours; English where none does.

    :param said: values of a form or an address ("es"), or an Accept-Language header.
    """
    for text in said:
        for part in text[:200].split(","):
            code = part.partition(";")[0].strip().lower()[:2]
            if code in Language.values:
                return Language(code)
    return Language.ENGLISH


def when(at: datetime, zone: str, language: Language) -> str:
    """An instant to the second in a client's zone: "24 Nov 2026, 08:41:02 EST"."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {_MONTHS[language][local.month - 1]} {local.year}, {local:%H:%M:%S %Z}"


def clock(at: datetime, zone: str) -> str:
    """The time of day to the second in a client's zone: "08:41:02 EST"."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S %Z}"
