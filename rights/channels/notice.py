"""
The privacy notice of a client: pure, from what is set up, in the words that people read.

`Facts` is what the product knows of a client; `compose` says it in a language. Two notices differ where their facts
do, so that another wording of ours makes no published notice old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from callprivacy.tenancy.enums import PartyRole
from consent.enums import Language
from retention.enums import Category, Then

TAKEN_OUT: Final = ("numbers", "cards", "mails")
"""What is taken out of words, as the words of the notice say it: where that changes, published notices fall due."""

type Body = list[dict[str, Any]]
"""Sections: {"title", "lines": [sentence], "rows": [[label, text]]}."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask, as staff wrote it; "" where they did not."""

    email: str = ""
    phone: str = ""
    address: str = ""
    officer: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long a category is kept: days, and what happens then."""

    category: str
    days: int
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What is set up for a client.

    :ivar roles: as what the agency acts: measure, record, contact -> a value of `PartyRole`.
    :ivar measure_basis: a value of `Basis`. :ivar standard: a value of `Standard`.
    :ivar counts, records, stores, transcribes, swaps: whether calls are tracked, recorded, recordings kept here too,
        words taken in, and numbers on the site swapped.
    :ivar trackers: companies that carry the calls. :ivar destinations: advertisers that are told.
    :ivar others: (name, what for) of who else receives something, as staff wrote it.
    :ivar systems: the client's own systems that are told. :ivar sells: whether data are sold or shared for advertising.
    :ivar european, british, american, californian: whose law reaches the client.
    :ivar page: where requests are made. :ivar choices: where consent is given and taken back, "" where nowhere.
    :ivar attributes: whether calls keep the page and the search that led to them.
    :ivar taken_out: what is taken out of words before they are kept; none where no words are taken in.
    :ivar more: what staff added, by language.
    """

    name: str
    agency: str
    contact: Contact
    roles: Mapping[str, str]
    measure_basis: str
    standard: str
    counts: bool
    records: bool
    stores: bool
    transcribes: bool
    swaps: bool
    kept: Sequence[Kept]
    trackers: Sequence[str]
    destinations: Sequence[str]
    systems: Sequence[str]
    others: Sequence[tuple[str, str]] = ()
    sells: bool
    european: bool
    british: bool
    american: bool
    californian: bool
    page: str
    choices: str
    attributes: bool = False
    taken_out: Sequence[str] = ()
    policy_url: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        found = asdict(self) | {"kept": [asdict(one) for one in self.kept]}
        if not self.taken_out:
            del found["taken_out"]
        if not self.attributes:
            del found["attributes"]
        return found


def compose(facts: Facts, language: Language) -> Body:
    """The notice in a language, section by section; a section that would be empty is left out."""
    say = _SAY[language]
    makers = (_who, _what, _why, _how_long, _whom, _sale, _rights, _complaint, _children, _more)
    found = ((maker.__name__[1:], maker(facts, say, language)) for maker in makers)
    return [
        {"title": say[name], "lines": lines, "rows": rows} for name, (lines, rows) in found if lines or rows
    ]


def as_text(body: Body) -> str:
    """A section a paragraph, as one text: what two versions are compared by."""
    parts = []
    for section in body:
        rows = [f"{label}: {text}" for label, text in section["rows"]]
        parts.append("\n".join([section["title"], *section["lines"], *rows]))
    return "\n\n".join(parts)


type _Part = tuple[list[str], list[list[str]]]
type _Say = Mapping[str, str]


def _who(facts: Facts, say: _Say, _: Language) -> _Part:
    lines = [say["who_is"].format(name=facts.name)]
    for role in PartyRole:
        purposes = [say[f"role_{name}"] for name, value in facts.roles.items() if value == role]
        if purposes:
            lines.append(
                say[f"as_{role}"].format(
                    agency=facts.agency, name=facts.name, purposes=_list(purposes, say["and"])
                )
            )
    contact = facts.contact
    rows = [
        [say[f"contact_{name}"], value]
        for name in ("email", "phone", "address", "officer")
        if (value := getattr(contact, name))
    ]
    return lines, rows


