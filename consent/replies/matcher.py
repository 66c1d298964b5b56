"""
From a reply to its meaning, in four steps: words of the table that stand alone, the grammar, what makes it doubtful,
and last what smells of a withdrawal and goes to a person.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, cast

from consent.enums import Purpose
from consent.replies import grammar, lexicon, normal, quoted, reading, spelling, table

type Label = Literal["withdraw", "consent", "help", "review", "none"]

LABELS: Final[tuple[Label, ...]] = ("withdraw", "consent", "help", "review", "none")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reply means, and why."""

    label: Label
    why: str
    """One sentence for the person who reads the trail."""
    purposes: frozenset[Purpose] = frozenset()
    """Withdrawn or restored purposes; empty for an answer, whose purposes the invitation names."""
    language: str = ""
    """"en", "es", "fr", or "" where no word is known."""
    word: str = ""
    """The word of the table, where the reply is one."""
    needs_person: bool = False


def classify(text: str, *, channel: str = "sms") -> Verdict:
    """
    What a reply means on a channel: sms, email, web or voice.

    `consent` is an answer: the caller checks that an invitation is recent whose words we sent. Of START and its kin
    `purposes` is contact alone: they restore texting, and nothing else.

    :raises ValueError: no such channel.
    """
    if channel not in table.CHANNELS:
        raise ValueError(
            f"There is no channel {channel!r} for replies; there are {', '.join(table.CHANNELS)}."
        )
    own = quoted.strip_quoted(text)
    cut = len(own) > normal.LONGEST
    plain = normal.clean(own)
    parts = normal.split(plain, _joined())
    if len(parts) > reading.MOST_WORDS:
        cut = True
    verdict = _judge(parts, plain, channel)
    if cut and verdict.label in {"none", "consent", "help"}:
        return Verdict("review", "Too long to be read to its end.", needs_person=True)
    return verdict


@dataclass(frozen=True, slots=True)
class _Found:
    """One rule that fits, and what makes it doubtful."""

    rule: grammar.Rule
    purposes: frozenset[Purpose]
    words: str
    doubt: str


def _judge(parts: list[str], plain: str, channel: str) -> Verdict:
    if _is_reaction(plain):
        return Verdict("none", "A reaction to a message, which repeats that message's words.")
    if not any(part not in normal.MARKS for part in parts):
        if any(sign in plain for sign in normal.STOP_SIGNS):
            return Verdict("review", "A stop sign without words.", needs_person=True)
        return Verdict("none", "There are no words in it.")
    read = reading.read(parts)
    return (
        _alone(read, channel)
        or _settled(list(_found(read)), read)
        or Verdict("none", "Nothing in it speaks of consent.", language=read.language)
    )


def _settled(found: list[_Found], read: reading.Reading) -> Verdict | None:
    """The strongest of what was found: a withdrawal, a doubt, an answer, a call for help."""
    withdrawn = [one for one in found if one.rule.label == "withdraw" and not one.doubt]
    doubtful = next((one for one in found if one.rule.label == "withdraw" and one.doubt), None)
    if withdrawn:
        return Verdict(
            "withdraw",
            f"{_sentence(withdrawn[0].rule.why)}: {withdrawn[0].words!r}.",
            purposes=frozenset[Purpose]().union(*(one.purposes for one in withdrawn)),
            language=read.language,
            needs_person=any(one.rule.id == "delete-data" for one in found),
        )
    if doubtful is None and not any(one.rule.firm for one in found) and (loose := _loose(read)):
        return loose
    if doubtful is not None:
        why = f"{_sentence(doubtful.rule.why)}: {doubtful.words!r}, but {doubtful.doubt}."
        return Verdict("review", why, doubtful.purposes, read.language, needs_person=True)
    for label in ("review", "consent", "help"):
        for one in found:
            if one.rule.label == label:
                return Verdict(
                    cast("Label", label),
                    f"{_sentence(one.rule.why)}: {one.words!r}.",
                    purposes=one.purposes if label == "consent" else frozenset(),
                    language=read.language,
                    needs_person=label == "review",
                )
    return None


def _sentence(why: str) -> str:
    return why[0].upper() + why[1:]


# --- words that stand alone ------------------------------------------------------------------------------------------


def _alone(read: reading.Reading, channel: str) -> Verdict | None:
    """The verdict where every word is courtesy or stands in the table with one meaning."""
    courtesy = {lexicon.codes()[name] for name in ("POLITEW", "OK", "NOW")}
    words = [word for word in read.words if word not in normal.MARKS]
    core = [
        word
        for word, meaning in zip(read.words, read.meanings, strict=True)
        if word not in normal.MARKS and meaning not in courtesy
    ]
    for candidate in (words, core):
        rows = _rows(candidate)
        if rows and len({row.labels[channel] for row in rows}) == 1:
            return _of_the_table(rows[0], channel, read.language)
    return None


