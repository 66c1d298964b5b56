"""
Words and their meanings, read from `lexicon.toml`: verbs take their forms by rule, the rest stands there as it is.

A meaning is one character, so that a reply becomes a short string and a rule a regular expression over it.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("en", "es", "fr")
UNKNOWN: Final = "x"
DOMAINS: Final = "CBRLAS"
FORMS: Final = "vgpniod"
_FIRST: Final = 0xE000  # Unicode's private area
_VOWELS: Final = "aeiou"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the words of one language mean."""

    words: dict[str, str] = field(default_factory=dict)
    """Folded word -> name of its meaning."""
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    """First word -> the phrases that begin with it, longest first."""
    expand: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Chat spelling -> the words it stands for."""

    def add(self, text: str, meaning: str) -> None:
        """Give a word or phrase its meaning; the first one stays."""
        parts = tuple(text.split("_"))
        if len(parts) == 1:
            self.words.setdefault(text, meaning)
        elif all(parts != known for known, _ in self.phrases.get(parts[0], ())):
            self.phrases.setdefault(parts[0], []).append((parts, meaning))


@dataclass(frozen=True, slots=True)
class Hints:
    """What helps to read a word by the one before it, or across languages."""

    definite: dict[str, frozenset[str]]
    """Language -> words after which a verb is a thing: my call."""
    things: dict[str, str]
    """Verbs that mean something of their own as a thing: my phone, the record."""
    before_phoning: frozenset[str]
    travelling_meanings: frozenset[str]
    travelling_words: frozenset[str]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


@cache
def hints() -> Hints:
    data = _data()["hints"]
    pairs = (pair.partition("=") for pair in data["things"].split())
    return Hints(
        definite={language: frozenset(data["definite"].get(language, "").split()) for language in LANGUAGES},
        things={word: meaning for word, _, meaning in pairs},
        before_phoning=_words(data["before_phoning"]),
        travelling_meanings=_words(data["travelling_meanings"]),
        travelling_words=_words(data["travelling_words"]),
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ") if word.islower() else word for word in text.split())


@cache
def load() -> dict[str, Lexicon]:
    """Every language's lexicon."""
    data = _data()
    found = {language: Lexicon() for language in LANGUAGES}
    for language, lexicon in found.items():
        for pair in data["expand"].get(language, "").split():
            short, _, long = pair.partition("=")
            lexicon.expand.setdefault(short, tuple(long.split("_")))
        for table in ("meanings", "forms"):
            for meaning, words in data[table].get(language, {}).items():
                for word in words.split():
                    lexicon.add(word, meaning)
        for domain, verbs in data["verbs"].get(language, {}).items():
            for verb in verbs.split():
                for form, word in _forms(language, verb):
                    lexicon.add(word, f"{domain}_{form}")
        for phrases in lexicon.phrases.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))
    return found


@cache
def codes() -> dict[str, str]:
    """Name of a meaning -> its character."""
    tables = [own for name in ("meanings", "forms") for own in _data()[name].values()]
    names = {meaning for own in tables for meaning in own} | {"CALL", "DIGITS"}
    names |= {f"{domain}_{form}" for own in _data()["verbs"].values() for domain in own for form in FORMS}
    return {name: chr(_FIRST + place) for place, name in enumerate(sorted(names))}


def _forms(language: str, verb: str) -> Iterator[tuple[str, str]]:
    head, _, rest = verb.partition("_")
    forms = _english(head) if language == "en" else _spanish(verb)
    for form, word in forms:
        yield form, f"{word}_{rest}" if rest else word


def _english(base: str) -> Iterable[tuple[str, str]]:
    if base.endswith("e") and not base.endswith("ee"):
        stem, past = base[:-1], f"{base}d"
    elif base[-1] not in f"{_VOWELS}wxyl" and base[-2:-1] in _VOWELS and base[-3:-2] not in _VOWELS:
        short = len(base) < 6 and base not in {"email", "market", "record", "monitor", "bother", "visit"}
        stem = base + base[-1] if short else base
        past = f"{stem}ed"
    else:
        stem, past = base, f"{base}ed"
    if base.endswith("y") and base[-2:-1] not in _VOWELS:
        past, plural = f"{base[:-1]}ied", f"{base[:-1]}ies"
    else:
        plural = f"{base}es" if base.endswith(("s", "sh", "ch", "x")) else f"{base}s"
    return (("v", base), ("g", f"{stem}ing"), ("p", past), ("n", plural))


_CLITICS: Final = (
    "me", "nos", "le", "les", "te", "lo", "la", "los", "las", "se", "melo", "mela", "melos", "melas", "selo", "nosla",
)  # fmt: skip
_AR: Final = {
    "v": "e es en emos ara aras aran ase asen eis",
    "d": "a o as an amos aron aste aba aban abas ara aran are arian aria",
    "g": "ando",
    "p": "ado ada ados adas",
}
_ER: Final = {
    "v": "a as an amos iera ieran ieras iese iesen ais",
    "d": "e o es en ieron io iste ia ian era eran ere erian ira iran",
    "g": "iendo",
    "p": "ido ida idos idas",
}


def _spanish(verb: str) -> Iterable[tuple[str, str]]:
    infinitive, _, irregular = verb.partition("/")
    stem, kind = infinitive[:-2], infinitive[-2:]
    soft = irregular or (_before_e(stem) if kind == "ar" else stem)
    endings = _AR if kind == "ar" else _ER
    past = "escrito" if infinitive == "escribir" else ""
    yield "i", infinitive
    for clitic in _CLITICS:
        yield "i", infinitive + clitic
    for form, tails in endings.items():
        for tail in tails.split():
            yield form, (soft if form == "v" and not tail.startswith(("ara", "ase", "ie")) else stem) + tail
            if form == "g":
                for clitic in _CLITICS[:6]:
                    yield "g", stem + tail + clitic
    if past:
        yield "p", past
    orders = (soft + "en", soft + "e", stem + "a") if kind == "ar" else (soft + "an", soft + "a", stem + "e")
    for order in orders:
        for clitic in _CLITICS[:4]:
            yield "o", order + clitic


def _before_e(stem: str) -> str:
    """Marcar, marquen; apagar, apaguen; analizar, analicen."""
    if stem.endswith("c"):
        return f"{stem[:-1]}qu"
    if stem.endswith("g"):
        return f"{stem}u"
    return f"{stem[:-1]}c" if stem.endswith("z") else stem