def _what(facts: Facts, say: _Say, _: Language) -> _Part:
    lines = [say["data_call"]] if facts.counts else []
    lines += [say["data_swap"]] if facts.swaps else []
    lines += [say["data_attribution"]] if facts.attributes else []
    lines += [say["data_records"]] if facts.records else []
    lines += [say["data_words"]] if facts.transcribes else []
    lines += [say["data_consent"], say["data_source"]]
    return lines, []


def _why(facts: Facts, say: _Say, _: Language) -> _Part:
    rows = []
    if facts.counts:
        rows.append([say["for_measure"], say[f"basis_{facts.measure_basis}"]])
    if facts.records:
        rows.append([say["for_record"], say[f"standard_{facts.standard}"]])
    rows.append([say["for_contact"], say["basis_asked"]])
    rows.append([say["for_law"], say["basis_legal_obligation"]])
    return [], rows


def _how_long(facts: Facts, say: _Say, language: Language) -> _Part:
    rows = []
    for one in facts.kept:
        days = say["days"].format(days=f"{one.days:,}" if language == Language.ENGLISH else str(one.days))
        text = f"{days} {say['from_' + one.category]}"
        if one.then == Then.REDUCE:
            text = f"{text} {say['totals_stay']}"
        rows.append([say[f"kept_{one.category}"], text])
    return [say["kept_lede"]], rows


def _whom(facts: Facts, say: _Say, _: Language) -> _Part:
    rows = [[facts.agency, say["gets_agency"]]]
    rows += [[name, say["gets_tracker"]] for name in facts.trackers]
    rows += [[name, say["gets_system"].format(name=facts.name)] for name in facts.systems]
    rows += [[name, say["gets_ads"]] for name in facts.destinations]
    rows += [[name, what] for name, what in facts.others]
    lines = [say["whom_lede"]]
    if (facts.european or facts.british) and facts.trackers:
        lines.append(say["transfer"])
    return lines, rows


def _sale(facts: Facts, say: _Say, _: Language) -> _Part:
    first = say["sells" if facts.sells else "sells_not"].format(name=facts.name)
    return [first, say["sale_stop"], say["sale_gpc"]], []


def _rights(facts: Facts, say: _Say, _: Language) -> _Part:
    lines = [say["rights_lede"], say["rights_how"].format(page=facts.page)]
    lines += [say["rights_choices"].format(page=facts.choices)] if facts.choices else []
    lines += [say["rights_europe"]] if facts.european or facts.british else []
    lines += [say["rights_california"]] if facts.californian else []
    lines.append(say["rights_same"])
    return lines, []


def _complaint(facts: Facts, say: _Say, _: Language) -> _Part:
    lines = [say["complain_us"].format(page=facts.page)]
    lines += [say["complain_europe"]] if facts.european else []
    lines += [say["complain_britain"]] if facts.british else []
    lines += [say["complain_california"]] if facts.californian else []
    lines += [say["complain_state"]] if facts.american and not facts.californian else []
    return lines, []


def _children(_: Facts, say: _Say, __: Language) -> _Part:
    return [say["children_said"]], []


def _more(facts: Facts, say: _Say, language: Language) -> _Part:
    said = facts.more.get(language.value, "").strip()
    lines = said.splitlines() if said else []
    if facts.policy_url:
        lines.append(say["policy"].format(name=facts.name, url=facts.policy_url))
    return [line for line in lines if line.strip()], []


