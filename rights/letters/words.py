"""Words that letters share, in each language: kinds of requests, days, sentences on rights, authorities."""

from typing import Final

from consent.enums import Language, Purpose
from rights.enums import Copies, Kind

MONTHS: Final = {
    Language.ENGLISH: (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ),
    Language.SPANISH: (
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
        "noviembre", "diciembre",
    ),
}  # fmt: skip
DAY: Final = {Language.ENGLISH: "{day} {month} {year}", Language.SPANISH: "{day} de {month} de {year}"}

UNTIL_THEN: Final[dict[Language, dict[bool, str]]] = {
    Language.ENGLISH: {
        True: "Without your word nothing is erased and nothing is given out.",
        False: "The request may be answered before your word has come; the question is closed then.",
    },
    Language.SPANISH: {
        True: "Sin su respuesta no se elimina ni se entrega nada.",
        False: "La solicitud puede contestarse antes de que llegue su respuesta; la pregunta se cierra entonces.",
    },
}
"""What a client who is asked is told of the time until it answers, by whether it has to agree first."""

KINDS: Final[dict[Language, dict[Kind, str]]] = {
    Language.ENGLISH: {
        Kind.ACCESS: "to see the data that we keep of you",
        Kind.PORTABILITY: "a copy of your data to take along",
        Kind.CORRECT: "to have your data corrected",
        Kind.DELETE: "to have your data erased",
        Kind.RESTRICT: "to have the use of your data restricted",
        Kind.OBJECT: "your objection to the use of your data",
        Kind.OPT_OUT: "that your data are not sold or shared, or that you are not contacted",
        Kind.LIMIT: "to limit the use of sensitive data",
        Kind.REVOCATION: "to take back your consent",
        Kind.COMPLAINT: "your complaint",
        Kind.APPEAL: "your appeal against an answer",
    },
    Language.SPANISH: {
        Kind.ACCESS: "ver los datos que conservamos de usted",
        Kind.PORTABILITY: "una copia de sus datos para llevársela",
        Kind.CORRECT: "que se corrijan sus datos",
        Kind.DELETE: "que se eliminen sus datos",
        Kind.RESTRICT: "que se limite el uso de sus datos",
        Kind.OBJECT: "su oposición al uso de sus datos",
        Kind.OPT_OUT: "que sus datos no se vendan ni se compartan, o que no se le contacte",
        Kind.LIMIT: "que se limite el uso de datos sensibles",
        Kind.REVOCATION: "retirar su consentimiento",
        Kind.COMPLAINT: "su reclamación",
        Kind.APPEAL: "su recurso contra una respuesta",
    },
}
DEEDS: Final[dict[Language, dict[Kind, str]]] = {
    Language.ENGLISH: {
        Kind.CORRECT: "correct it as we tell you",
        Kind.DELETE: "erase it",
        Kind.RESTRICT: "keep it, and use it for nothing else",
        Kind.OBJECT: "stop using it",
        Kind.OPT_OUT: "stop selling, sharing or using it for advertising",
        Kind.LIMIT: "use sensitive data only for what was asked for",
        Kind.REVOCATION: "stop using it: the consent is withdrawn",
    },
    Language.SPANISH: {
        Kind.CORRECT: "corregirlos como le indiquemos",
        Kind.DELETE: "suprimirlos",
        Kind.RESTRICT: "conservarlos sin usarlos para nada más",
        Kind.OBJECT: "dejar de usarlos",
        Kind.OPT_OUT: "dejar de venderlos, compartirlos o usarlos para publicidad",
        Kind.LIMIT: "usar los datos sensibles solo para lo que se pidió",
        Kind.REVOCATION: "dejar de usarlos: se ha retirado el consentimiento",
    },
}