def _rows(words: list[str]) -> list[table.Word]:
    known = table.load()
    whole = " ".join(words)
    if whole in known:
        return [known[whole]]
    if len(words) > _MOST_ALONE:
        return []
    rows = [_row(word, known) for word in words]
    return [row for row in rows if row is not None] if all(rows) else []


_MOST_ALONE: Final = 8


def _row(word: str, known: dict[str, table.Word]) -> table.Word | None:
    if word in known:
        return known[word]
    for guess in spelling.guesses(word):
        if guess in known:
            return known[guess]
    if spelling.is_stop(word):
        return known["stop"]
    return None


def _of_the_table(row: table.Word, channel: str, language: str) -> Verdict | None:
    label = row.labels[channel]
    said = f"The word {row.word.upper()}"
    whys = {
        "withdraw": f"{said} alone withdraws.",
        "consent": f"{said} restores texting, and nothing else."
        if row.restores
        else f"{said} agrees; it counts only as the answer to an invitation.",
        "help": f"{said} asks for help.",
        "review": f"{said} may withdraw; on this channel a person decides.",
        "none": f"{said} means nothing on this channel.",
    }
    return Verdict(
        cast("Label", label),
        whys[label],
        purposes=row.purposes if label in {"withdraw", "consent"} else frozenset(),
        language=row.language or language,
        word=row.word,
        needs_person=label == "review",
    )


@cache
def _joined() -> frozenset[str]:
    """Words that are read also where their letters stand apart."""
    return frozenset(word for word in table.load() if len(word) >= 3) | {"stopp", "please"}


# --- in whatever words -----------------------------------------------------------------------------------------------


def _loose(read: reading.Reading) -> Verdict | None:
    """
    A withdrawal in words that no rule foresaw: a part of a sentence that says no, names a deed of ours and them, and
    holds little else. Where it holds more, a person reads it.
    """
    rules = grammar.load().loose
    doubtful: Verdict | None = None
    start = 0
    for place, meaning in enumerate((*read.meanings, normal.SENTENCE)):
        if meaning not in normal.MARKS:
            continue
        part = read.meanings[start:place]
        if _says_no(part + meaning, rules):
            words = f"{_sentence(rules.why)}: {_shown(read, (start, place))!r}"
            if _is_clear(part, rules):
                purposes = frozenset[Purpose]().union(*(_OF_DOMAIN[domain] for domain in _domains(part)))
                return Verdict("withdraw", f"{words}.", purposes or table.EVERYTHING, read.language)
            doubtful = Verdict(
                "review", f"{words}, among other words.", language=read.language, needs_person=True
            )
        start = place + 1
    return doubtful


def _says_no(part: str, rules: grammar.Loose) -> bool:
    """Whether a part of a sentence, with the mark that ends it, says no to a deed of ours."""
    length = len(part) - 1
    meanings = set(part)
    return (
        rules.shortest <= length <= rules.longest
        and bool(meanings & rules.says_no)
        and bool(meanings & rules.deeds)
        and bool(meanings & rules.directed or length <= rules.shortest + 2)
        and not any(blocker.search(part) for blocker in rules.blockers)
    )


def _is_clear(part: str, rules: grammar.Loose) -> bool:
    return part.count(lexicon.UNKNOWN) <= rules.unknown + len(part) // rules.more_for and not any(
        softened.search(part) for softened in rules.softened
    )


# --- the grammar -----------------------------------------------------------------------------------------------------


def _found(read: reading.Reading) -> Iterator[_Found]:
    for rule in grammar.load().rules:
        for match in rule.pattern.finditer(read.meanings):
            if match.end() == match.start():
                continue
            span = match.span()
            purposes = _purposes(rule, read.meanings[span[0] : span[1]])
            doubt = _doubt(rule, read, span, purposes) if rule.label == "withdraw" else ""
            yield _Found(rule, purposes, _shown(read, span), doubt)


def _doubt(
    rule: grammar.Rule, read: reading.Reading, span: tuple[int, int], purposes: frozenset[Purpose]
) -> str:
    if rule.may_be_negated and _is_negated(read, span[0]):
        return "it is turned around"
    if not rule.may_be_doubted:
        return ""
    for doubt in grammar.load().doubts:
        if doubt.only and purposes != {Purpose(doubt.only)}:
            continue
        start, end = _region(doubt.where, read.meanings, span)
        hits = doubt.pattern.finditer(read.meanings, start, end)
        if any(doubt.where != "anywhere" or not span[0] <= hit.start() < span[1] for hit in hits):
            return doubt.why
    return ""