def _list(words: Sequence[str], and_: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {and_} {words[-1]}"


_SAY: Final[dict[Language, dict[str, str]]] = {
    Language.ENGLISH: {
        "who": "Who is responsible",
        "what": "What is kept of a call",
        "why": "What for, and on which ground",
        "how_long": "How long it is kept",
        "whom": "Who receives it",
        "sale": "Sale and sharing for advertising",
        "rights": "Your rights",
        "complaint": "If you are not content",
        "children": "Children",
        "more": "More",
        "and": "and",
        "who_is": "This notice is about phone calls and texts with {name}, who is responsible for them.",
        "role_measure": "counting calls",
        "role_record": "recording calls",
        "role_contact": "contacting people",
        "as_controller": "{agency} decides itself, and is responsible itself, when it comes to {purposes}.",
        "as_joint": "{agency} and {name} are responsible together when it comes to {purposes}.",
        "as_processor": "{agency} works for {name}, and by its instructions, when it comes to {purposes}.",
        "contact_email": "E-mail",
        "contact_phone": "Phone",
        "contact_address": "Address",
        "contact_officer": "Data protection officer",
        "data_call": "Your number, when you called and for how long, whether the call was answered, which number you"
        " dialled and which advertisement showed it, and the region that the number belongs to.",
        "data_swap": "On the website, the page shows a number that tells which advertisement brought you there.",
        "data_attribution": "The first page of the website that you visited, and what you searched for before.",
        "data_records": "A recording of the call, where it may be made.",
        "data_words": "What was said, in writing, where it may be made: with phone numbers, card numbers and e-mail"
        " addresses taken out; names stay in it.",
        "data_consent": "What you agreed to or refused, when, and the words you were told.",
        "data_source": "It comes from you and from the phone network.",
        "for_measure": "To see which advertisement leads to calls",
        "for_record": "To train people and to check how calls are handled",
        "for_contact": "To call or text you with offers",
        "for_law": "To show what you agreed to, and to carry out what you ask for",
        "basis_consent": "Your consent. You can take it back at any time.",
        "basis_legitimate_interests": "The legitimate interest in knowing which advertising works. You can object.",
        "basis_contract": "A contract with you, or what leads to one.",
        "basis_legal_obligation": "A duty under the law.",
        "basis_notice": "This notice. You can object.",
        "basis_asked": "Only if you agreed. You can take it back at any time.",
        "standard_express": "Only if you agreed. You can take it back at any time.",
        "standard_announce": "Only if you were told at the beginning of the call and went on, or if you agreed. You"
        " can say no at any time.",
        "standard_legal_minimum": "As the law where you are allows, at the strictest where more than one place counts."
        " You can say no at any time.",
        "kept_lede": "Then it is erased, unless a court, an authority or a legal claim needs it for longer.",
        "days": "{days} days",
        "totals_stay": "Totals a day stay, in which nobody can be found.",
        "kept_call": "Calls to us",
        "kept_call_out": "Calls from us",
        "kept_identity": "Your number",
        "kept_recording": "Recordings",
        "kept_transcript": "What was said, in writing",
        "kept_consent": "What you agreed to or refused",
        "kept_withdrawal": "What you took back",
        "from_call": "from the day of the call.",
        "from_call_out": "from the day of the call.",
        "from_identity": "from the last contact.",
        "from_recording": "from the day of the call.",
        "from_transcript": "from the day of the call.",
        "from_consent": "from the last contact.",
        "from_withdrawal": "from the day you took it back.",
        "whom_lede": "These receive it, and those to whom the law makes us give it.",
        "gets_agency": "looks after calls and advertising",
        "gets_tracker": "carries the calls and notes them",
        "gets_system": "a system of {name}",
        "gets_ads": "is told which advertisement worked, where you agreed to sharing",
        "transfer": "Some of these companies are in the United States. Ask us for the safeguards that cover this.",
        "sells": "{name} shares facts about calls with advertisers, which some laws call selling or sharing.",
        "sells_not": "{name} does not sell what it knows of you, nor share it for advertising across other sites.",
        "sale_stop": "You can say no at any time, without giving a reason and without proving who you are.",
        "sale_gpc": "A browser that sends the Global Privacy Control is heard as a no.",
        "rights_lede": "You can ask to see what is kept of you, to get a copy, to have it corrected, deleted or"
        " restricted, you can object, and you can take back what you agreed to.",
        "rights_how": "Ask here: {page}. It costs nothing, and you need no account.",
        "rights_choices": "What you agreed to can be looked at and taken back here: {page}.",
        "rights_europe": "In Europe and the United Kingdom you have an answer within a month.",
        "rights_california": "In California you have an answer within 45 days. Somebody else may ask for you, with"
        " your written permission.",
        "rights_same": "Nobody treats you worse because you ask.",
        "complain_us": "Tell us first, if you like: {page}.",
        "complain_europe": "You can complain to the data protection authority where you live or work.",
        "complain_britain": "In the United Kingdom that is the Information Commissioner's Office, https://ico.org.uk.",
        "complain_california": "In California you can turn to the California Privacy Protection Agency, https://cppa.ca.gov,"
        " or to the Attorney General.",
        "complain_state": "You can turn to your state's Attorney General.",
        "children_said": "What belongs to a child is neither sold nor shared. A parent or guardian may ask for it.",
        "policy": "The privacy policy of {name}: {url}.",
    },
    Language.SPANISH: {
        "who": "Quién es responsable",
        "what": "Qué se guarda de una llamada",
        "why": "Para qué y con qué base",
        "how_long": "Cuánto tiempo se guarda",
        "whom": "Quién lo recibe",
        "sale": "Venta y uso para publicidad",
        "rights": "Sus derechos",
        "complaint": "Si no está conforme",
        "children": "Menores",
        "more": "Más",
        "and": "y",
        "who_is": "Este aviso trata de las llamadas y los mensajes con {name}, responsable de ellos.",
        "role_measure": "contar llamadas",
        "role_record": "grabar llamadas",
        "role_contact": "ponerse en contacto con personas",
        "as_controller": "{agency} decide por sí misma, y responde por sí misma, al {purposes}.",
        "as_joint": "{agency} y {name} responden juntas al {purposes}.",
        "as_processor": "{agency} trabaja para {name}, según sus instrucciones, al {purposes}.",
        "contact_email": "Correo electrónico",
        "contact_phone": "Teléfono",
        "contact_address": "Dirección",
        "contact_officer": "Delegado de protección de datos",
        "data_call": "Su número, cuándo llamó y cuánto tiempo, si se contestó, qué número marcó y qué anuncio lo"
        " mostraba, y la región a la que pertenece el número.",
        "data_swap": "En el sitio web, la página muestra un número que dice qué anuncio le trajo.",
        "data_attribution": "La primera página del sitio web que vio y lo que buscó antes.",
        "data_records": "Una grabación de la llamada, cuando se puede hacer.",
        "data_words": "Lo que se dijo, por escrito, cuando se puede hacer: sin números de teléfono ni de tarjeta ni"
        " direcciones de correo; los nombres quedan.",
        "data_consent": "Lo que usted aceptó o rechazó, cuándo, y las palabras que se le dijeron.",
        "data_source": "Viene de usted y de la red telefónica.",
        "for_measure": "Para saber qué anuncio trae llamadas",
        "for_record": "Para formar a las personas y revisar cómo se atienden las llamadas",
        "for_contact": "Para llamarle o escribirle con ofertas",
        "for_law": "Para mostrar lo que usted aceptó y cumplir lo que usted pide",
        "basis_consent": "Su consentimiento. Puede retirarlo en cualquier momento.",
        "basis_legitimate_interests": "El interés legítimo en saber qué publicidad funciona. Puede oponerse.",
        "basis_contract": "Un contrato con usted, o lo que lleva a uno.",
        "basis_legal_obligation": "Una obligación legal.",
        "basis_notice": "Este aviso. Puede oponerse.",
        "basis_asked": "Solo si usted aceptó. Puede retirarlo en cualquier momento.",
        "standard_express": "Solo si usted aceptó. Puede retirarlo en cualquier momento.",
        "standard_announce": "Solo si se le dijo al principio de la llamada y usted siguió, o si aceptó. Puede decir"
        " que no en cualquier momento.",
        "standard_legal_minimum": "Como lo permite la ley de donde usted está, la más estricta si cuentan varios"
        " lugares. Puede decir que no en cualquier momento.",
        "kept_lede": "Después se borra, salvo que un tribunal, una autoridad o una reclamación lo necesite más tiempo.",
        "days": "{days} días",
        "totals_stay": "Quedan totales por día, en los que no se encuentra a nadie.",
        "kept_call": "Llamadas hacia nosotros",
        "kept_call_out": "Llamadas nuestras",
        "kept_identity": "Su número",
        "kept_recording": "Grabaciones",
        "kept_transcript": "Lo que se dijo, por escrito",
        "kept_consent": "Lo que usted aceptó o rechazó",
        "kept_withdrawal": "Lo que usted retiró",
        "from_call": "desde el día de la llamada.",
        "from_call_out": "desde el día de la llamada.",
        "from_identity": "desde el último contacto.",
        "from_recording": "desde el día de la llamada.",
        "from_transcript": "desde el día de la llamada.",
        "from_consent": "desde el último contacto.",
        "from_withdrawal": "desde el día en que lo retiró.",
        "whom_lede": "Lo reciben estos, y aquellos a quienes la ley nos obliga a darlo.",
        "gets_agency": "se ocupa de las llamadas y la publicidad",
        "gets_tracker": "transporta las llamadas y las anota",
        "gets_system": "un sistema de {name}",
        "gets_ads": "se le dice qué anuncio funcionó, si usted aceptó que se comparta",
        "transfer": "Algunas de estas empresas están en Estados Unidos. Pregúntenos por las garantías que lo cubren.",
        "sells": "{name} comparte datos de llamadas con anunciantes, lo que algunas leyes llaman vender o compartir.",
        "sells_not": "{name} no vende lo que sabe de usted ni lo comparte para publicidad en otros sitios.",
        "sale_stop": "Puede decir que no en cualquier momento, sin dar razones y sin demostrar quién es.",
        "sale_gpc": "Un navegador que envía el Global Privacy Control se entiende como un no.",
        "rights_lede": "Puede pedir ver lo que se guarda de usted, una copia, que se corrija, se borre o se limite,"
        " puede oponerse y puede retirar lo que aceptó.",
        "rights_how": "Pídalo aquí: {page}. No cuesta nada y no necesita una cuenta.",
        "rights_choices": "Lo que aceptó se puede ver y retirar aquí: {page}.",
        "rights_europe": "En Europa y el Reino Unido tiene una respuesta en un mes.",
        "rights_california": "En California tiene una respuesta en 45 días. Otra persona puede pedirlo por usted, con"
        " su permiso por escrito.",
        "rights_same": "Nadie le trata peor por pedirlo.",
        "complain_us": "Díganoslo primero, si quiere: {page}.",
        "complain_europe": "Puede reclamar ante la autoridad de protección de datos de donde vive o trabaja.",
        "complain_britain": "En el Reino Unido es la Information Commissioner's Office, https://ico.org.uk.",
        "complain_california": "En California puede acudir a la California Privacy Protection Agency, https://cppa.ca.gov,"
        " o al Fiscal General.",
        "complain_state": "Puede acudir al Fiscal General de su estado.",
        "children_said": "Lo que pertenece a un menor no se vende ni se comparte. Su madre, padre o tutor puede"
        " pedirlo.",
        "policy": "La política de privacidad de {name}: {url}.",
    },
}

SHOWN: Final = (
    Category.CALL,
    Category.CALL_OUT,
    Category.IDENTITY,
    Category.RECORDING,
    Category.TRANSCRIPT,
    Category.CONSENT,
    Category.WITHDRAWAL,
)
"""The categories that a notice speaks of; the others hold nothing of the person."""
