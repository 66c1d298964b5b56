"""
Ready words, and what a notice must say before anybody may be told by it.

Pure but for reading the files in `consent/texts/`, once a process. A gap (`[privacy page]`) is what nobody has
filled in yet: words with a gap are never published.
"""

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from consent.enums import Channel, Language, Purpose

TEXTS: Final = Path(__file__).parent.parent / "texts"
NOTICE_CHANNELS: Final = (
    Channel.MENU,
    Channel.ANNOUNCEMENT,
    Channel.AGENT,
    Channel.WEB,
    Channel.EMAIL,
    Channel.SMS,
    Channel.TERMS,
    Channel.POSTED,
)
"""The ways by which people are told something in words of the client's."""
SPOKEN: Final = frozenset({Channel.MENU, Channel.ANNOUNCEMENT, Channel.AGENT})
NAMES_ITSELF: Final = SPOKEN | {Channel.SMS, Channel.POSTED}
"""Ways on which nothing stands beside the words that says whose they are."""
PLACES: Final = ("site", "ad", "profile", "print", "script")
KEYS_OF_NO: Final = frozenset("29")
"""Keys of the phone menu that say no: go on without a recording, and never again."""

_GAP = re.compile(r"\[[^\]\n]{1,60}\]|\{[a-z_]{1,20}\}")
_WEB = r"https?://|\bwww\.|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:/|\b)"
_NUMBER = r"(?:\+|\b)\d[\d ().-]{5,}\d"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of a client and stands in ready words.

    :ivar reads_mail: whether answers to its letters are read here.
    """

    name: str
    controller: str
    page: str = ""
    reads_mail: bool = False

    def fill(self, text: str) -> str:
        """Put what is known into a ready text; what is not stays as a gap that a person can read."""
        known = {
            "name": self.name or "[name]",
            "controller": self.controller or "[legal name]",
            "page": self.page or "[address of the privacy page]",
        }
        return re.sub(r"\{(name|controller|page)\}", lambda found: known[found[1]], text)


@dataclass(frozen=True, slots=True)
class Missing:
    """
    One thing that a notice must say and does not.

    :ivar field: where it belongs: controller, purposes, words or withdraw.
    :ivar ready: words that would do; "" where only a person can tell.
    """

    code: str
    field: str
    what: str
    ready: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """Words as a person wrote them, with what they are for."""

    channel: Channel
    language: Language
    purposes: tuple[Purpose, ...]
    controller: str
    words: str
    withdraw: str
    names: tuple[str, ...] = ()
    """Names by which callers know the client; the words must hold one where nothing else says it."""


@dataclass(frozen=True, slots=True)
class ReadyText:
    place: str
    title: str
    hint: str
    text: str


@cache
def _texts(language: str) -> dict[str, Any]:
    with (TEXTS / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


def ready_words(channel: Channel, language: Language, purposes: Collection[Purpose], facts: Facts) -> str:
    """Words for a channel that ask or tell of these purposes."""
    texts = _texts(language)
    asked = set(purposes)
    parts = []
    if asked & {Purpose.RECORD, Purpose.REVIEW} or not asked:
        parts.append(texts["words"][channel])
        asked -= {Purpose.RECORD, Purpose.REVIEW}
    else:
        parts.append(texts["controller"]["spoken" if channel in NAMES_ITSELF else "written"])
    parts += [texts["purpose"][purpose] for purpose in Purpose if purpose in asked]
    return facts.fill(" ".join(parts))


def ready_withdraw(channel: Channel, language: Language, facts: Facts) -> str:
    """How to withdraw, by a way that works on a channel."""
    answered = channel == Channel.EMAIL and facts.reads_mail
    return facts.fill(_texts(language)["withdraw"]["email_answered" if answered else channel])


def ready_texts(language: Language, facts: Facts) -> list[ReadyText]:
    """Texts for the site, ads, the business profile, print, and the script of who answers."""
    found = _texts(language)["place"]
    return [
        ReadyText(
            place, found[place]["title"], found[place]["hint"], facts.fill(found[place]["text"].strip())
        )
        for place in PLACES
    ]


def ready_acknowledgement(language: Language, facts: Facts) -> str:
    """What people who answer calls sign."""
    return facts.fill(_texts(language)["acknowledgement"]["text"].strip())


def ready_balancing_test(language: Language, facts: Facts) -> str:
    """A balancing test for measuring calls, to be read and changed by whoever declares it."""
    return facts.fill(_texts(language)["balancing"]["text"].strip())


def has_gap(text: str) -> bool:
    """Whether something is still to be filled in."""
    return _GAP.search(text) is not None


# --- What a notice must say ---

# What says that calls are recorded, and that somebody listens, by language. "Our records" records nothing.
_SAYS: Final[dict[Language, dict[Purpose, re.Pattern[str]]]] = {
    Language.ENGLISH: {
        Purpose.MEASURE: re.compile(r"\b(?:count|measur|track|statistic)", re.IGNORECASE),
        Purpose.RECORD: re.compile(
            r"\brecord(?:ed|ing|ings)?\b"
            r"|(?<!\bour )(?<!\byour )(?<!\bmy )(?<!\btheir )(?<!\bof )(?<!\bfor )\brecords\b",
            re.IGNORECASE,
        ),
        Purpose.REVIEW: re.compile(r"\bmonitor", re.IGNORECASE),
        Purpose.ANALYSE: re.compile(r"\b(?:analy[sz]|transcri)", re.IGNORECASE),
        Purpose.CONTACT: re.compile(r"\b(?:contact|(?:call|text|phone|write to|e-?mail) you)", re.IGNORECASE),
        Purpose.SHARE: re.compile(
            r"\b(?:shar(?:e|ed|es|ing)|sell|sold|pass(?:ed)? on|disclos)", re.IGNORECASE
        ),
    },
    Language.SPANISH: {
        Purpose.MEASURE: re.compile(r"\b(?:cont(?:ar|amos|ado)|medi[rmdc]|estad[ií]stic)", re.IGNORECASE),
        Purpose.RECORD: re.compile(r"\bgrab", re.IGNORECASE),
        Purpose.REVIEW: re.compile(r"\b(?:supervis|monitor)", re.IGNORECASE),
        Purpose.ANALYSE: re.compile(r"\b(?:analiz|análisis|transcri)", re.IGNORECASE),
        Purpose.CONTACT: re.compile(r"\b(?:contact|llamarle|llamarl[ao]|escribirle)", re.IGNORECASE),
        Purpose.SHARE: re.compile(r"\b(?:compart|vend|ced(?:er|emos|e)\b)", re.IGNORECASE),
    },
}
_THE_WORD: Final = {
    Language.ENGLISH: {
        Purpose.MEASURE: "count",
        Purpose.RECORD: "record",
        Purpose.REVIEW: "monitor",
        Purpose.ANALYSE: "analyze",
        Purpose.CONTACT: "contact",
        Purpose.SHARE: "share",
    },
    Language.SPANISH: {
        Purpose.MEASURE: "contar",
        Purpose.RECORD: "grabar",
        Purpose.REVIEW: "supervisar",
        Purpose.ANALYSE: "analizar",
        Purpose.CONTACT: "contactar",
        Purpose.SHARE: "compartir",
    },
}
_PRESS: Final = {
    Language.ENGLISH: r"\b(?:press|dial|push|hit)\s+(?:the\s+)?(?:key\s+)?(\d)\b",
    Language.SPANISH: r"\b(?:oprim|presion|marqu|marc|puls)\w*\s+(?:el\s+|la\s+tecla\s+)?(\d)\b",
}
# Keys are listened to while the menu asks, and never during the call.
_ANY_TIME: Final = {
    Language.ENGLISH: re.compile(r"\b(?:any ?time|whenever|during the call)\b", re.IGNORECASE),
    Language.SPANISH: re.compile(
        r"\b(?:cualquier momento|cuando quiera|durante la llamada)\b", re.IGNORECASE
    ),
}
_ANSWER: Final = {
    Language.ENGLISH: re.compile(r"\b(?:reply|replying|answer|answering)\b", re.IGNORECASE),
    Language.SPANISH: re.compile(r"\b(?:respond\w+|contest\w+)\b", re.IGNORECASE),
}
_SAY: Final = {
    Language.ENGLISH: r"\b(?:say|tell|ask|press)\b",
    Language.SPANISH: r"\b(?:d[ií]ga\w*|d[ií]gal\w*|avis\w+|p[ií]da\w*|oprima|presione|marque|pulse)\b",
}
# How a withdrawal works on a channel: what the sentence must hold, and how that is said to who writes it.
_WAYS: Final[dict[Channel, tuple[dict[Language, str], str]]] = {
    Channel.MENU: (_PRESS, "a menu key that refuses: 2 or 9"),
    Channel.SMS: (
        {Language.ENGLISH: r"\bSTOP\b", Language.SPANISH: r"\b(?:STOP|ALTO|PARAR|CANCELAR)\b"},
        "the reply STOP",
    ),
    Channel.WEB: (
        {
            Language.ENGLISH: rf"{_WEB}|\b(?:link|page|form)\b",
            Language.SPANISH: rf"{_WEB}|\b(?:enlace|página|formulario)\b",
        },
        "a link or a page",
    ),
    Channel.EMAIL: (
        {
            Language.ENGLISH: rf"{_WEB}|\b(?:link|reply|replying|answer|answering)\b",
            Language.SPANISH: rf"{_WEB}|\b(?:enlace|respond\w+|contest\w+)\b",
        },
        "a link or a reply to the message",
    ),
    Channel.ANNOUNCEMENT: (_SAY, "a way to say so or a key to press"),
    Channel.AGENT: (_SAY, "a way to say so"),
    Channel.POSTED: (
        {Language.ENGLISH: rf"{_WEB}|{_NUMBER}", Language.SPANISH: rf"{_WEB}|{_NUMBER}"},
        "a number to call or the address of a page",
    ),
    Channel.TERMS: (
        {
            Language.ENGLISH: rf"{_WEB}|{_NUMBER}|\b(?:write|writing|reply|answer)\b",
            Language.SPANISH: rf"{_WEB}|{_NUMBER}|\b(?:escrib\w+|respond\w+)\b",
        },
        "an address to write to, a number, or a page",
    ),
}


def what_is_missing(draft: Draft, facts: Facts) -> list[Missing]:
    """Everything that keeps a notice from being published, each with words that would do."""
    return [
        *_missing_controller(draft, facts),
        *_missing_purposes(draft, facts),
        *_missing_withdrawal(draft, facts),
        *_gaps(draft),
    ]


def _missing_controller(draft: Draft, facts: Facts) -> Iterable[Missing]:
    if not draft.controller.strip():
        yield Missing(
            "controller",
            "controller",
            "The notice does not name the controller.",
            facts.controller,
        )
    elif draft.channel in NAMES_ITSELF and not _names_somebody(draft):
        yield Missing(
            "name",
            "words",
            "The text does not name the client. On this channel, nothing else does.",
            facts.fill(_texts(draft.language)["controller"]["spoken"]),
        )


def _names_somebody(draft: Draft) -> bool:
    said = draft.words.casefold()
    names = {name.casefold().strip() for name in (draft.controller, *draft.names)} - {""}
    # "Harbor Dental Group, Inc." is named where "Harbor Dental" is: its first two words, if they are two.
    names |= {" ".join(re.findall(r"\w+", name)[:2]) for name in names if len(re.findall(r"\w+", name)) > 2}
    return any(name in said for name in names)


def _missing_purposes(draft: Draft, facts: Facts) -> Iterable[Missing]:
    if not draft.purposes:
        yield Missing("purposes", "purposes", "No purpose is selected. Select at least one.")
    # Only the words: "we stop the recording" in how to withdraw tells nobody that there is one.
    for purpose in draft.purposes:
        if not _SAYS[draft.language][purpose].search(draft.words):
            word = _THE_WORD[draft.language][purpose]
            yield Missing(
                purpose.value,
                "words",
                f"The text does not mention the purpose “{purpose.label}”: the word “{word}” is missing.",
                facts.fill(_texts(draft.language)["purpose"][purpose]),
            )


def _missing_withdrawal(draft: Draft, facts: Facts) -> Iterable[Missing]:
    ready = ready_withdraw(draft.channel, draft.language, facts)
    patterns, way = _WAYS[draft.channel]
    if not draft.withdraw.strip():
        what = "The notice does not say how to withdraw."
    elif draft.channel == Channel.MENU and _promises_keys_later(draft):
        what = "Keys work only while the menu plays, not at any time."
    elif (
        draft.channel == Channel.EMAIL
        and not facts.reads_mail
        and _ANSWER[draft.language].search(draft.withdraw)
    ):
        what, way = "Email replies are not read here.", "only the link"
    else:
        found = re.findall(patterns[draft.language], draft.withdraw, re.IGNORECASE)
        keys = set(found) if draft.channel == Channel.MENU else KEYS_OF_NO
        if found and keys & KEYS_OF_NO:
            return
        what = "The withdrawal method does not work on this channel."
    yield Missing("withdraw", "withdraw", f"{what} It must name {way}.", ready)


def _promises_keys_later(draft: Draft) -> bool:
    return any(
        re.search(_PRESS[draft.language], sentence, re.IGNORECASE)
        and _ANY_TIME[draft.language].search(sentence)
        for sentence in re.split(r"[.!?;]", draft.withdraw)
    )


def _gaps(draft: Draft) -> Iterable[Missing]:
    for field in ("controller", "words", "withdraw"):
        found = _GAP.search(getattr(draft, field))
        if found is not None:
            yield Missing(
                f"gap-{field}",
                field,
                f"A placeholder is not filled in: {found[0]}. Replace or remove it.",
            )


# --- Text messages and speech ---

_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE: Final = frozenset("^{}\\[~]|€")
WORDS_A_MINUTE: Final = 150


def segments(text: str) -> int:
    """
    How many parts a text message is sent in: 160 characters of the GSM alphabet, or 153 in each of several; with
    any other character 70, or 67 (3GPP TS 23.038, 23.040).
    """
    if not text:
        return 0
    if set(text) <= _GSM | _GSM_TWICE:
        length, alone, together = sum(2 if sign in _GSM_TWICE else 1 for sign in text), 160, 153
    else:
        length, alone, together = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // together)


def seconds_to_say(text: str) -> int:
    """About how long it takes to speak."""
    return max(1, round(len(re.findall(r"\w+", text)) * 60 / WORDS_A_MINUTE))
