"""What the public pages say, in each language: plain words for callers, no law and no jargon."""

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
            "Recording", "You may record my calls.", "Calls with this number cannot be recorded."
        ),
        Purpose.REVIEW: About(
            "Listening",
            "People may listen to my calls, live or recorded.",
            "No one can listen to calls with this number.",
        ),
        Purpose.ANALYSE: About(
            "Analysis",
            "Software may transcribe and analyze what is said on my calls.",
            "No software can transcribe or analyze calls with this number.",
        ),
        Purpose.CONTACT: About(
            "Calls and texts to me",
            "You may call and text me with offers.",
            "No offers can be sent to this number.",
        ),
        Purpose.SHARE: About(
            "Sharing",
            "You may share or sell my number and facts about my calls.",
            "This number cannot be shared or sold.",
        ),
        Purpose.MEASURE: About(
            "Counting",
            "You may count my calls and see which ad led to them.",
            "Calls with this number cannot be used to measure ads.",
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
        "lede": "Choose what may happen with your calls, or withdraw consent. It takes effect immediately.",
        "language": "Language",
        "give": "Agree",
        "give_lede": "Select only what you want. Nothing is preselected.",
        "nothing_asked": "There is nothing to agree to here right now. You can withdraw what you agreed to earlier.",
        "withdraw_how": "How to withdraw:",
        "policy": "Privacy policy",
        "number": "Your phone number",
        "number_help": "For numbers outside the country, include the country code, such as +44 20 7946 0018.",
        "give_button": "Agree to selected",
        "ask_no": "No, thank you",
        "ask_over": "This request has expired, so you cannot agree here. You can still refuse.",
        "ask_again": "You have answered before. Your new answer replaces it.",
        "asked_yes": "Thank you. Your consent is saved.",
        "asked_no": "Thank you. Your refusal is saved.",
        "asked_no_lede": "You have not agreed to anything, and we will not email you about this again.",
        "stop": "Withdraw consent",
        "stop_lede": "One step, no reason needed. It takes effect immediately.",
        "stop_all": "Stop everything",
        "stop_some": "Stop only some uses",
        "stop_button": "Stop selected",
        "choices": "View and change your choices",
        "choices_lede": "Verify your phone with a code to see what is on record for it.",
        "data": "See, copy, or delete your data",
        "data_lede": "Request a copy of your call data, have it corrected or deleted, or opt out of its sale.",
        "choices_none": "We cannot send codes right now. To see what is on record, ask the company.",
        "send_code": "Send me a code",
        "send_another": "Send another code",
        "code_sent": "If this number can receive texts, a code is on its way. It is valid for 10 minutes.",
        "code_limit": "No code was sent because the limit is reached. You can request the next code from {at}.",
        "code_again": "No code? A number gets at most three per hour. Wait one minute, then request another. "
        "If you texted STOP, text START first.",
        "code": "6-digit code",
        "check_code": "Continue",
        "code_wrong": "The code is wrong or has expired. Check it, or request a new one.",
        "another": "Use another number",
        "receipt": "Your receipt",
        "agreed": "You agreed",
        "stopped": "Stopped",
        "stopped_at": "Stopped at {at}",
        "recorded_at": "Recorded at {at}",
        "recorded_on": "Recorded on {at}",
        "for_number": "For the number {mask}",
        "earlier_no": ("If this number opted out before, the opt-out applies until you verify the phone."),
        "prove": "Verify your phone",
        "prove_lede": "A code by text verifies your number. Without it, your consent is unverified and may not count.",
        "proven": "Your phone is verified.",
        "share_later": "You opted out of sharing before. To allow it again, confirm it twice in your choices.",
        "words_shown": "The text you saw",
        "page": "Page",
        "entry": "Entry",
        "kept": "Save this address to open the receipt again. It works for 30 days.",
        "back": "Back",
        "to_withdraw": "Withdraw consent",
        "gpc": "Your browser asks us not to share or sell (Global Privacy Control). We honor it.",
        "gpc_asks": "Your browser asks us not to share or sell (Global Privacy Control).",
        "gpc_share": "You cannot allow sharing here while your browser asks us not to share.",
        "centre": "Your choices",
        "centre_lede": "For the number {mask}. Each switch takes effect immediately.",
        "on": "Allowed",
        "off": "Not allowed",
        "open": "No answer yet",
        "say_no": "Opt out",
        "on_since": "Allowed since {at}",
        "off_since": "Stopped since {at}",
        "off_never": "You have not been asked, or have not answered.",
        "on_default": "The company counts its calls without asking. You can opt out.",
        "off_expired": "Allowed before; expired.",
        "no_words": "You cannot allow this here. Ask the company.",
        "all_stopped": "Everything is stopped.",
        "again": "Allow sharing again?",
        "again_lede": "You asked us on {at} not to share or sell. Continue only if you have changed your mind.",
        "again_button": "Yes, allow it again",
        "again_not": "No, keep it stopped",
        "updates": "Email updates",
        "updates_lede": "Off unless you turn it on. We use the address only for this.",
        "address": "Email address",
        "on_change": "When my choices change",
        "on_notice": "When a notice that I agreed to changes",
        "save": "Save",
        "saved": "Saved.",
        "held": (
            "You opted out of this before, and this link does not verify you. The opt-out applies"
            " until you verify your phone."
        ),
        "asked": "We sent an email to that address. Open its link to confirm.",
        "waiting": "{address} is not confirmed yet. Open the link in the email we sent.",
        "told": "Updates are sent to {address}.",
        "updates_off": "Email updates are off, and the address is deleted.",
        "confirm": "Confirm your address",
        "confirm_lede": "Do you want {name} to email you when your choices or its notices change?",
        "confirm_button": "Yes, email me",
        "confirmed": "Confirmed. You can turn updates off by the link in each email.",
        "expired": "This link has expired",
        "expired_lede": "Links like this work for a limited time. Verify your phone with a code to continue.",
        "until": "This page works until {at}.",
        "too_old": "The page expired, so nothing was changed. Please submit it again.",
        "too_many": "Too many requests from your network. Nothing was changed. Wait one hour, then try again.",
        "unknown_limit": "We cannot save this right now. Nothing was changed. Try again in a few minutes.",
        "bad_number": "Enter a phone number, such as (404) 555-0142.",
        "none_ticked": "Select at least one box.",
        "bad_address": "Enter an email address, such as name@example.com.",
        "busy": "Another change was just saved for this number. Please submit yours again.",
        "again_send": "Fix the errors below, then submit again.",
        "preview": "Preview: nothing is sent.",
        "thanks": "Thank you.",
        "receipt_link": "Receipt, and how to withdraw",
        "more_link": "View or change your choices",
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
            "{name} received this address, most likely from you, for email updates when choices about calls"
            " or their notices change.\n\nOpen this page to confirm it. If it was not you, do nothing:"
            " the address is deleted after one week."
        ),
        "subject": "{name}: a change to your choices",
        "changed": "Your choices about calls with {name} changed:",
        "replaced": "A notice of {name} that you agreed to has changed:",
        "see": "View and change your choices, or turn off these emails (the link works for 30 days):",
        "on": "allowed",
        "off": "stopped",
        "ended": "no longer allowed, expired",
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