SENTENCES: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "stays": "This stays, and why:",
        "months": "{count} months",
        "days": "{count} days",
        "appeal": "If you do not agree, you can appeal: {object_by}, and name the reference. Somebody else looks at it"
        " again.",
        "object_by_page": "use your page",
        "object_by_mail": "write to {mail} or use your page",
        "complaint": "You can complain to {authority}, and you can go to court.",
        "complaint_state": "If your appeal is refused, or you do not want to wait, you can complain to {authority}.",
        "clock_stops": "Until we hear from you the time for our answer stands still.",
        "clock_runs": "The time for our answer runs on meanwhile: you have it by {answer_by}.",
        "rights": "You may also ask us to correct or erase your data, to restrict their use, or object to it.",
        "law_19": "Article 19 of the GDPR obliges us to tell you.",
        "law_ccpa": "11 CCR 7022, 7026 and 7027 oblige us to tell you.",
        "for": "for {client}",
        "kept_longer": "{kept} (longer, while a claim or a law keeps something of the above)",
        "new_caller": "If you call again, you are a new caller to us.",
        "at_once": "It has counted here since {day}.",
        "going_on": "This goes on: {uses}.",
        "not_before": "It is about calls since the number is yours: where it is known that somebody else had it before,"
        " their calls stay as they are.",
        "code_to_phone": "to your phone",
        "code_to_mail": "to your e-mail address",
        "copy": "One copy that you asked for ({reference}): until {day}, or until an hour after you fetch it from your"
        " page. Then it is gone, too.",
        "recipients": "Recipients of your data: {names}. {progress}.",
        "anonymised": "Files of calls in which no row can be told to be anybody's were given away, too. Calls of yours"
        " may be among them; nobody can tell which, so nothing can be taken out.",
    },
    Language.SPANISH: {
        "stays": "Esto se conserva, y por qué:",
        "months": "{count} meses",
        "days": "{count} días",
        "appeal": "Si no está de acuerdo, puede recurrir: {object_by}, e indique la referencia. Lo examinará otra"
        " persona.",
        "object_by_page": "use su página",
        "object_by_mail": "escriba a {mail} o use su página",
        "complaint": "Puede reclamar ante {authority} y puede acudir a los tribunales.",
        "complaint_state": "Si su recurso se deniega, o no quiere esperar, puede reclamar ante {authority}.",
        "clock_stops": "Hasta que nos responda, el plazo de nuestra respuesta se detiene.",
        "clock_runs": "El plazo de nuestra respuesta sigue corriendo: la tendrá a más tardar el {answer_by}.",
        "rights": "También puede pedir que corrijamos o eliminemos sus datos, que limitemos su uso, u oponerse a él.",
        "law_19": "El artículo 19 del RGPD nos obliga a comunicárselo.",
        "law_ccpa": "11 CCR 7022, 7026 y 7027 nos obligan a comunicárselo.",
        "for": "en nombre de {client}",
        "kept_longer": "{kept} (más, mientras una reclamación o una ley conserve algo de lo anterior)",
        "new_caller": "Si vuelve a llamar, será para nosotros una persona nueva.",
        "at_once": "Se aplica aquí desde el {day}.",
        "going_on": "Esto continúa: {uses}.",
        "not_before": "Se refiere a las llamadas desde que el número es suyo: donde consta que antes lo tuvo otra"
        " persona, las llamadas de esa persona siguen como están.",
        "code_to_phone": "a su teléfono",
        "code_to_mail": "a su correo electrónico",
        "copy": "Una copia que usted pidió ({reference}): hasta el {day}, o hasta una hora después de que la descargue"
        " de su página. Después también desaparece.",
        "recipients": "Destinatarios de sus datos: {names}. {progress}.",
        "anonymised": "También se entregaron archivos de llamadas en los que ninguna fila se puede atribuir a nadie."
        " Puede que haya llamadas suyas entre ellas; nadie puede decir cuáles, así que no se puede sacar nada.",
    },
}

USES: Final[dict[Language, dict[Purpose, str]]] = {
    Language.ENGLISH: {
        Purpose.MEASURE: "counting your calls, and which advertisement led to them",
        Purpose.RECORD: "recording them",
        Purpose.REVIEW: "listening to them and reading them",
        Purpose.ANALYSE: "having software analyse them",
    },
    Language.SPANISH: {
        Purpose.MEASURE: "contar sus llamadas y qué anuncio le trajo",
        Purpose.RECORD: "grabarlas",
        Purpose.REVIEW: "escucharlas y leerlas",
        Purpose.ANALYSE: "analizarlas con un programa",
    },
}
"""What may go on after an objection."""

AUTHORITIES: Final[dict[str, dict[Language, str]]] = {
    "gdpr": {
        Language.ENGLISH: "the data protection authority of the country where you live",
        Language.SPANISH: "la autoridad de protección de datos del país donde vive",
    },
    "uk_gdpr": {
        Language.ENGLISH: "the Information Commissioner (ico.org.uk)",
        Language.SPANISH: "el Information Commissioner (ico.org.uk)",
    },
    "ccpa": {
        Language.ENGLISH: "the California Privacy Protection Agency (cppa.ca.gov) or the Attorney General",
        Language.SPANISH: "la California Privacy Protection Agency (cppa.ca.gov) o el fiscal general",
    },
    "state": {
        Language.ENGLISH: "the attorney general of your state",
        Language.SPANISH: "el fiscal general de su estado",
    },
}
"""To whom a person may complain, by law; "state" is for the laws of the other states."""