def _region(where: str, meanings: str, span: tuple[int, int]) -> tuple[int, int]:
    if where in {"anywhere", "sentence"}:
        return 0, len(meanings)
    start = max((meanings.rfind(mark, 0, span[0]) for mark in _sentence_marks()), default=-1) + 1
    if where == "before":
        return start, span[0] + 1
    start = max((meanings.rfind(mark, 0, span[0]) for mark in _clause_marks()), default=-1) + 1
    if where == "clause before":
        return start, span[0] + 1
    ends = [place for mark in _clause_marks() if (place := meanings.find(mark, span[1])) >= 0]
    return start, min(ends, default=len(meanings))


@cache
def _sentence_marks() -> tuple[str, ...]:
    return normal.SENTENCE, normal.QUESTION


@cache
def _clause_marks() -> tuple[str, ...]:
    return normal.SENTENCE, normal.QUESTION, normal.COMMA, lexicon.codes()["CONJ"]


def _is_negated(read: reading.Reading, start: int) -> bool:
    """Whether "do not" (Spanish: no) stands before, with nothing but small words between."""
    rules = grammar.load()
    negates = rules.negates | {lexicon.codes()["NO"]} if read.language == "es" else rules.negates
    for place in range(start - 1, max(start - 5, -1), -1):
        if read.meanings[place] in negates:
            return True
        if read.meanings[place] not in rules.passes:
            return False
    return False


def _shown(read: reading.Reading, span: tuple[int, int]) -> str:
    """The words that fit, less those that are not in the lexicon: they may be names or numbers."""
    shown = [
        "…" if meaning == lexicon.UNKNOWN or any(letter.isdigit() for letter in word) else word
        for word, meaning in zip(read.words[span[0] : span[1]], read.meanings[span[0] : span[1]], strict=True)
        if word not in normal.MARKS
    ]
    return " ".join(shown[:_MOST_SHOWN])


_MOST_SHOWN: Final = 12

# --- purposes --------------------------------------------------------------------------------------------------------

_OF_DOMAIN: Final = {
    "C": frozenset({Purpose.CONTACT}),
    "B": table.EVERYTHING,
    "R": frozenset({Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE}),
    "L": frozenset({Purpose.REVIEW}),
    "A": frozenset({Purpose.ANALYSE}),
    "S": frozenset({Purpose.SHARE}),
}


def _purposes(rule: grammar.Rule, meanings: str) -> frozenset[Purpose]:
    if rule.purposes == "all":
        return table.EVERYTHING
    if rule.purposes == "answer":
        return frozenset()
    if rule.purposes in {"deeds", "topic"}:
        named = frozenset[Purpose]().union(*(_OF_DOMAIN[domain] for domain in _domains(meanings)))
        return named or table.EVERYTHING
    return frozenset(map(Purpose, rule.purposes.split("+")))


def _domains(meanings: Iterable[str]) -> set[str]:
    """
    Domains of the deeds named. Calls that are recorded, heard, analysed or sold are what the deed is done to, not a
    deed: contact counts only in a part of its own, and there as a thing only before any other deed.
    """
    deeds = _deeds()
    breaks = {*_clause_marks(), lexicon.codes()["NO"]}
    parts: list[list[tuple[str, str]]] = [[]]
    for meaning in meanings:
        if meaning in deeds:
            parts[-1].append(deeds[meaning])
        elif meaning in breaks:
            parts.append([])
    found: set[str] = set()
    for part in parts:
        others = {domain for domain, _ in part if domain != "C"}
        if others:
            found |= others
        elif part and (found <= {"C"} or any(form != "n" for _, form in part)):
            found.add("C")
    return found


@cache
def _deeds() -> dict[str, tuple[str, str]]:
    codes = lexicon.codes()
    forms = {
        codes[f"{domain}_{form}"]: (domain, form) for domain in lexicon.DOMAINS for form in lexicon.FORMS
    }
    return forms | {codes["CALL"]: ("C", "n")}


# --- reactions -------------------------------------------------------------------------------------------------------


def _is_reaction(plain: str) -> bool:
    """Whether a telephone wrote it: liked "Reply STOP to opt out"."""
    return bool(_REACTION.match(plain))


_REACTION: Final = re.compile(
    r"^\W{0,5}(?:(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted\b.{0,20}\bto"
    r"|removed an? .{1,20} from|le gust[oó]|le encant[oó]|no le gust[oó]|se ri[oó] de|destac[oó]|pregunt[oó] por"
    r"|reaccion[oó]\b.{0,20}\ba)(?: (?:an? )?(?:image|message|una imagen|un mensaje))?\s*\"|to \")"
)
