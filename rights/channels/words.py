"""What the public pages of requests say, in each language: plain words, no law and no jargon."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from consent.channels.words import TEXTS as CONSENT
from consent.enums import Language
from rights.enums import Ask, CaseState, EventKind, OnBehalf

__all__ = ["CONSENT"]


@dataclass(frozen=True, slots=True)
class About:
    """
    One thing to ask for, as a person reads it.

    :ivar title: what to press. :ivar lede: what happens then.
    """

    title: str
    lede: str


AT_ONCE: Final = (Ask.DO_NOT_SELL, Ask.LIMIT, Ask.DO_NOT_TRACK, Ask.DO_NOT_CONTACT, Ask.WITHDRAW)
PROVEN: Final = (Ask.SEE, Ask.COPY, Ask.CORRECT, Ask.DELETE, Ask.RESTRICT, Ask.OBJECT)
TOLD: Final = (Ask.COMPLAIN,)
OFFERED: Final = (*AT_ONCE, *PROVEN, *TOLD)
"""What the page offers; an appeal is made on the page of the request that it is against."""

NEEDS_WORDS: Final = frozenset({Ask.CORRECT, Ask.COMPLAIN})
PACKED: Final = frozenset({Ask.SEE, Ask.COPY})
"""What ends in a package, which a code opens."""
TAKES_WORDS: Final = NEEDS_WORDS | {Ask.SEE, Ask.OBJECT, Ask.RESTRICT}

ABOUT: Final[dict[Language, dict[Ask, About]]] = {
    Language.ENGLISH: {
        Ask.DO_NOT_SELL: About(
            "Do not sell or share my data",
            "Nothing about you is sold or passed on for advertising from now on.",
        ),
        Ask.LIMIT: About(
            "Limit the use of sensitive data", "What is sensitive is used only for what you called about."
        ),
        Ask.DO_NOT_TRACK: About(
            "Do not track my calls",
            "Later calls from your number are not noted as yours, and not counted for ads.",
        ),
        Ask.DO_NOT_CONTACT: About("Do not call or text me", "No offers go to your number any more."),
        Ask.WITHDRAW: About(
            "Take back my consent",
            "Recording, listening, analysis, offers and sharing: all of it is a no from now on.",
        ),
        Ask.SEE: About("See what you have about me", "You get it on your own page, to read."),
        Ask.COPY: About("Get a copy to take along", "You get it as files that other programs can read."),
        Ask.CORRECT: About("Correct what is wrong", "Tell what is wrong and how it is right."),
        Ask.DELETE: About(
            "Delete my data", "What the law does not make us keep is erased. It cannot be brought back."
        ),
        Ask.RESTRICT: About("Stop using my data for now", "It is kept, and neither shown nor used."),
        Ask.OBJECT: About(
            "Object to what is done with my data", "Marketing to you stops at once. Tell why, if you like."
        ),
        Ask.COMPLAIN: About("Complain", "Tell what went wrong. A person reads it and answers."),
        Ask.APPEAL: About("Appeal against the answer", "Another person looks at it again."),
    },
    Language.SPANISH: {
        Ask.DO_NOT_SELL: About(
            "No vendan ni compartan mis datos",
            "Desde ahora no se vende ni se pasa nada suyo para publicidad.",
        ),
        Ask.LIMIT: About(
            "Limitar el uso de datos sensibles",
            "Lo sensible se usa solo para aquello por lo que usted llamó.",
        ),
        Ask.DO_NOT_TRACK: About(
            "No sigan mis llamadas",
            "Las próximas llamadas de su número no se anotan como suyas ni se cuentan para anuncios.",
        ),
        Ask.DO_NOT_CONTACT: About("No me llamen ni me escriban", "Ya no se envían ofertas a su número."),
        Ask.WITHDRAW: About(
            "Retirar mi consentimiento",
            "Grabación, escucha, análisis, ofertas y compartir: todo es un no desde ahora.",
        ),
        Ask.SEE: About("Ver lo que tienen sobre mí", "Lo recibe en su propia página, para leerlo."),
        Ask.COPY: About("Recibir una copia", "La recibe en archivos que otros programas pueden leer."),
        Ask.CORRECT: About("Corregir lo que está mal", "Diga qué está mal y cómo es."),
        Ask.DELETE: About(
            "Borrar mis datos", "Se borra lo que la ley no obliga a guardar. No se puede recuperar."
        ),
        Ask.RESTRICT: About("Dejar de usar mis datos por ahora", "Se guardan, y ni se muestran ni se usan."),
        Ask.OBJECT: About(
            "Oponerme a lo que se hace con mis datos",
            "El marketing hacia usted cesa de inmediato. Diga por qué, si quiere.",
        ),
        Ask.COMPLAIN: About("Reclamar", "Diga qué salió mal. Una persona lo lee y responde."),
        Ask.APPEAL: About("Recurrir la respuesta", "Otra persona lo mira de nuevo."),
    },
}

BEHALF: Final[dict[Language, dict[OnBehalf, str]]] = {
    Language.ENGLISH: {
        OnBehalf.SELF: "For myself",
        OnBehalf.GUARDIAN: "For my child, or somebody in my care",
        OnBehalf.AGENT: "For somebody who gave me a signed permission",
    },
    Language.SPANISH: {
        OnBehalf.SELF: "Para mí",
        OnBehalf.GUARDIAN: "Para mi hijo o una persona a mi cargo",
        OnBehalf.AGENT: "Para alguien que me dio un permiso firmado",
    },
}

STATES: Final[dict[Language, dict[CaseState, tuple[str, str]]]] = {
    Language.ENGLISH: {
        CaseState.PROVING: (
            "Waits for your proof",
            "Prove below that the number is yours. Nothing is given out before.",
        ),
        CaseState.OPEN: ("Being looked at", "A person looks at it and writes to you here."),
        CaseState.WITH_CLIENT: (
            "Being looked at",
            "The company that is responsible is asked. You need do nothing.",
        ),
        CaseState.HANDED_OVER: ("Handed on", "The company that is responsible answers you."),
        CaseState.DECIDED: ("Decided", "It is being carried out."),
        CaseState.DONE: ("Answered", "Nothing more is owed. If you are not content, say so below."),
        CaseState.WITHDRAWN: ("Taken back", "You took it back. You can ask again at any time."),
    },
    Language.SPANISH: {
        CaseState.PROVING: (
            "Espera su prueba",
            "Demuestre abajo que el número es suyo. Antes no se entrega nada.",
        ),
        CaseState.OPEN: ("En estudio", "Una persona lo mira y le escribe aquí."),
        CaseState.WITH_CLIENT: (
            "En estudio",
            "Se pregunta a la empresa responsable. Usted no tiene que hacer nada.",
        ),
        CaseState.HANDED_OVER: ("Trasladado", "Le responde la empresa responsable."),
        CaseState.DECIDED: ("Decidido", "Se está llevando a cabo."),
        CaseState.DONE: ("Respondido", "No queda nada pendiente. Si no está conforme, dígalo abajo."),
        CaseState.WITHDRAWN: ("Retirado", "Usted lo retiró. Puede pedirlo de nuevo cuando quiera."),
    },
}

EVENTS: Final[dict[Language, dict[EventKind, str]]] = {
    Language.ENGLISH: {
        EventKind.OPENED: "It came in",
        EventKind.TOOK_EFFECT: "It counts",
        EventKind.NOT_RECORDED: "It was not recorded here: the company has left us. Please tell it yourself as well",
        EventKind.MARKETING_STOPPED: "Marketing to you was stopped, and your data are not shared",
        EventKind.PROVEN: "You proved who you are",
        EventKind.ACKNOWLEDGED: "We wrote to you that it came in",
        EventKind.EXTENDED: "It takes longer",
        EventKind.STOPPED: "We asked you what exactly you mean",
        EventKind.RESUMED: "You told us, and the clock goes on",
        EventKind.HANDED_OVER: "It was handed on to the company that is responsible",
        EventKind.DECIDED: "It was decided",
        EventKind.PACKED: "Your data are ready",
        EventKind.FETCHED: "Your data were downloaded",
        EventKind.PACKAGE_GONE: "The file with your data was erased here",
        EventKind.ERASED: "We deleted what no rule requires us to keep",
        EventKind.REST_ERASED: "What had to be kept until then was erased",
        EventKind.CORRECTED: "It was corrected",
        EventKind.RESTRICTED: "It was restricted",
        EventKind.LIFTED: "The restriction ended, as we wrote to you",
        EventKind.CARRIED: "It was recorded",
        EventKind.WRITTEN: "We wrote to you",
        EventKind.APPEALED: "You said that you are not content",
        EventKind.TAKEN_BACK: "You took it back",
        EventKind.ANSWERED: "We closed your request",
    },
    Language.SPANISH: {
        EventKind.OPENED: "Llegó",
        EventKind.TOOK_EFFECT: "Cuenta",
        EventKind.NOT_RECORDED: "No se registró aquí: la empresa ya no trabaja con nosotros. Dígaselo también a ella",
        EventKind.MARKETING_STOPPED: "Se detuvo el marketing hacia usted, y sus datos no se comparten",
        EventKind.PROVEN: "Usted demostró quién es",
        EventKind.ACKNOWLEDGED: "Le escribimos que llegó",
        EventKind.EXTENDED: "Tarda más",
        EventKind.STOPPED: "Le preguntamos qué quiere decir exactamente",
        EventKind.RESUMED: "Usted lo dijo, y el plazo sigue",
        EventKind.HANDED_OVER: "Se trasladó a la empresa responsable",
        EventKind.DECIDED: "Se decidió",
        EventKind.PACKED: "Sus datos están listos",
        EventKind.FETCHED: "Sus datos se descargaron",
        EventKind.PACKAGE_GONE: "El archivo con sus datos se borró aquí",
        EventKind.ERASED: "Borramos lo que nada obliga a conservar",
        EventKind.REST_ERASED: "Se borró lo que hasta entonces había que conservar",
        EventKind.CORRECTED: "Se corrigió",
        EventKind.RESTRICTED: "Se limitó",
        EventKind.LIFTED: "La limitación terminó, como le escribimos",
        EventKind.CARRIED: "Quedó registrado",
        EventKind.WRITTEN: "Le escribimos",
        EventKind.APPEALED: "Usted dijo que no está conforme",
        EventKind.TAKEN_BACK: "Usted lo retiró",
        EventKind.ANSWERED: "Cerramos su solicitud",
    },
}

TEXTS: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "home": "Your data, your choices",
        "home_lede": "For people whose calls reach {name}. It costs nothing, and you need no account.",
        "at_once": "Say no",
        "at_once_lede": "It counts at once. You need not prove anything.",
        "proven": "See or change what is kept of you",
        "proven_lede": "You prove your phone with a code first, so that nobody else gets it.",
        "told": "Tell us",
        "notice": "Privacy notice",
        "notice_lede": "What is kept of a call, what for, and for how long.",
        "notice_version": "Version {number}, published on {at}.",
        "notice_before": "Earlier versions",
        "notice_print": "SHA-256 of this version",
        "choices": "Look at what you agreed to",
        "choices_lede": "Each purpose has a switch.",
        "ask_us": "Rather ask a person?",
        "whom": "For whom do you ask?",
        "is_minor": "The person is under 18",
        "evidence_later": "On the next page you hand in the signed permission, or what shows that you care for the"
        " person.",
        "number_mine": "The phone number it is about",
        "numbers_more": "More numbers",
        "numbers_more_lede": "Each is proven on its own. Only those that are proven are answered.",
        "number_n": "Another number",
        "withheld": "The number was withheld when I called",
        "withheld_lede": "Then nobody knows which calls are yours, and a person looks for the one you describe.",
        "withheld_no": "A no counts for a number: without one nothing is stopped. Write yours above, if you can.",
        "withheld_mail": "A code to your e-mail address opens your data then, so write it below.",
        "withheld_day": "Day of the call",
        "withheld_time": "Time, as near as you know it",
        "withheld_business": "The business you called",
        "where": "Where do you live?",
        "where_help": "Your rights depend on it. If you do not say, the strictest law that may apply counts.",
        "where_no": "I would rather not say",
        "name": "Your name",
        "mail": "E-mail address",
        "mail_help": "If you want the answer by e-mail too, or called without a number. We use it for nothing else.",
        "mail_needed": "Write your e-mail address: without a number, a code to it opens your data.",
        "words": "In your own words",
        "words_correct": "What is wrong, and how is it right?",
        "words_complain": "What went wrong?",
        "optional": "optional",
        "send": "Send",
        "sent": "Thank you. It came in.",
        "sent_once": "Keep this address: it is the way back to your request. Anybody who has it sees this page.",
        "bookmark": "Address of this page",
        "request": "Your request",
        "requests": "Your requests",
        "reference": "Reference",
        "received": "Received on {at}",
        "answer_by": "Answer by {at}",
        "answered_on": "Answered on {at}",
        "counts_since": "It counts since {at}.",
        "counts": "It counts",
        "counts_next": "You need do nothing more. A person sees to it that those who received your data are told.",
        "asked": "We asked you something",
        "asked_next": "Your answer is awaited: write it below. The time for our answer runs on meanwhile.",
        "asked_stands": "Your answer is awaited: write it below. Until then the time for our answer stands still.",
        "waits": "Nothing is stopped yet",
        "waits_next": "A no counts for a number, and you sent none. Send it in a new request, and it counts at once.",
        "waits_marketing": "Marketing to you is not stopped yet: that counts for a number, and you sent none. Send it"
        " in a new request, and it stops at once.",
        "waits_send": "Send my number",
        "done_next": "Nothing more is owed.",
        "done_open": "You have our answer. What remains, or is still to be done elsewhere, stands on this page.",
        "done_open_appeal": "You have our answer. What remains, or is still to be done elsewhere, stands on this page."
        " If you are not content, say so below.",
        "carried_out": "We have carried it out here. Our answer follows.",
        "written_up": "Our answer follows.",
        "answer_sent": "We sent you our answer on {at}.",
        "remains": "What remains, and why",
        "steps": "What we need from you",
        "steps_done": "You have done all that is needed.",
        "step_phone": "Prove the number {mask}",
        "step_phone_lede": "A code shows that you hold this phone today.",
        "step_done": "proven",
        "by_text": "Text me a code",
        "by_call": "Call me and read it",
        "step_mail": "Prove the address {mask}",
        "step_mail_lede": "A code shows that you read this mailbox today.",
        "by_mail": "Mail me a code",
        "code_mailed": "If this address can be reached, a code is on its way. It is valid for 10 minutes.",
        "code_sent": "If this number can be reached, a code is on its way. It is valid for 10 minutes.",
        "code_called": "If this number can be reached, it is day where the number is, and we have not called it twice"
        " today, a call is on its way. Its code is valid for 10 minutes.",
        "code_again": "No code? A number gets at most three an hour. Wait a minute, then ask for another.",
        "code": "Code, 6 digits",
        "check": "Go on",
        "no_codes": "Codes cannot be sent here at the moment. A person writes to you about another way.",
        "holds_today": "A code shows who holds a phone today, not who held it when the call was made. So calls and"
        " recordings need a little more.",
        "step_facts": "Tell us about one call",
        "step_facts_lede": "A day on which you called, or were called, and the business. We look it up; it need not be"
        " the last call.",
        "facts_day": "Day of the call",
        "facts_business": "Business",
        "facts_business_help": "Its name, the branch, or the number you dialled.",
        "facts_send": "Send this",
        "facts_sent": "Thank you. It is looked up.",
        "step_declare": "Sign",
        "step_declare_lede": "By typing your name you sign this.",
        "declaration": "I declare under penalty of perjury that I am the person whose number this is, or may act for"
        " that person, and that what I said here is true.",
        "declare_tick": "I declare this",
        "declare_name": "Your full name",
        "declare_send": "Sign",
        "step_permission": "The signed permission",
        "step_permission_lede": "A picture or PDF, up to 5 MB: who gives it, to whom, for what, with a signature.",
        "step_guardian": "That you care for the person",
        "step_guardian_lede": "A picture or PDF, up to 5 MB, such as a birth certificate or a court's order. Cover what"
        " is not needed.",
        "step_of_age": "That you care for a child, or are of age",
        "step_of_age_lede": "Many who call this company are children, so we ask everybody. A picture or PDF, up to 5"
        " MB: that you care for the child, or that you are of age. Cover what is not needed.",
        "file": "File",
        "file_send": "Hand it in",
        "file_has": "Handed in. A person looks at it.",
        "step_withheld_lede": "A person looks for the call you described and writes to you here.",
        "older": "Calls that are older than 12 months, or from before the number changed hands, are looked at by a"
        " person first.",
        "data": "Your data",
        "data_lede": "Ready until {at}. Prove your phone once more, then the download begins.",
        "data_lede_mail": "Ready until {at}. A new code to {mask} opens the download.",
        "data_lede_closed": "Ready until {at}. A code opens the download, and there is no number and no mailbox that"
        " one could go to. Write to us, and name the reference.",
        "data_get": "Download",
        "data_once": "You are proven. The button works once, within an hour.",
        "data_over": "That download was used or is over. Ask for a new code for another.",
        "messages": "Messages",
        "history": "What happened",
        "appeal": "Not content with the answer?",
        "appeal_lede": "Say why, and another person looks at it again.",
        "appeal_send": "Appeal",
        "appeal_there": "An appeal against this answer is there already, so what you wrote was not added to it. It"
        " stands below: send it in a new request if it is to be read.",
        "reply_late": "Nobody waits for an answer here any more, so what you wrote was not taken. It stands below: send"
        " it in a new request if it is to be read.",
        "not_taken": "What you wrote",
        "take_back": "Take the request back",
        "take_back_lede": "Nothing more happens then. What counts already goes on counting.",
        "gone": "Nothing is here any more",
        "gone_lede": "The address may not be complete, or what was here was erased at its date. What counts already"
        " goes on counting. On the company's requests page you can ask anew.",
        "bad_file": "Hand in a PNG, JPEG, WebP or PDF of up to 5 MB.",
        "bad_day": "Choose a day that is not in the future.",
        "needed": "Please fill this in.",
        "declare_needed": "Tick the box and type your full name.",
        "same_number": "You wrote this number twice.",
        "who_needed": "Write a phone number, or describe a call.",
        "full": "Too many requests came in this hour. Nothing was sent. Please try again later, or ask a person.",
        "more": "More",
    },
    Language.SPANISH: {
        "home": "Sus datos, sus opciones",
        "home_lede": "Para personas cuyas llamadas llegan a {name}. No cuesta nada y no necesita una cuenta.",
        "at_once": "Decir que no",
        "at_once_lede": "Cuenta en el acto. No tiene que demostrar nada.",
        "proven": "Ver o cambiar lo que se guarda de usted",
        "proven_lede": "Primero demuestra su teléfono con un código, para que nadie más lo reciba.",
        "told": "Díganos",
        "notice": "Aviso de privacidad",
        "notice_lede": "Qué se guarda de una llamada, para qué y cuánto tiempo.",
        "notice_version": "Versión {number}, publicada el {at}.",
        "notice_before": "Versiones anteriores",
        "notice_print": "SHA-256 de esta versión",
        "choices": "Ver lo que aceptó",
        "choices_lede": "Cada finalidad tiene un interruptor.",
        "ask_us": "¿Prefiere preguntar a una persona?",
        "whom": "¿Para quién lo pide?",
        "is_minor": "La persona es menor de 18 años",
        "evidence_later": "En la página siguiente entrega el permiso firmado, o lo que muestra que la persona está a su"
        " cargo.",
        "number_mine": "El número de teléfono del que se trata",
        "numbers_more": "Más números",
        "numbers_more_lede": "Cada uno se demuestra por separado. Solo se responde por los demostrados.",
        "number_n": "Otro número",
        "withheld": "El número estaba oculto cuando llamé",
        "withheld_lede": "Entonces nadie sabe qué llamadas son suyas, y una persona busca la que usted describe.",
        "withheld_no": "Un no cuenta para un número: sin él no se detiene nada. Escriba el suyo arriba, si puede.",
        "withheld_mail": "Entonces un código a su correo electrónico abre sus datos, así que escríbalo abajo.",
        "withheld_day": "Día de la llamada",
        "withheld_time": "Hora, lo más exacta que sepa",
        "withheld_business": "La empresa a la que llamó",
        "where": "¿Dónde vive?",
        "where_help": "Sus derechos dependen de ello. Si no lo dice, cuenta la ley más estricta que pueda aplicarse.",
        "where_no": "Prefiero no decirlo",
        "name": "Su nombre",
        "mail": "Correo electrónico",
        "mail_help": "Si quiere la respuesta también por correo, o llamó sin número. No lo usamos para nada más.",
        "mail_needed": "Escriba su correo electrónico: sin un número, un código a él abre sus datos.",
        "words": "Con sus propias palabras",
        "words_correct": "¿Qué está mal y cómo es?",
        "words_complain": "¿Qué salió mal?",
        "optional": "opcional",
        "send": "Enviar",
        "sent": "Gracias. Ha llegado.",
        "sent_once": "Guarde esta dirección: es el camino de vuelta a su solicitud. Quien la tenga ve esta página.",
        "bookmark": "Dirección de esta página",
        "request": "Su solicitud",
        "requests": "Sus solicitudes",
        "reference": "Referencia",
        "received": "Recibida el {at}",
        "answer_by": "Respuesta hasta el {at}",
        "answered_on": "Respondida el {at}",
        "counts_since": "Cuenta desde el {at}.",
        "counts": "Cuenta",
        "counts_next": "No tiene que hacer nada más. Una persona se ocupa de avisar a quienes recibieron sus datos.",
        "asked": "Le hemos preguntado algo",
        "asked_next": "Se espera su respuesta: escríbala abajo. Mientras tanto el plazo de la nuestra sigue.",
        "asked_stands": "Se espera su respuesta: escríbala abajo. Hasta entonces el plazo de la nuestra está parado.",
        "waits": "Aún no se ha detenido nada",
        "waits_next": "Un no cuenta para un número, y usted no envió ninguno. Envíelo en una solicitud nueva y cuenta"
        " en el acto.",
        "waits_marketing": "El marketing hacia usted aún no se ha detenido: eso cuenta para un número, y usted no envió"
        " ninguno. Envíelo en una solicitud nueva y cesa de inmediato.",
        "waits_send": "Enviar mi número",
        "done_next": "No queda nada pendiente.",
        "done_open": "Ya tiene nuestra respuesta. Lo que queda, o falta por hacer en otro lugar, está en esta página.",
        "done_open_appeal": "Ya tiene nuestra respuesta. Lo que queda, o falta por hacer en otro lugar, está en esta"
        " página. Si no está conforme, dígalo abajo.",
        "carried_out": "Aquí ya lo hemos llevado a cabo. Después recibirá nuestra respuesta.",
        "written_up": "Después recibirá nuestra respuesta.",
        "answer_sent": "Le enviamos nuestra respuesta el {at}.",
        "remains": "Qué queda, y por qué",
        "steps": "Lo que necesitamos de usted",
        "steps_done": "Ha hecho todo lo necesario.",
        "step_phone": "Demuestre el número {mask}",
        "step_phone_lede": "Un código muestra que usted tiene hoy este teléfono.",
        "step_done": "demostrado",
        "by_text": "Envíenme un código",
        "by_call": "Llámenme y léanlo",
        "step_mail": "Demuestre la dirección {mask}",
        "step_mail_lede": "Un código muestra que usted lee hoy este buzón.",
        "by_mail": "Enviarme un código por correo",
        "code_mailed": "Si se puede llegar a esta dirección, un código está en camino. Vale 10 minutos.",
        "code_sent": "Si se puede llegar a este número, un código está en camino. Vale 10 minutos.",
        "code_called": "Si se puede llegar a este número, allí es de día y hoy no lo hemos llamado ya dos veces, una"
        " llamada está en camino. Su código vale 10 minutos.",
        "code_again": "¿No llega? Un número recibe como mucho tres por hora. Espere un minuto y pida otro.",
        "code": "Código, 6 cifras",
        "check": "Continuar",
        "no_codes": "Ahora no se pueden enviar códigos aquí. Una persona le escribirá sobre otra vía.",
        "holds_today": "Un código muestra quién tiene hoy un teléfono, no quién lo tenía cuando se hizo la llamada. Por"
        " eso las llamadas y grabaciones necesitan algo más.",
        "step_facts": "Cuéntenos de una llamada",
        "step_facts_lede": "Un día en que llamó, o le llamaron, y la empresa. Lo buscamos; no tiene que ser la última"
        " llamada.",
        "facts_day": "Día de la llamada",
        "facts_business": "Empresa",
        "facts_business_help": "Su nombre, la sucursal o el número que marcó.",
        "facts_send": "Enviar",
        "facts_sent": "Gracias. Se busca.",
        "step_declare": "Firme",
        "step_declare_lede": "Al escribir su nombre, firma esto.",
        "declaration": "Declaro bajo pena de perjurio que soy la persona a la que pertenece este número, o que puedo"
        " actuar por ella, y que lo que he dicho aquí es verdad.",
        "declare_tick": "Lo declaro",
        "declare_name": "Su nombre completo",
        "declare_send": "Firmar",
        "step_permission": "El permiso firmado",
        "step_permission_lede": "Una foto o un PDF, hasta 5 MB: quién lo da, a quién, para qué, con una firma.",
        "step_guardian": "Que la persona está a su cargo",
        "step_guardian_lede": "Una foto o un PDF, hasta 5 MB, como un acta de nacimiento o una orden judicial. Tape lo"
        " que no haga falta.",
        "step_of_age": "Que un menor está a su cargo, o que usted es mayor de edad",
        "step_of_age_lede": "Muchos de quienes llaman a esta empresa son menores, así que lo preguntamos a todos. Una"
        " foto o un PDF, hasta 5 MB: que el menor está a su cargo, o que usted es mayor de edad. Tape lo que no haga"
        " falta.",
        "file": "Archivo",
        "file_send": "Entregar",
        "file_has": "Entregado. Una persona lo mira.",
        "step_withheld_lede": "Una persona busca la llamada que describió y le escribe aquí.",
        "older": "Las llamadas de hace más de 12 meses, o de antes de que el número cambiara de manos, las mira antes"
        " una persona.",
        "data": "Sus datos",
        "data_lede": "Listos hasta el {at}. Demuestre su teléfono una vez más y empieza la descarga.",
        "data_lede_mail": "Listos hasta el {at}. Un código nuevo a {mask} abre la descarga.",
        "data_lede_closed": "Listos hasta el {at}. Un código abre la descarga, y no hay número ni buzón al que pueda"
        " llegar. Escríbanos e indique la referencia.",
        "data_get": "Descargar",
        "data_once": "Está demostrado. El botón funciona una vez, en una hora.",
        "data_over": "Esa descarga ya se usó o terminó. Pida un código nuevo para otra.",
        "messages": "Mensajes",
        "history": "Qué pasó",
        "appeal": "¿No está conforme con la respuesta?",
        "appeal_lede": "Diga por qué, y otra persona lo mira de nuevo.",
        "appeal_send": "Recurrir",
        "appeal_there": "Ya hay un recurso contra esta respuesta, así que lo que escribió no se añadió. Está más abajo:"
        " envíelo en una solicitud nueva si se ha de leer.",
        "reply_late": "Aquí ya nadie espera una respuesta, así que lo que escribió no se recogió. Está más abajo:"
        " envíelo en una solicitud nueva si se ha de leer.",
        "not_taken": "Lo que escribió",
        "take_back": "Retirar la solicitud",
        "take_back_lede": "Entonces no pasa nada más. Lo que ya cuenta sigue contando.",
        "gone": "Aquí ya no hay nada",
        "gone_lede": "Puede que la dirección no esté completa, o que lo que había se haya borrado en su fecha. Lo que"
        " ya cuenta sigue contando. En la página de solicitudes de la empresa puede pedirlo de nuevo.",
        "bad_file": "Entregue un PNG, JPEG, WebP o PDF de hasta 5 MB.",
        "bad_day": "Elija un día que no esté en el futuro.",
        "needed": "Por favor, rellene esto.",
        "declare_needed": "Marque la casilla y escriba su nombre completo.",
        "same_number": "Escribió este número dos veces.",
        "who_needed": "Escriba un número de teléfono o describa una llamada.",
        "full": "Llegaron demasiadas solicitudes esta hora. No se envió nada. Inténtelo más tarde o pregunte a una"
        " persona.",
        "more": "Más",
    },
}

COUNTRIES: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "AT": "Austria", "AU": "Australia", "BE": "Belgium", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada",
        "CH": "Switzerland", "CY": "Cyprus", "CZ": "Czechia", "DE": "Germany", "DK": "Denmark", "EE": "Estonia",
        "ES": "Spain", "FI": "Finland", "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HR": "Croatia",
        "HU": "Hungary", "IE": "Ireland", "IN": "India", "IS": "Iceland", "IT": "Italy", "JP": "Japan",
        "LI": "Liechtenstein", "LT": "Lithuania", "LU": "Luxembourg", "LV": "Latvia", "MT": "Malta", "MX": "Mexico",
        "NL": "Netherlands", "NO": "Norway", "NZ": "New Zealand", "PL": "Poland", "PT": "Portugal", "RO": "Romania",
        "SE": "Sweden", "SI": "Slovenia", "SK": "Slovakia", "US": "United States", "XX": "Another country",
    },
    Language.SPANISH: {
        "AT": "Austria", "AU": "Australia", "BE": "Bélgica", "BG": "Bulgaria", "BR": "Brasil", "CA": "Canadá",
        "CH": "Suiza", "CY": "Chipre", "CZ": "Chequia", "DE": "Alemania", "DK": "Dinamarca", "EE": "Estonia",
        "ES": "España", "FI": "Finlandia", "FR": "Francia", "GB": "Reino Unido", "GR": "Grecia", "HR": "Croacia",
        "HU": "Hungría", "IE": "Irlanda", "IN": "India", "IS": "Islandia", "IT": "Italia", "JP": "Japón",
        "LI": "Liechtenstein", "LT": "Lituania", "LU": "Luxemburgo", "LV": "Letonia", "MT": "Malta", "MX": "México",
        "NL": "Países Bajos", "NO": "Noruega", "NZ": "Nueva Zelanda", "PL": "Polonia", "PT": "Portugal",
        "RO": "Rumanía", "SE": "Suecia", "SI": "Eslovenia", "SK": "Eslovaquia", "US": "Estados Unidos",
        "XX": "Otro país",
    },
}  # fmt: skip
"""Where somebody may say that they live, besides the regions of the United States."""

USA: Final = {Language.ENGLISH: "USA", Language.SPANISH: "EE. UU."}
STATES_IN_SPANISH: Final = {
    "DC": "Distrito de Columbia", "HI": "Hawái", "LA": "Luisiana", "MI": "Míchigan", "MO": "Misuri",
    "MS": "Misisipi", "NC": "Carolina del Norte", "ND": "Dakota del Norte", "NH": "Nuevo Hampshire",
    "NJ": "Nueva Jersey", "NM": "Nuevo México", "NY": "Nueva York", "OR": "Oregón", "PA": "Pensilvania",
    "SC": "Carolina del Sur", "SD": "Dakota del Sur", "TX": "Texas", "WV": "Virginia Occidental",
    "AS": "Samoa Americana", "MP": "Islas Marianas del Norte", "VI": "Islas Vírgenes de los Estados Unidos",
}  # fmt: skip
"""States and territories that are called something else in Spanish."""

_MONTHS: Final = {
    Language.ENGLISH: "January February March April May June July August September October November December",
    Language.SPANISH: "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}


def day(on: date, language: Language) -> str:
    """A day in words: "5 January 2027", "5 de enero de 2027"."""
    month = _MONTHS[language].split()[on.month - 1]
    return (
        f"{on.day} de {month} de {on.year}" if language == Language.SPANISH else f"{on.day} {month} {on.year}"
    )


def missing() -> list[str]:
    """What one language has and the other lacks."""
    found = []
    for table in (TEXTS, ABOUT, BEHALF, STATES, EVENTS, COUNTRIES):
        first, second = (set(table[language]) for language in Language)
        found += sorted(str(name) for name in first ^ second)
    return found