COPIES: Final[dict[Language, dict[Copies, str]]] = {
    Language.ENGLISH: {
        Copies.IDENTITY: "Your number and what names you",
        Copies.CALLS: "Records of calls",
        Copies.RECORDINGS: "Recordings",
        Copies.TRANSCRIPTS: "Transcripts",
        Copies.CONSENT: "What you agreed to and refused",
        Copies.MESSAGES: "Texts, mails and invitations",
        Copies.REQUESTS: "Requests of yours",
        Copies.EXPORTS: "Files with your data",
        Copies.VENDOR: "Copies at the call tracker",
        Copies.RECIPIENTS: "Passed on to others",
        Copies.RELEASES: "Files given to others in which a code stands for you",
    },
    Language.SPANISH: {
        Copies.IDENTITY: "Su número y lo que le identifica",
        Copies.CALLS: "Registros de llamadas",
        Copies.RECORDINGS: "Grabaciones",
        Copies.TRANSCRIPTS: "Transcripciones",
        Copies.CONSENT: "Lo que aceptó y rechazó",
        Copies.MESSAGES: "Mensajes, correos e invitaciones",
        Copies.REQUESTS: "Solicitudes suyas",
        Copies.EXPORTS: "Archivos con sus datos",
        Copies.VENDOR: "Copias en el proveedor de llamadas",
        Copies.RECIPIENTS: "Entregado a otros",
        Copies.RELEASES: "Archivos entregados a otros en los que un código le representa",
    },
}
LEAVING: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {Copies.VENDOR: "Recordings whose deletion the call tracker has confirmed"},
    Language.SPANISH: {Copies.VENDOR: "Grabaciones cuya eliminación ha confirmado el proveedor de llamadas"},
}
STILL: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {Copies.VENDOR: "Recordings at the call tracker"},
    Language.SPANISH: {Copies.VENDOR: "Grabaciones en el proveedor de llamadas"},
}
"""Of an erasure, what leaves and what stays where that is named in other words than what was found."""
KEPT: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "": "It stays until its own date.",
        "hold": "It is needed for a legal claim or an inquiry, and is erased when that ends.",
        "law": "A law obliges us to keep it until a certain day; then it is erased.",
        "others": "It is from before the number was yours, as far as is known. If it is about you, write to us: a"
        " person looks at it.",
        "again": "You have called, agreed or written to us again since, so we need your number for that.",
        "evidence": "It proves what you agreed to or refused, and is erased at its own date.",
        "lone": "What was said is erased. That a call came at that time stays as a count: no number was shown, and"
        " nothing in it says whose it was.",
        "request": "It is the record of your request, and is erased at its own date.",
        "suppression": "It is a digest by which your refusal is remembered; your number cannot be read from it.",
        "tracker": "We have no record that each of them was deleted there.",
    },
    Language.SPANISH: {
        "": "Se conserva hasta su propia fecha.",
        "hold": "Se necesita para una reclamación o investigación, y se suprime cuando termine.",
        "law": "Una ley nos obliga a conservarlo hasta un día determinado; después se suprime.",
        "others": "Es de antes de que el número fuera suyo, según lo que se sabe. Si trata de usted, escríbanos: lo"
        " mira una persona.",
        "again": "Desde entonces ha vuelto a llamar, a aceptar o a escribirnos, y para eso necesitamos su número.",
        "evidence": "Prueba lo que usted aceptó o rechazó, y se suprime en su propia fecha.",
        "lone": "Se borró lo que se dijo. Que hubo una llamada a esa hora queda como cifra: no se mostró ningún número,"
        " y nada en ella dice de quién era.",
        "request": "Es el registro de su solicitud, y se suprime en su propia fecha.",
        "suppression": "Es un resumen cifrado que recuerda su negativa; su número no se puede leer de él.",
        "tracker": "No nos consta que cada una se haya eliminado allí.",
    },
}
"""Why something of a person stays after an erasure, by `Finding.kept_why`; "" for whatever else."""

CORRECTED: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "place": "Where you are is kept as: {value}",
        "language": "Your language is kept as: {value}",
        "name": "Your name is kept as you told it",
        "call": "Of the call of {day}, {fact} is kept as: {value}",
        "unlink": "The call of {day} is not kept as yours any more",
    },
    Language.SPANISH: {
        "place": "Su lugar consta como: {value}",
        "language": "Su idioma consta como: {value}",
        "name": "Su nombre consta como usted lo indicó",
        "call": "De la llamada del {day}, {fact} consta como: {value}",
        "unlink": "La llamada del {day} ya no consta como suya",
    },
}
"""What was corrected, by kind; a name is never said."""
FACTS: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "first_call": "whether it was the first",
        "qualified": "whether it was qualified",
        "source": "the source",
        "campaign": "the campaign",
        "medium": "the medium",
        "country": "the country",
        "region": "the region",
    },
    Language.SPANISH: {
        "first_call": "si fue la primera",
        "qualified": "si estaba cualificada",
        "source": "la fuente",
        "campaign": "la campaña",
        "medium": "el medio",
        "country": "el país",
        "region": "la región",
    },
}
LANGUAGES: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {"en": "English", "es": "Spanish"},
    Language.SPANISH: {"en": "inglés", "es": "español"},
}
YES_NO: Final = {
    Language.ENGLISH: {True: "yes", False: "no"},
    Language.SPANISH: {True: "sí", False: "no"},
}
